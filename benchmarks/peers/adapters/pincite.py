"""Pincite itself, through its public functions; first answers come from its command line."""

# /// script
# dependencies = []
# ///

from pathlib import Path

from index.build import build_index
from index.embedding import load_encoder
from qa import Corpus


class Encoder:
    """The bundled encoder; keeps the texts that it was handed, and takes batches from a table when there is one."""

    def __init__(self) -> None:
        self.bundled, self.texts, self.table = load_encoder(), [], None

    def __getattr__(self, name: str):
        return getattr(self.bundled, name)

    def encode_documents(self, texts):
        self.texts += texts
        return self.table(texts) if self.table and len(texts) > 1 else self.bundled.encode_documents(texts)


class Peer:
    title = "Pincite"
    package = "pincite"
    chunking = "whole sentences, up to what the encoder reads"
    cannot = {}
    commands = {
        "retrieve": [
            "{python}",
            "-c",
            "from ui.cli import main; main()",
            "search",
            "-k",
            "5",
            "--index",
            "{index}/index",
            "{question}",
        ],
        "ask": ["{python}", "-c", "from ui.cli import main; main()", "ask", "--index", "{index}/index", "{question}"],
        "rerun": ["{python}", "-c", "from ui.cli import main; main()", "index", "--index", "{index}/index"],
    }

    def __init__(self, model: Path, folder: Path) -> None:
        self.index, self.added, self.encoder = folder / "index", folder / "added", Encoder()
        self.encoder.encode_question("loaded before the clock runs, as the others load theirs")

    def use_table(self, made_vectors) -> None:
        self.encoder.table = made_vectors

    def ingest(self, folder: Path) -> None:
        self.added.mkdir(parents=True)
        build_index(self.index, [folder], encoder=self.encoder)
        self.embedded = self.encoder.texts

    def open(self) -> None:
        self.corpus = Corpus.open(self.index, encoder=self.encoder)

    def retrieve(self, question: str, k: int) -> list[str]:
        return [Path(passage.citation.path).name for passage in self.corpus.retrieve(question, k)]

    def ask(self, question: str) -> str:
        return self.corpus.ask(question).verdict

    def add(self, name: str, text: str) -> None:
        (self.added / name).write_text(text)
        build_index(self.index, [self.added], encoder=self.encoder)

    def rerun(self, folder: Path) -> None:
        build_index(self.index, [], encoder=self.encoder)
