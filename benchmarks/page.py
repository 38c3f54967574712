"""How quick and how sound is the page? Figures for the README, and its pictures.

    python -m benchmarks.page [--chromium PATH] [--repeats 5] [--pictures FOLDER]

Starts ``pincite chat`` on ``seeds/`` for the cold start, then serves documents of 100 KB and 1 MB of made-up words.
Clock times are medians in milliseconds with the fastest in brackets: on a busy machine the fastest says more. Click to
highlight is measured in the browser, from the click to the frame in which the marked words are seen.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from benchmarks.load import processor_seconds, running_page
from benchmarks.update import sentences

FLAGS = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-dev-shm-usage".split()
SIZES = {"100 KB": 100_000, "1 MB": 1_000_000}
NEEDLE = "The ferry of Lindau carries nine cars across the lake."
PINCITE = [sys.executable, "-c", "from ui.cli import main; main()"]

# resolves with the milliseconds from the click to the frame in which another mark than before is in view
CLICK = """(chip) => new Promise((done) => {
    document.querySelector("#reader mark")?.remove();
    const start = performance.now();
    const look = () => {
        const mark = document.querySelector("#reader mark")?.getBoundingClientRect();
        mark && mark.height && mark.top >= 0 && mark.bottom <= innerHeight
            ? done(performance.now() - start) : requestAnimationFrame(look);
    };
    chip.click();
    look();
})"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


def write_documents(folder: Path) -> None:
    import numpy as np

    random = np.random.default_rng(1)
    for name, size in SIZES.items():
        words = "\n\n".join(" ".join(sentences(random, 8)) for _ in range(size // 1_000 + 1))[:size]
        at = words.index("\n\n", size // 2)
        (folder / f"{name.replace(' ', '')}.txt").write_text(f"{words[:at]}\n\n{NEEDLE} {name}.{words[at:]}")


def build_index(documents: Path, index: Path) -> None:
    build = [*PINCITE, "index", str(documents), "--index", str(index)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def told(name: str, values: Iterable[float], unit: str = "ms") -> None:
    listed = list(values)
    print(f"{name:44} {statistics.median(listed):,.0f} {unit} ({min(listed):,.0f})", flush=True)


def cold_start(index: Path, repeats: int) -> None:
    clocks, spent = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        with running_page(index) as (_, pid):
            clocks.append(1000 * (time.perf_counter() - start))
            spent.append(1000 * processor_seconds(pid))
    told("pincite chat: ready to answer after", clocks)
    told("  processor time until then", spent)


class Watched:
    """A browser page that counts what it complains of and what it asks of others."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.page: Page = browser.new_context(locale="en-US", reduced_motion="reduce", **context).new_page()
        self.page.set_default_timeout(120_000)  # a busy machine is slow, not wrong
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda sent: None if _own(sent.url, url) else self.outside.append(sent.url))
        self.page.goto(url)
        self.page.wait_for_selector(".welcome")


def _own(requested: str, url: str) -> bool:
    return requested.startswith((url, "data:", "blob:"))


def ask(page: Page, question: str) -> float:
    """Ask, and return the milliseconds until the answer is shown."""
    answers = page.locator("#chat .answer").count()
    start = time.perf_counter()
    page.locator("#box textarea").fill(question)
    page.keyboard.press("Enter")
    page.locator("#chat .answer").nth(answers).wait_for()
    return 1000 * (time.perf_counter() - start)


def clicks(page: Page, repeats: int) -> None:
    for name in SIZES:
        ask(page, f"What carries the ferry of Lindau, {name}?")
    answers = page.locator("#chat .answer")
    chips = [answers.nth(place).locator("a.chip").first.element_handle() for place in range(len(SIZES))]
    taken = [[page.evaluate(CLICK, chip) for chip in chips] for _ in range(repeats)]  # in turn: another each time
    for name, values in zip(SIZES, zip(*taken, strict=True), strict=True):
        told(f"click to highlight, {name}", values)


def findings(page: Page) -> int:
    return sum(len(each["nodes"]) for each in Axe().run(page).response["violations"])


def soundness(watched: Watched, name: str) -> None:
    print(
        f"{name:44} axe findings {findings(watched.page)}, console errors {len(watched.errors)}, "
        f"outside requests {len(watched.outside)}",
        flush=True,
    )


def pictures(browser: Any, url: str, folder: Path) -> None:
    """Save the page of ``seeds/`` in its states."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, look in {
        "desktop": {"viewport": {"width": 1360, "height": 860}},
        "dark": {"viewport": {"width": 1360, "height": 860}, "color_scheme": "dark"},
        "phone": {"viewport": {"width": 390, "height": 844}},
    }.items():
        watched = Watched(browser, url, **look)
        page = watched.page
        page.wait_for_timeout(3_000)
        steps: dict[str, Callable[[], Any]] = {
            "first-visit": lambda: None,
            "answered": lambda page=page: ask(page, "How many civilians have died in the fighting this year?"),
            "preview": lambda page=page: page.locator(".answer a.chip").first.focus(),
            "reader": lambda page=page: page.locator(".answer a.chip").first.click(),
            "not-found": lambda page=page: (page.keyboard.press("Escape"), ask(page, "Who won the 2018 World Cup?")),
        }
        for step, act in steps.items():
            act()
            page.wait_for_timeout(700)
            page.screenshot(path=folder / f"{name}-{step}.png")
        soundness(watched, f"seeds, {name}")


def write_disputed(folder: Path) -> None:
    """Write two texts that name different numbers."""
    folder.mkdir()
    (folder / "monday.txt").write_text(
        "The storm reached Marlow on Monday. It killed 12 people in Marlow, the police said. Schools stay closed."
    )
    (folder / "tuesday.txt").write_text(
        "Marlow counts its losses. According to the Harbour Gazette, the storm killed 19 people in Marlow. "
        "The harbour is open again."
    )


def disputed_pictures(browser: Any, url: str, folder: Path, documents: Path) -> None:
    """Save the page where two sources differ, and while new documents are being indexed."""
    watched = Watched(browser, url, viewport={"width": 1360, "height": 860})
    page = watched.page
    ask(page, "How many people did the storm kill in Marlow?")
    page.wait_for_timeout(700)
    page.screenshot(path=folder / "desktop-differs.png")
    write_documents(documents)
    page.get_by_role("button", name="Update", exact=True).click()
    page.locator(".news-words").filter(has_text=re.compile("about")).wait_for()
    page.screenshot(path=folder / "desktop-updating.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        (folder / "docs").mkdir()
        write_documents(folder / "docs")
        for name, documents in (("seeds", Path("seeds")), ("large", folder / "docs")):
            build_index(documents, folder / name)
        cold_start(folder / "seeds", args.repeats)
        browser = playwright.chromium.launch(executable_path=args.chromium, args=FLAGS)
        with running_page(folder / "large") as (url, _):
            painted = []
            for _ in range(args.repeats):
                watched = Watched(browser, url, viewport={"width": 1360, "height": 860})
                painted.append(watched.page.evaluate(PAINT))
            told("first paint of the page", painted)
            clicks(watched.page, args.repeats)
            soundness(watched, "large documents")
        if args.pictures:
            with running_page(folder / "seeds") as (url, _):
                pictures(browser, url, args.pictures)
            write_disputed(folder / "disputed")
            build_index(folder / "disputed", folder / "disputed-index")
            with running_page(folder / "disputed-index") as (url, _):
                disputed_pictures(browser, url, args.pictures, folder / "disputed")
        browser.close()
    print(f"load of the machine {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
