"""Ask a corpus: ``from qa import retrieve, ask, Corpus``."""

from qa.corpus import Corpus, ask, retrieve
from qa.results import Answer, Citation, Claim, Passage, Quote, Verdict
from qa.retrieval import Filters

__all__ = ["Answer", "Citation", "Claim", "Corpus", "Filters", "Passage", "Quote", "Verdict", "ask", "retrieve"]
