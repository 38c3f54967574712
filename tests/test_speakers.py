"""Who the text says is speaking: on the seed, on sentences made up here, and on a labelled set of real quotes."""

from __future__ import annotations

import pytest
from conftest import PROJECT
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speakers import read_labelled, score, stripped
from index.documents import Span
from index.segmenting import segment
from qa.speakers import find_speaker, speech_of

SEED = next((PROJECT / "seeds").glob("*.txt")).read_text(encoding="utf-8")


def speaker_of(text: str, answer: str) -> str | None:
    start = text.rindex(answer)
    found = find_speaker(text, Span(start, start + len(answer)), segment(text))
    assert found is None or found.span.of(text) == found.name
    return str(found) if found else None


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
    assert speaker_of(SEED, answer) == speaker


@pytest.mark.parametrize(
    ("text", "answer", "speaker"),
    [
        ("Johnson told parliament on Wednesday that the country would leave by May.", "May", "Johnson"),
        ("Johnson told parliament on Wednesday that the country would leave by May.", "parliament", None),
        ("The attack killed 40 people, according to Amnesty International.", "40 people", "Amnesty International"),
        ("The storm came. It killed 12 people, the police said. Schools stay closed.", "12 people", "the police"),
        ("The storm came. It killed 12 people, the police said. Schools stay closed.", "closed", None),
        ('"We will not negotiate," said John Kerry, the US secretary of state.', "not negotiate", "John Kerry"),
        ('"We will not negotiate," the minister said in a statement on Monday.', "negotiate", "the minister"),
        ("The new law, lawmakers say, will cut emissions by half.", "by half", "lawmakers"),
        ("The head of the WHO, Tedros Adhanom, described it as a very grave threat.", "grave threat", "Tedros Adhanom"),
        ("Germany's Merkel has called for a ceasefire.", "a ceasefire", "Germany's Merkel"),
        ("The general said troops would stay, adding that the border was calm.", "the border", "The general"),
        ("Critics argue the law is unfair, but supporters say it works.", "it works", "supporters"),
        ("Critics argue the law is unfair, but supporters say it works.", "unfair", "Critics"),
        ("Tony Fernandes said the crew was safe. He said he is heading to Surabaya.", "Surabaya", "Tony Fernandes"),
        ('Ruth Davidson said: "My condolences. He was a good man. We all miss him."', "miss him", "Ruth Davidson"),
        (
            "The WSJ quoted a senior official as saying the talks had failed.",
            "failed",
            "a senior official, cited by The WSJ",
        ),
        ("According to CNN, Pentagon officials said a convoy was hit.", "hit", "Pentagon officials, cited by CNN"),
        ("The plant was described by Greenpeace as a ticking time bomb.", "ticking time bomb", "Greenpeace"),
        ("Smith met Jones. He said the deal was off.", "the deal", None),
        ('Amnesty said it was full. When Ida heard of it, she was shocked: "I know the camp."', "the camp", None),
        (
            "Ida Marlow, who wrote sequels (Old Friends, Relative Strangers), said that writers never intend it.",
            "never intend",
            "Ida Marlow",
        ),
        ("A town called Saraqib lies on the highway.", "Saraqib", None),
        ("Members voted according to the party line.", "voted", None),
        ("It is said that the treasure lies there.", "treasure", None),
        ("The report did not say how many people died.", "how many people", None),
        ("Both eruptions claimed thousands of lives.", "thousands", None),
        ("Officials would say that 12 were hurt.", "12", None),
    ],
)
def test_the_speakers_of_punctuated_sentences(text: str, answer: str, speaker: str | None) -> None:
    assert speaker_of(text, answer) == speaker


@pytest.mark.parametrize(
    ("text", "answer", "speaker"),
    [
        ("It was a great accomplishment said Don Fowler a native of Sparta", "accomplishment", "Don Fowler"),
        ("Don t they know that Will Marlow said it was closed", "closed", "Will Marlow"),
        ("They could not use those girls said David Marlow chairman of the agency", "those girls", "David Marlow"),
        ("It s not about us as individuals insists Robbins as Callan nods", "individuals", "Robbins"),
        ("The firm has an extremely loyal following said Ida Marlow managing the brand", "loyal following", None),
        ("What counts is his own background said a police officer that day", "background", None),
        ("There is no official count said Oliver Zhang of the council", "official count", "Oliver Zhang"),
        ("The companies said in the announcement that trade would grow", "would grow", "The companies"),
        ("Their coach said Marlow would play on Sunday", "play", "Their coach"),
        ("The campaigner behind the petition that succeeded on Thursday said it was over", "was over", None),
        ("The raid which according to Russian sources killed hundreds was the pretext", "killed", "Russian sources"),
        ("The raid was the pretext for an assault which according to Russian sources failed", "pretext", None),
        ("Trey Gowdy the Republican who represents the District said he had asked", "had asked", "Trey Gowdy"),
        ("McMullen a native Texan admitted that the cash was greener", "greener", "McMullen"),
        ("Repower s chairman has called for a postponement of the closure", "postponement", "Repower s chairman"),
        ("Soon Google said in a post that it was horrified", "horrified", "Google"),
        ("The tour that begins this summer said a lot about them", "a lot", None),
    ],
)
def test_the_speakers_of_sentences_without_punctuation(text: str, answer: str, speaker: str | None) -> None:
    assert speaker_of(text, answer) == speaker


CITED = "The WSJ has cited opposition sources to say that nearly 370 civilians have died"


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("opposition sources", "370", "nearly 370 civilians have died"),
        ("the WSJ", "370", "nearly 370 civilians have died"),
        ("army sources", "370", None),
        ("WSJ", "WSJ", None),
        ("Reuters", "370", None),
        ("the", "370", None),
    ],
)
def test_the_words_of_a_name_are_those_it_speaks_or_hands_on(name: str, answer: str, expected: str | None) -> None:
    start = CITED.index(answer)
    found = speech_of(name, CITED, Span(start, start + len(answer)), Span(0, len(CITED)))
    assert (found and found.of(CITED)) == expected


def test_the_labelled_quotes_reach_the_promised_precision_and_recall_also_without_punctuation() -> None:
    quotes = read_labelled()
    for form in (quotes, [stripped(quote) for quote in quotes]):
        measured = score(form)
        assert measured.labelled >= 200
        assert measured.precision >= 0.90
        assert measured.recall >= 0.60


WORDS = ["X", "said", "that", "the", " ", ", ", '"', ". ", "U.S.", "é", "by", "cited"]


@given(text=st.lists(st.sampled_from(WORDS)).map("".join), data=st.data())
def test_a_speaker_is_a_slice_of_any_text(text: str, data: st.DataObject) -> None:
    segments = segment(text)
    if not segments:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    found = find_speaker(text, Span(start, data.draw(st.integers(start + 1, len(text)))), segments)
    while found is not None:
        assert found.span.of(text) == found.name
        found = found.via


@given(text=st.lists(st.sampled_from(WORDS)).map("".join), data=st.data())
def test_words_spoken_hold_the_answer_in_any_text(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    answer = Span(start, data.draw(st.integers(start, len(text))))
    found = speech_of("X", text, answer, Span(0, len(text)))
    assert found is None or found.overlaps(answer) or not any(map(str.isalnum, answer.of(text)))
