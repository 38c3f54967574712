"""LlamaIndex: VectorStoreIndex with its default splitter (1,024 tokens) and its default store, which is JSON."""

# /// script
# dependencies = ["llama-index-core==0.14.25", "llama-index-embeddings-huggingface==0.8.0"]
# ///

from pathlib import Path

from llama_index.core import Document, Settings, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.schema import MetadataMode
from llama_index.embeddings.huggingface import HuggingFaceEmbedding


class Peer:
    title = "LlamaIndex"
    chunking = "1,024 tokens, 200 overlap"
    cannot = {"ask": "no: an answer needs a language model"}

    def __init__(self, model: Path, folder: Path) -> None:
        self.folder = folder
        Settings.embed_model = HuggingFaceEmbedding(model_name=str(model))
        Settings.llm = None

    def ingest(self, folder: Path) -> None:
        self.index = VectorStoreIndex.from_documents(self.read(folder))
        self.save()
        nodes = self.index.docstore.docs.values()
        self.embedded = [node.get_content(MetadataMode.EMBED) for node in nodes]

    def open(self) -> None:
        self.index = load_index_from_storage(StorageContext.from_defaults(persist_dir=str(self.folder)))
        self.retriever = None

    def retrieve(self, question: str, k: int) -> list[str]:
        self.retriever = self.retriever or self.index.as_retriever(similarity_top_k=k)
        return [found.node.ref_doc_id for found in self.retriever.retrieve(question)]

    def add(self, name: str, text: str) -> None:
        self.index.insert(Document(text=text, doc_id=name))
        self.retriever = None  # one knows the nodes that were there when it was made
        self.save()

    def rerun(self, folder: Path) -> None:
        if any(self.index.refresh_ref_docs(self.read(folder))):
            self.save()

    def read(self, folder: Path) -> list[Document]:
        return [Document(text=path.read_text(), doc_id=path.name) for path in sorted(folder.glob("*.txt"))]

    def save(self) -> None:
        self.index.storage_context.persist(persist_dir=str(self.folder))
