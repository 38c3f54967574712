"""How well are speakers found? The table of docs/decisions/0010-speakers.md, on tests/data/speakers.jsonl.

    python -m benchmarks.speakers [--misses]

`--misses` lists what went wrong.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.documents import Span
from index.segmenting import segment
from qa.results import Speaker
from qa.speakers import find_speaker

DATA = Path(__file__).parents[1] / "tests" / "data" / "speakers.jsonl"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A quote and who speaks it, labelled by reading; see tests/data/speakers.md.

    Attributes:
        part: ``dev``, ``test`` or ``fresh``.
        speaker: the whole phrase that names the speaker, or None.
        names: what a found span must hold, one of them.
        via: the name of who hands the words on, or None.
    """

    id: str
    part: str
    text: str
    answer: Span
    speaker: Span | None
    names: tuple[Span, ...]
    via: Span | None


@dataclass(frozen=True, slots=True)
class Score:
    """Counts over quotes: labelled with a speaker, found with one, found rightly."""

    quotes: int
    labelled: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        return self.right / self.found

    @property
    def recall(self) -> float:
        return self.right / self.labelled


def read_labelled(path: Path = DATA) -> list[Labelled]:
    return [_labelled(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _labelled(row: dict[str, object]) -> Labelled:
    def span(pair: object) -> Span | None:
        return Span(*pair) if isinstance(pair, list) else None

    names = row["name"] if isinstance(row["name"], list) else []
    return Labelled(
        id=str(row["id"]),
        part=str(row["part"]),
        text=str(row["text"]),
        answer=span(row["answer"]) or Span(0, 0),
        speaker=span(row["speaker"]),
        names=tuple(Span(*pair) for pair in names),
        via=span(row["via"]),
    )


def stripped(quote: Labelled) -> Labelled:
    """Return a quote without punctuation, its spans carried over."""
    kept: list[str] = []
    places = []
    for character in quote.text:
        places.append(len(kept))
        if character.isalnum():
            kept.append(character)
        elif kept and kept[-1] != " ":
            kept.append(" ")
    places.append(len(kept))

    def carry(span: Span) -> Span:
        start, end = places[span.start], places[span.end]
        found = "".join(kept[start:end])
        return Span(start + len(found) - len(found.lstrip()), end - (len(found) - len(found.rstrip())))

    return replace(
        quote,
        text="".join(kept),
        answer=carry(quote.answer),
        speaker=carry(quote.speaker) if quote.speaker else None,
        names=tuple(carry(name) for name in quote.names),
        via=carry(quote.via) if quote.via else None,
    )


def is_right(quote: Labelled, found: Speaker | None) -> bool:
    """Whether what was found holds the speaker's name and nothing outside the phrase that names the speaker
    but an article."""
    if quote.speaker is None or found is None:
        return quote.speaker is None and found is None
    start = found.span.start + 4 * found.name.lower().startswith("the ")
    inside = quote.speaker.start <= start and found.span.end <= quote.speaker.end
    return inside and any(found.span.contains(name) for name in quote.names)


def find(quote: Labelled) -> Speaker | None:
    return find_speaker(quote.text, quote.answer, segment(quote.text))


def score(quotes: Sequence[Labelled]) -> Score:
    found = [(quote, find(quote)) for quote in quotes]
    return Score(
        quotes=len(quotes),
        labelled=sum(quote.speaker is not None for quote in quotes),
        found=sum(speaker is not None for _, speaker in found),
        right=sum(speaker is not None and is_right(quote, speaker) for quote, speaker in found),
    )


def _print_misses(quotes: Sequence[Labelled]) -> None:
    for quote in quotes:
        found = find(quote)
        if not is_right(quote, found):
            marked = (
                f"{quote.text[: quote.answer.start]}⟦{quote.answer.of(quote.text)}⟧{quote.text[quote.answer.end :]}"
            )
            gold = quote.speaker.of(quote.text) if quote.speaker else None
            kind = "MISS" if found is None else "WRONG"
            print(f"{kind} {quote.id}\n  {marked}\n  labelled {gold!r}, found {str(found) if found else None!r}")


def _milliseconds(quotes: Sequence[Labelled]) -> float:
    cut = [(quote, segment(quote.text)) for quote in quotes]
    begun = time.process_time()
    for quote, segments in cut:
        find_speaker(quote.text, quote.answer, segments)
    return 1000 * (time.process_time() - begun) / len(cut)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--misses", action="store_true")
    arguments = parser.parse_args()
    quotes = read_labelled()
    for form, given in (("as written", quotes), ("stripped", [stripped(quote) for quote in quotes])):
        if arguments.misses:
            print(f"\n== {form}")
            _print_misses(given)
        for part in ("dev", "test", "fresh"):
            s = score([quote for quote in given if quote.part == part])
            print(
                f"{part:5} {form:10} {s.quotes:4} quotes, {s.labelled:3} with a speaker: "
                f"precision {s.precision:.3f} ({s.right}/{s.found})  recall {s.recall:.3f}"
            )
    print(f"{_milliseconds(quotes):.3f} ms of processor time a quote")


if __name__ == "__main__":
    main()
