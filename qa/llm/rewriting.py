"""A follow-up question -> the question in full, in the language model's words, where they add nothing. Pure."""

from __future__ import annotations

from qa.followups import Asked
from qa.llm.prompt import seen
from qa.llm.support import missing_name, missing_number

REWRITTEN_TOKENS = 80
MAX_REWRITTEN = 300  # characters
ANSWERS_TOLD = 3

_RULES = """\
Rewrite the last question so that it can be understood without the one before it: put names in the place of pronouns,
and say what is left out. Add nothing else. If it can be understood as it is, repeat it. Write the question alone."""


def rewriting_messages(question: str, before: Asked) -> tuple[dict[str, str], ...]:
    """Return what the model is told: the question before, what was answered, and the question."""
    answers = "; ".join(seen(answer) for answer in before.answers[:ANSWERS_TOLD]) or "nothing was found"
    told = f"Question before: {seen(before.question)}\nAnswer: {answers}\nLast question: {seen(question)}"
    return {"role": "system", "content": _RULES}, {"role": "user", "content": told}


def rewritten(text: str, question: str, before: Asked) -> str | None:
    """Return the rewritten question, or None when it is none, is the same, or names what nobody named."""
    line = seen(next((line for line in text.split("\n") if line.strip()), "")).strip("\"'“”* ")
    said = (question, before.question, *before.answers[:ANSWERS_TOLD])
    if not line.endswith("?") or len(line) > MAX_REWRITTEN:
        return None
    if line.casefold() == question.strip().casefold() or missing_name(line, said) or missing_number(line, said):
        return None
    return line
