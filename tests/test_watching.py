"""A watched corpus is built again when its files have changed and rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Build

from index.errors import CorpusError
from index.watching import keep_built, watch_folders

SETTLE_S = 0.6
PATIENCE_S = 120


class Watch:
    """Rounds of `watch_folders`, counted by a thread."""

    def __init__(self, folder: Path, exclude: Path, longest_wait_s: float = 60) -> None:
        self.stop = threading.Event()
        self.rounds = 0
        self._folder, self._exclude, self._longest = folder, exclude, longest_wait_s
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.wait_for(1)  # the one that comes by itself

    def _run(self) -> None:
        rounds = watch_folders(
            [self._folder], exclude=self._exclude, settle_s=SETTLE_S, longest_wait_s=self._longest, stop=self.stop
        )
        for _ in rounds:
            self.rounds += 1

    def wait_for(self, rounds: int) -> None:
        wait_until(lambda: self.rounds >= rounds)

    def close(self) -> None:
        self.stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def watch(folder: Path, index_dir: Path) -> Iterator[Watch]:
    watching = Watch(folder, index_dir)
    yield watching
    watching.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert condition()


def test_a_storm_of_files_is_one_round(watch: Watch, folder: Path) -> None:
    for number in range(1000):
        (folder / f"{number}.txt").write_text("x")
    watch.wait_for(2)
    time.sleep(3 * SETTLE_S)
    assert watch.rounds == 2


def test_a_file_that_is_written_bit_by_bit_is_waited_for(watch: Watch, folder: Path) -> None:
    with (folder / "slow.txt").open("w") as file:
        for _ in range(12):
            file.write("half a sentence ")
            file.flush()
            time.sleep(SETTLE_S / 4)
        rounds_while_writing = watch.rounds
    watch.wait_for(2)
    assert rounds_while_writing == 1


def test_changes_without_end_are_built_now_and_then(folder: Path, index_dir: Path) -> None:
    watching = Watch(folder, index_dir, longest_wait_s=1)
    with (folder / "log.txt").open("w") as file:
        for _ in range(30):
            file.write("line\n")
            file.flush()
            time.sleep(0.1)
        assert watching.rounds >= 2
        before = watching.rounds
    watching.wait_for(before + 1)
    watching.close()


def test_a_save_by_rename_is_a_change_and_leftovers_are_none(watch: Watch, folder: Path, index_dir: Path) -> None:
    index_dir.mkdir()
    for path in (folder / ".rivers.txt.swp", folder / "rivers.txt~", folder / ".DS_Store", index_dir / "corpus.sqlite"):
        path.write_text("x")
    time.sleep(3 * SETTLE_S)
    assert watch.rounds == 1
    (folder / ".new").write_text("The Danube is long.")
    os.replace(folder / ".new", folder / "rivers.txt")
    watch.wait_for(2)


def test_a_build_that_fails_is_told_and_the_next_one_tried(build: Build, folder: Path) -> None:
    errors: list[Exception] = []
    reports = []

    def rounds() -> Iterator[None]:
        yield
        texts = {path: path.read_text() for path in folder.iterdir()}
        for path in texts:
            path.unlink()
        yield
        for path, text in texts.items():
            path.write_text(text)
        yield

    keep_built(build, rounds(), on_report=reports.append, on_error=errors.append)
    assert [type(error) for error in errors] == [CorpusError]
    assert [report.documents for report in reports] == [3, 3]


def test_the_command_builds_after_a_change_and_ends_cleanly_on_ctrl_c(
    folder: Path, index_dir: Path, tmp_path: Path
) -> None:
    program = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
sys.path[:0] = [sys.argv.pop(1), sys.argv.pop(1)]
import index.embedding
from conftest import StubEncoder
index.embedding.load_encoder = lambda model: StubEncoder()
from ui.cli import main
main()
"""
    here = Path(__file__).parent
    arguments = [here.parent, here, "index", folder, "--index", index_dir, "--watch"]
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as stdout, err.open("w") as stderr:
        running = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)], stdout=stdout, stderr=stderr, text=True
        )
    wait_until(lambda: "Watching" in err.read_text())
    (folder / "new.txt").write_text("Mount Etna is a volcano.")
    wait_until(lambda: "1 added, 0 removed, 1 passage embedded" in out.read_text())
    running.send_signal(signal.SIGINT)
    assert running.wait(PATIENCE_S) == 0
    assert err.read_text() == "Watching the folders. Ctrl-C ends it.\n"
