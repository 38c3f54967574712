"""Texts of many scripts, of mixed encodings and of odd sizes, from the file to the quote and to the browser's mark."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Visit, ask, in_view, open_chip, served
from conftest import Build, StubEncoder, StubReader
from playwright.sync_api import Browser

from index.build import build_index
from index.check import check_index
from index.loading import load
from index.segmenting import MAX_CHARACTERS, segment
from qa.corpus import Corpus

SCRIPTS = {
    "arabic": ("هيئة تحرير الشام تحكم إدلب", "هيئة تحرير الشام تحكم إدلب اليوم.", "تقع المدينة قرب الحدود. "),
    "hebrew": ("מי שולט בחיפה", "העירייה שולט בחיפה כבר שנים.", "העיר שוכנת על הים. "),
    "thai": ("ใครปกครองเชียงใหม่", "เทศบาลใครปกครองเชียงใหม่มานาน", "เมืองนี้อยู่ทางเหนือ "),
    "chinese": ("伊德利卜的控制者", "伊德利卜的控制者是沙姆解放组织。", "这座城市靠近边境。"),
    "japanese": ("富士山の高さ", "富士山の高さは三千七百七十六メートルです。", "東京は日本の首都です。"),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, index_dir = tmp_path_factory.mktemp("scripts"), tmp_path_factory.mktemp("index")
    for script, (_, answer, filler) in SCRIPTS.items():
        (folder / f"{script}.txt").write_text(f"{filler * 30}{answer} {filler * 30}")
    encoder = StubEncoder()
    build_index(index_dir, [folder], encoder=encoder)
    with served(Corpus.open(index_dir, encoder=encoder, reader=StubReader())) as address:
        yield address


@pytest.mark.browser
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_answer_in_any_script_is_cited_and_marked_exactly(browser: Browser, url: str, script: str) -> None:
    question, answer, filler = SCRIPTS[script]
    with Visit(browser, url) as page:
        ask(page, question)
        open_chip(page, 1)
        marked = "".join(page.locator("#reader mark").all_text_contents())
        assert answer in marked
        assert len(marked) <= MAX_CHARACTERS
        assert page.locator("#reader .source-text").text_content() == f"{filler * 30}{answer} {filler * 30}"
        assert in_view(page)


@pytest.mark.parametrize(
    ("folded", "text"),
    [
        ("final report", "The \ufb01nal report names the mayor."),
        ("istanbul", "İSTANBUL İİİ lies on two continents."),
        ("strasse", "Die Straße führt nach Köln."),
    ],
)
def test_search_folds_letters_and_offsets_never_move(
    build: Build, folder: Path, index_dir: Path, encoder: StubEncoder, folded: str, text: str
) -> None:
    """What stands before has other lengths folded: one ﷺ is 18 characters, and İ is 2 when lower-cased."""
    whole = f"ﷺ ﷺ İ ﬁ ß.\n\n{text}\n\nﷺ İ."
    (folder / "letters.txt").write_text(whole)
    build()
    corpus = Corpus.open(index_dir, encoder=encoder, reader=StubReader())
    (passage,) = (found for found in corpus.retrieve(folded) if found.citation.path.endswith("letters.txt"))
    assert passage.lexical_score > 0
    assert text in passage.text
    assert whole[passage.span.start : passage.span.end] == passage.text
    for quote in corpus.ask(folded).quotes:
        assert whole[quote.citation.span.start : quote.citation.span.end] == quote.text


def test_lines_of_two_encodings_keep_what_can_be_read_and_say_what_cannot() -> None:
    good = "Zürich liegt am See, und Genève liegt am anderen. " * 20
    loaded = load(f"{good}\n".encode() + "Besançon et Orléans.\n".encode("latin-1") + good.encode(), name="a.txt")
    text = loaded.documents[0].text
    assert text.count("Zürich liegt am See, und Genève") == 40
    assert "Besan\ufffdon et Orl\ufffdans." in text
    assert loaded.notes == (f"2 bytes unreadable, the first at {len(good.encode()) + 1 + 5:,}",)


@pytest.mark.parametrize("long", ["x" * 1_000_000, "word " * 100_000], ids=["one word", "one line"])
def test_a_word_or_a_line_without_end_is_cut_to_size(
    build: Build, folder: Path, index_dir: Path, encoder: StubEncoder, long: str
) -> None:
    (folder / "long.txt").write_text(f"{long.strip()} The heron nests in Bruges.")
    assert build().notes == ()
    assert check_index(index_dir).is_sound
    assert max(len(text) for text in encoder.embedded) < 10_000
    found = Corpus.open(index_dir, encoder=encoder, reader=StubReader()).ask("Where nests the heron?")
    assert "The heron nests in Bruges." in found.quotes[0].text


def test_memory_to_cut_a_line_grows_with_its_segments_alone() -> None:
    """Five times the text takes no more: a block at a time is worked on."""
    segment("The network is loaded, and is not measured.")
    peaks = []
    for repeats in (2_000, 10_000):
        text = "walls and trenches, " * repeats
        tracemalloc.start()
        spans = len(segment(text))
        peaks.append(tracemalloc.get_traced_memory()[1] - spans * 200)
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_thousands_of_tiny_files_are_indexed_once(build: Build, folder: Path) -> None:
    for number in range(3_000):
        (folder / f"{number}.txt").write_text(f"Note {number}.")
    assert build().documents == 3_003
    again = build()
    assert (again.documents, again.unchanged_files, again.embedded) == (3_003, 3_003, 0)


def test_a_page_gives_its_visible_text_however_large_its_attributes_are() -> None:
    page = (
        f"<p title='{'x' * 1_000_000}'>The dam broke in March.</p><script>var dam = 'held'</script>"
        "<style>p { color: red }</style><p hidden>The dam held.</p><template>It held.</template>"
    )
    loaded = load(page.encode(), name="a.html")
    assert loaded.documents[0].text.strip() == "The dam broke in March."
    assert loaded.notes == ("1 hidden element left out",)
