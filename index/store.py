"""`corpus.sqlite`, the only place where anything can be lost: documents, chunks, vectors, files, generations."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from index.database import Database, damaged
from index.documents import Chunk, Document, Source, Span, content_hash
from index.errors import DocumentNotFound, IndexMismatch, IndexNotFound
from index.packing import pack_text, pack_vectors, unpack_spans, unpack_text, unpack_vectors

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FORMAT_VERSION = 4
FILE_NAME = "corpus.sqlite"
UNIT_TOLERANCE = 0.01  # packing changes a unit vector's length by less than this
DEFAULT_INDEX = ".pincite"
INDEX_VARIABLE = "PINCITE_INDEX"
_SUM_MODULUS = 1 << 256

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL, refused TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    doc_id TEXT PRIMARY KEY, sha256 BLOB NOT NULL, heading TEXT, text BLOB NOT NULL, segments BLOB NOT NULL);
CREATE TABLE sources (
    path TEXT PRIMARY KEY, doc_id TEXT NOT NULL REFERENCES documents, file TEXT NOT NULL,
    title TEXT, publisher TEXT, date TEXT, author TEXT, page_starts BLOB) WITHOUT ROWID;
CREATE INDEX sources_by_document ON sources (doc_id, path);
CREATE INDEX sources_by_file ON sources (file);
CREATE INDEX sources_by_date ON sources (date) WHERE date IS NOT NULL;
CREATE TABLE chunks (
    chunk_id INTEGER PRIMARY KEY AUTOINCREMENT, doc_id TEXT NOT NULL REFERENCES documents,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, vector_key BLOB NOT NULL);
CREATE INDEX chunks_by_document ON chunks (doc_id);
CREATE INDEX chunks_by_vector ON chunks (vector_key);
CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE retired (doc_id TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (doc_id, path)) WITHOUT ROWID;
CREATE TABLE notes (name TEXT NOT NULL, reason TEXT NOT NULL, skipped INTEGER NOT NULL);
CREATE INDEX notes_by_name ON notes (name);
"""


