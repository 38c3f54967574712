"""Readers keep answering from one generation while another is built; of two builders one is refused at once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import StubEncoder, StubReader
from faults import Running

from index.build import build_index
from index.check import check_index
from index.errors import IndexBusy
from qa.corpus import Corpus
from qa.results import CitationState

BUILDS = 50


def write_generation(folder: Path, number: int) -> None:
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(f"The river {name} is in state {number}.")


def read_until(done: Path, index_dir: Path) -> list[tuple[str, set[str]]]:
    """Ask again and again; return of each answer its index id and the states its passages tell of."""
    corpus = Corpus.open(index_dir, encoder=StubEncoder(), reader=StubReader())
    seen = []
    while not done.exists():
        answer = corpus.ask("In which state is the river?")
        seen.append((answer.index_id, {passage.text.split()[-1] for passage in answer.related}))
        for passage in answer.related:
            assert corpus.cite(passage.citation.id).state is not CitationState.DELETED
            document = corpus_document(corpus, passage.doc_id)
            assert document is None or document[passage.span.start : passage.span.end] == passage.text
    return seen


def corpus_document(corpus: Corpus, doc_id: str) -> str | None:
    """Return a text, or None when a newer generation has replaced it since the answer."""
    try:
        return corpus.document(doc_id).text
    except LookupError:
        return None


def test_two_readers_answer_from_one_generation_each_while_fifty_are_built(ram_path: Path) -> None:
    folder, index_dir, done = ram_path / "docs", ram_path / "index", ram_path / "done"
    folder.mkdir()
    states: dict[str, set[str]] = {}
    write_generation(folder, 0)
    states[build_index(index_dir, [folder], encoder=StubEncoder()).index_id] = {"0."}
    readers = [Running(lambda: read_until(done, index_dir)) for _ in range(2)]
    for number in range(1, BUILDS + 1):
        write_generation(folder, number)
        states[build_index(index_dir, [folder], encoder=StubEncoder()).index_id] = {f"{number}."}
    done.touch()
    for reader in readers:
        ended = reader.wait()
        assert ended.error is None, ended.trace
        seen = ended.value
        assert len({index_id for index_id, _ in seen}) > 3
        for index_id, told in seen:
            assert told == states[index_id]
    assert check_index(index_dir).is_sound


def test_builders_that_race_succeed_or_are_refused_at_once(ram_path: Path) -> None:
    folder, index_dir = ram_path / "docs", ram_path / "index"
    folder.mkdir()
    for number in range(5):
        write_generation(folder, number)
        builders = [Running(lambda: build_index(index_dir, [folder], encoder=StubEncoder()).index_id) for _ in range(3)]
        ended = [builder.wait() for builder in builders]
        assert any(child.error is None for child in ended), ended
        for child in ended:
            assert child.error is None or isinstance(child.error, IndexBusy), child.trace
        assert check_index(index_dir).is_sound


def test_a_builder_stopped_for_ever_refuses_others_and_killed_none(ram_path: Path) -> None:
    folder, index_dir = ram_path / "docs", ram_path / "index"
    folder.mkdir()
    write_generation(folder, 0)

    class Stopping(StubEncoder):
        def encode_documents(self, texts: Any) -> Any:
            os.kill(os.getpid(), signal.SIGSTOP)
            return super().encode_documents(texts)

    holder = Running(lambda: build_index(index_dir, [folder], encoder=Stopping()))
    os.waitpid(holder.process, os.WUNTRACED)
    started = time.monotonic()
    with pytest.raises(IndexBusy, match="Another process is updating"):
        build_index(index_dir, [folder], encoder=StubEncoder())
    assert time.monotonic() - started < 30
    os.kill(holder.process, signal.SIGKILL)
    assert holder.wait().status == -9
    assert build_index(index_dir, [folder], encoder=StubEncoder()).documents == 3
    assert check_index(index_dir).is_sound
