"""What the browser tests share: a served page, a visit that remembers what it should not have done, and its moves."""

from __future__ import annotations

import re
import socket
from typing import Any

from playwright.sync_api import Browser, Page, expect

from ui import server

DESKTOP, PHONE = {"width": 1360, "height": 860}, {"width": 390, "height": 844}

expect.set_options(timeout=60_000)  # milliseconds; a busy machine is slow, not wrong


class served:
    """A page in the background, on a free port."""

    def __init__(self, corpus: Any, composer: Any = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.page = server.start(corpus, port=port, composer=composer)

    def __enter__(self) -> str:
        return self.page.url

    def __exit__(self, *_: object) -> None:
        self.page.stop()


class Visit:
    """A browser page that remembers what it should not have done."""

    def __init__(
        self, browser: Browser, url: str, *, dark: bool = False, phone: bool = False, refused: str = "nothing"
    ) -> None:
        self.context = browser.new_context(
            viewport=PHONE if phone else DESKTOP,
            color_scheme="dark" if dark else "light",
            locale="en-US",
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.refused = refused  # the words of a refusal that the test provokes, and the browser reports
        self.console: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url, url))
        self.page.goto(url)

    def _note(self, requested: str, url: str) -> None:
        if not requested.startswith((url.split("?")[0], "data:", "blob:")):
            self.outside.append(requested)

    def __enter__(self) -> Page:
        self.page.wait_for_selector(".welcome")
        return self.page

    def __exit__(self, failed: object, *_: object) -> None:
        self.context.close()
        if not failed:
            assert [line for line in self.console if self.refused not in line] == []
            assert self.outside == []


def ask(page: Page, question: str) -> None:
    page.locator("#box textarea").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator("#chat .asked").last).to_have_text(question)
    expect(page.locator("#chat :is(.answer, .problem)").last).to_be_visible()
    expect(page.locator("#chat .searching")).to_have_count(0)


def open_chip(page: Page, number: int) -> None:
    chip = page.locator(".answer").last.locator("a.chip").nth(number - 1)
    chip.click()
    expect(page.locator("#reader .steps span").first).to_have_text(re.compile(f"Citation {number} of"))
    expect(page.locator("#reader mark").first).to_be_focused()


def in_view(page: Page) -> bool:
    """Say whether the mark stands inside what is seen of the reader, below its head."""
    return page.evaluate(
        """() => {
            const mark = document.querySelector("#reader mark").getBoundingClientRect();
            const head = document.querySelector("#reader .source-head").getBoundingClientRect();
            return mark.height > 0 && mark.top >= head.bottom && mark.bottom <= innerHeight
                && mark.left >= 0 && mark.right <= innerWidth;
        }"""
    )


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.textContent")
