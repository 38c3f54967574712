"""Nearly the same text in several documents is one voice, with its copies listed at exact places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import StubEncoder, StubReader
from hypothesis import given
from hypothesis import strategies as st

from index.build import build_index
from index.documents import Document, Source, Span
from index.segmenting import segment
from qa.copies import copy_of, distinct, fold_copies, likeness, runs_of
from qa.corpus import Corpus
from qa.reader import Readable
from qa.results import Citation, Passage, Quote

STORY = (
    "The river rose by two metres on Monday night. Officials in the valley town of Karst said 370 families had left"
    " their homes before dawn. Schools stay closed until the water falls again, the mayor told reporters."
)
OTHER = (
    "A new bakery opened in the market street this week. Its owner sells forty kinds of bread to visitors from the"
    " coast. She learned the trade from her grandmother in the hills and hopes to stay."
)


def readable(text: str, path: str) -> Readable:
    document = Document.from_raw(text, Source(path))
    citation = Citation.from_document(document, Span(0, len(text)))
    return Readable(Passage(1, 0.5, 0.5, 1.0, citation), tuple(segment(text)))


def quote(answer: str, held: Readable, score: float = 0.9) -> Quote:
    start = held.passage.text.index(answer)
    found = Span(start, start + len(answer))
    shown = next(one for one in held.segments if one.overlaps(found))
    return Quote(Citation.from_document(documents(held)(held.passage.doc_id), shown), found, score)


def documents(*held: Readable) -> Callable[[str], Document]:
    texts = {one.passage.doc_id: one.passage for one in held}
    return lambda doc_id: Document.from_raw(texts[doc_id].text, Source(texts[doc_id].citation.path))


def test_likeness_is_the_share_of_the_smaller_set_of_word_runs() -> None:
    ten = runs_of("a b c d e f g h i j k l")
    assert len(ten) == 10
    # "X" takes the three runs that hold its place away: 7 of 10 stay
    assert likeness(ten, runs_of("A, b c d e X g h i j k l and more words follow here")) == pytest.approx(0.7)
    assert likeness(runs_of("a b c d"), runs_of("a b c d")) == 0.0  # two runs tell nothing


COPIES = {
    "stripped.txt": "".join(char if char.isalnum() else " " for char in STORY).replace("  ", " "),
    "begins.txt": "KARST, Tuesday (Wire) - " + STORY,
    "edited.txt": STORY.replace("Monday night", "Monday evening").replace("told reporters", "said"),
}


@pytest.mark.parametrize("path", COPIES)
def test_a_quote_is_found_again_in_a_changed_copy_at_an_exact_place(path: str) -> None:
    held, copy = readable(STORY, "a.txt"), readable(COPIES[path], path)
    (folded,) = fold_copies([(quote("370 families", held), held)], [held, copy], documents(held, copy))
    (found,) = folded.copies
    assert found.path == path
    assert found.span.of(COPIES[path]) == found.quote
    assert "370 families had left" in found.quote


@pytest.mark.parametrize(
    "text",
    [OTHER, STORY.replace("370", "510"), "He said that 370 families had left their homes before dawn. " + OTHER, STORY],
    ids=["another text", "another number", "one sentence in another text", "the same document"],
)
def test_what_only_resembles_a_quote_is_no_copy(text: str) -> None:
    held, other = readable(STORY, "a.txt"), readable(text, "b.txt")
    assert copy_of(quote("370 families", held), held, other) is None


def test_a_quote_that_is_a_copy_of_a_stronger_one_stands_only_there() -> None:
    held, copy, other = readable(STORY, "a.txt"), readable(COPIES["begins.txt"], "b.txt"), readable(OTHER, "c.txt")
    pairs = [(quote("370 families", held), held), (quote("370 families", copy, 0.8), copy)]
    pairs.append((quote("forty kinds of bread", other, 0.7), other))
    folded = fold_copies(pairs, [other, copy, held], documents(held, copy, other))
    assert [(one.citation.path, [c.path for c in one.copies]) for one in folded] == [
        ("a.txt", ["b.txt"]),
        ("c.txt", []),
    ]


def test_copies_of_a_passage_are_not_read_again_but_others_are() -> None:
    held = [
        readable(STORY, "a.txt"),
        *(readable(text, path) for path, text in COPIES.items()),
        readable(OTHER, "z.txt"),
    ]
    assert [one.passage.citation.path for one in distinct(held, most=2)] == ["a.txt", "z.txt"]
    assert [one.passage.citation.path for one in distinct(held, most=1)] == ["a.txt"]
    same_document = replace(held[0], passage=replace(held[0].passage, rank=2))
    assert len(distinct([held[0], same_document], most=5)) == 2


def test_an_answer_lists_the_copies_and_reads_past_them(tmp_path: Path) -> None:
    folder, encoder = tmp_path / "docs", StubEncoder()
    folder.mkdir()
    for number in range(9):  # more than are read
        (folder / f"{number}.txt").write_text(f"Edition {number}. {STORY}\n")
    (folder / "z.txt").write_text("Another count: 510 families had left their homes in Karst before the dawn.\n")
    build_index(tmp_path / "index", [folder], encoder=encoder)
    corpus = Corpus.open(tmp_path / "index", encoder=encoder, reader=StubReader())
    answer = corpus.ask("families left homes before dawn Karst")
    assert sorted(len(one.copies) for one in answer.quotes) == [0, 8]
    for copy in answer.quotes[0].copies + answer.quotes[-1].copies:
        assert copy.span.of(corpus.document(copy.doc_id).text) == copy.quote
        assert corpus.cite(copy.id).state == "valid"
    assert answer == corpus.ask("families left homes before dawn Karst")


@given(text=st.text(max_size=60), other=st.lists(st.sampled_from(STORY.split()), max_size=40).map(" ".join))
def test_on_any_text_copies_are_whole_segments_of_another_document(text: str, other: str) -> None:
    held, second = readable(STORY, "a.txt"), readable(f"{text} {STORY[:90]} {other}.", "b.txt")
    place = copy_of(quote("two metres", held), held, second)
    if place is not None:
        assert place.start in {one.start for one in second.segments}
        assert place.end in {one.end for one in second.segments}
        assert "two metres" in place.of(second.passage.text)
