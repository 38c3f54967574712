"""Real files of each format, made by other programs' libraries, and files that are made to do harm."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from email.message import EmailMessage

TITLE, AUTHOR = "Report on the flood", "Anna Weiss"
PARAGRAPHS = (
    "The river rose by 4 metres on Tuesday night.",
    "About 1,200 people left their homes in Grünau.",
    "The mayor, Jan Novák, asked for 40 boats.",
)

# --- good ones ------------------------------------------------------------------------------------------------------


def pdf(pages: Sequence[str] = PARAGRAPHS, *, password: str | None = None) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file, encrypt=password, invariant=1)
    canvas.setTitle(TITLE)
    canvas.setAuthor(AUTHOR)
    for page in pages:
        for number, line in enumerate(page.split("\n")):
            canvas.drawString(72, 720 - 14 * number, line)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def docx(paragraphs: Sequence[str] = PARAGRAPHS) -> bytes:
    import datetime

    import docx as writer

    document = writer.Document()
    properties = document.core_properties
    properties.title, properties.author = TITLE, AUTHOR
    properties.created = datetime.datetime(2021, 7, 15, 8, 0)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Boats", "40"
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def pptx(slides: Sequence[str] = PARAGRAPHS) -> bytes:
    import pptx as writer

    presentation = writer.Presentation()
    presentation.core_properties.title, presentation.core_properties.author = TITLE, AUTHOR
    for number, text in enumerate(slides, 1):
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = text
        slide.notes_slide.notes_text_frame.text = f"Notes on slide {number}."
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def zipped(members: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def odt(content: str | None = None) -> bytes:
    office = "urn:oasis:names:tc:opendocument:xmlns:"
    spaces = f'xmlns:office="{office}office:1.0" xmlns:text="{office}text:1.0" xmlns:meta="{office}meta:1.0"'
    body = "".join(f"<text:p>{paragraph}</text:p>" for paragraph in PARAGRAPHS)
    deleted = "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
    extra = '<text:p>a<text:s text:c="3"/>b<text:tab/>c<text:line-break/>d</text:p>'
    meta = f'<dc:title xmlns:dc="http://purl.org/dc/elements/1.1/">{TITLE}</dc:title>'
    meta += f"<meta:initial-creator>{AUTHOR}</meta:initial-creator>"
    meta += "<meta:creation-date>2021-07-15T08:00:00</meta:creation-date>"
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": content
            or f"<office:document-content {spaces}><office:body><office:text>{deleted}{body}{extra}</office:text>"
            "</office:body></office:document-content>",
            "meta.xml": f"<office:document-meta {spaces}><office:meta>{meta}</office:meta></office:document-meta>",
        }
    )


def epub(**more: str) -> bytes:
    chapters = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(PARAGRAPHS))
    )
    order = "".join(f'<itemref idref="c{n}"/>' for n in range(len(PARAGRAPHS)))
    facts = f"<dc:title>{TITLE}</dc:title><dc:creator>{AUTHOR}</dc:creator><dc:date>2021-07-15</dc:date>"
    page = '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">'
    return zipped(
        {
            "META-INF/container.xml": '<container><rootfile full-path="book/a.opf"/></container>',
            "book/a.opf": f'<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>{facts}<dc:publisher>The '
            f"Press</dc:publisher></metadata><manifest>{chapters}</manifest><spine>{order}</spine></package>",
            **{
                f"book/c{n}.xhtml": f"{page}<head><title>x</title></head><body><p>{text}</p></body></html>"
                for n, text in enumerate(PARAGRAPHS)
            },
            **more,
        }
    )


def rtf() -> bytes:
    def escaped(text: str) -> str:
        return "".join(mark if mark.isascii() else f"\\u{ord(mark)}?" for mark in text)

    body = "\\par ".join(escaped(paragraph) for paragraph in PARAGRAPHS)
    facts = f"{{\\info{{\\title {TITLE}}}{{\\author {AUTHOR}}}{{\\creatim\\yr2021\\mo7\\dy15\\hr8}}}}"
    return f"{{\\rtf1\\ansi\\deff0{facts}{{\\fonttbl{{\\f0 Arial;}}}}\\pard {body}\\par}}".encode()


def eml(*, html_only: bool = False, attachment: bool = False) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = f"{AUTHOR} <anna@example.org>", "b@example.org"
    message["Subject"], message["Date"] = TITLE, "Thu, 15 Jul 2021 23:30:00 -0500"
    text = "\n".join(PARAGRAPHS)
    markup = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
    if html_only:
        message.set_content(f"<style>p{{}}</style>{markup}", subtype="html")
    else:
        message.set_content(text)
        message.add_alternative(markup, subtype="html")
    if attachment:
        message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    return message.as_bytes()


def html() -> bytes:
    paragraphs = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
    linked = (
        f'{{"@graph": [{{"@type": "NewsArticle", "headline": "{TITLE}", "datePublished": "2021-07-15T08:00:00Z",'
        f' "author": [{{"name": "{AUTHOR}"}}], "publisher": {{"name": "The Press"}}}}]}}'
    )
    head = f'<title>Site</title><script type="application/ld+json">{linked}</script>'
    return f"<html><head>{head}</head><body>{paragraphs}</body></html>".encode()


# --- harmful ones ---------------------------------------------------------------------------------------------------


def with_member(container: bytes, name: str, content: str | bytes) -> bytes:
    """Return a zip file with one member replaced or added."""
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        members: dict[str, str | bytes] = {each: archive.read(each) for each in archive.namelist()}
    return zipped({**members, name: content})


def billion_laughs() -> bytes:
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return with_member(
        docx(), "word/document.xml", f'<!DOCTYPE d [<!ENTITY l0 "lol">{lines}]><document><p><t>&l9;</t></p></document>'
    )


def external_entity(path: str) -> bytes:
    markup = f'<!DOCTYPE d [<!ENTITY x SYSTEM "file://{path}">]><document><p><t>before &x; after</t></p></document>'
    return with_member(docx(), "word/document.xml", markup)


def docx_bomb() -> bytes:
    """Return a small Word file whose text takes 120 MB when it is unpacked."""
    return with_member(docx(), "word/document.xml", b"<document><p><t>" + b"a" * 120_000_000 + b"</t></p></document>")


def lying_zip() -> bytes:
    """Return a zip file that says of a member of 1 MB that it has 10 bytes."""
    data = bytearray(zipped({"a.txt": b"word " * 200_000}))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(mark) + at
        data[place : place + 4] = (10).to_bytes(4, "little")
    return bytes(data)


def encrypted_zip() -> bytes:
    """Return a zip file whose member is marked as encrypted."""
    data = bytearray(zipped({"a.txt": "secret"}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    return bytes(data)


def encrypted_docx() -> bytes:
    """Return the head of the container that Office puts an encrypted file in, with its stream's name."""
    return bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500) + "EncryptedPackage".encode("utf-16-le") + bytes(500)


