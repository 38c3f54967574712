"""Haystack: DocumentSplitter of 200 words, sentence-transformers embedders, InMemoryDocumentStore saved as JSON."""

# /// script
# dependencies = ["haystack-ai==3.4.1", "sentence-transformers-haystack==2.0.0"]
# ///

from pathlib import Path

from haystack import Document, Pipeline
from haystack.components.caching import CacheChecker
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)


class Peer:
    title = "Haystack, in memory"
    chunking = "200 words"
    cannot = {"ask": "no: an answer needs another model"}
    notes = {"rerun": "knows files by name only: edits are not noticed"}

    def __init__(self, model: Path, folder: Path) -> None:
        self.file = folder / "store.json"
        self.split = DocumentSplitter(split_by="word", split_length=200)
        self.embed = SentenceTransformersDocumentEmbedder(model=str(model), progress_bar=False)
        self.embed_question = SentenceTransformersTextEmbedder(model=str(model), progress_bar=False)
        self.store = InMemoryDocumentStore()

    def ingest(self, folder: Path) -> None:
        self.file.parent.mkdir(parents=True)
        self.connect()
        self.put(self.read(folder))
        self.embedded = [document.content for document in self.store.filter_documents()]

    def open(self) -> None:
        self.store = InMemoryDocumentStore.load_from_disk(str(self.file))
        self.connect()

    def connect(self) -> None:
        self.searching, self.indexing = Pipeline(), Pipeline()
        self.searching.add_component("embed", self.embed_question)
        self.searching.add_component("retrieve", InMemoryEmbeddingRetriever(self.store))
        self.searching.connect("embed.embedding", "retrieve.query_embedding")
        self.indexing.add_component("split", self.split)
        self.indexing.add_component("embed", self.embed)
        self.indexing.add_component("write", DocumentWriter(self.store))
        self.indexing.connect("split", "embed")
        self.indexing.connect("embed", "write")

    def retrieve(self, question: str, k: int) -> list[str]:
        found = self.searching.run({"embed": {"text": question}, "retrieve": {"top_k": k}})
        return [document.meta["name"] for document in found["retrieve"]["documents"]]

    def add(self, name: str, text: str) -> None:
        self.put({name: text})

    def rerun(self, folder: Path) -> None:
        documents = self.read(folder)
        checked = CacheChecker(self.store, cache_field="name").run(items=list(documents))
        if checked["misses"]:
            self.put({name: documents[name] for name in checked["misses"]})

    def put(self, documents: dict[str, str]) -> None:
        whole = [Document(content=text, meta={"name": name}) for name, text in documents.items()]
        self.indexing.run({"split": {"documents": whole}})
        self.store.save_to_disk(str(self.file))

    def read(self, folder: Path) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(folder.glob("*.txt"))}
