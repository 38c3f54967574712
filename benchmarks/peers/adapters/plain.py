"""What a person writes first: 150 words a chunk, SentenceTransformer.encode, an exact FAISS index."""

# /// script
# dependencies = []
# ///

import json
from pathlib import Path

import faiss
from sentence_transformers import SentenceTransformer

WORDS = 150


class Peer:
    title = "SentenceTransformer + FAISS"
    package = "sentence-transformers"
    chunking = "150 words"
    cannot = {
        "ask": "no: it returns passages",
        "rerun": "no: everything is embedded again",
    }

    def __init__(self, model: Path, index: Path) -> None:
        self.model = SentenceTransformer(str(model), device="cpu")
        self.vectors_file, self.chunks_file = index / "vectors.faiss", index / "chunks.json"

    def ingest(self, folder: Path) -> None:
        self.index, self.chunks = faiss.IndexFlatIP(384), []
        self.put({path.name: path.read_text() for path in sorted(folder.glob("*.txt"))})
        self.embedded = [text for _, text in self.chunks]

    def open(self) -> None:
        self.index = faiss.read_index(str(self.vectors_file))
        self.chunks = json.loads(self.chunks_file.read_text())

    def retrieve(self, question: str, k: int) -> list[str]:
        _, found = self.index.search(self.model.encode([question], normalize_embeddings=True), k)
        return [self.chunks[row][0] for row in found[0] if row >= 0]

    def add(self, name: str, text: str) -> None:
        self.put({name: text})

    def put(self, documents: dict[str, str]) -> None:
        split = {name: text.split() for name, text in documents.items()}
        added = [
            (name, " ".join(words[at : at + WORDS]))
            for name, words in split.items()
            for at in range(0, len(words), WORDS)
        ]
        self.index.add(self.model.encode([text for _, text in added], normalize_embeddings=True))
        self.chunks += added
        self.vectors_file.parent.mkdir(parents=True, exist_ok=True)
        faiss.write_index(self.index, str(self.vectors_file))
        self.chunks_file.write_text(json.dumps(self.chunks))
