"""Training examples: the answer goes where its passage goes, and a passage that does not answer does not."""

from __future__ import annotations

import json
import random
from pathlib import Path

from training.reader_data import (
    Example,
    altered,
    near_negatives,
    read_squad,
    read_xquad,
    split_articles,
    stripped,
    windows,
)

PASSAGE = "In 1754, the fort (Fort Duquesne) fell. The British, under Braddock, lost 1,200 men. Later they won."


def example(question: str, answer: str, passage: str = PASSAGE, group: str = "forts") -> Example:
    start = passage.index(answer)
    return Example(question, passage, ((start, start + len(answer)),), "test", group)


def answer(found: Example) -> str:
    ((start, end),) = found.answers
    return found.passage[start:end]


def write_squad(path: Path, titles: list[str]) -> None:
    qa = {"question": "Who fell?", "answers": [{"answer_start": 0, "text": "Rome"}]}
    data = [{"title": t, "paragraphs": [{"context": f"Rome fell. {t}", "qas": [qa]}]} for t in titles]
    path.parent.mkdir()
    path.write_text(json.dumps({"data": data}))


def test_a_stripped_example_keeps_its_answer_without_its_marks() -> None:
    assert answer(stripped(example("What fell?", "fort (Fort Duquesne)"))) == "fort Fort Duquesne"
    assert answer(stripped(example("How many?", "1,200 men."))) == "1 200 men"
    assert "  " not in stripped(example("When?", "1754")).passage


def test_a_window_holds_the_answer_and_its_counterpart_does_not() -> None:
    sentences = [f"Sentence number {n} says nothing of it." for n in range(40)]
    passage = " ".join([*sentences[:20], "The capital is Rome.", *sentences[20:]])
    near, other = windows(example("What is the capital?", "Rome", passage), random.Random(0), words=30)
    assert answer(near) == "Rome"
    assert near.passage in passage
    assert len(near.passage.split()) < 60
    assert other is not None
    assert not other.answers
    assert "Rome" not in other.passage


def test_an_altered_question_has_no_answer_and_is_another_question() -> None:
    asked = example("How many men did Braddock lose in 1754?", "1,200 men")
    changed = altered(asked, ["Napoleon"], random.Random(0))
    assert changed is not None
    assert changed.question != asked.question
    assert changed.passage == asked.passage
    assert changed.answers == ()
    assert altered(example("what fell?", "fort"), ["Napoleon"], random.Random(0)) is None


def test_a_near_negative_shares_words_with_the_question_and_lacks_the_answer() -> None:
    others = [f"Something else about {word}." for word in ("rivers", "hills", "roads")]
    asked = example("What fort fell in 1754?", "Fort Duquesne")
    bad = Example("?", "A fort that fell: Fort Duquesne.", (), "test", "b")
    good = Example("?", "The fort by the lake fell later.", (), "test", "c")
    pool = [asked, bad, good, *(Example("?", text, (), "test", "d") for text in others)]
    for seed in range(20):
        (negative,) = near_negatives([asked], random.Random(seed), fraction=1.0, pool=pool)
        assert negative.passage not in (asked.passage, bad.passage)
        assert negative.answers == ()
    assert good.passage in {
        near_negatives([asked], random.Random(n), fraction=1.0, pool=pool)[0].passage for n in range(20)
    }


def test_what_is_reported_on_is_never_trained_on(tmp_path: Path) -> None:
    titles = [f"Article {n}" for n in range(20)]
    split = split_articles(titles)
    assert set(split.train).isdisjoint(split.dev + split.test)
    assert split == split_articles(reversed(titles))
    write_squad(tmp_path / "squad2" / "dev-half-v2.0.json", titles[:5])
    write_squad(tmp_path / "xquad" / "xquad.en.json", titles)
    squad = read_squad(tmp_path / "squad2" / "dev-half-v2.0.json", "squad2")
    trained_on, held = read_xquad(tmp_path, squad)
    assert {e.group for e in trained_on}.isdisjoint(e.group for e in held)
    assert {e.group for e in [*trained_on, *held]} == set(titles[5:])
    assert len({e.group for e in held}) == 10
    assert len(read_squad(tmp_path / "xquad" / "xquad.en.json", "xquad")) == 20
