"""Files that are broken or made to do harm: each is refused with its reason, and nothing else suffers."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import samples
from conftest import PROJECT, StubEncoder, StubReader
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import index.embedding
from index.check import check_index
from index.loading import Unreadable, isolation, load, readable_suffixes
from index.loading.files import MAX_FILE_MB
from qa.corpus import Corpus
from ui.cli import app

SIMPLE_DTD = '<!DOCTYPE d [<!ENTITY a "b">]>'

BAD = {
    "empty.txt": (b"", "empty"),
    "blank.txt": (b" \n\t\r\n", "no text"),
    "program.txt": (b"\x7fELF\x02\x01\x01" + bytes(range(32)) * 40, "looks binary"),
    "not a zip.docx": (b"<html>Not found</html>", "not a Word file"),
    "old word.docx": (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2000), "not a Word file"),
    "no types.docx": (samples.zipped({"word/document.xml": "<document/>"}), "not a Word file"),
    "slides.docx": (samples.pptx(), "not a Word file"),
    "xxe.docx": (samples.external_entity("/etc/passwd"), "contains a DTD"),
    "dtd.docx": (
        samples.with_member(samples.docx(), "word/document.xml", "<!DOCTYPE document><document/>"),
        "contains a DTD",
    ),
    "laughs.docx": (samples.billion_laughs(), "contains a DTD"),
    "facts.docx": (samples.with_member(samples.docx(), "docProps/core.xml", f"{SIMPLE_DTD}<d/>"), "contains a DTD"),
    "laughs.odt": (samples.odt(f"{SIMPLE_DTD}<document-content/>"), "contains a DTD"),
    "not xml.odt": (samples.odt("<a><b></a>"), "damaged: its XML cannot be read"),
    "bomb.docx": (samples.docx_bomb(), "too large inside"),
    "encrypted.docx": (samples.encrypted_docx(), "password-protected"),
    "encrypted.zip": (samples.encrypted_zip(), "a.txt: password-protected"),
    "encrypted.pdf": (samples.pdf(password="secret"), "password-protected"),
    "encrypted.odt": (
        samples.with_member(samples.odt(), "META-INF/manifest.xml", "<encryption-data/>"),
        "password-protected",
    ),
    "encrypted.epub": (
        samples.with_member(samples.epub(), "META-INF/encryption.xml", "<a URI='book/c0.xhtml'/>"),
        "password-protected",
    ),
    "encrypted.eml": (b"From: a@b.c\nContent-Type: multipart/encrypted; boundary=x\n\n--x--\n", "password-protected"),
    "bomb.zip": (samples.zipped({f"{n}.txt": b"word " * 4_200_000 for n in range(5)}), "too large inside"),
    "lying.zip": (samples.lying_zip(), "a.txt: damaged"),
    "many.zip": (b"PK\x05\x06" + bytes(6) + b"\xff" * 12 + bytes(2), "too large inside"),
    "bomb.txt.gz": (gzip.compress(bytes(101_000_000), 1), "too large inside"),
    "cut.txt.gz": (gzip.compress(b"word " * 1000)[:-20], "not a gzip file, or damaged"),
    "page.pdf": (b"<html>Not found</html>", "not a readable PDF"),
    "cut.pdf": (samples.pdf()[:200], "not a readable PDF"),
    "scan.pdf": (samples.scanned_pdf(), "no text layer; OCR is not done"),
    "bomb.pdf": (samples.pdf_bomb(), "too large inside"),
    "text.eml": (b"Just a text, no headers at all.\n", "not an e-mail"),
    "text.rtf": (b"Just a text.", "not a rich text file"),
    "list.json": (b"[1, 2", "not JSON"),
    "deep.json": (b"[" * 200_000, "nested too deeply"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_reason(name: str) -> None:
    data, reason = BAD[name]
    with pytest.raises(Unreadable) as refused:
        load(data, name=name)
    assert str(refused.value) == reason


def test_all_bad_files_together_leave_the_good_ones_answerable(
    folder: Path, index_dir: Path, encoder: StubEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {
        "flood.pdf": samples.pdf(("The dam of Orlov broke in March.",)),
        "boats.docx": samples.docx(("The ferry of Lindau carries nine cars.",)),
        "talk.pptx": samples.pptx(("The tower of Ansbach has sixty steps.",)),
        "letter.eml": b"From: a@b.c\nSubject: s\n\nThe bridge of Kolin was painted green.",
        "page.html": b"<p>The market of Trento opens at dawn.</p>",
        "table.csv": b"id,text\n1,The mill of Gouda grinds barley.\n",
        "pack.zip": samples.zipped({"in.txt": "The well of Siena gives cold water."}),
    }
    big = folder / "huge.txt"
    with open(big, "wb") as file:
        file.truncate(MAX_FILE_MB * 1_000_000 + 1_000_000)
    for name, data in {**good, **{name: data for name, (data, _) in BAD.items()}}.items():
        (folder / name).write_bytes(data)
    monkeypatch.setattr(index.embedding, "load_encoder", lambda model: encoder)
    build = ["index", "--index", str(index_dir)]
    built = CliRunner().invoke(app, [*build, "--json", str(folder)])
    report = json.loads(built.stdout)
    expected = {f"docs/{name}": reason for name, (_, reason) in BAD.items()}
    expected["docs/huge.txt"] = "101 MB is over the limit of 100 MB"
    assert built.exit_code == 0
    assert {note["file"]: note["reason"] for note in report["notes"]} == expected
    assert len(report["notes"]) == len(expected)
    assert report["documents"] == 10
    assert check_index(index_dir).is_sound
    corpus = Corpus.open(index_dir, encoder=encoder, reader=StubReader())
    for question, answer in {
        "What flows through Vienna?": "The Danube flows through Vienna.",
        "What is Gouda?": "Gouda is a Dutch cheese.",
        "What landed on Mars?": "The rover landed on Mars.",
        "When broke the dam of Orlov?": "The dam of Orlov broke in March.",
        "What carries the ferry of Lindau?": "The ferry of Lindau carries nine cars.",
        "How many steps has the tower of Ansbach?": "The tower of Ansbach has sixty steps.",
        "Which colour was the bridge of Kolin painted?": "The bridge of Kolin was painted green.",
        "When opens the market of Trento?": "The market of Trento opens at dawn.",
        "What grinds the mill of Gouda?": "The mill of Gouda grinds barley.",
        "What gives the well of Siena?": "The well of Siena gives cold water.",
    }.items():
        quotes = corpus.ask(question).quotes
        assert answer in [quote.text.strip() for quote in quotes], question
    for slow in ("bomb.pdf", "bomb.docx", "bomb.txt.gz"):
        (folder / slow).unlink()
    assert CliRunner().invoke(app, [*build, "--strict"]).exit_code == 3


# --- the other process ----------------------------------------------------------------------------------------------


def test_a_reader_that_takes_too_long_is_killed_and_the_next_file_is_read() -> None:
    load(samples.rtf(), name="a.rtf")  # the process is there: what is measured is the reading
    started = time.monotonic()
    with pytest.raises(Unreadable, match=r"^took too long$"):
        load(samples.pdf_loop(), name="loop.pdf", timeout_s=0.3)
    assert time.monotonic() - started < 20
    assert load(samples.pdf(), name="a.pdf").documents


def test_in_an_archive_one_endless_file_costs_its_time_and_no_more() -> None:
    data = samples.zipped({"loop.pdf": samples.pdf_loop(), "a.txt": "Some text."})
    loaded = load(data, name="z.zip", timeout_s=0.3)
    assert [document.path for document in loaded.documents] == ["z.zip#a.txt"]
    assert loaded.notes == ("loop.pdf: took too long",)


def test_a_font_that_names_a_pickle_runs_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    pickled = b"cos\nsystem\n(S'touch %s'\ntR." % os.fsencode(made)
    (tmp_path / "cmap.pickle").write_bytes(pickled)
    (tmp_path / "cmap.pickle.gz").write_bytes(gzip.compress(pickled))
    load(samples.pickle_font_pdf(str(tmp_path / "cmap")), name="a.pdf")
    assert not made.exists()


def test_a_process_that_dies_is_replaced() -> None:
    load(samples.rtf(), name="a.rtf")
    (waiting,) = isolation._pool._idle
    os.kill(waiting._process.pid, signal.SIGSEGV)
    with pytest.raises(Unreadable, match=r"^damaged: its reader crashed$"):
        load(samples.rtf(), name="a.rtf")
    assert load(samples.rtf(), name="a.rtf").documents


def test_a_process_that_ended_by_itself_costs_nothing() -> None:
    load(samples.rtf(), name="a.rtf")
    (waiting,) = isolation._pool._idle
    assert waiting._process.stdin
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, waiting._process.stdin.fileno())  # it sees the end of its requests
    os.close(writing)
    os.waitid(os.P_PID, waiting._process.pid, os.WEXITED | os.WNOWAIT)
    assert load(samples.rtf(), name="a.rtf").documents


def test_one_process_reads_file_after_file() -> None:
    held = bytearray(400_000_000)  # a process is measured by what it needs itself, not by what started it
    held[::4096] = bytes(len(held[::4096]))
    isolation._pool.stop()
    processes = set()
    for _ in range(3):
        load(samples.pdf(), name="a.pdf")
        processes |= {waiting._process.pid for waiting in isolation._pool._idle}
    assert len(processes) == 1


def test_threads_read_side_by_side() -> None:
    texts: list[str] = []

    def read(number: int) -> None:
        for _ in range(5):
            texts.append(load(samples.pdf((f"Thread {number}.",)), name="a.pdf").documents[0].text)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts) == sorted(f"Thread {number}." for number in range(3) for _ in range(5))


def test_the_process_can_open_nothing_write_nothing_and_has_no_model_library() -> None:
    program = """
