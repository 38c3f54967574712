"""Build after build, whenever the files of a corpus have changed and have come to rest. The only file that knows
watchfiles."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import watchfiles

from index.build import BuildReport
from index.errors import IndexingError
from index.scanning import is_passed_over

SETTLE_S = 2.0
LONGEST_WAIT_S = 60.0
_LOOK_EVERY_MS = 200


def watch_folders(
    folders: Sequence[Path],
    *,
    exclude: Path,
    settle_s: float = SETTLE_S,
    longest_wait_s: float = LONGEST_WAIT_S,
    stop: threading.Event | None = None,
) -> Iterator[None]:
    """Yield each time files have changed and nothing has changed for ``settle_s`` since.

    However many files change, that is one yield. Where changes never stop there is one after every
    ``longest_wait_s``, and one when they do. What changes while the caller works is noticed afterwards; the first
    yield comes by itself, for what changed before the watch began. Hidden files, editors' leftovers and what is below
    ``exclude`` count for nothing. ``stop`` ends the iteration.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        OSError: a folder is not there, or the system refuses to watch so many.
    """
    matters = _filter([str(folder.absolute()) for folder in folders], str(exclude.absolute()))
    last = time.monotonic()
    first: float | None = last
    for changes in watchfiles.watch(
        *folders,
        watch_filter=matters,
        step=_LOOK_EVERY_MS // 2,
        rust_timeout=_LOOK_EVERY_MS,
        yield_on_timeout=True,
        stop_event=stop,
    ):
        now = time.monotonic()
        if changes:
            last, first = now, first or now
        if first is None:
            continue
        if now - last >= settle_s:
            first = None
            yield
        elif now - first >= longest_wait_s:
            first = now
            yield


def _filter(roots: Sequence[str], exclude: str) -> Callable[[watchfiles.Change, str], bool]:
    def matters(_: watchfiles.Change, path: str) -> bool:
        root = max((root for root in roots if path.startswith(root)), key=len, default="")
        inside = path != exclude and not path.startswith(f"{exclude}/")
        return inside and not any(is_passed_over(part) for part in path[len(root) :].split("/") if part)

    return matters


def keep_built(
    build: Callable[[], BuildReport],
    rounds: Iterable[None],
    *,
    on_report: Callable[[BuildReport], None],
    on_error: Callable[[Exception], None],
) -> None:
    """Build once a round; a build that fails is told, and the next change gets the next one.

    Args:
        build: brings the index up to date.
        rounds: from `watch_folders`.
        on_report: called after each build.
        on_error: called with what a build could not do.
    """
    for _ in rounds:
        try:
            report = build()
        except (IndexingError, OSError) as error:
            on_error(error)
        else:
            on_report(report)
