"""The trained reader: exact offsets, whole words, checked weights, and a network that is BERT's."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import minilm
from index.documents import Document, Source, Span
from qa.errors import ReaderError
from qa.reader import Query, Readable, Reading, Term
from qa.restoring import Mark, with_marks
from qa.results import Citation, Passage
from qa.span_network import Candidate, Pair, decode, make_pairs
from qa.span_reader import (
    WEIGHTS,
    Calibration,
    Evidence,
    Prospect,
    Regression,
    SpanReader,
    coverage,
    load_calibration,
    prospects,
    weigh,
)
from qa.spans import Decoding, best_spans, whole_words

TEXT = (
    "The river Tamber rises in the Karst hills. In 1893 the engineer Ida Marlow built a bridge over it, 240 metres "
    "long, for 1,200,000 crowns. The bridge was closed in 1951 and replaced by a ferry."
)
ANY_TEXT = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_characters="\x00"),
        st.sampled_from("aé ñ1,.2 ’'\u0301\u200d東京ไทย\n[SEP]🏳️\u200d🌈ﬁ"),
    ),
    max_size=120,
)


def readable(text: str, *, before: str = "", rank: int = 1, dense: float = 0.5, lexical: float = 1.0) -> Readable:
    """A passage that is the end of a document which begins with ``before``."""
    document = Document.from_raw(before + text, Source("folder/file.txt"))
    span = Span(len(before), len(document.text))
    return Readable(Passage(rank, 0.5, dense, lexical, Citation.from_document(document, span)), (span,))


def query(text: str, *terms: tuple[str, float]) -> Query:
    return Query(text, np.zeros(384, dtype=np.float32), tuple(Term(word, idf, 1) for word, idf in terms))


def in_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char).startswith("M")


@pytest.fixture(scope="module")
def reader() -> SpanReader:
    return SpanReader.load()


# --- whole words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        ("arlo", "Marlow"),
        ("1,200", "1,200,000"),
        (" Marlow built ", "Marlow built"),
        ("hills. ", "hills"),
        (", 240 metres long,", "240 metres long"),
        ("it,", "it"),
        (". ", ""),
    ],
)
def test_a_span_becomes_whole_words_without_edges(cut: str, whole: str) -> None:
    at = TEXT.index(cut)
    start, end = whole_words(TEXT, at, at + len(cut))
    assert TEXT[start:end] == whole


def test_a_dotted_abbreviation_keeps_its_stop_and_brackets_stay_in_pairs() -> None:
    text = "In the U.S. it is (mostly) so (see above)."
    start, end = whole_words(text, 7, 11)
    assert text[start:end] == "U.S."
    start, end = whole_words(text, 18, 26)
    assert text[start:end] == "(mostly)"
    start, end = whole_words(text, 18, 25)
    assert text[start:end] == "mostly"


@given(ANY_TEXT, st.data())
def test_a_span_never_ends_inside_a_word(text: str, data: st.DataObject) -> None:
    low = data.draw(st.integers(0, len(text)))
    high = data.draw(st.integers(low, len(text)))
    start, end = whole_words(text, low, high)
    assert 0 <= start <= end <= len(text)
    quote = text[start:end]
    assert quote == quote.strip()
    if quote.isascii():
        for at in (start, end):
            assert not (start < end and 0 < at < len(text) and in_word(text[at - 1]) and in_word(text[at])) or not (
                text[at - 1].isascii() and text[at].isascii()
            )


def test_scripts_without_spaces_are_not_widened() -> None:
    assert whole_words("東京は日本の首都です", 0, 2) == (0, 2)


# --- decoding ---------------------------------------------------------------------------------------------------------


def test_decoding_pairs_the_best_start_with_the_best_end_and_keeps_spans_apart() -> None:
    text = "red green blue"
    pair = Pair([1], [10, 11, 12], [(0, 3), (4, 9), (10, 14)], matches=[False] * 7, lists=[])
    # rows: no answer, question, [SEP], red, green, blue, [SEP]; columns: start, end
    marks = np.array([[1.0, 1.0], [9, 9], [9, 9], [2, 0], [5, 4], [0, 3], [9, 9]], np.float32)
    found = decode(pair, text, marks, 0.25, Decoding())
    # green: 5 + 4 - (1 + 1) = 7; red: 2 + 0 - 2 = 0; blue: 0 + 3 - 2 = 1; "green blue" (6) overlaps green
    assert found == [Candidate(4, 9, 7.0, 0.25), Candidate(10, 14, 1.0, 0.25), Candidate(0, 3, 0.0, 0.25)]


def word_places(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S+", text)]


def scored(text: str, start: str, end: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Logits by which the words from one to another are the best span, another pair of words nearly so."""
    places = word_places(text)
    logits = np.zeros((len(places), 2), dtype=np.float32)
    for word, column in ((start, 0), (end, 1)):
        logits[[text[a:b] for a, b in places].index(word), column] = 3
    logits[0] = (2.9, 2.6)
    return logits, places


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("1817 was when trading began. It began anew in 1991", "1817", "1991"),
        ("thousands for a festival called Wianki (Polish for Wreaths", "called", "Wreaths"),
    ],
)
def test_a_whole_span_is_preferred_to_one_that_runs_over_a_sentence_or_halves_brackets(
    text: str, start: str, end: str
) -> None:
    logits, places = scored(text, start, end)
    breaks = [text.index(". ") + 2] if ". " in text else []
    best = best_spans(logits, places, text, Decoding(), breaks=breaks)[0]
    assert text[best.start : best.end] == text.split()[0]
    unaware = best_spans(logits, places, text, Decoding(broken=0.0), breaks=breaks)[0]
    assert text[unaware.start : unaware.end] == text[text.index(start) :]


