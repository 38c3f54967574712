"""The index of verbatim-rag: Milvus Lite with dense vectors. Its default, SPLADE, and its extractors are downloaded.

It is installed without its dependencies, which pin older versions of transformers; what its index needs is listed.
"""

# /// script
# dependencies = [
#     "milvus-lite==2.5.1",
#     "pydantic-settings==2.16.3",
#     "pymilvus==2.6.3",
#     "setuptools==80.9.0",
#     "rapidfuzz==3.14.6",
#     "openai==3.57.0",
# ]
# [tool.bench]
# without-dependencies = ["verbatim-rag==0.2.8", "verbatim-core==0.2.8"]
# ///

from pathlib import Path

from verbatim_rag.embedding_providers import SentenceTransformersProvider
from verbatim_rag.index import VerbatimIndex
from verbatim_rag.schema import DocumentSchema
from verbatim_rag.vector_stores import LocalMilvusStore


class Peer:
    title = "verbatim-rag's index"
    chunking = "Markdown sections"
    cannot = {
        "ask": "not offline: its extractor is downloaded, or a language model",
        "rerun": "no: it would add everything again",
    }

    def __init__(self, model: Path, folder: Path) -> None:
        self.file = folder / "index.db"
        self.dense = SentenceTransformersProvider(str(model))

    def ingest(self, folder: Path) -> None:
        self.file.parent.mkdir(parents=True)
        self.open()
        documents = {path.name: path.read_text() for path in sorted(folder.glob("*.txt"))}
        self.put(documents)
        self.embedded = self.texts

    def open(self) -> None:
        store = LocalMilvusStore(str(self.file), enable_sparse=False)
        self.index = VerbatimIndex(store, dense_provider=self.dense)
        self.texts, embed = [], self.index._generate_embeddings
        self.index._generate_embeddings = lambda texts: self.texts.extend(texts) or embed(texts)

    def retrieve(self, question: str, k: int) -> list[str]:
        return [found.metadata["source"] for found in self.index.query(question, k=k)]

    def add(self, name: str, text: str) -> None:
        self.put({name: text})

    def put(self, documents: dict[str, str]) -> None:
        self.index.add_documents_bulk(DocumentSchema(content=text, source=name) for name, text in documents.items())
