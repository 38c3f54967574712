"""The benchmark's harness, with a made-up system: what it measures, what it says of a system that cannot, going on."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.peers.corpus import Question, Texts, added_document, made_documents, sentences, write_corpus
from benchmarks.peers.environments import ADAPTERS, about, pins_of
from benchmarks.peers.measures import MEASURES, System
from benchmarks.peers.session import Session, SystemFailed
from benchmarks.peers.table import behind, growth_table, summary, table
from index.minilm import model_folder

FAKE = '''
"""Finds documents by the words they share with the question; keeps them in one JSON file."""

# /// script
# dependencies = []
# ///

import json
from pathlib import Path


class Peer:
    title = "Fake"
    package = "pincite"
    chunking = "whole documents"
    cannot = {"ask": "no: it has no reader"}

    def __init__(self, model, folder):
        self.file = folder / "texts.json"

    def ingest(self, folder):
        self.file.parent.mkdir(parents=True)
        self.texts = {path.name: path.read_text() for path in folder.glob("*.txt")}
        self.embedded = list(self.texts.values())
        self.file.write_text(json.dumps(self.texts))
        print("what libraries print does not disturb")

    def open(self):
        self.texts = json.loads(self.file.read_text())

    def retrieve(self, question, k):
        words = set(question.lower().strip("?").split())
        return sorted(self.texts, key=lambda name: -len(words & set(self.texts[name].lower().split())))[:k]

    def add(self, name, text):
        self.texts[name] = text

    def rerun(self, folder):
        assert len(list(folder.glob("*.txt"))) == 9
'''
TEXTS = Texts(
    {
        f"{row}.txt": f"Document {row} is about topic{row} and says nothing more of any other thing at all"
        for row in range(9)
    },
    tuple(Question(f"What is topic{row}?", f"{row}.txt") for row in range(8)),
)
POOL = sentences(TEXTS.documents.values())


def system(tmp_path: Path, source: str = FAKE) -> System:
    adapter = tmp_path / "fake.py"
    adapter.write_text(source)
    return System("fake", Path(sys.executable), adapter, model_folder(), tmp_path, 60, about(adapter))


def measured(measure: str, found: System, tmp_path: Path) -> dict[str, float]:
    corpus = write_corpus("nine", TEXTS, tmp_path)
    return peers.carry_out(peers.Step(corpus, measure, 0, "fake"), found, POOL)


def test_every_measure_gives_its_figures(tmp_path: Path) -> None:
    fake = system(tmp_path)
    found: dict[str, float] = {}
    for measure in MEASURES:
        found |= measured(measure, fake, tmp_path)
    assert found["chunks"] == 9
    assert found["embedded"] == found["tokens"] > 9 * 10
    assert found["hit_at_5"] == 1
    assert found["disk_mb"] == pytest.approx(len(json.dumps(TEXTS.documents)) / 1e6, rel=0.1)
    assert found["ingest_mb"] > 5
    seconds = (
        "ingest_s",
        "cold_retrieve_s",
        "cold_rerun_s",
        "cold_add_s",
        "add_s",
        "rerun_s",
        "retrieve_p50_ms",
        "ingest_cpu_s",
    )
    assert all(found[name] > 0 for name in seconds)
    assert "ask_p50_ms" not in found


def test_a_system_that_has_ended_before_it_is_stopped_is_weighed_all_the_same(tmp_path: Path) -> None:
    session = Session([sys.executable, "-c", ""], environ=os.environ, log=tmp_path / "log", limit_s=60)
    os.waitid(os.P_PID, session._process.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet reaped
    session.__exit__(SystemFailed)
    assert session.peak_mb > 0


@pytest.mark.parametrize(
    ("broken", "measure", "said"),
    [
        ("self.texts[name] = text", "warm", "the added document is not found"),
        ("self.embedded = list(self.texts.values())", "ingest", "no memory"),
        ("words = set(", "cold", "no memory"),
    ],
)
def test_a_system_that_fails_is_said_to_and_nothing_is_scored(
    tmp_path: Path, broken: str, measure: str, said: str
) -> None:
    measured("ingest", system(tmp_path), tmp_path)
    instead = "pass #" if measure == "warm" else "raise ValueError('no memory') #"
    found = measured(measure, system(tmp_path, FAKE.replace(broken, instead)), tmp_path)
    assert said in found["failed"]
    assert found.keys() == {"failed"}


def test_a_system_that_does_not_reply_is_given_up(tmp_path: Path) -> None:
    slow = system(tmp_path, FAKE.replace("self.embedded =", "import time; time.sleep(60); self.embedded ="))
    slow = System(slow.name, slow.python, slow.adapter, slow.model, slow.cache, 0.5, slow.about)
    assert measured("ingest", slow, tmp_path) == {"failed": "over 0 s"}
    assert measured("cold", slow, tmp_path) == {"failed": "no index"}


def test_the_table_says_in_words_what_a_system_cannot_do_and_where_pincite_is_behind() -> None:
    abouts = {"pincite": {"title": "Pincite"}, "fake": {"title": "Fake", "cannot": {"ask": "no: it has no reader"}}}
    results = {
        "pincite": {"ask_p50_ms": 80.0, "add_s": 0.2, "documents_a_s": 20.0, "hit_at_5": 0.9},
        "fake": {"add_s": 0.1, "add_cpu_s": 0.05, "documents_a_s": 10.0, "hit_at_5": 0.9},
    }
    printed = table(results, abouts)
    assert "| cited answer, p50, ms | 80 | no: it has no reader |" in printed
    assert "| one document added and found, warm, s | 0.200 | **0.100 (0.050)** |" in printed
    assert "| ingest and save, documents/s | **20.0** | 10.0 |" in printed
    assert behind(results, abouts) == ["one document added and found, warm, s: Pincite 0.200, Fake 0.100"]


def test_growth_shows_a_size_that_failed_in_words() -> None:
    sizes = {10: {"fake": {"ingest_s": 1.0}}, 1: {"fake": {"ingest_s": 0.25}}, 100: {"fake": {"failed": "over 9 s"}}}
    assert "| ingest and save beyond embedding, s | 0.2 / 1.0 / over 9 s |" in growth_table(
        sizes, {"fake": {"title": "Fake"}}
    )


def test_repeats_come_to_their_median_and_tokens_to_a_share() -> None:
    records = [
        {
            "system": "fake",
            "figures": {"cold_retrieve_s": value, "ingest_s": 2.0, "ingest_cpu_s": 4.0, "tokens": 100, "embedded": 40},
        }
        for value in (9.0, 1.0, 2.0)
    ]
    found = summary(records, documents=10)["fake"]
    assert (found["cold_retrieve_s"], found["share"], found["documents_a_s"]) == (2.0, 0.4, 5)
    assert (found["tokens_a_s"], found["tokens_a_cpu_s"]) == (20, 10)


def test_a_stopped_run_goes_on_where_it_was_and_failures_are_tried_again(tmp_path: Path) -> None:
    corpus = write_corpus("nine", TEXTS, tmp_path)
    done, failed, slow, new = (peers.Step(corpus, "cold", repeat, "fake") for repeat in range(4))
    records = peers.Records(tmp_path / "records.jsonl")
    records.add(done, {"cold_retrieve_s": 1.0})
    records.add(failed, {"failed": "failed: no memory"})
    records.add(slow, {"failed": "over 300 s"})
    reread = peers.Records(tmp_path / "records.jsonl")
    assert [reread.has(step) for step in (done, failed, slow, new)] == [True, False, True, False]
    reread.forget(["another"])
    assert peers.Records(tmp_path / "records.jsonl").has(done)
    reread.forget(["fake"])
    assert not peers.Records(tmp_path / "records.jsonl").has(done)


def test_made_documents_are_the_same_at_every_call_and_an_added_one_is_new() -> None:
    assert list(made_documents(POOL, 5)) == list(made_documents(POOL, 5))
    assert all(80 <= len(text.split()) <= 110 for _, text in made_documents(POOL, 50))
    text, question = added_document(POOL, "0-1")
    assert text.startswith("The ")
    assert question.answered_by == "added-0-1.txt"
    assert added_document(POOL, "0-2")[0] != text


def test_every_adapter_pins_its_packages_and_says_what_it_is() -> None:
    for adapter in ADAPTERS.glob("*.py"):
        pins = pins_of(adapter)
        assert all("==" in pin for pin in (*pins.packages, *pins.alone)), adapter
        assert {"title", "version", "chunking", "cannot"} <= about(adapter).keys(), adapter


def test_vectors_of_the_table_are_the_same_in_every_process_and_of_unit_length() -> None:
    import numpy as np

    from benchmarks.peers.serve import made_vectors

    vectors = made_vectors(["one text", "another"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors, made_vectors(["one text", "another"]))
    assert vectors[0, 0] == pytest.approx(float(made_vectors(["one text"])[0, 0]))
    assert abs(float(vectors[0] @ vectors[1])) < 0.5


def test_the_command_measures_and_reports_a_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = system(tmp_path)
    monkeypatch.setattr(peers, "ready_systems", lambda *_: {"fake": fake})
    monkeypatch.setattr(peers, "MEASURES", {name: MEASURES[name] for name in ("ingest", "cold")})
    args = argparse.Namespace(
        data=[], documents=9, characters=500, chunks=[], cache=tmp_path, limit=60, repeats=1, fresh=False, minutes=9
    )
    found = peers.run(args)
    assert found["results"]["fake"]["chunks"] == 9
    assert "no: it has no reader" in found["table"]
    assert found["behind"] == []