def test_a_lone_bracket_at_the_end_of_a_span_costs_nothing_since_it_is_left_out() -> None:
    text = "nobody sees (the great Wianki) here"
    logits, places = scored(text, "(the", "great")
    best = best_spans(logits, places, text, Decoding())[0]
    assert text[best.start : best.end] == "the great"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("walls", "trenches", "walls trenches and guards"),
        ("trenches", "trenches", "trenches"),
        ("secured", "trenches", "secured by walls trenches and guards"),
    ],
)
def test_a_whole_list_is_preferred_to_items_without_the_last(start: str, end: str, expected: str) -> None:
    text = "closed to all secured by walls trenches and guards"  # as it is; the reader sees "walls, trenches, and"
    restored = with_marks(text, {text.index(" trenches"): Mark.PAUSE, text.index(" and"): Mark.PAUSE})
    logits, places = scored(text, start, end)
    logits[-1, 1] = 2.7
    best = best_spans(logits, places, text, Decoding(), lists=restored.lists)[0]
    assert text[best.start : best.end] == expected


def likely(text: str, half: str, whole: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Logits by which a half is the best span and the whole nearly so."""
    places = word_places(text)
    logits = np.zeros((len(places), 2), dtype=np.float32)
    words = [text[a:b] for a, b in places]
    for score, span in ((2.7, whole.split()), (3, half.split())):
        logits[words.index(span[0]), 0] = logits[words.index(span[-1]), 1] = score
    return logits, places


@pytest.mark.parametrize(
    ("text", "half", "whole", "whole_is_better"),
    [
        ("cheered when Ida Marlow spoke", "Ida", "Ida Marlow", True),
        ("cheered near Fort Marlow today", "Marlow", "Fort Marlow", True),
        ("cheered near Fort Marlow-Adams today", "Marlow-Adams", "Fort Marlow-Adams", True),
        ("cheered near Blue bridges today", "Blue", "Blue bridges", False),
        ("cheered The Greens today", "Greens", "The Greens", False),
        ("cheered NATO Marines today", "Marines", "NATO Marines", False),
        ("cheered Ida, Marlow spoke", "Ida,", "Ida, Marlow", False),
    ],
)
def test_a_whole_name_is_preferred_to_half_of_it(text: str, half: str, whole: str, *, whole_is_better: bool) -> None:
    best = best_spans(*likely(text, half, whole), text, Decoding())[0]
    assert text[best.start : best.end] == (whole if whole_is_better else half.strip(","))


def test_names_that_are_read_with_a_mark_between_them_are_two() -> None:
    text = "cheered when Ida Marlow spoke"  # as it is; the reader sees "Ida, Marlow"
    logits, places = likely(text, "Ida", "Ida Marlow")
    space = text.index(" Marlow")
    with_mark = [*places[:3], (space, space + 1), *places[3:]]
    best = best_spans(np.insert(logits, 3, 0, axis=0), with_mark, text, Decoding())[0]
    assert text[best.start : best.end] == "Ida"


def assert_likeliest_is_found(text: str, start: str, end: str, question: str, *, found: bool) -> None:
    """The words from one to another have the highest score: they come first, or are not among the spans."""
    likeliest = text[text.index(start) : text.index(end) + len(end)]
    spans = best_spans(*scored(text, start, end), text, Decoding(), question=question)
    said = [text[span.start : span.end] for span in spans]
    assert (said[0] == likeliest) == found == (likeliest in said)


@pytest.mark.parametrize(
    ("text", "start", "end", "answers"),
    [
        ("the spokesman Col Ida Marlow called", "Col", "Col", False),
        ("the spokesman Envoy Ida Marlow called", "Envoy", "Envoy", True),
        ("long after it the bridge closed", "after", "it", False),
        ("on Monday us troops left", "us", "us", False),
        ("on Monday US troops left", "US", "US", True),
        ("on Monday The Who played", "The", "Who", True),
        ("a sign that says % and nothing else", "%", "%", True),
    ],
)
def test_function_words_and_a_shortened_title_alone_are_no_answer(
    text: str, start: str, end: str, answers: bool
) -> None:
    assert_likeliest_is_found(text, start, end, "", found=answers)


@pytest.mark.parametrize(
    ("start", "end", "question", "answers"),
    [
        ("long", "long", "How long did it last?", False),
        ("after", "long", "How long did it last?", False),
        ("long", "siege", "How long did it last?", True),
        ("long", "long", "Was it long?", True),
        ("Ostmark", "Ostmark", "Who won the war of Ostmark?", True),
    ],
)
def test_what_only_repeats_the_question_is_no_answer(start: str, end: str, question: str, answers: bool) -> None:
    text = "after it the long siege of nine years Ostmark fell"
    assert_likeliest_is_found(text, start, end, question, found=answers)


@pytest.mark.model
def test_the_network_does_not_answer_with_the_question(reader: SpanReader) -> None:
    text = "The long war has displaced many people from their homes in the north of the country"
    found = reader.read(query("How long has the war lasted?"), [readable(text)])
    assert found
    assert "long" not in [text[reading.answer.start : reading.answer.end] for reading in found]


@pytest.mark.parametrize(
    ("text", "start", "end", "expected"),
    [
        ("called the Blue Forest near the Forest house", "Blue", "house", "Blue Forest"),
        ("called the Blue Forest near the Castle house", "Blue", "house", "Blue Forest near the Castle house"),
        ("they met in Forest from day to day on", "from", "on", "from day to day on"),
        ("the Blue Forest a b c d e f g h i j of the house", "Blue", "house", "Blue Forest"),
        ("the Blue Forest a b c of the house", "Blue", "house", "Blue Forest a b c of the house"),
    ],
)
def test_a_long_span_and_one_with_a_word_twice_are_not_preferred(
    text: str, start: str, end: str, expected: str
) -> None:
    logits, places = scored(text, start, end)
    logits[0] = 0
    logits[[text[a:b] for a, b in places].index("Forest"), 1] = 2.8
    best = best_spans(logits, places, text, Decoding())[0]
    assert text[best.start : best.end] == expected


def test_a_passage_without_tokens_has_no_candidates() -> None:
    assert decode(Pair([1], [], [], [False] * 4, []), " ", np.zeros((4, 2), np.float32), 0.0, Decoding()) == []


@given(ANY_TEXT, st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_decoded_spans_stand_in_the_passage_and_do_not_overlap(text: str, seed: int) -> None:
    (pair,) = make_pairs(minilm.load_tokenizer(), ["who?"], [text])
    marks = np.random.default_rng(seed).normal(size=(len(pair), 2)).astype(np.float32)
    found = decode(pair, text, marks, 0.0, Decoding())
    for candidate in found:
        assert 0 <= candidate.start < candidate.end <= len(text)
    ordered = sorted((c.start, c.end) for c in found)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(ordered))
    assert [c.margin for c in found] == sorted((c.margin for c in found), reverse=True)


def test_words_that_look_like_markers_are_read_as_text() -> None:
    (pair,) = make_pairs(minilm.load_tokenizer(), ["[SEP] who?"], ["a [SEP] b [CLS]"])
    assert not {101, 102} & {*pair.question, *pair.passage}


@pytest.mark.parametrize(
    ("question", "passage", "matched"),
    [
        ("red car", "a red bus", ["red", "red"]),
        ("what secures it?", "It is secured, by whom?", ["secure", "##s", "it", "it", "secured"]),
        ("whose wigs?", "The moats, they said.", []),  # wig ##s, moat ##s: a piece of another word is no match
        ("Straße", "die Strasse", ["st", "##raße", "st", "##ras", "##se"]),
    ],
)
def test_a_match_is_a_word_that_stands_on_both_sides_in_any_form(
    question: str, passage: str, matched: list[str]
) -> None:
    tokenizer = minilm.load_tokenizer()
    (pair,) = make_pairs(tokenizer, [question], [passage])
    tokens = [tokenizer.id_to_token(token) for token in pair.tokens]
    assert [token for token, matches in zip(tokens, pair.matches, strict=True) if matches] == matched


def test_a_pair_is_question_and_passage_with_its_markers() -> None:
    (pair,) = make_pairs(minilm.load_tokenizer(), ["red car"], ["a red bus"])
    # [CLS] red car [SEP] a red bus [SEP]
    assert pair.types == [0, 0, 0, 0, 1, 1, 1, 1]
    assert len(pair) == len(pair.tokens) == 8


# --- one probability --------------------------------------------------------------------------------------------------


def test_coverage_weighs_words_by_rarity_and_finds_other_forms() -> None:
    terms = [Term("controls", 1.0, 1), Term("Idlib", 3.0, 1), Term("Damascus", 4.0, 0)]
    # 1 + 3 of 1 + 3 + 4
    assert coverage(terms, "the army controlled IDLIB") == pytest.approx(0.5)
    assert coverage([], "anything") == 1.0


def test_a_prospect_compares_a_passage_with_those_found_beside_it() -> None:
    readables = [readable("x y", dense=0.75, lexical=2.0), readable("x z", dense=0.5, lexical=8.0)]
    # lexical 2 / 8 and 8 / 8; the second is 0.25 behind the nearest; "y", 3 of 1 + 3, is not in it
    assert prospects(readables, [Term("x", 1.0, 2), Term("y", 3.0, 1)]) == [
        Prospect(dense=0.75, dense_gap=0.0, lexical=0.25, names=1.0, numbers=1.0, together=1.0),
        Prospect(dense=0.5, dense_gap=-0.25, lexical=1.0, names=1.0, numbers=1.0, together=1 / 4),
    ]


def test_words_of_the_question_in_one_segment_are_told_from_words_in_several() -> None:
    whole = readable("x y 7 z")
    parted = Readable(whole.passage, (Span(0, 3), Span(4, 7)))
    terms = [Term("x", 1.0, 1), Term("7", 2.0, 1), Term("z", 1.0, 1)]
    assert [prospect.together for prospect in prospects([whole, parted], terms)] == [1.0, 3 / 4]


def test_names_and_numbers_of_the_question_are_looked_for_in_the_whole_passage() -> None:
    terms = [Term("Zed", 1.0, 1), Term("Amy", 3.0, 1), Term("7", 2.0, 1), Term("1944", 2.0, 0), Term("x", 9.0, 1)]
    (prospect,) = prospects([readable("x y 7 Zed")], terms)
    assert (prospect.names, prospect.numbers) == (1 / 4, 2 / 4)


def places(text: str, *marked: str) -> list[tuple[int, int]]:
    return [(text.index(words), text.index(words) + len(words)) for words in marked]


PROSPECT = Prospect(dense=0.75, dense_gap=0.0, lexical=0.5, names=0.25, numbers=1.0, together=0.0)


def test_words_near_a_candidate_are_told_from_words_elsewhere_in_the_passage() -> None:
    """Four segments of one word; the candidate is the third, "z" stands beside it, "x" does not."""
    whole = readable("x y 7 z")
    parted = Readable(whole.passage, tuple(Span(at, at + 1) for at in (0, 2, 4, 6)))
    terms = [Term("x", 1.0, 1), Term("z", 1.0, 1), Term("7", 2.0, 1)]
    (evidence,) = weigh("who?", [Candidate(4, 5, 3.0, 1.5)], parted, PROSPECT, terms)
    assert evidence == Evidence(
        **asdict(PROSPECT),
        margin=3.0,
        relevance=1.5,
        within=2 / 4,
        around=3 / 4,
        description=0.0,
        not_teller=1.0,
        spoken=0.0,
    )


def test_words_of_the_one_whose_words_are_asked_for_are_told_from_those_of_others() -> None:
    first = "Ida Marlow said that the mill is closed."
    said = readable(f"{first} Amos Dent said that the bridge is open.")
    parted = Readable(said.passage, (Span(0, len(first)), Span(len(first) + 1, len(said.passage.text))))
    marked = [Candidate(*place, 3.0, 1.5) for place in places(said.passage.text, "closed", "open", "Ida Marlow")]
    for question, expected in (
        ("What did Ida Marlow say?", [1.0, 0.0, 0.0]),
        ("What does Dent say about it?", [0.0, 1.0, 0.0]),
        ("What did Ida Marlow build?", [0.0, 0.0, 0.0]),
    ):
        assert [one.spoken for one in weigh(question, marked, parted, PROSPECT, [])] == expected


def test_probability_is_the_logistic_of_what_is_known() -> None:
    # -1 + 2 * 0.75 + 1 * 0.5 = 1; 1 / (1 + e^-1) = 0.731059
    regression = Regression({"dense": 2.0, "lexical": 1.0}, -1.0)
    assert regression.probability(PROSPECT) == pytest.approx(0.731059, abs=1e-6)


# --- weights ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def weights_copy(tmp_path: Path) -> Path:
    for name in ("reader.safetensors", "reader.json"):
        shutil.copy(WEIGHTS / name, tmp_path / name)
    return tmp_path


@pytest.mark.model
def test_an_undamaged_copy_of_the_weights_loads(weights_copy: Path) -> None:
    assert SpanReader.load(weights_copy).passages_read == 8
    assert 0 < load_calibration(weights_copy).threshold < 1


@pytest.mark.model
@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "card"])
def test_damaged_weights_are_refused(weights_copy: Path, damage: str) -> None:
    path = weights_copy / "reader.safetensors"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "truncate":
        path.write_bytes(data[:-4096])
    elif damage == "delete":
        path.unlink()
    else:
        (weights_copy / "reader.json").write_text('{"sha256": ')
    with pytest.raises(ReaderError, match="Install pincite again"):
        SpanReader.load(weights_copy)


@pytest.mark.model
@pytest.mark.parametrize(("part", "unknown"), [("answers", "mood"), ("prospects", "margin")])
def test_a_calibration_that_weighs_something_unknown_is_refused(weights_copy: Path, part: str, unknown: str) -> None:
    card = weights_copy / "reader.json"
    known = json.loads(card.read_text())
    known[part]["weights"][unknown] = 1.0
    card.write_text(json.dumps(known))
    with pytest.raises(ReaderError, match=unknown):
        load_calibration(weights_copy)


def test_the_shipped_weights_are_small() -> None:
    assert (WEIGHTS / "reader.safetensors").stat().st_size <= 25_000_000


def test_importing_the_module_imports_no_model_library() -> None:
    code = (
        "import sys, qa.span_reader; "
        "print({'torch', 'onnx', 'onnxruntime', 'tokenizers', 'safetensors'} & set(sys.modules))"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "set()"


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.model
def test_it_finds_plain_facts(reader: SpanReader) -> None:
    place = readable(TEXT, before="Another page. ")
    for question, words in [
        ("Who built the bridge?", "Ida Marlow"),
        ("When was the bridge closed?", "1951"),
        ("how long was the bridge", "240 metres"),
    ]:
        best = reader.read(query(question), [place])[0]
        assert words in best.answer.of("Another page. " + TEXT)


@pytest.mark.model
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=3), question=ANY_TEXT)
@settings(deadline=None, max_examples=25)
def test_answers_stand_inside_their_passage_at_exact_offsets(texts: list[str], question: str) -> None:
    kept: list[SpanReader] = reader_once()
    before = "Start of the file: "
    readables = [readable(text + " and more", before=before, rank=i) for i, text in enumerate(texts, 1)]
    for reading in kept[0].read(query(question), readables):
        passage = reading.readable.passage
        assert passage.span.contains(reading.answer)
        start = passage.span.start
        quote = passage.text[reading.answer.start - start : reading.answer.end - start]
        assert quote
        assert quote == quote.strip()
        assert 0 <= reading.score <= 1


def reader_once(kept: list[SpanReader] = []) -> list[SpanReader]:  # noqa: B006
    if not kept:
        kept.append(SpanReader.load())
    return kept


@pytest.mark.model
def test_reading_twice_gives_the_same(reader: SpanReader) -> None:
    readables = [readable(TEXT, rank=1), readable(TEXT[60:], rank=2), readable("It rained all day.", rank=3)]

    def run(one: SpanReader) -> list[Reading]:
        return one.read(query("Who built the bridge?", ("built", 1.0), ("bridge", 1.5)), readables)

    assert run(reader) == run(reader) == run(SpanReader.load())
    assert [r.score for r in run(reader)] == sorted((r.score for r in run(reader)), reverse=True)


@pytest.mark.model
def test_8_bits_find_the_same_words_as_float32(reader: SpanReader) -> None:
    readables = [readable(TEXT, rank=1), readable("It rained all day in the hills.", rank=2)]
    exact = SpanReader.load(exact=True)
    for question in ("Who built the bridge?", "When was it closed?"):
        found, wanted = (one.read(query(question), readables)[0] for one in (reader, exact))
        assert found.answer == wanted.answer
        assert found.score == pytest.approx(wanted.score, abs=0.05)


@pytest.mark.model
def test_nothing_to_read_gives_nothing(reader: SpanReader) -> None:
    assert reader.read(query("Who?"), []) == []
    assert reader.read(query("  "), [readable(TEXT)]) == []
    assert reader.read(query("Who?"), [readable("… — !")]) == []


@pytest.mark.model
def test_a_passage_longer_than_the_network_reads_is_read_from_its_start(reader: SpanReader) -> None:
    readings = reader.read(query("Who built the bridge?"), [readable(TEXT + " word" * 3000)])
    assert readings
    assert all(reading.answer.end <= len(TEXT) + 5 * 400 for reading in readings)
    reader.read(query("why " * 2000), [readable(TEXT)])


class ScriptedNetwork:
    """Marks the first word of each passage, and keeps what it reads."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def candidates(self, questions: list[str], passages: list[str], *, breaks: object) -> list[list[Candidate]]:
        self.read += passages
        return [[Candidate(0, 4, len(self.read), 0.0)] for _ in passages]


@pytest.mark.parametrize(
    ("nearness", "read"),
    [
        ([0.9], [0]),
        ([0.1, 0.1, 0.1], [0, 1]),
        ([0.9, 0.8, 0.4, 0.6, 0.5], [0, 1, 3, 4]),
        ([0.1, 0.1, 0.9, 0.4], [0, 1, 2]),
    ],
)
def test_the_best_two_passages_are_read_and_those_that_may_hold_an_answer(
    nearness: list[float], read: list[int]
) -> None:
    network = ScriptedNetwork()
    likely = Regression({"dense": 1.0}, 0.0)
    calibration = Calibration(
        answers=Regression({"margin": 1.0}, 0.0),
        threshold=0.5,
        prospects=likely,
        least_prospect=likely.probability(replace(PROSPECT, dense=0.5)),
    )
    given = [readable(f"Text {i} of many.", rank=i + 1, dense=dense) for i, dense in enumerate(nearness)]
    readings = SpanReader(network, calibration).read(query("What?"), given)
    assert network.read == [f"Text {i} of many." for i in read]
    assert sorted(reading.readable.passage.rank - 1 for reading in readings) == read
