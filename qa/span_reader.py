"""The trained reader: the network's spans, the question's words and the retrieval scores as one probability."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from index import minilm
from index.documents import Span
from index.lexical import terms as index_terms
from qa.errors import ReaderError
from qa.reader import Query, Readable, Reading, Term
from qa.roles import asked_speaker, is_description, is_teller
from qa.span_network import Candidate, Network, load_weights
from qa.speakers import speech_of

WEIGHTS = Path(__file__).parent / "weights"
ALWAYS_READ = 2  # of the passages found, the best ones; docs/decisions/0005-reader.md


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is known of a passage before it is read; all higher is better.

    Attributes:
        dense: cosine of question and chunk.
        dense_gap: the same, less the highest among the passages found; 0 for the nearest one.
        lexical: BM25, as a fraction of the highest among the passages found.
        names: fraction of the question's names, by rarity, that stand in the passage; 1 when it has none.
        numbers: the same for its numbers: a passage about another year or count is a near miss.
        together: the highest fraction of the question's content words, by rarity, that stand in one segment.
    """

    dense: float
    dense_gap: float
    lexical: float
    names: float
    numbers: float
    together: float


@dataclass(frozen=True, slots=True)
class Evidence(Prospect):
    """What is known of a candidate before its probability; all higher is better.

    Attributes:
        margin, relevance: the network's logits.
        within: fraction of the question's content words, by rarity, that stand in the segments that hold the candidate.
        around: the same, with the segment before and the one after.
        description: 1 where they stand beside the name that the question asks about (`qa.roles`), else 0.
        not_teller: 0 where they are who tells what the question asks, else 1.
        spoken: 1 where the one whose words the question asks for speaks them, else 0.
    """

    margin: float
    relevance: float
    within: float
    around: float
    description: float
    not_teller: float
    spoken: float


