"""txtai: Embeddings with hybrid search and stored content; a document is one unit."""

# /// script
# dependencies = ["txtai==9.14.0"]
# ///

from pathlib import Path

from txtai import Embeddings
from txtai.vectors import HFVectors


class Peer:
    title = "txtai, hybrid"
    chunking = "whole documents"
    max_tokens = 512  # txtai takes the tokenizer's limit, not the model's
    cannot = {
        "ask": "no: an answer needs a language model",
        "rerun": "no: everything is embedded again",
    }

    def __init__(self, model: Path, folder: Path) -> None:
        self.folder = folder
        self.embeddings = Embeddings(path=str(model), hybrid=True, content=True)

    def use_table(self, made_vectors) -> None:
        embed = HFVectors.encode
        HFVectors.encode = lambda own, texts, category=None: (
            made_vectors(texts) if len(texts) > 1 else embed(own, texts, category)
        )

    def ingest(self, folder: Path) -> None:
        documents = {path.name: path.read_text() for path in sorted(folder.glob("*.txt"))}
        self.embeddings.index(documents.items())
        self.save()
        self.embedded = list(documents.values())

    def open(self) -> None:
        self.embeddings.load(str(self.folder))

    def retrieve(self, question: str, k: int) -> list[str]:
        return [found["id"] for found in self.embeddings.search(question, k)]

    def add(self, name: str, text: str) -> None:
        self.embeddings.upsert([(name, text)])
        self.save()

    def save(self) -> None:
        self.embeddings.save(str(self.folder))
