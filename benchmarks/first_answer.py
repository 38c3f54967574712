"""How long does a command take from the start of its process? Clock and processor time, next to imports alone.

    python -m benchmarks.first_answer [--rounds 7]

Rows take turns in each round; a figure is the median. Of docs/decisions/0014-embedding.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SEEDS = Path(__file__).parent.parent / "seeds"
RUN = "import sys; from ui.cli import main; main()"


def commands(index_dir: Path) -> dict[str, list[str]]:
    where = ["--index", str(index_dir)]
    ours = {
        "pincite --help": ["--help"],
        "pincite status": ["status", *where],
        "pincite ask, an answer": ["ask", "who controls Idlib?", *where],
        "pincite ask, none": ["ask", "Who won the 2018 World Cup?", *where],
    }
    imports = ("pass", "import onnxruntime, onnx", "import torch", "import sentence_transformers")
    return {
        **{f"python -c '{code}'": [sys.executable, "-c", code] for code in imports},
        **{name: [sys.executable, "-c", RUN, *arguments] for name, arguments in ours.items()},
    }


def timed(command: list[str]) -> tuple[float, float]:
    """Return clock and processor seconds of a process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    clock, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        rows = commands(Path(folder) / "index")
        index = [sys.executable, "-c", RUN, "index", str(SEEDS), "--index", str(Path(folder) / "index")]
        subprocess.run(index, stdout=subprocess.DEVNULL, check=True)
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
        for turn in range(rounds + 1):
            for name, command in rows.items():
                one = timed(command)
                if turn:
                    took[name].append(one)
    print(f"{'medians of ' + str(rounds):48} {'clock s':>8} {'cpu s':>8}    load {os.getloadavg()[0]:.1f}")
    for name, times in took.items():
        clock, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:48} {clock:8.2f} {cpu:8.2f}")


if __name__ == "__main__":
    main()
