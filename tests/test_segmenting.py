"""Segments: exact offsets, sensible ends, bounded length, whatever the text."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import minilm, segmenting
from index.errors import ModelError
from index.segmenting import MAX_CHARACTERS, MAX_WORDS, WORD, lack_marks, load_segmenter, segment

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("PINCITE_DATA", ROOT.parent / "shared" / "data"))
SEEDS = sorted((ROOT / "seeds").glob("*.txt"))


def pieces(text: str) -> list[str]:
    return [span.of(text) for span in segment(text)]


def strip_marks(text: str) -> str:
    return " ".join(WORD.findall(text))


def assert_sound(text: str) -> None:
    """Check what must hold of the segments of any text."""
    covered = 0
    for span in segment(text):
        assert not text[covered : span.start].strip(), "characters between segments are lost"
        piece = span.of(text)
        assert piece
        assert piece == piece.strip()
        assert len(piece) <= MAX_CHARACTERS
        assert len(WORD.findall(piece)) <= MAX_WORDS
        assert span.start >= covered
        covered = span.end
    assert not text[covered:].strip(), "the end of the text is lost"


# ---------------------------------------------------------------- any text

ALPHABETS = st.one_of(
    st.characters(),
    st.sampled_from("ab A.!?,;:'\"()-…\n\n \t\f。！？中文ไทยกำ\u0301\u2028\u00a0😀"),
    st.sampled_from(["word ", "Name ", "U.S. ", "end. ", "\n\n", "\n", "- item", "3.14 "]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(ALPHABETS, max_size=300).map("".join))
def test_segments_of_random_text_are_ordered_trimmed_bounded_and_lose_nothing(text: str) -> None:
    assert_sound(text)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.sampled_from(["word ", "Then ", "a" * 1500, "x.y", "。", " " * 900, "\n", ". ", "ก็"]), max_size=400))
def test_segments_of_long_random_text_are_sound_across_blocks(parts: list[str]) -> None:
    assert_sound("".join(parts) * 3)


@pytest.mark.parametrize("text", ["", " ", "\n\n \t\n", "\u00a0\u2003"])
def test_a_text_without_visible_characters_has_no_segments(text: str) -> None:
    assert segment(text) == []


@pytest.mark.parametrize("text", ["a", "7", "!", "😀", "...", " . "])
def test_the_smallest_texts_are_one_segment(text: str) -> None:
    assert pieces(text) == [text.strip()]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "." * 100_000,
        " " * 1_000_000 + "end",
        "a" + " " * 200_000 + "b",
        "中" * 100_000,
        "ภาษาไทยไม่มีช่องว่าง" * 3000,
        "e" + "\u0301" * 100_000,
        "\n".join("a" * 20_000),
        "a.b," * 20_000,
        "word " * 20_000,
    ],
    ids=["letters", "dots", "spaces", "gap", "chinese", "thai", "marks", "lines", "unspaced", "one-word"],
)
def test_hostile_text_gives_bounded_segments_quickly(text: str) -> None:
    load_segmenter()
    began = time.process_time()
    assert_sound(text)
    assert time.process_time() - began < 20  # of the processor; anything quadratic takes many minutes


def test_the_same_text_always_gives_the_same_segments() -> None:
    text = SEEDS[0].read_text("utf-8") * 30
    first = segment(text)
    segment("Something else in between. Really.")
    assert segment(text) == first


def test_a_text_longer_than_a_block_is_cut_as_its_parts_are() -> None:
    paragraph = "The council met on Monday. Nobody objected to the plan, which had cost years of work. It passed."
    copies = 3 * segmenting.BLOCK_CHARACTERS // len(paragraph)
    assert pieces("\n\n".join([paragraph] * copies)) == pieces(paragraph) * copies


# ---------------------------------------------------------------- ordinary text


def test_sentences_end_at_their_marks_and_quotes_stay_with_their_sentence() -> None:
    assert pieces('He left early. "Why did she stay?" they asked. Nobody knew! Then it rained.') == [
        "He left early.",
        '"Why did she stay?" they asked.',
        "Nobody knew!",
        "Then it rained.",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "Mr. Brown met Dr. J. R. Smith in Washington yesterday.",
        "The U.S. Army bought fruit, e.g. apples, for 3.14 dollars a kilo.",
        "See Fig. 3 and Sec. 2.1 for the results of the second experiment.",
        "She waited ... and then she went home to her family.",
        "They visited www.example.com and wrote to info@example.org about it.",
    ],
)
def test_abbreviations_initials_decimals_and_ellipses_do_not_end_a_sentence(sentence: str) -> None:
    text = f"It was cold that day. {sentence} Nobody was surprised by that."
    assert pieces(text) == ["It was cold that day.", sentence, "Nobody was surprised by that."]


def test_blank_lines_headings_and_list_items_always_end_a_segment() -> None:
    long_item = "a) an item long enough to be taken for a wrapped line"
    text = (
        f"Annual report\n\nWe bought:\n- red apples\n{long_item}\nb) pears\n1. first\n2. second\nIV. Results\n\nthe end"
    )
    assert pieces(text) == text.replace("\n\n", "\n").split("\n")


def test_a_line_wrapped_inside_a_sentence_does_not_end_a_segment() -> None:
    text = (
        "The committee that was set up last year to look into the\n"
        "accident has finished its work and will publish the report\n"
        "before the end of the month. The families of the victims had\n"
        "asked for it."
    )
    assert [piece.replace("\n", " ") for piece in pieces(text)] == [
        "The committee that was set up last year to look into the accident has finished its work and will publish "
        "the report before the end of the month.",
        "The families of the victims had asked for it.",
    ]


def test_chinese_sentences_end_at_their_marks() -> None:
    assert pieces("今天天气很好。我们去公园吧！你来吗？“好的。”他说") == [
        "今天天气很好。",
        "我们去公园吧！",
        "你来吗？",
        "“好的。”",
        "他说",
    ]


def test_russian_and_arabic_sentences_end_at_their_marks() -> None:
    assert pieces("Сегодня холодно. Мы остались дома. А ты?") == ["Сегодня холодно.", "Мы остались дома.", "А ты?"]
    assert pieces("هل أنت بخير؟ نعم شكرا.") == ["هل أنت بخير؟", "نعم شكرا."]


# ---------------------------------------------------------------- stripped text

NEWS = [
    "The president arrived in Berlin on Monday for talks with the chancellor",
    "He said that the two countries would work together on energy",
    "However the opposition criticised the visit as a waste of money",
    "It was the first meeting of the two leaders since March",
]


def test_stripped_sentences_are_found() -> None:
    assert pieces(" ".join(NEWS)) == NEWS


def test_stripped_and_ordinary_text_in_one_document_are_each_cut_well() -> None:
    ordinary = "It rained, as usual. The match was late. Mr. Hill lost."
    found = pieces(f"{ordinary}\n\n{' '.join(NEWS)}\n\n{ordinary}")
    assert found == [*pieces(ordinary), *NEWS, *pieces(ordinary)]
    assert len(pieces(ordinary)) == 3


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.name)
def test_the_seed_is_cut_into_readable_segments_and_names_stay_whole(path: Path) -> None:
    text = path.read_text("utf-8")
    assert_sound(text)
    found = pieces(text)
    assert len(text.split()) / 35 < len(found) < len(text.split()) / 10
    for name in ("Hayat Tahrir al Sham", "Col Myles Caggins", "Wall Street Journal", "Mark Lowcock", "United Nations"):
        assert sum(piece.count(name) for piece in found) == text.count(name)


def test_a_long_run_without_any_ending_is_cut_near_a_pause_not_inside_a_name() -> None:
    names = "Hayat Tahrir Sham and Mark Lowcock and "
    found = pieces("apples and pears and plums and " * 20 + names * 20)
    assert max(len(piece.split()) for piece in found) <= MAX_WORDS
    assert not any(piece.endswith(("Hayat", "Tahrir", "Mark")) for piece in found)


# ---------------------------------------------------------------- the weights


def test_damaged_weights_are_refused_with_what_was_seen_and_expected(tmp_path: Path) -> None:
    damaged = tmp_path / "segmenter.safetensors"
    shutil.copy(segmenting.WEIGHTS, damaged)
    load_segmenter(damaged)  # the control: the copy loads
    load_segmenter.cache_clear()
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(ModelError, match=f"SHA-256 [0-9a-f]{{64}}, expected {segmenting.WEIGHTS_SHA256}"):
        load_segmenter(damaged)
    with pytest.raises(ModelError, match="cannot read"):
        load_segmenter(tmp_path / "absent")


def test_other_encoder_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "WEIGHTS_SHA256", "0" * 64)
    minilm.load_tables.cache_clear()
    with pytest.raises(ModelError, match=r"have SHA-256 53aa51172d14…, expected 000000000000…"):
        segmenting.encoder_table()


def test_importing_and_using_the_module_loads_no_model_library() -> None:
    code = (
        "import sys; import index.segmenting as s; "
        "assert not {'numpy', 'tokenizers', 'safetensors'} & set(sys.modules), 'at import'; "
        "s.segment('One here. Two there.'); assert not {'torch', 'transformers'} & set(sys.modules), 'in use'"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- quality


def boundary_f1(docs: Sequence[Sequence[str]]) -> float:
    right = found = wanted = 0
    for doc in docs:
        text = " ".join(doc)
        starts = {len(" ".join(doc[:n])) + 1 for n in range(1, len(doc))}
        predicted = {span.start for span in segment(text)} - {0}
        right, found, wanted = right + len(starts & predicted), found + len(predicted), wanted + len(starts)
    return 2 * right / (found + wanted)


@pytest.mark.skipif(not (DATA / "ud_ewt").is_dir(), reason=f"no UD-EWT data in {DATA}; set PINCITE_DATA")
def test_boundary_f1_on_english_web_text_is_as_published() -> None:
    lines = (DATA / "ud_ewt" / "prepared_sents_test.jsonl").read_text("utf-8").splitlines()
    docs = [[" ".join(sentence.split()) for sentence in json.loads(line)["sents"]] for line in lines]
    stripped = [[bare for sentence in doc if (bare := strip_marks(sentence))] for doc in docs]
    marked = re.compile(r"[.!?][\"')]*$")
    ended = [doc for doc in docs if all(marked.search(sentence) for sentence in doc)]
    assert boundary_f1(stripped) >= 0.80
    assert boundary_f1(docs) >= 0.88
    assert boundary_f1(ended) >= 0.95


def test_the_ends_of_a_text_lack_marks_only_if_as_many_gaps_as_elsewhere_do() -> None:
    quiet_ends = [" "] * 20 + [", "] * 20 + [" "] * 20
    assert not any(lack_marks(quiet_ends))
    stripped_begin = [" "] * 60 + [", "] * 40
    assert [all(lack_marks(stripped_begin)[:20]), any(lack_marks(stripped_begin)[-40:])] == [True, False]