def raw_pdf(*objects: bytes) -> bytes:
    """Return a PDF of numbered objects; the first is the catalogue."""
    body = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, each) for n, each in enumerate(objects, 1))
    return body + b"trailer << /Root 1 0 R /Size %d >>\nstartxref\n0\n%%%%EOF" % (len(objects) + 1)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), entries, content)


def one_page_pdf(resources: bytes, content: bytes, *more: bytes) -> bytes:
    """Return a PDF of one page; object 4 is its content, further ones begin at 5."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << %s >> >>" % resources
    return raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, content, *more
    )


def pdf_bomb() -> bytes:
    """Return a PDF of 1.2 MB whose page unpacks to more than 1 GB."""
    packer = zlib.compressobj(9)
    head = packer.compress(b"0 0 m " * 350_000) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b"0 0 m " * 350_000) + packer.flush(zlib.Z_FULL_FLUSH)
    return one_page_pdf(b"", stream(head + again * 550, b"/Filter /FlateDecode"))


def pdf_loop(levels: int = 30) -> bytes:
    """Return a PDF of a few kB whose page draws 2 ** levels times."""

    def form(n: int) -> bytes:
        inner = b"/XObject << /F %d 0 R >>" % (n + 1)
        draws = b"/F Do /F Do" if n < 5 + levels else b"BT /A 9 Tf (x) Tj ET"
        return stream(draws, b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << %s >>" % inner)

    return one_page_pdf(b"/XObject << /F 5 0 R >>", stream(b"/F Do"), *(form(n) for n in range(5, 6 + levels)))


def scanned_pdf() -> bytes:
    """Return a PDF of one page that is an image."""
    kind = b"/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    image = stream(b"\x00", kind)
    return one_page_pdf(b"/XObject << /I 5 0 R >>", stream(b"600 0 0 700 0 0 cm /I Do"), image)


def pickle_font_pdf(path: str) -> bytes:
    """Return a PDF whose font names a character map by a path, as CVE-2025-64512 did to have a pickle read."""
    font = (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /%s /DescendantFonts [6 0 R] >>"
        % path.replace("/", "#2F").encode()
    )
    return one_page_pdf(
        b"/Font << /A 5 0 R >>",
        stream(b"BT /A 12 Tf 72 700 Td <00410042> Tj ET"),
        font,
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A /CIDSystemInfo << /Registry (A) /Ordering (B) >> >>",
    )
