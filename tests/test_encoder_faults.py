"""A model that misbehaves stops the build with a sentence, or costs one passage; the old index stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import Build, StubEncoder, StubReader

from index.check import check_index
from index.errors import IndexMismatch, ModelError
from qa.corpus import Corpus


class Faulty(StubEncoder):
    """Gives what ``fault`` makes of the right vectors."""

    def __init__(self, fault: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__()
        self.fault, self.calls = fault, 0

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        self.calls += 1
        return self.fault(super().encode_documents(texts))


def crash(vectors: np.ndarray) -> np.ndarray:
    raise RuntimeError("CUDA error: out of memory")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda vectors: vectors[:, :16], r"returned 1 x 16 numbers, expected 1 x 32"),
        (lambda vectors: vectors[:0], r"returned 0 x 32 numbers, expected 1 x 32"),
        (lambda vectors: vectors[0], r"returned 32 numbers, expected 1 x 32"),
        (crash, r"failed \(RuntimeError: CUDA error: out of memory\).*kept as it is.*run the same command again"),
    ],
)
def test_a_model_of_other_numbers_or_that_crashes_stops_the_build_and_keeps_the_index(
    build: Build, folder: Path, index_dir: Path, fault: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    before = build()
    (folder / "new.txt").write_text("Mount Etna is a volcano.")
    with pytest.raises(ModelError, match=said):
        build(encoder=Faulty(fault))
    assert Corpus.open(index_dir, encoder=StubEncoder()).status().index_id == before.index_id
    assert check_index(index_dir).is_sound
    assert build().documents == 4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_asked_for_once_more(
    build: Build, folder: Path, index_dir: Path, bad: float
) -> None:
    def once(vectors: np.ndarray) -> np.ndarray:
        return np.full_like(vectors, bad) if encoder.calls == 1 else vectors

    encoder = Faulty(once)
    report = build(encoder=encoder)
    assert (report.chunks, report.notes) == (3, ())
    (folder / "new.txt").write_text("Mount Etna is a volcano.")
    report = build(encoder=Faulty(lambda vectors: np.full_like(vectors, bad)))
    assert report.chunks == 3
    assert [note.reason for note in report.notes] == ["1 passages left out: the model gave no finite vector"]
    assert check_index(index_dir).is_sound


def test_an_index_of_another_model_of_the_same_size_is_not_asked(build: Build, index_dir: Path) -> None:
    build()
    other = StubEncoder().of_model("other")
    with pytest.raises(IndexMismatch, match=r"made with stub \(.*this is other \(.*pincite index --rebuild"):
        Corpus.open(index_dir, encoder=other, reader=StubReader())
