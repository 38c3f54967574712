"""Passages for LlamaIndex. The module is named for what it serves: it does nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qa.errors import ExtraMissing

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode
except ModuleNotFoundError as error:
    raise ExtraMissing("The retriever for LlamaIndex", "llama-index") from error

if TYPE_CHECKING:
    from qa.corpus import Corpus
    from qa.results import Passage
    from qa.retrieval import Filters

_SHOWN = {"title", "source", "date", "citation_id"}  # of the metadata, to a language model: what it needs to cite


class PinciteRetriever(BaseRetriever):  # type: ignore[misc]  # reading that library's types takes long
    """`Corpus.retrieve` as a LlamaIndex retriever.

    Each node's text is a passage, verbatim; its id is the citation id, its metadata the rest of `Passage.to_dict`.
    """

    def __init__(self, corpus: Corpus, *, k: int = 10, filters: Filters | None = None, **more: Any) -> None:
        """Search a corpus.

        Args:
            corpus: what is searched; a rebuilt index is picked up.
            k: how many passages, 1 to 200.
            filters: None searches everything.
            more: of LlamaIndex's own retriever.
        """
        super().__init__(**more)
        self._corpus, self._k, self._filters = corpus, k, filters

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        passages = self._corpus.retrieve(query_bundle.query_str, self._k, filters=self._filters)
        return [_node(passage) for passage in passages]


def _node(passage: Passage) -> NodeWithScore:
    known = passage.to_dict()
    text = known.pop("text")
    node = TextNode(
        id_=passage.citation.id,
        text=text,
        start_char_idx=passage.span.start,
        end_char_idx=passage.span.end,
        metadata=known,
        excluded_llm_metadata_keys=sorted(known.keys() - _SHOWN),
        excluded_embed_metadata_keys=sorted(known),
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=passage.doc_id)},
    )
    return NodeWithScore(node=node, score=passage.score)
