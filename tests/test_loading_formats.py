"""Files of each format, as other programs write them: exact text, facts, pages, archives."""

from __future__ import annotations

import gzip
import json

import pytest
import samples
from samples import AUTHOR, PARAGRAPHS, TITLE

from index.documents import Document, Source
from index.loading import Loaded, decode, load, readable_names, readable_suffixes

BLANK_LINES, LINES = "\n\n".join(PARAGRAPHS), "\n".join(PARAGRAPHS)


def only(loaded: Loaded) -> Document:
    (document,) = loaded.documents
    return document


@pytest.mark.parametrize(
    ("name", "data", "text", "publisher", "date"),
    [
        ("a.docx", samples.docx(), f"{BLANK_LINES}\n\nBoats\n40", None, "2021-07-15"),
        ("a.odt", samples.odt(), f"{BLANK_LINES}\n\na   b\tc\nd", None, "2021-07-15"),
        ("a.epub", samples.epub(), BLANK_LINES, "The Press", "2021-07-15"),
        ("a.rtf", samples.rtf(), LINES, None, "2021-07-15"),
        ("a.eml", samples.eml(), f"{LINES}\n", None, "2021-07-15"),
        ("b.eml", samples.eml(html_only=True), BLANK_LINES, None, "2021-07-15"),
        ("a.html", samples.html(), BLANK_LINES, "The Press", "2021-07-15"),
    ],
)
def test_a_file_gives_its_text_and_the_facts_it_carries(
    name: str, data: bytes, text: str, publisher: str | None, date: str
) -> None:
    loaded = load(data, name=name)
    assert only(loaded).text == text
    assert only(loaded).sources == (Source(name, TITLE, publisher, date, AUTHOR),)
    assert loaded.notes == ()


def test_a_pdf_knows_where_its_pages_begin() -> None:
    document = only(load(samples.pdf(), name="a.pdf"))
    assert document.text == LINES
    assert document.sources == (Source("a.pdf", TITLE, None, "2000-01-01", AUTHOR, page_starts=(0, 45, 92)),)
    for number, paragraph in enumerate(PARAGRAPHS, 1):
        start = document.text.index(paragraph)
        assert document.text[start : start + len(paragraph)] == paragraph
        assert document.page(start) == document.page(start + len(paragraph) - 1) == number


def test_blank_pages_of_a_pdf_begin_where_the_next_page_does_or_the_text_ends() -> None:
    document = only(load(samples.pdf(["", "One", "", "Two", "", ""]), name="a.pdf"))
    assert document.text == "One\nTwo"
    assert document.sources[0].page_starts == (0, 0, 4, 4, 7, 7)
    assert [document.page(offset) for offset in (0, 4, 6)] == [2, 4, 4]


def test_a_presentation_has_a_page_for_each_slide_with_its_notes() -> None:
    document = only(load(samples.pptx(), name="a.pptx"))
    slides = [f"{text}\n\nNotes on slide {number}." for number, text in enumerate(PARAGRAPHS, 1)]
    assert document.text == "\n".join(slides)
    assert [document.page(document.text.index(slide)) for slide in slides] == [1, 2, 3]
    assert (document.title, document.author) == (TITLE, AUTHOR)


def test_a_page_without_text_still_counts_and_is_noted_when_it_shows_something() -> None:
    document = only(load(samples.pdf(("First page.", "", "Third page.")), name="a.pdf"))
    assert (document.text, document.page(0), document.page(12)) == ("First page.\nThird page.", 1, 3)


def test_inserted_text_is_read_deleted_hidden_and_repeated_text_is_not() -> None:
    run = "<r><t>{}</t></r>"
    body = (
        f"<p>{run.format('kept')}<ins>{run.format(' inserted')}</ins><del><r><delText>deleted</delText></r></del>"
        "<r><rPr><vanish/></rPr><t>hidden</t></r><r><rPr><vanish val='0'/></rPr><t> shown</t></r>"
        f"<AlternateContent><Choice>{run.format(' box')}</Choice><Fallback>{run.format(' box')}</Fallback>"
        "</AlternateContent><r><tab/><t>end</t></r></p>"
    )
    data = samples.with_member(samples.docx(), "word/document.xml", f"<document><body>{body}</body></document>")
    loaded = load(data, name="a.docx")
    assert only(loaded).text == "kept inserted shown box\tend"
    assert loaded.notes == ("hidden text left out",)


def test_attachments_are_counted_and_not_read() -> None:
    assert load(samples.eml(attachment=True), name="a.eml").notes == ("1 attachment not read",)


def test_front_matter_is_yaml() -> None:
    head = "---\ntitle: 'The flood: a report'\nauthors:\n  - Anna Weiss\n  - Jan Novák\ndate: 2021-07-15\n---\n"
    document = only(load(f"{head}Text.".encode(), name="a.md"))
    assert document.text == "Text."
    assert document.sources == (
        Source("a.md", "The flood: a report", None, "2021-07-15", author="Anna Weiss, Jan Novák"),
    )


@pytest.mark.parametrize("head", ["---\n- a list\n---\n", "---\na: [\n---\n", "---\n" + "[" * 1000 + "\n---\n"])
def test_what_only_looks_like_front_matter_stays_in_the_text(head: str) -> None:
    assert only(load(f"{head}Text.".encode(), name="a.md")).text == f"{head}Text."


