"""What is indexed, from what and when, told from the store alone: no model, no search library is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import IndexEmpty
from index.scanning import FileNote
from index.store import FILE_NAME, Store


@dataclass(frozen=True, slots=True)
class CorpusStatus:
    """What is indexed, from what, and when.

    Attributes:
        index_id: names exactly this content; every answer carries it.
        newest_date: ISO date of the newest document that has one.
        roots: the folders covered.
        built_at: ISO time, UTC.
        notes: files skipped, or indexed with a remark, in the last build.
    """

    index_dir: Path
    index_id: str
    generation: int
    documents: int
    chunks: int
    newest_date: str | None
    model: str
    roots: tuple[str, ...]
    built_at: str
    notes: tuple[FileNote, ...]

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in ("index_dir", "roots", "notes")}
        return {
            "index": str(self.index_dir),
            **plain,
            "roots": list(self.roots),
            "notes": [note.to_dict() for note in self.notes],
        }


def status_of(index_dir: Path) -> CorpusStatus:
    """Return what the newest generation of an index holds.

    Raises:
        IndexNotFound: there is no index.
        IndexEmpty: nothing has been built in it yet.
    """
    store = Store.open_for_reading(index_dir / FILE_NAME)
    try:
        if store.generation == 0:
            raise IndexEmpty("The index has no documents yet. Add some: pincite index FOLDER")
        documents, chunks = store.counts()
        return CorpusStatus(
            index_dir=index_dir,
            index_id=store.meta("index_id"),
            generation=store.generation,
            documents=documents,
            chunks=chunks,
            newest_date=store.newest_date(),
            model=store.meta("encoder")["model"],
            roots=tuple(store.meta("roots")),
            built_at=store.meta("built_at"),
            notes=tuple(FileNote(*row) for row in store.notes()),
        )
    finally:
        store.close()
