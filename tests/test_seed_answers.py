"""What the product says of its own seed: the bundled encoder, the shipped reader, no settings."""

from pathlib import Path

import pytest
from conftest import SEEDS

from index.build import build_index
from index.embedding import BUNDLED_MODEL, load_encoder
from qa.corpus import Corpus
from qa.results import Verdict

UN = "Recent statements from the UN Office for the Coordination of Humanitarian Affairs"
WSJ = "opposition sources, cited by The WSJ"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    path: Path = tmp_path_factory.mktemp("seed") / "index"
    build_index(path, [SEEDS], encoder=load_encoder(BUNDLED_MODEL))
    return Corpus.open(path)


@pytest.mark.parametrize(
    ("question", "expected", "speaker"),
    [
        ("who controls Idlib?", "Hayat Tahrir al Sham", None),
        ("Which group controls Idlib?", "Hayat Tahrir al Sham", None),
        ("Which terrorist organization rules Idlib?", "Hayat Tahrir al Sham", None),
        ("What terror group rules Idlib?", "Hayat Tahrir al Sham", None),
        ("How many people have been displaced since December 1?", "700 000", UN),
        ("Who called Idlib a magnet for terrorist groups?", "Col Myles Caggins", "Col Myles Caggins"),
        ("How many civilians have died in the fighting this year?", "nearly 370", WSJ),
        ("What is the population of Idlib province?", "up to three million", None),
        ("Who is petitioning the US and NATO for military assistance?", "Turkey s Erdogan", None),
        ("What secures the closed border?", "walls trenches and guards", "the WSJ"),
        ("Who is Mark Lowcock?", "United Nations emergency relief coordinator", None),
        ("Who is Lowcock?", "United Nations emergency relief coordinator", None),
        ("who is mark lowcock", "United Nations emergency relief coordinator", None),
        ("Who is the US coalition spokesman?", "Col Myles Caggins", "Col Myles Caggins"),
        ("What did Assad say?", "liberate every inch of the country", "Assad"),
        (
            "What did Mark Lowcock say?",
            "as fast becoming the biggest humanitarian horror story of the 21st century",
            "Mark Lowcock",
        ),
    ],
)
def test_the_first_claim_is_the_answer_and_says_who_says_it(
    corpus: Corpus, question: str, expected: str, speaker: str | None
) -> None:
    first = corpus.ask(question).claims[0]
    assert first.text == expected
    assert str(first.quotes[0].speaker) == str(speaker)


@pytest.mark.parametrize(
    ("typed", "question"),
    [
        ("Could you tell me who controls Idlib", "who controls Idlib?"),
        ("hi, I'd like to know who Mark Lowcock is", "Who is Mark Lowcock?"),
        ("Tell me the population of Idlib province, please.", "What is the population of Idlib province?"),
    ],
)
def test_what_stands_around_a_question_does_not_change_its_answer(corpus: Corpus, typed: str, question: str) -> None:
    assert corpus.ask(typed).claims == corpus.ask(question).claims


@pytest.mark.parametrize(
    "question",
    ["Who won the 2018 World Cup?", "What is the population of Damascus?", "How many Turkish soldiers were killed?"],
)
def test_what_it_does_not_say_is_refused(corpus: Corpus, question: str) -> None:
    answer = corpus.ask(question)
    assert answer.verdict is Verdict.NOT_FOUND
    assert answer.claims == ()
