"""When a build says it is done, all it wrote is on disk: every file and name is synced before the commit is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Operation, Scene, in_child, make_scene


@pytest.fixture(params=["first build", "update"])
def scene(request: pytest.FixtureRequest, ram_path: Path) -> Scene:
    return make_scene(ram_path, update=request.param == "update")


def recorded(scene: Scene, *, without: Callable[[Operation], bool] = lambda operation: False) -> list[Operation]:
    """Return the write operations of a build in order; syncs for which ``without`` holds are not recorded."""

    def build() -> list[Operation]:
        operations: list[Operation] = []
        scene.watched_build(operations.append)
        return [operation for operation in operations if not (operation.kind == "fsync" and without(operation))]

    scene.restart()
    child = in_child(build)
    assert child.error is None, child.trace
    return list(child.value)


def unsynced_at_commit(scene: Scene, operations: list[Operation]) -> set[str]:
    """Return the new search files, and folders with new names, that were not synced before the last commit.

    The commit is the last sync of the log. A file or folder renamed since its sync counts under its new name.
    """
    log = [
        at for at, operation in enumerate(operations) if operation.kind == "sqlite sync" and "-wal" in operation.path
    ]
    search = str(scene.index_dir / "search")
    synced: set[str] = set()
    named: set[str] = set()
    for operation in operations[: log[-1]]:
        if operation.kind == "fsync":
            synced.add(operation.path)
            named.discard(operation.path)
        elif operation.kind == "os.rename":
            synced |= {
                operation.target + path[len(operation.path) :] for path in synced if path.startswith(operation.path)
            }
            named = {
                operation.target + path[len(operation.path) :] if path.startswith(operation.path) else path
                for path in named
            }
            named |= {str(Path(operation.target).parent)}
        elif operation.kind in ("open", "os.link", "os.mkdir"):
            made = operation.target or operation.path
            synced.discard(made)
            named.add(str(Path(made).parent))
    missing = {folder for folder in named if folder.startswith(search) and os.path.isdir(folder)}
    for path in scene.index_dir.rglob("search/**/*"):
        is_new = (
            path.is_file()
            and path.stat().st_nlink == 1
            and not (scene.before / path.relative_to(scene.index_dir)).exists()
        )
        if is_new and path.suffix != ".lock" and str(path) not in synced:
            missing.add(str(path))
    return missing


def test_all_search_files_and_their_names_are_synced_before_the_commit(scene: Scene) -> None:
    assert unsynced_at_commit(scene, recorded(scene)) == set()


@pytest.mark.parametrize("omitted", ["files", "the folders of the generation", "the folder of generations"])
def test_an_omitted_sync_is_noticed(scene: Scene, omitted: str) -> None:
    """The control: the same record with some syncs taken out."""
    search = scene.index_dir / "search"

    def without(operation: Operation) -> bool:
        path = Path(operation.path)
        if omitted == "the folder of generations":
            return path == search
        is_folder = path.name in ("vectors", "lexical") or path.parent == search
        return is_folder if omitted == "the folders of the generation" else path != search and not is_folder

    assert unsynced_at_commit(scene, recorded(scene, without=without))


def test_the_file_of_a_new_index_is_synced_before_it_gets_its_name(ram_path: Path) -> None:
    operations = recorded(make_scene(ram_path, update=False))
    renamed = next(at for at, operation in enumerate(operations) if operation.target.endswith("corpus.sqlite"))
    assert any(o.kind == "sqlite sync" and o.path == operations[renamed].path for o in operations[:renamed])
    assert operations[renamed + 1].kind == "fsync"
    assert operations[renamed + 1].path == str(ram_path / "index")
