"""Bytes -> text: by byte-order mark, as UTF-8, as declared, by detection, or with marked gaps."""

from __future__ import annotations

from dataclasses import dataclass

from index.loading.loaded import Unreadable

_BINARY_SAMPLE = 8192
_DETECTION_SAMPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Text:
    """Decoded text and the remark, if any, that decoding left."""

    text: str
    notes: tuple[str, ...] = ()


def decode(data: bytes, *, declared: str | None = None) -> Text:
    """Return text from bytes.

    Args:
        data: a whole file, or the body of a part of one.
        declared: the encoding that the file itself names; used when the bytes are not UTF-8, and when it fits them.

    Raises:
        Unreadable: empty, or binary by its share of control bytes.
    """
    if not data:
        raise Unreadable("empty")
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _decoded(data, encoding)
    if utf16 := _utf16_without_mark(data):
        return _decoded(data, utf16)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return _as_declared(data, declared) or _by_detection(data, error)
    if "\x1b" in text and (escaped := _as_declared(data, declared)):  # ISO-2022-JP is made of ASCII bytes
        return escaped
    if _looks_binary(data):
        raise Unreadable("looks binary")
    return Text(text)


def _as_declared(data: bytes, declared: str | None) -> Text | None:
    try:
        return Text(data.decode(declared)) if declared else None
    except (LookupError, UnicodeError, ValueError):
        return None


def _utf16_without_mark(data: bytes) -> str | None:
    """Return which UTF-16 it is when nearly every second byte is zero, and nearly none of the others."""
    sample = data[: _BINARY_SAMPLE // 2 * 2]
    pairs = len(sample) // 2
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if pairs < 4 or len(data) % 2:
        return None
    if second > 0.4 * pairs and first < 0.05 * pairs:
        return "utf-16-le"
    return "utf-16-be" if first > 0.4 * pairs and second < 0.05 * pairs else None


def _by_detection(data: bytes, error: UnicodeDecodeError) -> Text:
    mostly_utf8 = data.decode("utf-8", "replace")
    gaps = mostly_utf8.count("\ufffd")
    if gaps * 100 < len(data) and any(byte > 127 for byte in _without(data, error)):
        return Text(mostly_utf8, (f"{gaps} bytes unreadable, the first at {error.start:,}",))
    encoding = _detect(data[:_DETECTION_SAMPLE])
    if _looks_binary(data) and not encoding.startswith("utf_16"):
        raise Unreadable("looks binary")
    return _decoded(data, encoding)


def _detect(data: bytes) -> str:
    """Return the likeliest encoding; of those equally likely the commonest one, Windows' Western European."""
    import charset_normalizer

    matches = list(charset_normalizer.from_bytes(data))
    best = [match for match in matches if (match.chaos, match.coherence) == (matches[0].chaos, matches[0].coherence)]
    if any("cp1252" in match.could_be_from_charset for match in best):
        return "cp1252"
    return best[0].encoding if best else "utf-8"


def _without(data: bytes, error: UnicodeDecodeError) -> bytes:
    """Return a sample of the bytes with the first unreadable ones cut out."""
    return data[: error.start][-_BINARY_SAMPLE:] + data[error.end : error.end + _BINARY_SAMPLE]


def _decoded(data: bytes, encoding: str) -> Text:
    text = data.decode(encoding, "replace")
    gaps = text.count("\ufffd")
    note = (f"{gaps} characters unreadable, the first at {text.index(chr(0xFFFD)):,}",) if gaps else ()
    return Text(text, note)


def _looks_binary(data: bytes) -> bool:
    sample = data[:_BINARY_SAMPLE]
    control = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in sample)
    return control > 0.1 * len(sample)
