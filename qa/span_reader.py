"""The trained reader: the network's spans, the question's words and the retrieval scores as one probability."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index import minilm
from index.documents import Span
from index.lexical import terms as index_terms
from qa.errors import ReaderError
from qa.reader import Query, Readable, Reading, Term
from qa.roles import is_description, is_teller
from qa.span_network import Candidate, Network, load_weights

WEIGHTS = Path(__file__).parent / "weights"
FIRST = 4  # passages read at once; docs/decisions/0005-reader.md
STEP = 2  # passages read next, as long as one of the last ones so many answers
WITHOUT_ANSWER = 6  # passages read before it is said that none answers


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a candidate before its probability; all higher is better.

    Attributes:
        margin, relevance: the network's logits.
        dense: cosine of question and chunk.
        dense_gap: the same, less the highest among the passages found; 0 for the nearest one.
        lexical: BM25, as a fraction of the highest among the passages found.
        within: fraction of the question's content words, by rarity, that stand in the segments that hold the candidate.
        around: the same, with the segment before and the one after.
        names: the same for the question's names alone, anywhere in the passage; 1 when it has none.
        numbers: the same for its numbers: a passage about another year or count is a near miss.
        description: 1 where they stand beside the name that the question asks about (`qa.roles`), else 0.
        not_teller: 0 where they are who tells what the question asks, else 1.
    """

    margin: float
    relevance: float
    dense: float
    dense_gap: float
    lexical: float
    within: float
    around: float
    names: float
    numbers: float
    description: float
    not_teller: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression over ``Evidence``, fitted on held-out articles, and the threshold chosen there."""

    weights: Mapping[str, float]
    intercept: float
    threshold: float
    passages_read: int = 8

    def probability(self, evidence: Evidence) -> float:
        """Return the probability, in 0..1, that the candidate answers."""
        logit = self.intercept + sum(weight * getattr(evidence, name) for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def coverage(terms: Sequence[Term], text: str) -> float:
    """Return the idf-weighted fraction of terms whose word, in any form, stands in the text; 1 when there are none."""
    held = set(index_terms(text))
    total = sum(term.idf for term in terms)
    found = sum(term.idf for term in terms if held.issuperset(index_terms(term.word)))
    return found / total if total > 0 else 1.0


def weigh(
    question: str,
    found: Sequence[Sequence[Candidate]],
    readables: Sequence[Readable],
    terms: Sequence[Term],
    *,
    among: Sequence[Readable] = (),
) -> list[list[Evidence]]:
    """Return the evidence for each candidate of each passage.

    ``among`` are all passages that were found with these; empty for these alone.
    """
    nearest = max((readable.passage.dense_score for readable in among or readables), default=0.0)
    most = max((readable.passage.lexical_score for readable in among or readables), default=0.0)
    evidence = []
    for candidates, readable in zip(found, readables, strict=True):
        passage = readable.passage
        gap = passage.dense_score - nearest
        lexical = passage.lexical_score / most if most > 0 else 0.0
        names = coverage([term for term in terms if term.word[0].isupper()], passage.text)
        numbers = coverage([term for term in terms if term.word[0].isdigit()], passage.text)
        evidence.append(
            [
                Evidence(
                    candidate.margin,
                    candidate.relevance,
                    passage.dense_score,
                    gap,
                    lexical,
                    within=coverage(terms, _segments_at(candidate, readable, beside=0)),
                    around=coverage(terms, _segments_at(candidate, readable, beside=1)),
                    names=names,
                    numbers=numbers,
                    description=float(is_description(passage.text, candidate.start, candidate.end, question)),
                    not_teller=float(not is_teller(passage.text, candidate.end, question)),
                )
                for candidate in candidates
            ]
        )
    return evidence


def _segments_at(candidate: Candidate, readable: Readable, *, beside: int) -> str:
    """Return the words of the segments that a candidate touches, and of so many before and after."""
    base = readable.passage.span.start
    answer = Span(base + candidate.start, base + candidate.end)
    touched = [number for number, segment in enumerate(readable.segments) if segment.overlaps(answer)]
    if not touched:
        return readable.passage.text[candidate.start : candidate.end]
    segments = readable.segments[max(0, touched[0] - beside) : touched[-1] + 1 + beside]
    return readable.passage.text[segments[0].start - base : segments[-1].end - base]


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
    card = _read_card(folder)
    try:
        weights = {str(name): float(weight) for name, weight in card["weights"].items()}
        calibration = Calibration(weights, card["intercept"], card["threshold"], card["passages_read"])
    except (KeyError, AttributeError, TypeError, ValueError) as exc:
        raise ReaderError(f"{folder / 'reader.json'} lacks {exc}. Install pincite again.") from exc
    unknown = set(weights) - set(Evidence.__dataclass_fields__)
    if unknown:
        raise ReaderError(f"{folder / 'reader.json'} weighs {sorted(unknown)}, unknown here. Install pincite again.")
    return calibration


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

        Later passages are read as long as those before them answer, and some more when none did.
        """
        if not query.text.strip():
            return []
        read: list[list[Reading]] = []
        while len(read) < len(readables) and self._is_more_needed(read):
            more = readables[len(read) : len(read) + (STEP if read else FIRST)]
            read += self._readings(query, more, among=readables)
        return sorted((reading for each in read for reading in each), key=lambda reading: -reading.score)

    def _is_more_needed(self, read: Sequence[Sequence[Reading]]) -> bool:
        return self._answer(read[-STEP:]) if self._answer(read) else len(read) < WITHOUT_ANSWER

    def _answer(self, read: Sequence[Sequence[Reading]]) -> bool:
        return any(reading.score >= self.threshold for readings in read for reading in readings)

    def _readings(
        self, query: Query, readables: Sequence[Readable], *, among: Sequence[Readable]
    ) -> list[list[Reading]]:
        """Return the readings of each passage, given all that were found."""
        found = self._network.candidates(
            [query.text] * len(readables),
            [readable.passage.text for readable in readables],
            breaks=[readable.breaks for readable in readables],
        )
        weighed = weigh(query.text, found, readables, query.terms, among=among)
        return [
            [
                Reading(readable, _moved(candidate, readable.passage.span.start), self._calibration.probability(each))
                for candidate, each in zip(candidates, evidence, strict=True)
            ]
            for readable, candidates, evidence in zip(readables, found, weighed, strict=True)
        ]


def _moved(candidate: Candidate, start: int) -> Span:
    return Span(start + candidate.start, start + candidate.end)
