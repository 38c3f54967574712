"""Parts begin small, so that something is ready early, and follow the pace at which they are worked on."""

from __future__ import annotations

import pytest

from index import parts
from index.documents import Document, Source
from index.parts import FIRST_PART_CHARACTERS, PART_CHARACTERS, Part, in_parts
from index.reading import ReadFile
from index.scanning import FileEntry

CHARACTERS = 1_000


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        self.now += 1e-6
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(parts, "time", clock)
    return clock


def file(number: int) -> ReadFile:
    name = f"docs/{number}.txt"
    text = f"{number} ".ljust(CHARACTERS, "x")
    return ReadFile(FileEntry(name, name, CHARACTERS, 0), None, (Document(text, (Source(name),)),))


def sizes(count: int, clock: Clock, *, seconds_a_thousand: float) -> list[int]:
    """Return the characters of each part when they are worked on at some pace."""
    found = []
    for part in in_parts(file(number) for number in range(count)):
        found.append(sum(len(text) for text in part.texts().values()))
        clock.now += seconds_a_thousand * found[-1] / 1_000
    return found


def test_parts_double_when_work_is_quick_up_to_a_bound(clock: Clock) -> None:
    found = sizes(1_500, clock, seconds_a_thousand=0.0001)
    assert found[:4] == [FIRST_PART_CHARACTERS * 2**n for n in range(4)]
    assert max(found) == PART_CHARACTERS
    assert sum(found) == 1_500 * CHARACTERS


def test_parts_stay_small_when_work_is_slow_and_grow_with_the_time_that_has_gone(clock: Clock) -> None:
    found = sizes(300, clock, seconds_a_thousand=0.5)
    assert found[:3] == [FIRST_PART_CHARACTERS] * 3
    # a quarter of the time so far: 12 s have gone, so the next part may take 3 s
    assert found[5] <= 12_000 < found[-2] < PART_CHARACTERS
    assert sum(found) == 300 * CHARACTERS


def test_a_file_without_documents_is_finished_too(clock: Clock) -> None:
    bad = ReadFile(FileEntry("docs/bad.txt", "docs/bad.txt", 10, 0), None, None)
    (part,) = in_parts([file(0), bad])
    assert isinstance(part, Part)
    assert part.finished == [file(0), bad]
    assert part.size == CHARACTERS + 10