@dataclass(frozen=True, slots=True)
class Regression:
    """A logistic regression over what is known, by the names of its attributes."""

    weights: Mapping[str, float]
    intercept: float

    def probability(self, known: Prospect) -> float:
        """Return a probability in 0..1."""
        logit = self.intercept + sum(weight * getattr(known, name) for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted on held-out articles.

    Attributes:
        answers: how likely a candidate answers, by its `Evidence`.
        threshold: from there on it is an answer.
        prospects: how likely a passage holds an answer, by its `Prospect`.
        least_prospect: from there on it is read.
        passages_read: how many are looked at.
    """

    answers: Regression
    threshold: float
    prospects: Regression
    least_prospect: float
    passages_read: int = 8


def coverage(terms: Sequence[Term], text: str) -> float:
    """Return the idf-weighted fraction of terms whose word, in any form, stands in the text; 1 when there are none."""
    held = set(index_terms(text))
    total = sum(term.idf for term in terms)
    found = sum(term.idf for term in terms if held.issuperset(index_terms(term.word)))
    return found / total if total > 0 else 1.0


def prospects(readables: Sequence[Readable], terms: Sequence[Term]) -> list[Prospect]:
    """Return what is known of each of the passages that were found for a question, by itself and next to the others."""
    nearest = max((readable.passage.dense_score for readable in readables), default=0.0)
    most = max((readable.passage.lexical_score for readable in readables), default=0.0)
    names = [term for term in terms if term.word[0].isupper()]
    numbers = [term for term in terms if term.word[0].isdigit()]
    return [
        Prospect(
            dense=readable.passage.dense_score,
            dense_gap=readable.passage.dense_score - nearest,
            lexical=readable.passage.lexical_score / most if most > 0 else 0.0,
            names=coverage(names, readable.passage.text),
            numbers=coverage(numbers, readable.passage.text),
            together=max((coverage(terms, readable.text_of(part)) for part in readable.segments), default=0.0),
        )
        for readable in readables
    ]


def promising(
    readables: Sequence[Readable], terms: Sequence[Term], calibration: Calibration
) -> list[tuple[Readable, Prospect]]:
    """Return the passages to read: the first ones, and of the others those likely enough to hold an answer."""
    return [
        (readable, prospect)
        for number, (readable, prospect) in enumerate(zip(readables, prospects(readables, terms), strict=True))
        if number < ALWAYS_READ or calibration.prospects.probability(prospect) >= calibration.least_prospect
    ]


def weigh(
    question: str, candidates: Sequence[Candidate], readable: Readable, prospect: Prospect, terms: Sequence[Term]
) -> list[Evidence]:
    """Return the evidence for each candidate of a passage."""
    text = readable.passage.text
    known = asdict(prospect)
    speaker = asked_speaker(question)
    weighed = []
    for candidate in candidates:
        marked = Span(candidate.start, candidate.end)
        place = _moved(candidate, readable.passage.span.start)
        within = readable.within(readable.around(place))
        weighed.append(
            Evidence(
                **known,
                margin=candidate.margin,
                relevance=candidate.relevance,
                within=coverage(terms, within.of(text)),
                around=coverage(terms, readable.text_of(readable.around(place, beside=1))),
                description=float(is_description(text, marked.start, marked.end, question)),
                not_teller=float(not is_teller(text, marked.start, marked.end, question)),
                spoken=float(bool(speaker) and speech_of(speaker, text, marked, within) is not None),
            )
        )
    return weighed


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / "reader.json"
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {**card, "sha256": str(card["sha256"])}
    except (OSError, ValueError, KeyError) as exc:
        raise ReaderError(f"{path} cannot be used ({exc!r}). Install pincite again.") from exc


def load_calibration(folder: Path) -> Calibration:
    """Return the calibration stored beside the weights.

    Raises:
        ReaderError: it is missing or incomplete.
    """
    path, card = folder / "reader.json", _read_card(folder)
    try:
        return Calibration(
            answers=_regression(card["answers"], Evidence, path),
            threshold=card["threshold"],
            prospects=_regression(card["prospects"], Prospect, path),
            least_prospect=card["least_prospect"],
            passages_read=card["passages_read"],
        )
    except (KeyError, AttributeError, TypeError, ValueError) as exc:
        raise ReaderError(f"{path} lacks {exc}. Install pincite again.") from exc


def _regression(stored: Mapping[str, Any], over: type[Prospect], path: Path) -> Regression:
    weights = {str(name): float(weight) for name, weight in stored["weights"].items()}
    unknown = set(weights) - {field.name for field in fields(over)}
    if unknown:
        raise ReaderError(f"{path} weighs {sorted(unknown)}, unknown here. Install pincite again.")
    return Regression(weights, stored["intercept"])


class SpanReader:
    """Reads the best passages and returns answer spans with calibrated probabilities."""

    def __init__(self, network: Network, calibration: Calibration) -> None:
        self._network = network
        self._calibration = calibration

    @classmethod
    def load(cls, folder: Path = WEIGHTS, *, exact: bool = False) -> SpanReader:
        """Return the reader of a weights folder, after checking the hashes; ``exact`` as in `Network`.

        Raises:
            ReaderError: a file is missing, damaged, or of another version.
        """
        weights = load_weights(folder, _read_card(folder)["sha256"])
        return cls(Network(weights, minilm.load_tokenizer(), exact=exact), load_calibration(folder))

    @property
    def threshold(self) -> float:
        return self._calibration.threshold

    @property
    def passages_read(self) -> int:
        return self._calibration.passages_read

    def read(self, query: Query, readables: Sequence[Readable]) -> list[Reading]:
        """Return readings, best first, up to three per passage; equal scores keep passage order. [] for no passages.

        Not every passage is read, see `promising`.
        """
        if not query.text.strip():
            return []
        chosen = promising(readables, query.terms, self._calibration)
        found = self._network.candidates(
            [query.text] * len(chosen),
            [readable.passage.text for readable, _ in chosen],
            breaks=[readable.breaks for readable, _ in chosen],
        )
        readings = [
            Reading(
                readable,
                _moved(candidate, readable.passage.span.start),
                self._calibration.answers.probability(evidence),
            )
            for candidates, (readable, prospect) in zip(found, chosen, strict=True)
            for candidate, evidence in zip(
                candidates, weigh(query.text, candidates, readable, prospect, query.terms), strict=True
            )
        ]
        return sorted(readings, key=lambda reading: -reading.score)


def _moved(candidate: Candidate, start: int) -> Span:
    return Span(start + candidate.start, start + candidate.end)
