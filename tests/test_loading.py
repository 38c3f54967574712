"""Bytes of each format become documents; bytes that cannot are refused with a reason."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import Document, Source
from index.loading import Unreadable, load, read_bytes
from index.loading.loaded import iso_date
from index.scanning import FileEntry


def only(data: bytes, name: str = "a.txt") -> Document:
    (document,) = load(data, name=name).documents
    return document


def entry(path: Path) -> FileEntry:
    info = path.stat()
    return FileEntry(path, path.name, info.st_size, info.st_mtime_ns)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "iso-8859-15", "shift_jis"]
)
def test_text_is_decoded_by_mark_or_detection(encoding: str) -> None:
    text = {
        "cp1251": "Столица Франции — Париж. Столица Германии — Берлин, а Рим стоит на Тибре.",
        "shift_jis": "日本の首都は東京です。富士山は高い山で、多くの人が登ります。京都は古い都です。",
    }.get(encoding, "Où est l'été à Besançon ? Müller a payé le café très cher.")
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    assert only(mark + text.encode(encoding)).text == text


def test_single_bad_bytes_in_utf8_are_marked_and_noted() -> None:
    loaded = load("Zürich liegt am See, größer als ".encode() + b"\xff\xfe" + b" gedacht." * 30, name="a.txt")
    assert "\ufffd" in loaded.documents[0].text
    assert "Zürich" in loaded.documents[0].text
    assert loaded.notes == ("2 bytes unreadable, the first at 35",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b" \n\t ", "no text"), (b"\x7fELF\x02\x01\x01" + bytes(range(32)) * 40, "looks binary")],
)
def test_files_without_text_are_refused_by_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        load(data, name="a.txt")


@given(st.binary(max_size=400))
def test_any_bytes_give_text_or_a_reason(data: bytes) -> None:
    with contextlib.suppress(Unreadable):
        only(data).text.encode()


def test_markdown_carries_title_and_date_and_is_shown_as_text() -> None:
    document = only(
        b"---\ntitle: 'A title'\ndate: 2021-02-18\nsource: Reuters\n---\n# Head\n![x](http://e/x)\n", "a.md"
    )
    assert document.text == "# Head\n![x](http://e/x)\n"
    assert document.sources == (Source("a.md", "A title", "Reuters", "2021-02-18"),)


def test_markdown_without_front_matter_is_called_by_its_heading() -> None:
    assert only(b"intro\n\n## The heading ##\ntext", "a.md").title == "The heading"


def test_html_gives_its_visible_text_in_lines() -> None:
    page = b"""<html><head><title>T &amp; U</title><meta property="article:published_time" content="2020-02-11T10:00Z">
      <meta property="og:site_name" content="The Site"><script>evil()</script><style>p{}</style></head>
      <body><h1>Head</h1><p>One <b>bold</b> word.</p><ul><li>first</li><li>second</li></ul>tail<br>end
      <div hidden>secret</div><!-- comment --></body></html>"""
    loaded = load(page, name="a.html")
    assert loaded.documents[0].text == "Head\n\nOne bold word.\n\nfirst\n\nsecond\n\ntail\nend"
    assert loaded.documents[0].sources == (Source("a.html", "T & U", "The Site", "2020-02-11"),)
    assert loaded.notes == ("1 hidden element left out",)


def test_deeply_nested_html_is_read() -> None:
    assert only(b"<div>" * 20_000 + b"deep", "a.html").text == "deep"


def test_each_jsonl_line_is_a_document() -> None:
    lines = [
        {"_id": "x1", "title": "One", "text": "first text", "source": "Reuters", "date": "2020-01-02T03:04:05Z"},
        {"id": 7, "text": "second text"},
        {"_id": "t", "title": "Only a title", "text": ""},
    ]
    data = "\n".join(json.dumps(line) for line in lines).encode()
    documents = load(data, name="n.jsonl").documents
    assert [document.text for document in documents] == ["first text", "second text", "Only a title"]
    assert documents[0].sources == (Source("n.jsonl#x1", "One", "Reuters", "2020-01-02"),)
    assert documents[1].path == "n.jsonl#7"


def test_bad_jsonl_lines_are_noted_and_the_others_kept() -> None:
    data = b'{"text": "good"}\n{broken\n[1]\n{"title": ""}\n\n{"text": "\\ud800 also good"}\n'
    loaded = load(data, name="n.jsonl")
    assert [document.text for document in loaded.documents] == ["good", "\ufffd also good"]
    assert loaded.notes == ("line 2: not JSON", "line 3: not an object", "line 4: no text")


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("2017-03-03", "2017-03-03"),
        ("2017-03-03T01:02Z", "2017-03-03"),
        ("2017-13-03", None),
        ("3 May", None),
        (7, None),
    ],
)
def test_only_iso_dates_are_taken(value: object, date: str | None) -> None:
    assert iso_date(value) == date


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    with open(path, "wb") as file:
        file.truncate(101_000_000)
    with pytest.raises(Unreadable, match="101 MB is over the limit of 100 MB"):
        read_bytes(entry(path))


def test_a_file_that_is_gone_or_became_a_folder_is_refused_by_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    listed = entry(path)
    path.unlink()
    with pytest.raises(Unreadable, match="gone"):
        read_bytes(listed)
    path.mkdir()
    with pytest.raises(Unreadable, match=r"regular file|directory"):
        read_bytes(listed)
