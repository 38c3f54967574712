"""Web pages: their visible text in lines, and what their head says of title, author, publisher and date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from index.documents import Source
from index.loading.decoding import Text, decode
from index.loading.loaded import Loaded, iso_date, label, names, one_document

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_UNSHOWN = "script, style, noscript, template, head, svg, iframe, object, select, textarea"
_HIDDEN = "[hidden], [aria-hidden=true], [style*='display:none'], [style*='display: none']"
_BLOCKS = frozenset(
    "address article aside blockquote br dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li"
    " main nav ol p pre section table td th tr ul title".split()
)
_PARAGRAPHS = frozenset(("p", "h1", "h2", "h3", "blockquote"))
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""")
_HEAD_BYTES = 2048
_JSON_LD_CHARACTERS = 200_000


def read_html(data: bytes, name: str) -> Loaded:
    """Return a page as one document."""
    decoded = decode_page(data)
    tree = _tree(decoded.text)
    source = _source(tree, name)
    hidden = tree.css(_HIDDEN)
    text = _visible_text(tree)
    left_out = f"{len(hidden)} hidden element{'s' * (len(hidden) != 1)} left out"
    return one_document(text, source, (*decoded.notes, *((left_out,) if hidden else ())))


def decode_page(data: bytes) -> Text:
    """Return a page's text; the encoding that its head declares is believed when the bytes are not UTF-8."""
    declared = _DECLARED.search(data[:_HEAD_BYTES])
    return decode(data, declared=declared[1].decode() if declared else None)


def text_of_page(markup: str) -> str:
    """Return the visible text of HTML or XHTML: one line per block, blank lines between paragraphs."""
    return _visible_text(_tree(markup))


def _tree(markup: str) -> LexborHTMLParser:
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser(markup)


def _source(tree: LexborHTMLParser, name: str) -> Source:
    linked = _linked_data(tree)
    node = tree.css_first("title")
    return Source(
        name,
        title=label(_meta(tree, "og:title")) or label(linked.get("headline")) or label(node.text() if node else None),
        publisher=label(_meta(tree, "og:site_name")) or names(linked.get("publisher")),
        date=iso_date(_meta(tree, "article:published_time") or linked.get("datePublished") or _meta(tree, "date")),
        author=label(_meta(tree, "author")) or names(linked.get("author")),
    )


def _meta(tree: LexborHTMLParser, name: str) -> str | None:
    node = tree.css_first(f'meta[property="{name}"], meta[name="{name}"]')
    return node.attributes.get("content") if node else None


def _linked_data(tree: LexborHTMLParser) -> dict[str, Any]:
    """Return the first JSON-LD object that is an article, {} when there is none."""
    for node in tree.css('script[type="application/ld+json"]'):
        try:
            parsed = json.loads(node.text()[:_JSON_LD_CHARACTERS])
        except (ValueError, RecursionError):
            continue
        for record in _objects(parsed):
            if "headline" in record or "datePublished" in record:
                return record
    return {}


def _objects(parsed: Any) -> Iterator[dict[str, Any]]:
    for each in parsed if isinstance(parsed, list) else [parsed]:
        if isinstance(each, dict):
            yield each
            graph = each.get("@graph")
            yield from (inner for inner in (graph if isinstance(graph, list) else ()) if isinstance(inner, dict))


def _visible_text(tree: LexborHTMLParser) -> str:
    unseen = {node.mem_id for node in tree.css(f"{_UNSHOWN}, {_HIDDEN}")}
    parts: list[str] = []
    todo: list[LexborNode | str] = [tree.root] if tree.root else []
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node.tag == "-text":
            parts.append(re.sub(r"\s+", " ", node.text_content or ""))
        elif node.mem_id not in unseen:
            gap = "\n\n" if node.tag in _PARAGRAPHS else "\n" if node.tag in _BLOCKS else ""
            inside = list(node.iter(include_text=True))
            todo += [gap, *reversed(inside), gap] if inside else [gap]
    lines = (line.strip() for line in re.sub(" {2,}", " ", "".join(parts)).split("\n"))
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip()
