"""A small corpus that answers from a script, so that the page can be tested without models and without an index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from index.changes import PendingChanges
from index.documents import Document, Source, Span
from index.errors import DocumentNotFound, IndexEmpty
from index.scanning import FileNote
from qa.errors import QuestionError
from qa.results import (
    Answer,
    Citation,
    CitationCheck,
    CitationKey,
    CitationState,
    Claim,
    Passage,
    Quote,
    Speaker,
    Verdict,
    quote_digest,
)

SEED = Path(__file__).parents[1] / "seeds" / "000_fd202e94ced50b5a.txt"


def quote(document: Document, words: str, answer: str, speaker: str | None = None) -> Quote:
    """Return a quote of words that stand in the document."""
    start = document.text.index(words)
    answer_start = document.text.index(answer, start)
    named = None
    if speaker:
        at = document.text.index(speaker)
        named = Speaker(speaker, Span(at, at + len(speaker)))
    citation = Citation.from_document(document, Span(start, start + len(words)))
    return Quote(citation, Span(answer_start, answer_start + len(answer)), 0.9, named)


def passage(document: Document, words: str, rank: int = 1) -> Passage:
    start = document.text.index(words)
    return Passage(rank, 0.5, 0.4, 1.0, Citation.from_document(document, Span(start, start + len(words))))


def answer(question: str, *claims: Claim, related: tuple[Passage, ...] = (), missing: tuple[str, ...] = ()) -> Answer:
    verdict = (Verdict.NOT_FOUND, Verdict.ANSWERED)[min(len(claims), 1)] if len(claims) < 2 else Verdict.DIFFERS
    return Answer(question, verdict, claims, related, missing, "a1b2c3d4e5f6")


@dataclass
class ScriptedCorpus:
    """Stands in for ``qa.corpus.Corpus``: known questions have their answers, any other is not found."""

    documents_held: list[Document]
    answers: dict[str, Answer] = field(default_factory=dict)
    related: tuple[Passage, ...] = ()
    source_states: dict[str, str] = field(default_factory=dict)
    pending: PendingChanges = field(default_factory=lambda: PendingChanges((), (), ()))
    index_dir: Path = Path("nowhere")
    notes: tuple[FileNote, ...] = ()

    def ask(self, question: str, *, filters: Any = None) -> Answer:
        self._refuse_when_empty()
        if not question.strip(" ?!\t\n"):
            raise QuestionError("Please type a question.")
        if len(question) > 4000:
            raise QuestionError("The question has too many characters; it may have at most 4,000 characters.")
        return self.answers.get(question) or answer(question, related=self.related, missing=(question.split()[-1],))

    def known(self, question: str, *, filters: Any = None) -> None:
        return None

    def document(self, doc_id: str) -> Document:
        for document in self.documents_held:
            if document.doc_id == doc_id:
                return document
        raise DocumentNotFound(f"The index holds no document {doc_id}.")

    def cite(self, citation_id: str) -> CitationCheck:
        key = CitationKey.parse(citation_id)
        try:
            document = self.document(key.doc_id)
        except DocumentNotFound:
            return CitationCheck(citation_id, CitationState.DELETED, None, "folder/gone.txt")
        if quote_digest(key.span.of(document.text)) != key.digest:
            return CitationCheck(citation_id, CitationState.CHANGED, None, document.path)
        return CitationCheck(
            citation_id, CitationState.VALID, Citation.from_document(document, key.span), document.path
        )

    def passage_span(self, citation: Citation) -> Span:
        return Span(
            max(0, citation.span.start - 200), min(citation.span.end + 200, len(self.document(citation.doc_id).text))
        )

    def source_state(self, doc_id: str) -> str:
        return self.source_states.get(doc_id, "unchanged")

    def status(self) -> Any:
        self._refuse_when_empty()
        dates = [document.date for document in self.documents_held if document.date]
        return SimpleNamespace(
            documents=len(self.documents_held),
            newest_date=max(dates, default=None),
            index_id="a1b2c3d4e5f6",
            index_dir=self.index_dir,
            notes=self.notes,
        )

    def documents(self, *, offset: int = 0, limit: int = 100) -> list[Document]:
        return self.documents_held[offset : offset + limit]

    def pending_changes(self) -> PendingChanges:
        return self.pending

    def examples(self) -> Iterator[str]:
        self._refuse_when_empty()
        yield from self.answers

    def _refuse_when_empty(self) -> None:
        if not self.documents_held:
            raise IndexEmpty("The index has no documents yet.")


def news_corpus() -> ScriptedCorpus:
    """Return the seed text and two made-up ones, with one answer of each kind."""
    idlib = Document(SEED.read_text(), (Source(f"seeds/{SEED.name}"), *(Source(f"copies/{n}.txt") for n in range(4))))
    paragraphs = "".join(f"Paragraph {n} of the long report says nothing about the matter.\n\n" for n in range(400))
    report = Document(
        f"{paragraphs}The committee, chaired by Anna Weiss, counted 412 deaths by 1 March.\n\n{paragraphs}",
        (Source("reports/long report.txt", "Report of the committee", "Committee on Relief", "2017-03-03"),),
    )
    deaths = Claim(
        "nearly 370",
        (
            quote(
                idlib,
                "The WSJ has cited opposition sources to say that nearly 370 civilians have died in the fighting",
                "nearly 370",
                "The WSJ",
            ),
        ),
    )
    counted = Claim(
        "412", (quote(report, "The committee, chaired by Anna Weiss, counted 412 deaths by 1 March.", "412"),)
    )
    controls = Claim(
        "Hayat Tahrir al Sham",
        (
            quote(
                idlib,
                "the US designated terrorist organization which rules Idlib on the ground al Qaeda faction "
                "Hayat Tahrir al Sham has for years terrorized the local population",
                "Hayat Tahrir al Sham",
            ),
            quote(idlib, "as well as terror group Hayat Tahrir al Sham", "Hayat Tahrir al Sham"),
        ),
    )
    near = (
        passage(idlib, "Turkey s Erdogan is now petitioning the US and NATO to given military assistance"),
        passage(idlib, "Estimates commonly put the total population of Idlib province at up to three million", 2),
    )
    answers = [
        answer("Who rules Idlib on the ground?", controls, related=near),
        answer("How many civilians have died in the fighting?", deaths, counted),
    ]
    return ScriptedCorpus([idlib, report], {each.question: each for each in answers}, near)


def hostile_corpus() -> ScriptedCorpus:
    """Return documents whose text, title, path and names try to act in the page."""
    attack = (
        "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'><img src=https://evil.example/a.png>\n\n"
        "![i](https://evil.example/b.png) [link](javascript:window.hacked=1) <iframe src=https://evil.example></iframe>"
        "\n\n    indented code\n\n```js\nwindow.hacked=1\n```\n<style>body{display:none}</style>\n"
        "${window.hacked=1} {{window.hacked}} `${window.hacked=1}` $$x$$ </mark></div></article>"
        "<form action=https://evil.example><input name=q></form> <svg onload=window.hacked=1>"
        ' "onmouseover="window.hacked=1"'
        " https://evil.example/auto www.evil.example me@evil.example \u202egnp.exe\u202c zero\u200bwidth\ufeff end"
    )
    name = "<img src=x onerror=window.hacked=1>\u202e **b** ${window.hacked=1}"
    document = Document.from_raw(f"Before it. {attack} After it.", Source(f"dir/{name}.txt", name, name, name))
    words = attack
    at = Span(document.text.index(name[:10]), document.text.index(name[:10]) + 10)
    citation = Citation.from_document(document, Span(11, 11 + len(words)))
    hostile = Quote(citation, Span(11, 11 + 30), 0.9, Speaker(name, at))
    answers = [answer(name, Claim(name, (hostile,)), related=(passage(document, attack[40:300]),))]
    return ScriptedCorpus([document], {each.question: each for each in answers}, answers[0].related)
