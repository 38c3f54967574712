"""Passages for LangChain. The module is named for what it serves: it does nothing else."""

from __future__ import annotations

from typing import Any

from qa.corpus import Corpus
from qa.errors import ExtraMissing
from qa.retrieval import Filters

try:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
except ModuleNotFoundError as error:
    raise ExtraMissing("The retriever for LangChain", "langchain") from error


class PinciteRetriever(BaseRetriever):  # type: ignore[misc]  # reading that library's types takes long
    """`Corpus.retrieve` as a LangChain retriever.

    Each document's text is a passage, verbatim; its id is the citation id, its metadata the rest of `Passage.to_dict`.

    Attributes:
        corpus: what is searched; a rebuilt index is picked up.
        k: how many passages, 1 to 200.
        filters: None searches everything.
    """

    corpus: Corpus
    k: int = 10
    filters: Filters | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        passages = self.corpus.retrieve(query, self.k, filters=self.filters)
        return [_document(passage.to_dict()) for passage in passages]


def _document(passage: dict[str, Any]) -> Document:
    return Document(passage.pop("text"), id=passage["citation_id"], metadata=passage)
