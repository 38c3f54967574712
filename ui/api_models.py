"""What the HTTP API takes and gives, as types; its OpenAPI document is made from these.

Answers are the dictionaries of ``qa.results``, given as they are: these types describe them, they do not filter them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, field_validator
from starlette.exceptions import HTTPException

from qa.questions import MAX_QUESTION_CHARACTERS
from qa.retrieval import MAX_PASSAGES, Filters

# what cannot be a question is refused by qa, in its own words, so length and content are only documented here
Question = Annotated[
    StrictStr,
    Field(
        description=f"A question in plain words, at most {MAX_QUESTION_CHARACTERS:,} characters.",
        json_schema_extra={"minLength": 1, "maxLength": MAX_QUESTION_CHARACTERS, "pattern": "[A-Za-z0-9]"},
        examples=["who controls Idlib?"],
    ),
]
Day = Annotated[
    StrictStr | None,
    Field(description="ISO date, inclusive.", json_schema_extra={"format": "date"}, examples=["2017-03-03"]),
]


class _Taken(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Given(BaseModel):
    model_config = ConfigDict(extra="allow")


class AskedFilters(_Taken):
    """Which documents may answer: fields combine with "and", their items with "or"."""

    documents: list[StrictStr] = Field(default=[], max_length=100, description="Document ids.")
    sources: list[StrictStr] = Field(default=[], max_length=100, description="Shell patterns on path or publisher.")
    date_from: Day = None
    date_to: Day = None

    @field_validator("date_from", "date_to")
    @classmethod
    def _is_a_date(cls, value: str | None) -> str | None:
        Filters(date_from=value)
        return value

    def filters(self) -> Filters:
        """Return the filters of the Python API."""
        return Filters(tuple(self.documents), tuple(self.sources), self.date_from, self.date_to)


class RetrieveRequest(_Taken):
    question: Question
    filters: AskedFilters = AskedFilters()
    k: StrictInt = Field(default=10, description=f"How many passages; brought into 1 to {MAX_PASSAGES}.")


class AskRequest(_Taken):
    question: Question
    filters: AskedFilters = AskedFilters()
    compose: StrictBool = Field(
        default=False, description="Also ask the language model that the server was started with; 422 without one."
    )


class OpenRequest(_Taken):
    """A citation for the page's reader, and the ids it stands among; what is no id there is dropped."""

    cite: StrictStr
    walk: list[Any] = []


class Utf16(_Given):
    """The same offsets in UTF-16 units, as JavaScript and Java count; null when the document has gone meanwhile."""

    start: int | None = None
    end: int | None = None


class CitationModel(_Given):
    """An exact place: ``text[start:end]`` of the document, in code points."""

    id: str
    doc_id: str
    title: str
    source: str
    path: str
    also_in: list[str]
    date: str | None
    start: int
    end: int
    utf16: Utf16 | None = None


class PassageModel(_Given):
    rank: int
    score: float = Field(description="Fused retrieval score in 0..1; higher is better, within one question only.")
    dense_score: float
    lexical_score: float
    text: str
    citation_id: str
    doc_id: str
    title: str
    source: str
    path: str
    date: str | None
    start: int
    end: int
    utf16: Utf16 | None = None


class QuoteModel(_Given):
    quote: str
    answer: str
    answer_start: int
    answer_end: int
    score: float = Field(description="Probability in 0..1 that these words answer the question.")
    speaker: str | None
    citation: CitationModel
    utf16: dict[str, int | None] | None = None


class ClaimModel(_Given):
    text: str
    score: float
    quotes: list[QuoteModel]


class SentenceModel(_Given):
    text: str = Field(description="The language model's own words; never a quote.")
    spans: list[int] = Field(description="Numbers of the spans it rests on.")
    state: Literal["supported", "unsupported"]
    problem: str | None


class NumberedSpanModel(_Given):
    number: int
    quote: str
    citation: CitationModel


class ComposedModel(_Given):
    """What a language model made of the passages; only with `compose`."""

    receiver: str = Field(description="Who was sent the question and passages.")
    state: Literal["done", "failed"]
    problem: str | None
    sentences: list[SentenceModel]
    spans: list[NumberedSpanModel]
    prompt_tokens: int


class AnswerModel(_Given):
    question: str
    verdict: Literal["answered", "differs", "not_found"]
    index_id: str
    claims: list[ClaimModel]
    related: list[PassageModel]
    missing_words: list[str] = Field(description="Words of the question that stand nowhere in the documents.")
    read_as: dict[str, str] = Field(description="Words that stand nowhere in them, and those read in their place.")
    composed: ComposedModel | None = None


class RetrievalModel(_Given):
    passages: list[PassageModel]


class CitationCheckModel(_Given):
    id: str
    state: Literal["valid", "moved", "changed", "deleted"]
    path: str | None
    quote: str | None
    citation: CitationModel | None


class DocumentModel(_Given):
    doc_id: str
    title: str
    source: str
    path: str
    also_in: list[str]
    date: str | None
    characters: int = Field(description="Code points of its text.")


class DocumentsModel(_Given):
    total: int
    documents: list[DocumentModel]


class UpdateModel(_Given):
    state: Literal["current", "pending", "running", "updated", "failed"]
    sentence: str
    new: int
    changed: int
    removed: int
    stage: str
    done: int
    total: int
    index_id: str


class CorpusModel(_Given):
    index_id: str
    generation: int
    documents: int
    chunks: int
    newest_date: str | None
    model: str
    roots: list[str]
    built_at: str
    notes: list[dict[str, Any]]


class StatusModel(CorpusModel):
    update: UpdateModel


class PendingModel(_Given):
    """Paths of files that an update would take in."""

    new: list[str]
    changed: list[str]
    removed: list[str]


class IndexStatusModel(CorpusModel):
    pending: PendingModel


class HealthModel(_Given):
    status: Literal["ok"]


class UploadedModel(_Given):
    name: str
    sentence: str


def refuse_long(question: str) -> None:
    """Refuse a question that will not be searched, before it takes a place in the queue."""
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise HTTPException(413, f"The question is too long; at most {MAX_QUESTION_CHARACTERS:,} characters.")


def what_is_wrong(error: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return one of pydantic's errors as a sentence, and the field that it is about."""
    place = [str(part) for part in error["loc"] if part not in ("body", "query", "path")]
    if error["type"] == "json_invalid":
        return "The request is not valid JSON.", None
    field = ".".join(place) or None
    return (f"{field}: {error['msg']}." if field else f"{error['msg']}."), field


class Problem(BaseModel):
    """What is wrong, in one sentence; ``field`` names the part of the request, when it is one part."""

    error: str
    field: str | None = None