import index.loading.worker as worker, os, socket, sys
print(sorted({"torch", "faiss", "tantivy", "sqlite3", "gradio"} & sys.modules.keys()))
requests, replies = os.pipe()
os.set_inheritable(requests, True)
from types import SimpleNamespace
confined = max(requests, replies) + 1
worker._confine(opened=confined)
for attempt in (lambda: open("/etc/passwd"), lambda: socket.socket(), lambda: os.pipe(), lambda: bytearray(1 << 30)):
    try:
        attempt()
        print("done")
    except (OSError, MemoryError) as error:
        print(type(error).__name__)
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:-1] == ["[]", "OSError", "OSError", "OSError", "MemoryError"]


def test_without_the_limits_the_same_process_opens_files() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import index.loading.worker; open('/etc/passwd'); bytearray(1 << 30)"], cwd=PROJECT
    )
    assert run.returncode == 0


# --- whatever the bytes ---------------------------------------------------------------------------------------------

SUFFIXES = sorted(readable_suffixes())
WHOLE = {
    "a.pdf": samples.pdf(),
    "a.docx": samples.docx(),
    "a.pptx": samples.pptx(),
    "a.odt": samples.odt(),
    "a.epub": samples.epub(),
    "a.rtf": samples.rtf(),
    "a.eml": samples.eml(attachment=True),
    "a.html": samples.html(),
    "a.zip": samples.zipped({"a.txt": "text", "a.rtf": samples.rtf()}),
    "a.csv": b'id,text\n1,"a ""quoted"" word"\n',
    "a.json": b'[{"text": "a", "authors": [{"name": "b"}]}]',
    "a.md": b"---\ntitle: a\nauthor: [b]\n---\n# c\n",
}


def loads_or_refuses(data: bytes, name: str) -> None:
    try:
        loaded = load(data, name=name)
    except Unreadable:
        return
    for document in loaded.documents:
        document.text.encode()
        assert document.text.strip()
        assert all(0 <= start <= len(document.text) for start in document.sources[0].page_starts)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.sampled_from(SUFFIXES))
def test_any_bytes_under_any_suffix_give_documents_or_a_reason(data: bytes, suffix: str) -> None:
    loads_or_refuses(data, f"a{suffix}")


@settings(max_examples=200)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_damaged_files_of_every_format_give_documents_or_a_reason(name: str, data: st.DataObject) -> None:
    whole = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        whole = whole or bytearray(b"x")
    loads_or_refuses(bytes(whole), name)
