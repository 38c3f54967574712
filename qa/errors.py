"""What can be wrong with a question."""

from __future__ import annotations


class AnsweringError(Exception):
    """Base of all errors of this package."""


class QuestionError(AnsweringError, ValueError):
    """The question is empty or too long, or a filter makes no sense; the message says what to do."""


class ReaderError(AnsweringError, RuntimeError):
    """The reader's weights are missing, damaged, or not the ones this version was made for."""


class ExtraMissing(AnsweringError, ImportError):
    """A part that is installed only when asked for is not there; the message says how to install it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs packages that are not installed: pip install "pincite[{extra}]"')
