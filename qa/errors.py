"""What can be wrong with a question."""

from __future__ import annotations


class AnsweringError(Exception):
    """Base of all errors of this package."""


class QuestionError(AnsweringError, ValueError):
    """The question is empty or too long, or a filter makes no sense; the message says what to do."""


class ReaderError(AnsweringError, RuntimeError):
    """The reader's weights are missing, damaged, or not the ones this version was made for."""
