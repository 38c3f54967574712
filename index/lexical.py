"""Chunks by their words, BM25. The only file that knows tantivy."""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tantivy

from index.errors import IndexDamaged

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

_ANALYZER = "pincite"
_WRITER_BYTES = 64_000_000
_LONGEST_WORD = 100
_LISTED = 5_000  # more allowed chunks than these are slow to list in a query: the best chunks are sifted instead
# scripts written without spaces: each character is a word of its own
_UNSPACED = re.compile("([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")


@dataclass(frozen=True, slots=True)
class Words:
    """A chunk as the lexical index gets it: the words of its title and text."""

    chunk_id: int
    text: str


class LexicalIndex:
    """An inverted index in a folder: k1 1.2, b 0.75, English stems, case and accents folded."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, or start an index in it when it is empty.

        Raises:
            IndexDamaged: the folder holds something else.
        """
        try:
            self._index = self._opened(folder)
        except (ValueError, OSError) as error:
            raise IndexDamaged(f"{folder.name}/ is not a lexical index") from error
        self._searcher = self._index.searcher()

    def _opened(self, folder: Path) -> tantivy.Index:
        if not os.access(folder, os.W_OK):  # tantivy makes a lock file even to read
            self._links = tempfile.TemporaryDirectory(prefix="pincite-")
            for file in folder.iterdir():
                if not file.name.endswith(".lock"):
                    Path(self._links.name, file.name).symlink_to(file.absolute())
            folder = Path(self._links.name)
        index = tantivy.Index(_schema(), path=str(folder))
        index.register_tokenizer(_ANALYZER, _analyzer())
        index.config_reader(reload_policy="manual")
        return index

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def update(self, *, added: Iterable[Words], removed: Iterable[int]) -> None:
        """Remove and add chunks, in one commit on disk.

        Raises:
            OSError: it cannot be written.
        """
        try:
            self._update(added, removed)
        except ValueError as error:
            if refused := re.search(r"os error (\d+)|code: (\d+)", str(error)):
                number = int(refused[1] or refused[2])
                raise OSError(number, os.strerror(number)) from error
            raise

    def _update(self, added: Iterable[Words], removed: Iterable[int]) -> None:
        writer = self._index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        for chunk_id in removed:
            writer.delete_documents_by_term("chunk_id", chunk_id)
        for words in added:
            document = tantivy.Document()
            document.add_integer("chunk_id", words.chunk_id)
            document.add_text("text", _spaced(words.text))
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self._searcher = self._index.searcher()

    def search(self, terms: Sequence[str], *, k: int, allowed: Ids | None = None) -> tuple[Ids, Floats]:
        """Return the best chunk ids and their BM25 scores, best first; equal scores in order of id.

        Args:
            terms: from `terms`; a chunk needs one of them. None at all finds nothing.
            k: at most so many, at least 1.
            allowed: search only these chunks; None searches all.
        """
        if not terms or not len(self):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        schema = self._index.schema
        query = tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "text", term, "freq")) for term in terms]
        )
        if allowed is None:
            return self._best(query, k)
        if len(allowed) > _LISTED:
            ids, scores = self._best(query, _LISTED)
            inside = np.isin(ids, allowed)
            if len(ids) < _LISTED or inside.sum() >= k:
                return ids[inside][:k], scores[inside][:k]
        chosen = tantivy.Query.term_set_query(schema, "chunk_id", [int(chunk_id) for chunk_id in allowed])
        unscored = tantivy.Query.const_score_query(chosen, 0.0)
        return self._best(tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, unscored)]), k)

    def _best(self, query: tantivy.Query, k: int) -> tuple[Ids, Floats]:
        hits = self._searcher.search(query, limit=k, count=False).hits
        addresses = [address for _, address in hits]
        ids = np.asarray(self._searcher.fast_field_values("chunk_id", addresses), dtype=np.int64)
        scores = np.asarray([score for score, _ in hits], dtype=np.float32)
        order = np.lexsort((ids, -scores))
        return ids[order], scores[order]

    def chunk_frequency(self, term: str) -> int:
        """Return how many chunks hold a term."""
        return int(self._searcher.doc_freq("text", term))


def terms(text: str) -> list[str]:
    """Return the index terms of a text, in order, repeats kept: words, case and accents folded, stemmed."""
    return list(_analyzer().analyze(_spaced(text)))


def _spaced(text: str) -> str:
    """Return a text as it is looked up, its letters composed: a mark of its own would end a word."""
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFC", text))


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("chunk_id", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()


@cache
def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (
        tantivy.Filter.remove_long(_LONGEST_WORD),
        tantivy.Filter.ascii_fold(),  # first: in lower case a dotted capital I becomes two characters
        tantivy.Filter.lowercase(),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(step)
    return builder.build()
