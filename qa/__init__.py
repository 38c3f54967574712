"""Ask a corpus: ``from qa import retrieve, ask, Corpus``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa.corpus import Corpus, ask, retrieve
    from qa.results import Answer, Citation, Claim, Passage, Quote, Verdict
    from qa.retrieval import Filters

__all__ = ["Answer", "Citation", "Claim", "Corpus", "Filters", "Passage", "Quote", "Verdict", "ask", "retrieve"]

_HOMES = {"Corpus": "qa.corpus", "Filters": "qa.retrieval", "ask": "qa.corpus", "retrieve": "qa.corpus"}


def __getattr__(name: str) -> Any:
    """Load what is asked for, when it is: a command that only reports must not wait for the search libraries."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "qa.results")), name)