class FileRecord(NamedTuple):
    """A file as it was when it was last read.

    Attributes:
        seen_ns: when it was read; a file changed within two seconds before that is read again, its time stamp may
            be too coarse to show a second change.
        sha256: hash of the bytes whose documents are indexed; empty when none of this file's are.
        refused: hash of the bytes it had when it was last read, if they gave no document; else empty.
    """

    name: str
    size: int
    mtime_ns: int
    seen_ns: int
    sha256: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document stands: the source, and the name of the file that holds it."""

    doc_id: str
    file: str
    source: Source


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """A chunk before it has an id: its place, and the key of its vector."""

    span: Span
    vector_key: bytes


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """A document as it is to be stored.

    Attributes:
        text: its canonical text; None when the store holds it already and only its chunks are replaced.
        heading: the title that is embedded with each chunk, or None.
        segments: from `pack_spans`.
    """

    doc_id: str
    text: str | None
    heading: str | None
    segments: bytes
    chunks: tuple[PlannedChunk, ...]


@dataclass(frozen=True, slots=True)
class RemovedChunks:
    """Chunks that are gone, and the keys of the vectors they had, which other chunks may still use."""

    chunk_ids: tuple[int, ...]
    vector_keys: tuple[bytes, ...]


class Store:
    """One connection to `corpus.sqlite`. Not for several threads at once.

    Attributes:
        inode: tells a file that is read from one that took its place under the same name.
    """

    def __init__(self, database: Database, inode: int = 0) -> None:
        self._db = database
        self.path = database.path
        self.inode = inode
        self.transaction = database.transaction

    @classmethod
    def create_or_open(cls, path: Path) -> Store:
        """Open for writing; an index that is not there is made, empty, at generation 0."""
        if not path.exists():
            with Database.appearing_whole(path) as database, database.transaction():
                database.execute(_SCHEMA)
                cls(database).set_meta(
                    format=FORMAT_VERSION, generation=0, documents=0, chunks=0, content_sum="0", cut_sum="0"
                )
        store = cls(Database.open_for_writing(path))
        store._check_format()
        return store

    @classmethod
    def open_for_reading(cls, path: Path) -> Store:
        """Open read-only; every statement of this store sees the same generation until `close`.

        Raises:
            IndexNotFound: there is no such file.
            IndexDamaged: it is not a database of ours.
            IndexMismatch: it was written in another format.
        """
        try:
            inode = os.stat(path).st_ino  # before it is opened: if it is replaced now, it seems older than it is
            store = cls(Database.open_for_reading(path), inode)
        except OSError as error:
            if path.is_file() and not isinstance(error, FileNotFoundError):  # it may just have come
                raise
            missing = f"There is no index in {path.parent}. Make one: pincite index FOLDER"
            raise IndexNotFound(missing) from error
        store._check_format()
        return store

    def stop_reading(self) -> None:
        """See from now on what is newest, not what was when the store was opened."""
        self._db.execute("COMMIT")

    def changes(self) -> int | None:
        """Return a number that is another one once another store has committed; None when that is not seen."""
        return self._db.changes()

    def close(self) -> None:
        self._db.close()

    # meta

    def meta(self, key: str) -> Any:
        """Return a value that `set_meta` stored, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def set_meta(self, **values: Any) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", [(key, json.dumps(value)) for key, value in values.items()]
        )

    @property
    def generation(self) -> int:
        """How many builds have been committed; 0 for an empty index."""
        return int(self.meta("generation") or 0)

    def _check_format(self) -> None:
        found = self.meta("format")
        if found != FORMAT_VERSION:
            raise IndexMismatch(
                f"{self.path} has format {found}, this program reads format {FORMAT_VERSION}. "
                "Delete the index folder and build it again: pincite index FOLDER"
            )
        if not self._db.has_checksums():
            raise damaged(self.path, "its pages have no checksums")

    # files and notes

    def files(self) -> dict[str, FileRecord]:
        rows = self._db.execute("SELECT name, size, mtime_ns, seen_ns, sha256, refused FROM files")
        return {row[0]: FileRecord._make(row) for row in rows}

    def file(self, name: str) -> FileRecord | None:
        row = self._db.execute(
            "SELECT name, size, mtime_ns, seen_ns, sha256, refused FROM files WHERE name = ?", (name,)
        ).fetchone()
        return FileRecord(*row) if row else None

    def put_files(self, records: Iterable[FileRecord]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", records)

    def remove_files(self, names: Iterable[str]) -> None:
        self._db.executemany("DELETE FROM files WHERE name = ?", [(name,) for name in names])

    def notes(self) -> list[tuple[str, str, bool]]:
        """Return (file name, reason, skipped) of the last build, by name."""
        rows = self._db.execute("SELECT name, reason, skipped FROM notes ORDER BY name, rowid")
        return [(name, reason, bool(skipped)) for name, reason, skipped in rows]

    def replace_notes(self, names: Iterable[str], notes: Iterable[tuple[str, str, bool]]) -> None:
        """Remove the notes on the named files, then add others."""
        self._db.executemany("DELETE FROM notes WHERE name = ?", [(name,) for name in names])
        self._db.executemany("INSERT INTO notes VALUES (?, ?, ?)", list(notes))

    # sources and documents

    def places_of(self, doc_id: str) -> list[Place]:
        """Return the places where a document stands, by path."""
        return self._places("doc_id = ? ORDER BY path", doc_id)

    def places_in(self, file: str) -> list[Place]:
        """Return the places that a file gave, by path."""
        return self._places("file = ? ORDER BY path", file)

    def place_at(self, path: str) -> Place | None:
        """Return what stands at a path now."""
        return next(iter(self._places("path = ?", path)), None)

    def _places(self, condition: str, value: str) -> list[Place]:
        rows = self._db.execute(f"SELECT doc_id, file, {_SOURCE_COLUMNS} FROM sources WHERE {condition}", (value,))
        return [Place(row[0], row[1], _source(row[2:])) for row in rows]

    def replace_places(self, removed: Iterable[str], added: Sequence[Place]) -> None:
        """Remove places by their source's path, then add others; what stood at those paths is remembered."""
        held = [self.place_at(path) for path in {*removed, *(place.source.path for place in added)}]
        before = [place for place in held if place is not None]
        staying = {(place.doc_id, place.source.path) for place in added}
        gone = [key for place in before if (key := (place.doc_id, place.source.path)) not in staying]
        self._db.executemany("INSERT OR IGNORE INTO retired VALUES (?, ?)", gone)
        self._db.executemany("DELETE FROM sources WHERE path = ?", [(place.source.path,) for place in before])
        self._db.executemany(
            f"INSERT INTO sources (doc_id, file, {_SOURCE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(place.doc_id, place.file, *_source_row(place.source)) for place in added],
        )
        self._add_to("content_sum", sum(map(_digest_of_place, added)) - sum(map(_digest_of_place, before)))

    @property
    def sums(self) -> tuple[str, str]:
        """Two numbers that name all sources with their texts, and how these are cut, in whatever order they came."""
        return str(self.meta("content_sum")), str(self.meta("cut_sum"))

    def _add_to(self, name: str, difference: int) -> None:
        self.set_meta(**{name: str((int(self.meta(name)) + difference) % _SUM_MODULUS)})

    def summed_content(self) -> str:
        """Return what the first of `sums` is to be, from all places."""
        places = self._db.execute(f"SELECT doc_id, file, {_SOURCE_COLUMNS} FROM sources")
        return str(sum(_digest_of_place(Place(row[0], row[1], _source(row[2:]))) for row in places) % _SUM_MODULUS)

    def summed_cut(self) -> str:
        """Return what the second of `sums` is to be, from all chunks."""
        rows = self._db.execute('SELECT doc_id, start, "end" FROM chunks ORDER BY doc_id, chunk_id')
        by_document = itertools.groupby(rows, key=lambda row: row[0])
        cut = sum(_digest_of_cut(doc_id, [(start, end) for _, start, end in chunks]) for doc_id, chunks in by_document)
        return str(cut % _SUM_MODULUS)

    def heading(self, doc_id: str) -> str | None:
        """Return the title a document's chunks are embedded with.

        Raises:
            DocumentNotFound: the index holds none of that id.
        """
        row = self._db.execute("SELECT heading FROM documents WHERE doc_id = ?", (doc_id,)).fetchone()
        if row is None:
            raise DocumentNotFound(f"The index holds no document {doc_id!r}.")
        return row[0]  # type: ignore[no-any-return]

    def holds_document(self, doc_id: str) -> bool:
        return self._db.execute("SELECT 1 FROM documents WHERE doc_id = ?", (doc_id,)).fetchone() is not None

    def document(self, doc_id: str) -> Document:
        """Return a document, its text checked against its hash.

        Raises:
            DocumentNotFound: the index holds none of that id.
            IndexDamaged: the stored text is not the text that was indexed.
        """
        row = self._db.execute("SELECT sha256, text FROM documents WHERE doc_id = ?", (doc_id,)).fetchone()
        rows = self._db.execute(
            f"SELECT {_SOURCE_COLUMNS} FROM sources WHERE doc_id = ? ORDER BY path", (doc_id,)
        ).fetchall()
        if row is None or not rows:
            raise DocumentNotFound(f"The index holds no document {doc_id!r}.")
        sha256, text = row[0].hex(), self._text(doc_id, row[1])
        if content_hash(text) != sha256:
            raise damaged(self.path, f"the text of document {doc_id} ({rows[0][0]}) is not what was indexed")
        return Document(text, tuple(_source(source) for source in rows), sha256)

    def _text(self, doc_id: str, packed: bytes) -> str:
        try:
            return unpack_text(packed)
        except ValueError as error:
            raise damaged(self.path, f"the text of document {doc_id} is not what was indexed") from error

    def segments(self, doc_id: str) -> list[Span]:
        """Return a document's segments, in order."""
        row = self._db.execute("SELECT segments FROM documents WHERE doc_id = ?", (doc_id,)).fetchone()
        if row is None:
            raise DocumentNotFound(f"The index holds no document {doc_id!r}.")
        try:
            return unpack_spans(row[0])
        except ValueError as error:
            raise damaged(self.path, f"the segments of document {doc_id} are not spans") from error

    def document_ids(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT doc_id FROM documents ORDER BY doc_id")]

    def document_ids_by_path(self, offset: int, limit: int) -> list[str]:
        """Return ids of documents, at most ``limit`` from the ``offset``-th on, in order of their first paths."""
        rows = self._db.execute(
            "SELECT doc_id FROM sources GROUP BY doc_id ORDER BY min(path) LIMIT ? OFFSET ?", (limit, offset)
        )
        return [row[0] for row in rows]

    def put_documents(self, planned: Iterable[PlannedDocument]) -> list[Chunk]:
        """Add documents with their chunks, or give held ones, whose chunks were removed, new ones.

        Returns:
            The chunks, with the ids they got.
        """
        chunks: list[Chunk] = []
        new = cut = 0
        for plan in planned:
            if plan.text is None:
                values = (plan.heading, plan.segments, plan.doc_id)
                self._db.execute("UPDATE documents SET heading = ?, segments = ? WHERE doc_id = ?", values)
            else:
                sha256 = bytes.fromhex(content_hash(plan.text))
                row = (plan.doc_id, sha256, plan.heading, pack_text(plan.text), plan.segments)
                self._db.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", row)
                new += 1
            for chunk in plan.chunks:
                self._db.execute(
                    'INSERT INTO chunks (doc_id, start, "end", vector_key) VALUES (?, ?, ?, ?)',
                    (plan.doc_id, chunk.span.start, chunk.span.end, chunk.vector_key),
                )
                chunks.append(Chunk(self._db.last_row_id, plan.doc_id, chunk.span))
            cut += _digest_of_cut(plan.doc_id, [(chunk.span.start, chunk.span.end) for chunk in plan.chunks])
        self._count(documents=new, chunks=len(chunks))
        self._add_to("cut_sum", cut)
        return chunks

    def remove_chunks(self, doc_ids: Iterable[str]) -> RemovedChunks:
        """Remove the chunks of documents; the documents stay."""
        rows: list[tuple[int, bytes]] = []
        cut = 0
        for doc_id in doc_ids:
            held = self._db.execute(
                'SELECT chunk_id, vector_key, start, "end" FROM chunks WHERE doc_id = ? ORDER BY chunk_id', (doc_id,)
            ).fetchall()
            rows += [row[:2] for row in held]
            cut += _digest_of_cut(doc_id, [row[2:] for row in held])
            self._db.execute("DELETE FROM chunks WHERE doc_id = ?", (doc_id,))
        self._count(documents=0, chunks=-len(rows))
        self._add_to("cut_sum", -cut)
        return RemovedChunks(tuple(row[0] for row in rows), tuple(row[1] for row in rows))

    def remove_documents(self, doc_ids: Sequence[str]) -> None:
        """Remove documents whose chunks were removed."""
        self._db.executemany("DELETE FROM documents WHERE doc_id = ?", [(doc_id,) for doc_id in doc_ids])
        self._count(documents=-len(doc_ids), chunks=0)

    def _count(self, *, documents: int, chunks: int) -> None:
        held = self.counts()
        self.set_meta(documents=held[0] + documents, chunks=held[1] + chunks)

    def retired_paths(self, doc_id: str) -> list[str]:
        """Return where a document that is gone used to stand."""
        return [
            row[0] for row in self._db.execute("SELECT path FROM retired WHERE doc_id = ? ORDER BY path", (doc_id,))
        ]

    def document_at(self, path: str) -> str | None:
        """Return the id of the document that stands at a path now."""
        place = self.place_at(path)
        return place.doc_id if place else None

    # chunks and vectors

    def chunks(self, chunk_ids: Sequence[int] | None = None) -> list[Chunk]:
        """Return chunks by id, in order of id; all of them for None."""
        if chunk_ids is None:
            rows = self._db.execute('SELECT chunk_id, doc_id, start, "end" FROM chunks ORDER BY chunk_id').fetchall()
        else:
            rows = self._db.execute(
                'SELECT chunk_id, doc_id, start, "end" FROM chunks JOIN json_each(?) ON value = chunk_id'
                " ORDER BY chunk_id",
                (json.dumps([int(chunk_id) for chunk_id in chunk_ids]),),
            ).fetchall()
        return [Chunk(chunk_id, doc_id, Span(start, end)) for chunk_id, doc_id, start, end in rows]

    def chunk_batches(self, size: int) -> Iterator[list[Chunk]]:
        """Yield all chunks in order of id, ``size`` at a time."""
        rows = iter(self._db.execute('SELECT chunk_id, doc_id, start, "end" FROM chunks ORDER BY chunk_id'))
        while batch := list(itertools.islice(rows, size)):
            yield [Chunk(chunk_id, doc_id, Span(start, end)) for chunk_id, doc_id, start, end in batch]

    def chunks_of(self, doc_id: str) -> list[Chunk]:
        """Return a document's chunks, in order of id."""
        rows = self._db.execute(
            'SELECT chunk_id, doc_id, start, "end" FROM chunks WHERE doc_id = ? ORDER BY chunk_id', (doc_id,)
        )
        return [Chunk(chunk_id, doc_id, Span(start, end)) for chunk_id, doc_id, start, end in rows]

    def matching_chunk_ids(
        self, *, doc_ids: Sequence[str], sources: Sequence[str], date_from: str | None, date_to: str | None
    ) -> npt.NDArray[np.int64]:
        """Return the ids of chunks whose document has a matching source; empty lists and None match everything.

        Args:
            doc_ids: any of these documents.
            sources: shell patterns; any that matches the path or the publisher.
            date_from: ISO date, inclusive. A source without a date matches no date filter.
            date_to: ISO date, inclusive.
        """
        import numpy as np

        clauses, values = ["1"], []
        if doc_ids:
            clauses.append("s.doc_id IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(doc_ids)))
        if sources:
            clauses.append("EXISTS (SELECT 1 FROM json_each(?) WHERE s.path GLOB value OR s.publisher GLOB value)")
            values.append(json.dumps(list(sources)))
        for operator, date in ((">=", date_from), ("<=", date_to)):
            if date:
                clauses.append(f"s.date {operator} ?")
                values.append(date)
        rows = self._db.execute(
            "SELECT chunk_id FROM chunks WHERE doc_id IN (SELECT s.doc_id FROM sources s WHERE "
            + " AND ".join(clauses)
            + ") ORDER BY chunk_id",
            values,
        ).fetchall()
        return np.asarray([row[0] for row in rows], dtype=np.int64)

    def known_vector_keys(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return those keys whose vectors are stored."""
        return {key for key in keys if self._db.execute("SELECT 1 FROM vectors WHERE key = ?", (key,)).fetchone()}

    def put_vectors(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Store (n, dimension) vectors, packed; they stay when the build is killed later."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?)", list(zip(keys, pack_vectors(vectors), strict=True))
            )

    def vectors_of(self, chunk_ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return (n, dimension) float32 vectors of chunks, in the order asked.

        Raises:
            IndexDamaged: a chunk has no vector.
        """
        import numpy as np

        rows = dict(
            self._db.execute(
                "SELECT chunk_id, vector FROM json_each(?) JOIN chunks ON chunk_id = value"
                " JOIN vectors ON vectors.key = vector_key",
                (json.dumps([int(chunk_id) for chunk_id in chunk_ids]),),
            )
        )
        if len(rows) != len(set(chunk_ids)):
            raise damaged(self.path, "some chunks have no vector")
        try:
            vectors = unpack_vectors([rows[chunk_id] for chunk_id in chunk_ids])
        except ValueError as error:
            raise damaged(
                self.path, "some vectors have another length; pincite check --repair makes them again"
            ) from error
        if (~(np.abs(np.linalg.norm(vectors, axis=1) - 1) <= UNIT_TOLERANCE)).any():  # so that NaN is refused
            raise damaged(self.path, "some vectors are not of unit length; pincite check --repair makes them again")
        return vectors

    def vector_rows(self, doc_id: str) -> dict[int, tuple[bytes, bytes | None]]:
        """Return, by chunk id, the key and the bytes of each vector of a document; None for a missing one."""
        rows = self._db.execute(
            "SELECT chunk_id, vector_key, vector FROM chunks LEFT JOIN vectors ON key = vector_key WHERE doc_id = ?",
            (doc_id,),
        )
        return {chunk_id: (key, vector) for chunk_id, key, vector in rows}

    def remove_vectors(self, keys: Iterable[bytes]) -> None:
        self._db.executemany("DELETE FROM vectors WHERE key = ?", [(key,) for key in keys])

    def remove_unused_vectors(self, keys: Iterable[bytes] | None) -> None:
        """Remove those of the vectors that no chunk uses; None looks at all of them, seconds in a large index."""
        unused = "NOT EXISTS (SELECT 1 FROM chunks WHERE vector_key = key)"
        if keys is None:
            self._db.execute(f"DELETE FROM vectors WHERE {unused}")
        else:
            self._db.executemany(f"DELETE FROM vectors WHERE key = ? AND {unused}", [(key,) for key in keys])

    # the whole

    def counts(self) -> tuple[int, int]:
        """Return the numbers of documents and chunks, as they were kept at each change."""
        return self.meta("documents"), self.meta("chunks")

    def count_rows(self) -> tuple[int, int]:
        """Return the numbers of documents and chunks, counted; what `counts` gives when the index is sound."""
        return (
            self._db.execute("SELECT count(*) FROM documents").fetchone()[0],
            self._db.execute("SELECT count(*) FROM chunks").fetchone()[0],
        )

    def unconnected(self) -> Iterator[str]:
        """Yield a sentence for each kind of row that belongs to a document which is not there."""
        for table in ("chunks", "sources"):
            count = self._db.execute(
                f"SELECT count(*) FROM {table} WHERE doc_id NOT IN (SELECT doc_id FROM documents)"
            ).fetchone()[0]
            if count:
                yield f"{FILE_NAME}: {count} {table} belong to documents that are not there"

    def newest_date(self) -> str | None:
        return self._db.execute("SELECT max(date) FROM sources WHERE date IS NOT NULL").fetchone()[0]  # type: ignore[no-any-return]

    def texts(self, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, str | None, str]]:
        """Yield each chunk with its document's heading and its own text; neighbours of one document are cheap."""
        held: tuple[str, str | None, str] = ("", None, "")
        for chunk in chunks:
            if chunk.doc_id != held[0]:
                row = self._db.execute(
                    "SELECT heading, text FROM documents WHERE doc_id = ?", (chunk.doc_id,)
                ).fetchone()
                if row is None:
                    raise damaged(self.path, f"document {chunk.doc_id}, of which it holds chunks, is missing")
                held = (chunk.doc_id, row[0], self._text(chunk.doc_id, row[1]))
            yield chunk, held[1], chunk.span.of(held[2])

    def integrity_problems(self) -> list[str]:
        """Return what SQLite itself finds wrong with the file; [] when nothing."""
        rows = [row[0] for row in self._db.execute("PRAGMA integrity_check(20)")]
        return [] if rows == ["ok"] else rows


def default_index() -> Path:
    """Return ``$PINCITE_INDEX``, else ``.pincite`` in the current folder."""
    return Path(os.environ.get(INDEX_VARIABLE) or DEFAULT_INDEX)


def stored_meta(index_dir: Path, key: str) -> Any:
    """Return a value of an index's settings; None when there is no index, or nothing built in it."""
    if not (index_dir / FILE_NAME).is_file():
        return None
    store = Store.open_for_reading(index_dir / FILE_NAME)
    try:
        return store.meta(key)
    finally:
        store.close()


_SOURCE_COLUMNS = "path, title, publisher, date, author, page_starts"


def _source_row(source: Source) -> tuple[str | bytes | None, ...]:
    import numpy as np

    starts = np.asarray(source.page_starts, dtype="<u4").tobytes() if source.page_starts else None
    return (source.path, source.title, source.publisher, source.date, source.author, starts)


def _source(row: Sequence[Any]) -> Source:
    import numpy as np

    path, title, publisher, date, author, starts = row
    return Source(
        path, title, publisher, date, author, tuple(np.frombuffer(starts, dtype="<u4").tolist()) if starts else ()
    )


def _digest_of_place(place: Place) -> int:
    """Return a number that names a place and the text that stands there."""
    facts = json.dumps([place.doc_id, *astuple(place.source)])
    return int.from_bytes(hashlib.sha256(facts.encode()).digest())


def _digest_of_cut(doc_id: str, chunks: Sequence[tuple[int, int]]) -> int:
    """Return a number that names a text and how it is cut; 0 when it has no chunks."""
    return int.from_bytes(hashlib.sha256(json.dumps([doc_id, *chunks]).encode()).digest()) if chunks else 0
