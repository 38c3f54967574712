"""How many tokens has a text for the language model? Owns ``tiktoken``."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tiktoken

from index.embedding import Encoder
from qa.llm.settings import Settings

Found = TypeVar("Found")

# How much more a model may count than the encoder's word pieces plus one for each character beyond ASCII; the pieces
# alone say little about scripts that the encoder does not know. Measured in decision 0016.
MARGIN = 1.25
READ_S = 20.0  # a busy machine takes some of it
FETCH_S = 3.0  # a table is a few MB; it is fetched once and kept
_TABLES = "https://openaipublic.blob.core.windows.net/encodings"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts a language model's tokens.

    Attributes:
        count: text -> tokens.
        is_exact: counted with the model's own table; otherwise an estimate, too high rather than too low.
        counted_with: the table, or what stands in for it, in words.
    """

    count: Callable[[str], int]
    is_exact: bool
    counted_with: str


def counter_for(settings: Settings, encoder: Encoder) -> Counter:
    """Return the counter of a model: exact where its table is known and at hand.

    A table that is not at hand is fetched only where text is sent to another machine anyway, within three seconds or
    not at all; a model on this machine causes no request to any other.
    """
    try:
        name = tiktoken.encoding_name_for_model(settings.model)
    except KeyError:
        return _estimate(encoder, f"no table is known for {settings.model}")
    at_hand = _is_at_hand(name)
    if at_hand or not settings.is_local:
        table = _within(READ_S if at_hand else FETCH_S, lambda: tiktoken.get_encoding(name))
        if table is not None:
            return Counter(lambda text: len(table.encode_ordinary(text)), is_exact=True, counted_with=name)
    return _estimate(encoder, f"the table {name} is not at hand")


def _is_at_hand(name: str) -> bool:
    """Say whether a table is loaded, or where the library keeps what it fetched: under the hash of its address."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    address = f"{_TABLES}/{name.replace('_harmony', '_base')}.tiktoken"
    kept = Path(folder or Path(tempfile.gettempdir(), "data-gym-cache"), hashlib.sha1(address.encode()).hexdigest())
    return name in tiktoken.registry.ENCODINGS or kept.is_file()


def _within(seconds: float, work: Callable[[], Found]) -> Found | None:
    """Return what some work returns, or None when it fails or takes longer; the library itself would wait for ever."""
    found: list[Found] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:  # of requests, of the operating system, of a damaged table
            _log.info("no table of tokens: %s", type(error).__name__)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


def _estimate(encoder: Encoder, why: str) -> Counter:
    def count(text: str) -> int:
        beyond_ascii = sum(character > "\x7f" for character in text)
        return math.ceil(MARGIN * (len(encoder.token_starts(text)) + beyond_ascii))

    return Counter(count, is_exact=False, counted_with=f"word pieces and a quarter more, as {why}")
