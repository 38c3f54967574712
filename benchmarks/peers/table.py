"""Figures of all systems -> a Markdown table, and the rows in which Pincite is behind."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

OURS = "pincite"

Results = Mapping[str, Mapping[str, Any]]
"""System -> figure -> its median, or a sentence where there is none."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table.

    Attributes:
        cpu: the same in processor time, printed in brackets.
        cannot: what a system lacks when it says it cannot do this.
    """

    label: str
    figure: str
    pattern: str
    cpu: str = ""
    better: Literal["less", "more", ""] = "less"
    cannot: str = ""


ROWS = (
    Row("chunks", "chunks", "{:,.0f}", better=""),
    Row("share of the chunks' tokens that is embedded", "share", "{:.0%}", better="more"),
    Row("ingest and save, documents/s", "documents_a_s", "{:.1f}", better="more"),
    Row("ingest and save, embedded tokens/s", "tokens_a_s", "{:,.0f}", "tokens_a_cpu_s", better="more"),
    Row("warm retrieval, p50, ms", "retrieve_p50_ms", "{:.1f}", "retrieve_cpu_ms"),
    Row("warm retrieval, p95, ms", "retrieve_p95_ms", "{:.1f}"),
    Row("cited answer, p50, ms", "ask_p50_ms", "{:.0f}", "ask_cpu_ms", cannot="ask"),
    Row("cited answer, p95, ms", "ask_p95_ms", "{:.0f}", cannot="ask"),
    Row("process start to passages, s", "cold_retrieve_s", "{:.2f}", "cold_retrieve_cpu_s"),
    Row("process start to cited answer, s", "cold_ask_s", "{:.2f}", "cold_ask_cpu_s", cannot="ask"),
    Row("one document added and found, warm, s", "add_s", "{:.3f}", "add_cpu_s"),
    Row("one document added and found, new process, s", "cold_add_s", "{:.2f}", "cold_add_cpu_s"),
    Row("nothing changed, warm, s", "rerun_s", "{:.2f}", "rerun_cpu_s", cannot="rerun"),
    Row("nothing changed, new process, s", "cold_rerun_s", "{:.2f}", "cold_rerun_cpu_s", cannot="rerun"),
    Row("peak memory, ingest, MB", "ingest_mb", "{:,.0f}"),
    Row("peak memory, warm, MB", "warm_mb", "{:,.0f}"),
    Row("index on disk, MB", "disk_mb", "{:.1f}"),
    Row("hit@5", "hit_at_5", "{:.3f}", better="more"),
)
_BEYOND = Row("ingest and save beyond embedding, s", "ingest_s", "{:.1f}", "ingest_cpu_s")
_NOT_OF_GROWTH = {"share", "documents_a_s", "tokens_a_s", "hit_at_5"}
GROWTH = (_BEYOND, *(row for row in ROWS if row.figure not in _NOT_OF_GROWTH))


def summary(records: Sequence[Mapping[str, Any]], *, documents: int) -> dict[str, dict[str, Any]]:
    """Return the medians of one corpus by system and figure; why there is none under ``failed``."""
    found: dict[str, dict[str, list[Any]]] = {}
    for record in records:
        for name, value in record["figures"].items():
            found.setdefault(record["system"], {}).setdefault(name, []).append(value)
    medians = {system: {name: middle(values) for name, values in own.items()} for system, own in found.items()}
    for figures in medians.values():
        if "ingest_s" in figures and "tokens" in figures:
            figures["documents_a_s"] = documents / figures["ingest_s"]
            figures["tokens_a_s"] = figures["embedded"] / figures["ingest_s"]
            figures["tokens_a_cpu_s"] = figures["embedded"] / figures["ingest_cpu_s"]
            figures["share"] = figures["embedded"] / figures["tokens"]
    return medians


def middle(values: Sequence[Any]) -> Any:
    return values[0] if isinstance(values[0], str) else statistics.median(values)


def cell(row: Row, figures: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Return the figure as it is printed; in words where a system cannot, failed, or was not measured (`failures`)."""
    if reason := about.get("cannot", {}).get(row.cannot):
        return str(reason)
    if row.figure not in figures:
        return str(figures.get("failed", "-")).partition(":")[0]
    note = about.get("notes", {}).get(row.cannot)
    spent = f" ({row.pattern.format(figures[row.cpu])})" if row.cpu in figures else ""
    return row.pattern.format(figures[row.figure]) + spent + (f"; {note}" if note else "")


def table(results: Results, abouts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a Markdown table, a column for each system; the best of a row is bold."""
    names = list(results)
    lines = ["| | " + " | ".join(abouts[name]["title"] for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for label, figure in (("version", "version"), ("chunking", "chunking")):
        lines.append(f"| {label} | " + " | ".join(abouts[name].get(figure, "-") for name in names) + " |")
    for row in ROWS:
        if not any(row.figure in results[name] or row.cannot in abouts[name].get("cannot", {}) for name in names):
            continue
        leading = best(row, results)
        cells = [cell(row, results[name], abouts[name]) for name in names]
        cells = [f"**{text}**" if name == leading else text for name, text in zip(names, cells, strict=True)]
        lines.append(f"| {row.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def growth_table(by_size: Mapping[int, Results], abouts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a Markdown table whose cells hold one figure a size, smallest first."""
    sizes = sorted(by_size)
    names = list(dict.fromkeys(name for size in sizes for name in by_size[size]))
    title = " / ".join(f"{size:,}" for size in sizes)
    lines = [f"| documents: {title} | " + " | ".join(abouts[name]["title"] for name in names) + " |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for row in GROWTH:
        cells = []
        for name in names:
            own = [cell(row, by_size[size].get(name, {}), abouts[name]) for size in sizes]
            cells.append(own[0] if len(set(own)) == 1 else " / ".join(own))
        if any(row.figure in by_size[size].get(name, {}) for size in sizes for name in names):
            lines.append(f"| {row.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def failures(results: Results, abouts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each system of which something failed."""
    return [f"{abouts[name]['title']}: {own['failed']}" for name, own in results.items() if "failed" in own]


def best(row: Row, results: Results) -> str | None:
    values = {name: figures[row.figure] for name, figures in results.items() if row.figure in figures}
    if not row.better or len(values) < 2:
        return None
    return (min if row.better == "less" else max)(values, key=lambda name: values[name])


def behind(results: Results, abouts: Mapping[str, Mapping[str, Any]], rows: Sequence[Row] = ROWS) -> list[str]:
    """Return a sentence for each row in which another system is ahead of Pincite."""
    found = []
    for row in rows:
        leading = best(row, results)
        if leading is None or leading == OURS or row.figure not in results.get(OURS, {}):
            continue
        ours, theirs = (row.pattern.format(results[name][row.figure]) for name in (OURS, leading))
        if ours != theirs:
            found.append(f"{row.label}: Pincite {ours}, {abouts[leading]['title']} {theirs}")
    return found