# --- records --------------------------------------------------------------------------------------------------------


def test_rows_are_documents_when_a_column_is_called_text() -> None:
    table = 'id,Title,Body,date,author\r\n7,One,"first, with\r\ncomma",2021-07-15,Anna\r\n8,Two,,,\r\n9,,"third",,\r\n'
    loaded = load(table.encode(), name="t.csv")
    assert [document.text for document in loaded.documents] == ["first, with\ncomma", "Two", "third"]
    assert loaded.documents[0].sources == (Source("t.csv#7", "One", None, "2021-07-15", "Anna"),)
    assert loaded.documents[2].path == "t.csv#9"


@pytest.mark.parametrize(("name", "separator"), [("t.csv", ","), ("t.csv", ";"), ("t.tsv", "\t")])
def test_rows_are_documents_when_one_column_is_clearly_the_long_one(name: str, separator: str) -> None:
    rows = [separator.join((str(n), f"row {n} " + "says something new and goes on " * 8, "x")) for n in range(5)]
    loaded = load("\n".join([separator.join(("no", "remark", "kind")), *rows]).encode(), name=name)
    assert len(loaded.documents) == 5
    assert loaded.documents[3].text.startswith("row 3 says")
    assert loaded.documents[3].path == f"{name}#5"  # the fifth line of the table


def test_a_table_of_numbers_is_one_document() -> None:
    table = "year,boats\r\n2020,12\r\n2021,40\r\n"
    assert only(load(table.encode(), name="t.csv")).text == table.replace("\r\n", "\n")


def test_ten_thousand_columns_and_one_large_cell_are_read() -> None:
    wide = ",".join(f"c{n}" for n in range(10_000)) + "\n" + ",".join(["7"] * 10_000)
    assert only(load(wide.encode(), name="t.csv")).path == "t.csv"
    large = "text\n" + "word " * 1_000_000
    assert len(only(load(large.encode(), name="t.csv")).text) == 5_000_000


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ([{"id": "a", "text": "One."}, {"text": "Two."}], ["j.json#a", "j.json#2"]),
        ({"articles": [{"id": "a", "body": "One."}, {"body": "Two."}]}, ["j.json#a", "j.json#2"]),
        ({"title": "T", "content": "One."}, ["j.json"]),
        ({"rate": 3, "kinds": ["a"]}, ["j.json"]),
    ],
)
def test_json_gives_its_records_or_itself(value: object, paths: list[str]) -> None:
    assert [document.path for document in load(json.dumps(value).encode(), name="j.json").documents] == paths


# --- archives -------------------------------------------------------------------------------------------------------


def test_members_of_a_zip_file_are_documents_named_after_it() -> None:
    data = samples.zipped(
        {
            "a/notes.txt": "Some notes.",
            "../../report.pdf": samples.pdf(),
            "__MACOSX/._a": b"x",
            "film.mp4": b"x",
            "inner.zip": samples.zipped({"b.txt": "b"}),
            "empty.txt": "",
        }
    )
    loaded = load(data, name="z.zip")
    assert {document.path: document.page(0) for document in loaded.documents} == {
        "z.zip#a/notes.txt": None,
        "z.zip#../../report.pdf": 1,
    }
    assert loaded.notes == (
        "film.mp4: no reader for .mp4",
        "inner.zip: an archive inside an archive is not opened",
        "empty.txt: empty",
    )


def test_texts_packed_with_gzip_are_read_also_of_several_parts() -> None:
    data = gzip.compress(b"First part. ") + gzip.compress(b"Second part.")
    document = only(load(data, name="a.txt.gz"))
    assert (document.text, document.path) == ("First part. Second part.", "a.txt.gz")
    assert only(load(gzip.compress(b'{"id": 1, "text": "x"}'), name="n.jsonl.gz")).path == "n.jsonl.gz#1"


def test_the_formats_are_named() -> None:
    assert {".txt", ".pdf", ".docx", ".zip", ".txt.gz", ".csv.gz"} <= readable_suffixes()
    assert ".gz" not in readable_suffixes()
    assert readable_names().startswith(".csv, .docx, .eml, .epub, .htm")


# --- encodings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_seen_by_its_zeros(encoding: str) -> None:
    assert decode("Die Brücke steht.".encode(encoding)).text == "Die Brücke steht."


def test_the_declared_encoding_is_believed_when_it_fits_and_the_bytes_are_not_utf8() -> None:
    page = "<meta charset=iso-8859-2><p>Jan Novák žil v Plzni</p>"
    assert only(load(page.encode("iso-8859-2"), name="a.html")).text == "Jan Novák žil v Plzni"
    assert only(load(page.encode(), name="a.html")).text == "Jan Novák žil v Plzni"
    japanese = "富士山は高い山です"
    assert decode(japanese.encode("iso-2022-jp"), declared="iso-2022-jp").text == japanese
    assert decode(b"plain", declared="no such encoding").text == "plain"


def test_characters_nobody_sees_are_noted() -> None:
    assert load("pay\u202eliame".encode(), name="a.txt").notes == ("hidden characters",)
    assert load("a family \U0001f468\u200d\U0001f469\u200d\U0001f467".encode(), name="a.txt").notes == ()
