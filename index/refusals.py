"""When is a build refused, rather than an index replaced by less or by something else?"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from index.changes import Comparison
from index.errors import CorpusError, IndexMismatch
from index.loading import readable_names
from index.scanning import FileNote, Scan, printable
from index.store import FileRecord


def refuse_mismatch(name: str, found: Any, wanted: Any) -> None:
    """Compare a setting of an index with the one asked for.

    Raises:
        IndexMismatch: they differ; the message names what.
    """
    if found == wanted:
        return
    if isinstance(found, dict) and isinstance(wanted, dict):
        differing = [key for key in wanted if found.get(key) != wanted[key]]
        name = f"{name} {differing[0]}"
        found, wanted = found.get(differing[0]), wanted[differing[0]]
    raise IndexMismatch(
        f"The index was made with {name} {found!r}, not {wanted!r}. "
        "Use the same, or build it anew with --rebuild (pincite index --rebuild)."
    )


def refuse_shrinking(known: Mapping[str, FileRecord], scan: Scan, found: Comparison) -> None:
    """Refuse to lose all files that gave documents, or more than half of them.

    Raises:
        CorpusError: saying how many are missing.
    """
    good = [name for name, record in known.items() if record.sha256]
    gone = sum(bool(known[name].sha256) for name in found.gone)
    if not good:
        return
    if not scan.entries and gone + len(found.kept) >= len(good):
        raise CorpusError(
            f"All {len(good)} files of the index are missing; is a disk not mounted? The index is kept as it is. "
            "Use --allow-shrink if they are gone for good."
        )
    if gone * 2 > len(good):
        raise CorpusError(
            f"{gone} of {len(good)} files are missing; the index is kept as it is. "
            "Use --allow-shrink if they are gone for good."
        )


def refuse_folders_unless_in(
    labels: Container[str], folders: Iterable[tuple[Path, str]], scan: Scan, notes: Sequence[FileNote]
) -> None:
    """Refuse a folder whose label is not among those that give documents.

    Args:
        labels: of folders that do, or may.
        folders: those in question, each with its label.
        scan: what was looked at.
        notes: why files were passed over.

    Raises:
        CorpusError: saying what was looked at and what was passed over.
    """
    for root, label in folders:
        if label in labels:
            continue
        names = [entry.name for entry in scan.entries] + [note.name for note in scan.notes]
        looked_at = sum(label_of(name) == label for name in names)
        reasons = "".join(f" {note.name}: {note.reason}." for note in notes if label_of(note.name) == label)
        raise CorpusError(
            f"No readable documents in {printable(root)}. Looked at {looked_at} file{'s' * (looked_at != 1)}."
            f"{reasons[:300]} Formats read: {readable_names()}."
        )


def label_of(name: str) -> str:
    """Return the label of the folder a file's name begins with."""
    return name.partition("/")[0]
