"""How many threads are worth having, and where are they kept?"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def usable_cores() -> int:
    """Return how many cores this process may use; a container or ``taskset`` may leave it fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def threads(name: str) -> ThreadPoolExecutor:
    """Return this process's threads of a name, one per core. What runs there must not wait for more of it."""
    return ThreadPoolExecutor(usable_cores(), thread_name_prefix=f"pincite-{name}")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=threads.cache_clear)  # a forked process has no threads but its own
