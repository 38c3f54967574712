"""After a kill at any moment the index is the old one or the new one, whole, and the next build needs no help."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import StubEncoder, StubReader
from faults import Counter, Operation, fresh_copy, in_child, kill, watch

from index.build import build_index
from index.check import check_index
from index.database import Database
from index.errors import IndexNotFound
from qa.corpus import Corpus

QUESTIONS = ("Which river flows through Vienna?", "Dutch cheese", "the rover")
State = tuple[Any, ...] | None


def state_of(index_dir: Path) -> State:
    """Return all a person can see of an index: its id, every document with its places, and what it finds."""
    try:
        corpus = Corpus.open(index_dir, encoder=StubEncoder(), reader=StubReader())
        index_id = corpus.status().index_id
    except IndexNotFound:
        return None
    found = [[passage.to_dict() for passage in corpus.retrieve(question)] for question in QUESTIONS]
    documents = {passage["doc_id"]: corpus.document(passage["doc_id"]) for row in found for passage in row}
    answers = [corpus.ask(question).to_dict() for question in QUESTIONS]
    return index_id, without_scores(found), documents, without_scores(answers)


def without_scores(value: Any) -> Any:
    """Leave out scores: BM25 counts of an updated index differ from those of a fresh one in the third digit."""
    if isinstance(value, dict):
        return {key: without_scores(item) for key, item in value.items() if "score" not in key}
    return [without_scores(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Scene:
    """A corpus folder, its index before (absent for the first build), and what both must look like."""

    folder: Path
    before: Path
    index_dir: Path
    old: State
    new: State

    def build(self) -> None:
        build_index(self.index_dir, [self.folder], encoder=StubEncoder())

    def watched_build(self, watcher: Callable[[Operation], None]) -> None:
        watch(self.index_dir, watcher)
        self.build()

    def restart(self) -> None:
        fresh_copy(self.before, self.index_dir)


@pytest.fixture(params=["first build", "update"])
def scene(request: pytest.FixtureRequest, ram_path: Path) -> Scene:
    folder, before, index_dir = ram_path / "docs", ram_path / "before", ram_path / "index"
    folder.mkdir()
    (folder / "rivers.txt").write_text("The Danube flows through Vienna. The Rhine flows through Cologne.\n")
    (folder / "cheese.txt").write_text("Gouda is a Dutch cheese. Brie comes from France.\n")
    old = None
    if request.param == "update":
        build_index(before, [folder], encoder=StubEncoder())
        old = state_of(before)
        (folder / "cheese.txt").write_text("Edam is a Dutch cheese.\n")
    (folder / "space.txt").write_text("The rover landed on Mars.\n")
    scene = Scene(folder, before, index_dir, old, None)
    scene.restart()
    scene.build()
    return Scene(folder, before, index_dir, old, state_of(index_dir))


def problems_after(scene: Scene) -> list[str]:
    """Return what is wrong with the index as a killed build left it, and after the next build."""
    problems = []
    with contextlib.suppress(IndexNotFound):
        report = check_index(scene.index_dir)
        problems += [] if report.is_sound else [f"check: {report}"]
    left = state_of(scene.index_dir)
    if left not in (scene.old, scene.new):
        problems.append(f"neither the old nor the new index: {left}")
    scene.build()
    if state_of(scene.index_dir) != scene.new:
        problems.append("the next build did not complete it")
    if not check_index(scene.index_dir).is_sound:
        problems.append("the next build left something unsound")
    if leftovers := [path.name for path in scene.index_dir.rglob(".*-*") if path.is_dir()]:
        problems.append(f"the next build left {leftovers}")
    return problems


def evenly(total: int, count: int) -> list[int]:
    """Return ``count`` numbers from 0 to total - 1, the first and the last among them."""
    return [round(number * (total - 1) / (count - 1)) for number in range(count)]


def operations(scene: Scene) -> int:
    def count() -> int:
        counter = Counter()
        scene.watched_build(counter)
        return counter.count

    scene.restart()
    counted = in_child(count)
    assert counted.value, counted.trace
    return int(counted.value)


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


def test_without_transactions_a_kill_is_noticed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: each statement for itself."""
    if scene.old is None:
        pytest.skip("the control needs one scene")
    monkeypatch.setattr(Database, "transaction", lambda self: contextlib.nullcontext())
    total = operations(scene)
    assert any(problems for _, problems in kills_at(scene, reversed(evenly(total, 40))))


def test_a_search_folder_named_after_the_commit_is_noticed(scene: Scene) -> None:
    """The control: commit first, give the search files their names then."""
    if scene.old is None:
        pytest.skip("the control needs one scene")

    def build_in_the_wrong_order() -> None:
        late: list[tuple[Any, Any]] = []
        real_rename = os.rename
        os.rename = lambda source, target: late.append((source, target))  # type: ignore[assignment]
        scene.build()
        os.kill(os.getpid(), 9)
        for source, target in late:
            real_rename(source, target)

    scene.restart()
    assert in_child(build_in_the_wrong_order).status == -9
    assert problems_after(scene)
