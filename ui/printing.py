"""What the command line prints: answers, passages, reports and progress, as text a terminal shows and does not obey."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Task

    from index.build import BuildReport
    from qa.evaluation import EvaluationReport
    from qa.llm.composing import Composed, Sentence
    from qa.llm.settings import Settings
    from qa.results import Answer, Quote

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def progress_bars() -> Iterator[Any]:
    """Yield a callback that draws a progress bar on standard error, when that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.1f}/s" if task.speed else "")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def on_progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield on_progress


def print_address(url: str) -> None:
    out.print(f"Chat on {url} · Ctrl-C stops it")


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_build(report: BuildReport) -> None:
    out.print(
        f"{count(report.documents, 'document')}, {count(report.chunks, 'passage')} · index {report.index_id} "
        f"(generation {report.generation})"
    )
    out.print(
        f"{report.added} added, {report.removed} removed, {count(report.unchanged_files, 'file')} unchanged, "
        f"{count(report.embedded, 'passage')} embedded in {report.seconds:.1f} s"
    )
    print_notes(report.notes)


def print_notes(notes: Any) -> None:
    for skipped, heading in ((True, "skipped"), (False, "indexed with a note")):
        rows = [note for note in notes if note.skipped is skipped]
        if rows:
            out.print(f"{count(len(rows), 'file')} {heading}:")
        for note in rows:
            out.print(plain(f"  {note.name}  {note.reason}"))


def print_answer(answer: Answer) -> None:
    from qa.export import respelled

    if answer.read_as:
        out.print(plain(f"{respelled(answer)}\n"))
    if not answer.claims:
        _print_not_found(answer)
        return
    if answer.verdict == "differs":
        out.print(Text(f"Sources differ: {count(len(answer.claims), 'claim')}\n", style="bold"))
    numbers = itertools.count(1)
    for position, claim in enumerate(answer.claims):
        if position:
            out.print()
        out.print(plain(claim.text, style="bold"))
        for quote in claim.quotes:
            _print_quote(next(numbers), quote)


def _print_not_found(answer: Answer) -> None:
    out.print(Text("Not in the documents.", style="bold"))
    if answer.missing_words:
        out.print(plain(f"Found nowhere: {', '.join(answer.missing_words)}"))
    if answer.related:
        out.print("\nClosest passages (not answers):")
        print_passages(answer.related[:3])


def _print_quote(number: int, quote: Quote) -> None:
    citation, start = quote.citation, quote.citation.span.start
    out.print(_marked(quote.text, quote.answer.start - start, quote.answer.end - start))
    said_by = [str(quote.speaker) if quote.speaker else None, citation.source, citation.author, citation.date]
    facts = [fact for fact in said_by if fact and fact != citation.path]
    facts.append(f"{citation.path}, {citation.place}")
    out.print(Text(f"[{number}] ", style="cyan").append(plain(" · ".join(facts))))
    out.print(Text("    ").append(plain(f"pincite cite {citation.id}", style="dim")))
    if quote.copies:
        out.print(Text("    ").append(plain(f"nearly the same text in {count(len(quote.copies), 'more document')}:")))
    for copy in quote.copies:
        out.print(Text("    ").append(plain(f"{copy.path}, {copy.place} · pincite cite {copy.id}", style="dim")))


def print_passages(passages: Any) -> None:
    if not passages:
        out.print("No passage matches.")
    for passage in passages:
        head = Text(f"{passage.rank}. ", style="cyan").append(f"{passage.score:.3f}  ")
        out.print(head.append(plain(f"{passage.citation.path}, {passage.citation.place}")))
        out.print(plain(f"{' '.join(passage.text.split())}"))
        out.print(Text("   ").append(plain(f"pincite cite {passage.citation.id}", style="dim")))


def in_context(text: str, start: int, end: int, around: int = 200) -> Text:
    low, high = max(0, start - around), min(len(text), end + around)
    return _marked(text[low:high], start - low, end - low)


def _marked(text: str, start: int, end: int) -> Text:
    return plain(text[:start]).append(plain(text[start:end], style="bold")).append(plain(text[end:]))


def plain(text: str, style: str = "") -> Text:
    """Return text that a terminal shows and does not obey."""
    from qa.escaping import visible

    return Text(visible(text), style=style)


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def print_report(report: EvaluationReport) -> None:
    """Print the figures of `pincite eval` as a table."""
    from qa.evaluation import report_rows

    rows = [
        (row.group, row.metric, "–" if row.value is None else f"{row.value:.3f}", str(row.questions))
        for row in report_rows(report)
    ]
    name = f"{report.dataset}{' (stripped)' if report.stripped else ''}"
    print_table(name, ("", "metric", "value", "questions"), rows)
    out.print(f"{report.counts.documents:,} documents, {report.counts.questions:,} questions, {report.seconds:,.0f} s.")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table  # takes long to import, and most commands print none

    table = Table(*columns, title=plain(title))
    for row in rows:
        table.add_row(*row)
    out.print(table)


def print_receiver(settings: Settings) -> None:
    """Say who is sent text, before it is."""
    from ui.language_model import SENT

    err.print(plain(f"Sent to {settings.receiver()}: {SENT}."))


def print_composed(steps: Iterator[Composed]) -> None:
    """Print the model's checked sentences as they come, then the spans it names, then what is unsupported."""
    printed = 0
    for composed in steps:
        if not printed and composed.supported:
            out.print(
                plain(f"\nLanguage model, {composed.receiver}; its words, checked against what they name:", "bold")
            )
        for sentence in composed.supported[printed:]:
            out.print(plain(_with_numbers(sentence)))
        printed = len(composed.supported)
    for span in composed.spans:
        out.print(Text(f"\n(m{span.number}) ", style="cyan").append(plain(span.citation.quote.strip())))
        out.print(plain(f"    {span.citation.path}, {span.citation.place} · pincite cite {span.citation.id}", "dim"))
    if composed.unsupported:
        out.print(plain("\nUnsupported, not borne out by the documents:", "bold"))
    for sentence in composed.unsupported:
        out.print(plain(f"  {_with_numbers(sentence)}  ({sentence.problem})", "dim"))
    if composed.problem:
        err.print(plain(composed.problem))
    elif not composed.sentences and not composed.spans:
        out.print("\nThe language model found nothing in the passages that it could show.")


def _with_numbers(sentence: Sentence) -> str:
    return " ".join([sentence.text, *(f"(m{number})" for number in sentence.numbers)])
