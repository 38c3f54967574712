"""LangChain: RecursiveCharacterTextSplitter (1,000 characters, 200 of overlap), FAISS store, indexing API."""

# /// script
# dependencies = [
#     "langchain-core==1.8.3",
#     "langchain-classic==1.0.8",
#     "langchain-community==0.4.2",
#     "langchain-huggingface==1.2.3",
#     "langchain-text-splitters==1.1.3",
#     "greenlet==3.5.6",
# ]
# ///

from pathlib import Path

import faiss
from langchain_classic.indexes import SQLRecordManager, index
from langchain_community.docstore.in_memory import InMemoryDocstore
from langchain_community.vectorstores import FAISS
from langchain_core.documents import Document
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter


class Peer:
    title = "LangChain + FAISS"
    chunking = "1,000 characters, 200 overlap"
    cannot = {"ask": "no: an answer needs a language model"}

    def __init__(self, model: Path, folder: Path) -> None:
        self.folder = folder
        self.embeddings = HuggingFaceEmbeddings(model_name=str(model))
        self.splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)

    def ingest(self, folder: Path) -> None:
        self.folder.mkdir(parents=True)
        self.store = FAISS(self.embeddings, faiss.IndexFlatL2(384), InMemoryDocstore(), {})
        self.records().create_schema()
        self.rerun(folder)
        self.embedded = [document.page_content for document in self.store.docstore._dict.values()]

    def rerun(self, folder: Path) -> None:
        self.put({path.name: path.read_text() for path in sorted(folder.glob("*.txt"))})

    def open(self) -> None:
        self.store = FAISS.load_local(str(self.folder), self.embeddings, allow_dangerous_deserialization=True)

    def retrieve(self, question: str, k: int) -> list[str]:
        return [found.metadata["source"] for found in self.store.similarity_search(question, k=k)]

    def add(self, name: str, text: str) -> None:
        self.put({name: text})

    def put(self, documents: dict[str, str]) -> None:
        whole = [Document(text, metadata={"source": name}) for name, text in documents.items()]
        chunks = self.splitter.split_documents(whole)
        index(
            chunks,
            self.records(),
            self.store,
            cleanup="incremental",
            source_id_key="source",
            key_encoder="sha256",
        )
        self.store.save_local(str(self.folder))

    def records(self) -> SQLRecordManager:
        return SQLRecordManager("faiss/bench", db_url=f"sqlite:///{self.folder}/records.sqlite")
