"""After a kill at any moment the index is the old one or the new one, whole, and the next build needs no help."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import Counter, Scene, evenly, in_child, kill, make_scene, operations, problems_after

from index.database import Database


@pytest.fixture(params=["first build", "update"])
def scene(request: pytest.FixtureRequest, ram_path: Path) -> Scene:
    return make_scene(ram_path, update=request.param == "update")


@pytest.fixture
def update(ram_path: Path) -> Scene:
    return make_scene(ram_path, update=True)


def kills_at(scene: Scene, numbers: Iterable[int]) -> Iterator[tuple[int, list[str]]]:
    for number in numbers:
        scene.restart()
        ended = in_child(lambda number=number: scene.watched_build(Counter(kill, range(number, number + 1))))
        assert ended.status == -9, f"operation {number}: {ended}"
        yield number, problems_after(scene)


def kills_at_random(scene: Scene, count: int) -> Iterator[tuple[float, list[str]]]:
    times = random.Random(1)
    scene.restart()
    started = time.monotonic()
    in_child(scene.build)
    longest = time.monotonic() - started
    for _ in range(count):
        scene.restart()
        moment = times.uniform(0, longest)
        in_child(scene.build, kill_after_s=moment)
        yield moment, problems_after(scene)


def test_a_build_killed_at_any_write_leaves_the_old_index_or_the_new_one(scene: Scene) -> None:
    total = operations(scene)
    for number, problems in kills_at(scene, evenly(total, 35)):
        assert not problems, f"killed at operation {number} of {total}"


def test_a_build_killed_at_any_time_leaves_the_old_index_or_the_new_one(scene: Scene) -> None:
    for moment, problems in kills_at_random(scene, 15):
        assert not problems, f"killed after {moment:.4f} s"


@pytest.mark.long
def test_a_build_killed_a_thousand_times_leaves_the_old_index_or_the_new_one(scene: Scene) -> None:
    """Every operation, then random times: 500 of the first build and 500 of an update."""
    total = operations(scene)
    for moment, problems in [*kills_at(scene, range(total)), *kills_at_random(scene, 500 - total)]:
        assert not problems, f"killed at {moment}"


def test_without_transactions_a_kill_is_noticed(update: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: each statement for itself."""
    monkeypatch.setattr(Database, "transaction", lambda self: contextlib.nullcontext())
    total = operations(update)
    assert any(problems for _, problems in kills_at(update, reversed(evenly(total, 40))))


def test_a_search_folder_named_after_the_commit_is_noticed(update: Scene) -> None:
    """The control: commit first, give the search files their names then."""

    def build_in_the_wrong_order() -> None:
        late: list[tuple[Any, Any]] = []
        real_rename = os.rename
        os.rename = lambda source, target: late.append((source, target))  # type: ignore[assignment]
        update.build()
        os.kill(os.getpid(), 9)
        for source, target in late:
            real_rename(source, target)

    update.restart()
    assert in_child(build_in_the_wrong_order).status == -9
    assert problems_after(update)
