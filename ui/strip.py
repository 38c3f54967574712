"""What stands above the chat, and in it before the first question?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.escaping import count, day, escape, one_line

if TYPE_CHECKING:
    from index.status import CorpusStatus


def status_strip(status: CorpusStatus, receiver: str = "") -> str:
    """Return what is indexed, and who receives text, in one line."""
    facts = [count(status.documents, "document")]
    if status.newest_date:
        facts.append(f"newest {one_line(day(status.newest_date))}")
    facts += [f'index <code title="{one_line(status.index_id)}">{one_line(status.index_id[:6])}</code>']
    facts.append(f'text goes to <bdi class="receiver">{one_line(receiver)}</bdi>' if receiver else "offline")
    return _strip(" <i>·</i> ".join(f"<span>{fact}</span>" for fact in facts))


def status_problem(sentence: str) -> str:
    """Return the strip of an index that cannot be read."""
    return _strip(f'<span class="amber">{escape(sentence)}</span>')


def _strip(facts: str) -> str:
    return (
        f'<header class="strip"><h1>Pincite</h1><p>{facts}</p>'
        '<div class="news"><span class="news-words"></span> '
        '<button type="button" class="update" hidden>Update</button></div>'
        '<div class="tools"><label class="add">Add files<input type="file" class="unseen" multiple></label>'
        '<button type="button" class="help">Keys</button></div></header>'
    )


def welcome() -> str:
    """Return what a first visitor reads above the example questions."""
    return (
        '<div class="welcome"><h2>Ask your documents</h2>'
        "<p>Every answer is a quote. Open its number to see it in the source, character for character.</p></div>"
    )


def empty_index() -> str:
    """Return the first page of an index without documents."""
    return (
        '<div class="welcome"><h2>The index has no documents yet</h2>'
        "<p>Run this in a terminal, then reload the page:</p><pre><code>pincite index FOLDER</code></pre></div>"
    )
