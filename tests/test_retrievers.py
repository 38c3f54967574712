"""`retrieve` inside LangChain and LlamaIndex, with the real packages."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from conftest import PROJECT

from qa.corpus import Corpus
from qa.errors import QuestionError
from qa.retrieval import Filters

QUESTION = "Which cheese is Dutch?"


def test_langchain_gets_the_passages_with_their_citations(corpus: Corpus) -> None:
    pytest.importorskip("langchain_core", reason='needs LangChain: pip install "pincite[langchain]"')
    from langchain_core.runnables import RunnableLambda

    from qa.for_langchain import PinciteRetriever

    retriever = PinciteRetriever(corpus=corpus, k=2)
    documents = retriever.invoke(QUESTION)
    assert len(documents) == 2
    for document, passage in zip(documents, corpus.retrieve(QUESTION, 2), strict=True):
        assert (document.page_content, document.id) == (passage.text, passage.citation.id)
        assert {**document.metadata, "text": document.page_content} == passage.to_dict()
        place = document.metadata
        assert corpus.document(place["doc_id"]).text[place["start"] : place["end"]] == document.page_content
    assert asyncio.run(retriever.ainvoke(QUESTION)) == documents
    chain = retriever | RunnableLambda(lambda found: [document.metadata["path"] for document in found])
    assert chain.invoke(QUESTION)[0] == "docs/cheese.txt"
    narrow = PinciteRetriever(corpus=corpus, filters=Filters(sources=("*space*",)))
    assert [document.metadata["title"] for document in narrow.invoke(QUESTION)] == ["Space news"]
    with pytest.raises(QuestionError, match="Please type a question"):
        retriever.invoke(" ")


def test_llama_index_gets_the_passages_with_their_citations(corpus: Corpus) -> None:
    pytest.importorskip("llama_index.core", reason='needs LlamaIndex: pip install "pincite[llama-index]"')
    from llama_index.core.schema import MetadataMode

    from qa.for_llama_index import PinciteRetriever

    retriever = PinciteRetriever(corpus, k=2)
    nodes = retriever.retrieve(QUESTION)
    assert len(nodes) == 2
    for found, passage in zip(nodes, corpus.retrieve(QUESTION, 2), strict=True):
        assert (found.text, found.node_id, found.score) == (passage.text, passage.citation.id, passage.score)
        assert {**found.metadata, "text": found.text} == passage.to_dict()
        assert found.node.ref_doc_id == passage.doc_id
        whole = corpus.document(passage.doc_id).text
        assert whole[found.node.start_char_idx : found.node.end_char_idx] == found.text
        assert found.node.get_content(MetadataMode.EMBED) == passage.text
        told = found.node.get_content(MetadataMode.LLM)
        assert f"citation_id: {passage.citation.id}" in told
        assert "lexical_score" not in told
    assert asyncio.run(retriever.aretrieve(QUESTION)) == nodes
    narrow = PinciteRetriever(corpus, filters=Filters(sources=("*space*",)))
    assert [found.metadata["title"] for found in narrow.retrieve(QUESTION)] == ["Space news"]
    with pytest.raises(QuestionError, match="Please type a question"):
        retriever.retrieve(" ")


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [("for_langchain", "langchain_core", "langchain"), ("for_llama_index", "llama_index", "llama-index")],
)
def test_without_the_package_the_import_says_what_to_install(module: str, package: str, extra: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; import qa.{module}"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith(f'needs packages that are not installed: pip install "pincite[{extra}]"\n')
