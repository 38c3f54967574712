"""What stands above the chat, and in it before the first question?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qa.escaping import count, day, escape, one_line

if TYPE_CHECKING:
    from index.scanning import FileNote
    from index.status import CorpusStatus

SKIPPED_LISTED = 50


def status_strip(status: CorpusStatus, receiver: str = "") -> str:
    """Return what is indexed, and who receives text, in one line."""
    facts = [f'<button type="button" class="library">{count(status.documents, "document")}</button>']
    if status.newest_date:
        facts.append(f"newest {one_line(day(status.newest_date))}")
    facts.append(f'index <code title="{one_line(status.index_id)}">{one_line(status.index_id[:6])}</code>')
    facts.append(f'text goes to <bdi class="receiver">{one_line(receiver)}</bdi>' if receiver else "offline")
    return _strip(" <i>·</i> ".join(f"<span>{fact}</span>" for fact in facts), _skipped(status.notes))


def status_problem(sentence: str) -> str:
    """Return the strip of an index that cannot be read."""
    return _strip(f'<span class="amber">{escape(sentence)}</span>')


def _skipped(notes: Iterable[FileNote]) -> str:
    """Return the files that the last update left out, each with its reason."""
    rows = [f"<li><bdi>{one_line(note.name)}</bdi> {escape(note.reason)}</li>" for note in notes if note.skipped]
    if not rows:
        return ""
    more = f"<li>and {len(rows) - SKIPPED_LISTED:,} more: pincite status</li>" if len(rows) > SKIPPED_LISTED else ""
    return (
        f'<details class="skipped"><summary>{count(len(rows), "file")} skipped</summary>'
        f"<ul>{''.join(rows[:SKIPPED_LISTED])}{more}</ul></details>"
    )


def _strip(facts: str, beside: str = "") -> str:
    return (
        f'<header class="strip"><h1>Pincite</h1><p>{facts}</p>{beside}'
        '<div class="news"><span class="news-words"></span> '
        '<button type="button" class="update" hidden>Update</button></div>'
        '<div class="tools"><label class="add">Add files<input type="file" class="unseen" multiple></label>'
        '<button type="button" class="help">Keys</button></div></header>'
    )


def welcome(*, is_looking: bool = False) -> str:
    """Return what a first visitor reads above the example questions, some of which may still be looked for."""
    looking = '<p class="looking">Looking for questions to begin with …</p>' if is_looking else ""
    return (
        '<div class="welcome"><h2>Ask your documents</h2>'
        "<p>Every answer is a quote. Open its number to see it in the source, character for character.</p>"
        f"{looking}</div>"
    )


def empty_index() -> str:
    """Return the first page of an index without documents."""
    return (
        '<div class="welcome"><h2>The index has no documents yet</h2>'
        '<label class="add drop-zone"><b>Drop files here</b> or choose them: they are copied and indexed here.'
        '<input type="file" class="unseen" multiple></label>'
        "<p>Or name a folder in a terminal:</p><pre><code>pincite index FOLDER</code></pre></div>"
    )
