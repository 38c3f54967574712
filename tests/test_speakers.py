"""Who the text says is speaking: on the seed, on sentences made up here, and on a labelled set of real quotes."""

from __future__ import annotations

import pytest
from conftest import PROJECT

from index.documents import Span
from index.segmenting import segment
from qa.results import Speaker
from qa.speakers import find_speaker

SEED = next((PROJECT / "seeds").glob("*.txt")).read_text(encoding="utf-8")


def speaker_of(text: str, answer: str) -> Speaker | None:
    start = text.index(answer)
    found = find_speaker(text, Span(start, start + len(answer)), segment(text))
    assert found is None or found.span.of(text) == found.name
    return found


@pytest.mark.parametrize(
    ("answer", "speaker"),
    [
        ("nearly 370 civilians", "opposition sources, cited by The WSJ"),
        ("the biggest humanitarian horror story", "Mark Lowcock"),
        ("United Nations emergency relief coordinator", None),
        ("a magnet for terrorist groups", "Col Myles Caggins"),
        ("Col Myles Caggins", "Col Myles Caggins"),
        ("walls trenches and guards", "the WSJ"),
        ("Hayat Tahrir al Sham", None),
        ("up to three million", None),
        ("700 000", "Recent statements from the UN Office for the Coordination of Humanitarian Affairs"),
        ("up to one million", "International reports"),
        ("the biggest refugee exodus", "United Nations officials"),
        ("Families in northwestern Syria", "The Wall Street Journal"),
        ("sealed the border", "The report"),
        ("liberate every inch of the country", "Assad"),
        ("the war in Syria", None),
        ("rebel enclave", None),
    ],
)
def test_the_speakers_of_the_seed(answer: str, speaker: str | None) -> None:
    start = SEED.rindex(answer)
    found = find_speaker(SEED, Span(start, start + len(answer)), segment(SEED))
    assert (str(found) if found else None) == speaker
    assert found is None or found.span.of(SEED) == found.name
