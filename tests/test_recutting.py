"""An edit costs the chunks that hold it, whatever is edited, and the chunks still hold all of the text."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunking import ChunkingConfig
from index.documents import Span
from index.recutting import Earlier, Edit, Uncut, chunks_after_edit, find_edit

CONFIG = ChunkingConfig(chunk_tokens=20, overlap_tokens=5)
MOST_TOKENS = 26
LONGEST = 6  # words of a sentence: with so many fewer than a chunk may grow by, one more always fits


def uncut(text: str) -> Uncut:
    """Sentences end in a full stop, tokens are words."""
    segments = [Span(*match.span()) for match in re.finditer(r"[^\s.][^.]*\.?", text)]
    starts = np.asarray([match.start() for match in re.finditer(r"\S+", text)], dtype=np.int64)
    return Uncut(text, segments, starts, CONFIG, MOST_TOKENS)


def embedded(earlier: Earlier, now: Uncut, chunks: list[Span]) -> list[Span]:
    """Return the chunks whose words no chunk of the earlier version has."""
    known = {chunk.of(earlier.text) for chunk in earlier.chunks}
    return [chunk for chunk in chunks if chunk.of(now.text) not in known]


def holding(chunks: list[Span], sentence: Span) -> list[Span]:
    return [chunk for chunk in chunks if chunk.contains(sentence)]


def join(sentences: list[str]) -> str:
    return " ".join(sentences)


sentence = st.lists(st.sampled_from(["the", "old", "dam", "broke", "again"]), min_size=1, max_size=LONGEST).map(
    lambda words: f"{' '.join(words)}."
)
document = st.lists(sentence, min_size=1, max_size=60)
kind = st.sampled_from(["replace", "insert", "delete"])


def edited(sentences: list[str], at: int, what: str, new: str) -> tuple[list[str], str]:
    """Return the sentences afterwards, and the one that is new."""
    after = [*sentences[:at], *([] if what == "delete" else [new]), *sentences[at + (what != "insert") :]]
    return after, "" if what == "delete" else new


@settings(max_examples=300)
@given(document, kind, sentence, st.data())
def test_an_edit_embeds_at_most_the_chunks_that_hold_it(
    sentences: list[str], what: str, new: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(sentences) - 1))
    new = f"new {new}" if what == "replace" else f"Unheard {new}"
    after, added = edited(sentences, at, what, new)
    before, now = uncut(join(sentences)), uncut(join(after))
    earlier = Earlier(before.text, before.chunks())
    chunks = chunks_after_edit(earlier, now)
    place = len(join(after[:at])) + (at > 0)
    if added:
        bound = holding(chunks, Span(place, place + len(added)))
    else:
        bound = holding(list(earlier.chunks), Span(place, place + len(sentences[at])))
    assert len(embedded(earlier, now, chunks)) <= len(bound)


@settings(max_examples=150)
@given(document, st.lists(st.tuples(kind, sentence, st.integers(0, 1000)), min_size=1, max_size=12))
def test_after_any_edits_chunks_hold_all_of_the_text_in_order_and_fit_the_encoder(
    sentences: list[str], edits: list[tuple[str, str, int]]
) -> None:
    before = uncut(join(sentences))
    chunks = before.chunks()
    for what, new, at in edits:
        if not sentences:
            break
        sentences, _ = edited(sentences, at % len(sentences), what, new)
        now = uncut(join(sentences))
        chunks = chunks_after_edit(Earlier(before.text, chunks), now)
        before = now
        covered = {at for chunk in chunks for at in range(chunk.start, chunk.end)}
        assert covered.issuperset(at for at, letter in enumerate(now.text) if not letter.isspace())
        assert all(left.start < right.start and left.end < right.end for left, right in pairwise(chunks))
        assert all(0 < now.tokens(chunk) <= MOST_TOKENS for chunk in chunks)


@given(st.text("ab. ", max_size=80), st.text("ab. ", max_size=80))
def test_any_text_may_follow_any_other(earlier: str, text: str) -> None:
    before, now = uncut(earlier), uncut(text)
    edit = find_edit(earlier, now)
    assert earlier[: edit.before.start] == text[: edit.after.start]
    assert earlier[edit.before.end :] == text[edit.after.end :]
    chunks = chunks_after_edit(Earlier(earlier, before.chunks()), now)
    covered = {at for chunk in chunks for at in range(chunk.start, chunk.end)}
    assert covered.issuperset(at for segment in now.segments for at in range(segment.start, segment.end))


def test_what_is_deleted_begins_where_a_sentence_does() -> None:
    now = uncut("A dam. The dog ran.")
    assert find_edit("A dam. The cat sat. The dog ran.", now) == Edit(Span(7, 20), Span(7, 7))


def test_a_fresh_cut_is_taken_when_it_costs_no_more() -> None:
    before = uncut(join(["the old dam broke."] * 12))
    now = uncut(before.text + " the end.")
    assert chunks_after_edit(Earlier(before.text, before.chunks()), now) == now.chunks()


def test_a_fresh_cut_is_not_taken_when_it_costs_as_much_for_a_chunk_without_the_edit() -> None:
    """Sentences of five tokens, four a chunk, the fourth in two chunks; with one word more it fits into one alone."""
    five = [f"sentence {number} of the report." for number in range(5)]
    before = uncut(join([*five, "the end comes soon."]))
    now = uncut(before.text.replace("sentence 3 of", "sentence 3 edited of"))
    earlier = Earlier(before.text, before.chunks())
    assert len(embedded(earlier, now, now.chunks())) == 2
    assert "edited" not in now.chunks()[0].of(now.text)
    assert all("edited" in chunk.of(now.text) for chunk in embedded(earlier, now, chunks_after_edit(earlier, now)))


def test_filling_anew_would_embed_more() -> None:
    """The control: the same edit without the earlier version."""
    sentences = [f"sentence {number} of the long report." for number in range(60)]
    before = uncut(join(sentences))
    now = uncut(join([*sentences[:3], "quite another sentence that is longer than it was.", *sentences[4:]]))
    earlier = Earlier(before.text, before.chunks())
    assert len(embedded(earlier, now, now.chunks())) > 10
    assert len(embedded(earlier, now, chunks_after_edit(earlier, now))) <= 2


@pytest.mark.parametrize("grown", [30, 100])
def test_a_sentence_that_outgrows_a_chunk_is_cut_like_any_other(grown: int) -> None:
    sentences = [f"sentence {number} of the long report." for number in range(20)]
    before = uncut(join(sentences))
    now = uncut(join([*sentences[:9], f"{'word ' * grown}end.", *sentences[10:]]))
    chunks = chunks_after_edit(Earlier(before.text, before.chunks()), now)
    assert all(now.tokens(chunk) <= MOST_TOKENS for chunk in chunks)
    assert {chunk.of(now.text) for chunk in chunks[:2]} <= {chunk.of(before.text) for chunk in before.chunks()}


def test_a_chunk_that_grew_too_long_becomes_two_that_both_hold_the_edit() -> None:
    sentences = [f"sentence {number} of report." for number in range(40)]  # four tokens each, five a chunk
    before = uncut(join(sentences))
    (chunk,) = [chunk for chunk in before.chunks() if sentences[10] in chunk.of(before.text)]
    new = f"{'word ' * 19}end."
    now = uncut(before.text.replace(sentences[10], new))
    assert before.tokens(chunk) - 4 + 20 > MOST_TOKENS
    earlier = Earlier(before.text, before.chunks())
    anew = [part.of(now.text) for part in embedded(earlier, now, chunks_after_edit(earlier, now))]
    assert len(anew) == 2
    assert all(new in part for part in anew)


def test_what_the_earlier_version_left_out_is_cut_too() -> None:
    """A chunk whose vector was not finite is not stored."""
    before = uncut(join([f"sentence {number} of report." for number in range(40)]))
    now = uncut(before.text.replace("sentence 30", "sentence thirty"))
    chunks = chunks_after_edit(Earlier(before.text, before.chunks()[:3] + before.chunks()[4:]), now)
    assert chunks == now.chunks()
