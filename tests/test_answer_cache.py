"""An answer is made once for all who ask for it, held while there is room, and never given from another generation."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Build, StubEncoder, StubReader

from index.newest import Newest
from qa.answer_cache import AnswerCache
from qa.corpus import Corpus
from qa.reader import Query, Readable, Reading
from qa.results import Answer, Verdict
from qa.retrieval import Filters

VIENNA = "What flows through Vienna?"


def an_answer(question: str) -> Answer:
    return Answer(question, Verdict.NOT_FOUND, (), (), (), "a1b2c3")


class CountingReader(StubReader):
    """Counts how often it reads, and can be held up."""

    def __init__(self) -> None:
        self.read_times = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.reading = threading.Event()

    def read(self, query: Query, readables: list[Readable]) -> list[Reading]:
        self.read_times += 1
        self.reading.set()
        assert self.go_on.wait(60)
        return super().read(query, readables)


@pytest.fixture
def reader() -> CountingReader:
    return CountingReader()


@pytest.fixture
def counted(build: Build, index_dir: Path, encoder: StubEncoder, reader: CountingReader) -> Corpus:
    build()
    return Corpus.open(index_dir, encoder=encoder, reader=reader)


def test_the_same_question_is_answered_once_however_it_is_spaced(counted: Corpus, reader: CountingReader) -> None:
    first = counted.ask(VIENNA)
    assert counted.known(f"  {VIENNA.replace(' ', '  ')}\n").result() is first
    assert counted.ask(VIENNA) is first
    assert reader.read_times == 1


def test_the_disk_is_looked_at_for_a_question_that_is_held_and_for_no_other(
    counted: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted.ask(VIENNA)
    looks: list[bool] = []
    version = Newest.version
    monkeypatch.setattr(Newest, "version", lambda newest: looks.append(True) or version(newest))
    assert counted.known("What flows through Dresden?") is None
    assert looks == []
    assert counted.known(VIENNA) is not None
    assert looks == [True]


def test_other_words_or_filters_are_another_question(counted: Corpus, reader: CountingReader) -> None:
    counted.ask(VIENNA)
    assert counted.known(VIENNA.lower()) is None
    assert counted.known(VIENNA, filters=Filters(sources=("*cheese*",))) is None
    assert "Danube" not in str(counted.ask(VIENNA, filters=Filters(sources=("*cheese*",))).quotes)
    assert reader.read_times == 2


def test_a_new_generation_answers_anew(
    counted: Corpus, reader: CountingReader, build: Build, folder: Path, index_dir: Path
) -> None:
    before = counted.ask("What flows through Dresden?")
    (folder / "elbe.txt").write_text("The Elbe flows through Dresden.")
    build()
    assert counted.known("What flows through Dresden?") is None
    after = counted.ask("What flows through Dresden?")
    assert (before.verdict, after.verdict) == (Verdict.NOT_FOUND, Verdict.ANSWERED)
    assert before.index_id != after.index_id


def test_an_answer_begun_before_an_update_is_not_given_after_it(
    counted: Corpus, reader: CountingReader, build: Build, folder: Path
) -> None:
    reader.go_on.clear()
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(counted.ask, "What flows through Dresden?")
        assert reader.reading.wait(60)
        (folder / "elbe.txt").write_text("The Elbe flows through Dresden.")
        build()
        assert counted.known("What flows through Dresden?") is None  # the early one belongs to the old generation
        reader.go_on.set()
        assert early.result().verdict is Verdict.NOT_FOUND
    assert counted.ask("What flows through Dresden?").verdict is Verdict.ANSWERED


def test_twenty_who_ask_together_wait_for_one_answer(counted: Corpus, reader: CountingReader) -> None:
    reader.go_on.clear()
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(counted.ask, VIENNA)
        assert reader.reading.wait(60)
        others = [pool.submit(counted.ask, VIENNA) for _ in range(19)]
        underway = counted.known(VIENNA)
        assert underway is not None
        assert not underway.done()
        reader.go_on.set()
        assert all(other.result() is first.result() for other in others)
    assert reader.read_times == 1


def test_one_who_stops_waiting_takes_the_answer_from_nobody(counted: Corpus, reader: CountingReader) -> None:
    reader.go_on.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(counted.ask, VIENNA)
        assert reader.reading.wait(60)
        underway = counted.known(VIENNA)
        assert underway is not None
        assert not underway.cancel()
        reader.go_on.set()
        assert first.result().verdict is Verdict.ANSWERED


def test_an_error_is_told_to_all_who_wait_and_is_not_held() -> None:
    cache, asked = AnswerCache(), ("who?", Filters())

    def fail() -> Answer:
        raise OSError("the disk is gone")

    for _ in range(2):
        with pytest.raises(OSError, match="the disk is gone"):
            cache.get(asked, fail)
    assert cache.known(asked) is None
    assert cache.get(asked, lambda: an_answer("who?")).question == "who?"


def test_the_answer_not_asked_for_longest_makes_room() -> None:
    cache = AnswerCache(most=2)
    for question in ("a", "b", "a", "c"):
        cache.get((question, Filters()), lambda question=question: an_answer(question))
    held = [question for question in "abc" if cache.known((question, Filters()))]
    assert held == ["a", "c"]


def test_a_corpus_that_holds_none_answers_each_time(
    build: Build, index_dir: Path, encoder: StubEncoder, reader: CountingReader
) -> None:
    build()
    corpus = Corpus.open(index_dir, encoder=encoder, reader=reader, answers_held=0)
    assert corpus.ask(VIENNA) == corpus.ask(VIENNA)
    assert reader.read_times == 2
