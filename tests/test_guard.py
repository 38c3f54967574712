"""The guard of speed ratios: it fails when Pincite got slower, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import guard


def work(units: int) -> Callable[[], object]:
    return lambda: sum(range(units * 100_000))


def test_the_ratio_is_that_of_the_work_done() -> None:
    found = guard.Comparison("sums", work(1), work(8), 4).ratio()
    assert 4 < found < 16


@pytest.mark.parametrize(("ours", "code"), [(1, 0), (40, 1)])
def test_the_guard_fails_when_ours_got_slower(
    ours: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def comparisons() -> Iterator[list[Callable[[], guard.Comparison]]]:
        yield [lambda: guard.Comparison("sums", work(ours), work(8), 4)]

    monkeypatch.setattr(guard, "comparisons", comparisons)
    assert guard.main() == code
    assert ("BELOW ITS BOUND" in capsys.readouterr().out) == bool(code)


def test_searching_that_reads_everything_many_times_falls_below_the_bound(tmp_path: Path) -> None:
    compared = guard.nearest(tmp_path, vectors=20_000, queries=5)
    slowed = replace(compared, ours=lambda: [compared.theirs() for _ in range(5)])
    assert not guard.is_kept(slowed, slowed.ratio(rounds=3))
