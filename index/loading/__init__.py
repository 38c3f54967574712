"""A file's bytes -> documents. `formats.py` holds the table; each family of formats has a file of its own."""

from index.loading.decoding import decode
from index.loading.files import MAX_FILE_MB, read_bytes
from index.loading.formats import load, readable_names, readable_suffixes
from index.loading.loaded import Loaded, Unreadable

__all__ = ["MAX_FILE_MB", "Loaded", "Unreadable", "decode", "load", "read_bytes", "readable_names", "readable_suffixes"]
