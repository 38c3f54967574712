"""The page's layout and wiring, nothing else: what is shown comes from handlers, how it looks from assets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Blocks is created: without it the page calls home

import gradio as gr

from qa.retrieval import Filters
from ui import handlers, render, source_pane
from ui.examples import EXAMPLES

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from qa.llm.composing import Composer
    from ui.examples import Examples
    from ui.workers import Workers

ASSETS = Path(__file__).parent / "assets"
PAPER, DARK_PAPER = "#faf9f6", "#151619"  # as in page.css; shown before the page is there
AT_ONCE = 32  # events of one kind in progress, most of them waiting for a worker; Gradio's own default is 1
QUESTION_TYPED = 20_000  # characters the box takes; more than a question may have, so that too long is said, not cut


def build_page(corpus: Corpus, workers: Workers, begin_with: Examples, composer: Composer | None = None) -> gr.Blocks:
    """Return the page. Everything it shows is read from the corpus when it is shown, so a newer index shows too."""
    with gr.Blocks(title="Pincite", fill_width=True, analytics_enabled=False) as page:
        strip = gr.HTML(elem_id="strip", js_on_load=None, apply_default_css=False)
        turns = gr.State(())
        filters = gr.State(Filters())
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="talk"):
                with gr.Column(elem_id="first-visit") as first_visit:
                    intro = gr.HTML(elem_id="intro", js_on_load=None, apply_default_css=False)
                    examples = [gr.Button(visible=False, elem_classes="example") for _ in range(EXAMPLES)]
                chat = _chat()
                narrowing = gr.HTML(elem_id="narrowing", js_on_load=None, apply_default_css=False)
                box = _question_box()
            with gr.Column(elem_id="source"):
                reader = gr.HTML(
                    source_pane.empty_reader(),
                    elem_id="reader",
                    js_on_load=_asset("library.js") + _asset("page.js"),
                    apply_default_css=False,
                )
        outbox = gr.HTML(elem_id="outbox", js_on_load=_asset("outbox.js"), apply_default_css=False)
        announcer = gr.HTML(elem_id="announcer", js_on_load="element.setAttribute('aria-live', 'polite')")

        events = _Events(corpus, workers, begin_with, composer)
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        answered = [chat, turns, box, announcer, first_visit, strip]
        page.load(
            events.show_first_visit, None, [narrowing, strip, intro, *examples], concurrency_limit=AT_ONCE, **quiet
        )
        box.submit(
            events.add_turn, [box, turns, filters], answered, concurrency_limit=AT_ONCE, concurrency_id="ask", **quiet
        )
        for example in examples:
            example.click(
                events.add_turn,
                [example, turns, filters],
                answered,
                concurrency_limit=AT_ONCE,
                concurrency_id="ask",
                **quiet,
            )
        gr.api(events.answer_as_json, api_name="ask", concurrency_limit=AT_ONCE, concurrency_id="ask")
        reader.astyped(events.ask_as_typed, [turns], answered, concurrency_limit=AT_ONCE, concurrency_id="ask", **quiet)
        reader.takeaway(events.take_away, [turns], [outbox], **quiet)
        reader.judge(events.judge, [turns], announcer, **quiet)
        reader.narrow(events.narrow, [filters], [filters, narrowing], **quiet)
        reader.fresh(
            events.refresh,
            None,
            [strip, intro, *examples],
            trigger_mode="always_last",
            concurrency_limit=AT_ONCE,
            **quiet,
        )
    return page


class _Events:
    """What Gradio calls: the browser's data in, updates of components out. What they mean is decided in handlers."""

    def __init__(self, corpus: Corpus, workers: Workers, examples: Examples, composer: Composer | None) -> None:
        self.corpus = corpus
        self.workers = workers
        self.examples = examples
        self.composer = composer
        self.receiver = composer.settings.receiver() if composer else ""

    def show_first_visit(self) -> list[Any]:
        bar = handlers.narrow(self.corpus, Filters(), None)[1]
        return [bar, *self.refresh()]

    def refresh(self) -> list[Any]:
        visit = handlers.first_visit(self.corpus, self.examples)
        offered = [gr.Button(example, visible=True) for example in visit.examples]
        hidden = [gr.Button(visible=False)] * (EXAMPLES - len(offered))
        return [handlers.status(self.corpus, self.receiver), visit.intro, *offered, *hidden]

    def add_turn(self, question: object, asked: tuple[handlers.Turn, ...], narrowed: Filters) -> Iterator[list[Any]]:
        yield from self._shown(
            handlers.ask(self.corpus, self.workers, question, asked, filters=narrowed, composer=self.composer)
        )

    def ask_as_typed(self, asked: tuple[handlers.Turn, ...], event: gr.EventData) -> Iterator[list[Any]]:
        yield from self._shown(
            handlers.ask_as_typed(
                self.corpus, self.workers, (event._data or {}).get("turn"), asked, composer=self.composer
            )
        )

    def _shown(self, steps: Iterator[handlers.Progress]) -> Iterator[list[Any]]:
        for step, progress in enumerate(steps):
            emptied = gr.Textbox(value="") if step == 0 else gr.skip()
            strip_now = handlers.status(self.corpus, self.receiver) if progress.announcement else gr.skip()
            chat_now = [_messages(progress), progress.turns]
            yield [*chat_now, emptied, progress.announcement, gr.Column(visible=False), strip_now]

    def take_away(self, asked: tuple[handlers.Turn, ...], event: gr.EventData) -> list[Any]:
        wanted = event._data or {}
        parcel = handlers.export(asked, wanted.get("turn"), wanted.get("form"))
        return [render.parcel(parcel.name, parcel.text, is_copied=parcel.is_copied) if parcel else gr.skip()]

    def judge(self, asked: tuple[handlers.Turn, ...], event: gr.EventData) -> str:
        said = event._data or {}
        return handlers.judge(self.corpus, asked, said.get("turn"), said.get("citation"), said.get("judgement"))

    def narrow(self, narrowed: Filters, event: gr.EventData) -> list[Any]:
        return list(handlers.narrow(self.corpus, narrowed, event._data))

    def answer_as_json(self, question: str) -> str:
        """Answer a question with quotes; the JSON of ``pincite ask --json``, as text."""
        try:
            return handlers.answer_as_json(self.corpus, self.workers, question)
        except handlers.Refused as refused:
            raise gr.Error(str(refused), print_exception=False) from None


def look() -> dict[str, Any]:
    """Return what ``launch`` wants to know about the looks: since Gradio 6 they are not the page's own."""
    theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    theme.set(body_background_fill=PAPER, body_background_fill_dark=DARK_PAPER)
    return {"theme": theme, "css": _asset("page.css"), "favicon_path": ASSETS / "favicon.svg"}


def _chat() -> gr.Chatbot:
    return gr.Chatbot(
        elem_id="chat",
        show_label=False,
        container=False,
        height=None,
        layout="panel",
        autoscroll=False,  # the page itself brings the newest question to the top
        buttons=[],
        latex_delimiters=[],
        allow_tags=False,
        group_consecutive_messages=False,
        feedback_options=None,
    )


def _question_box() -> gr.Textbox:
    return gr.Textbox(
        elem_id="box",
        label="Question",
        show_label=False,
        container=False,
        placeholder="Ask your documents",
        lines=1,
        max_lines=6,
        max_length=QUESTION_TYPED,
        submit_btn="Ask",
        autofocus=True,
        html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=True),
    )


def _messages(progress: handlers.Progress) -> list[dict[str, str]]:
    return [
        message
        for turn in progress.turns
        for message in ({"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.reply})
    ]


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
