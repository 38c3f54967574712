"""Text to sentence-like spans, with or without punctuation.

Line structure is settled by rules, and so are scripts other than Latin. Elsewhere a small convolutional network scores
every gap between two words. It reads the frozen input vectors of the bundled encoder (a lookup, no pass through the
encoder), the words' letter case and length, and the marks in the gap. How many marks stand around a gap decides whether
the text there counts as stripped, and with that the threshold. `training/train_segmenter.py` makes the weights;
`weights/segmenter.md` is their card.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import minilm
from index.documents import Span
from index.errors import ModelError
from index.graphs import Graph

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

    Floats = npt.NDArray[np.float32]

MAX_WORDS = 80
MAX_CHARACTERS = 1000
BLOCK_CHARACTERS = 1 << 15  # worked on at once, so that memory does not grow with the text
UNSETTLED_CHARACTERS = 2 * MAX_CHARACTERS  # at a block's end; what ends there is decided again in the next block
KNOWN_WORDS = 1 << 16  # whose pieces are remembered
KNOWN_LETTERS = 40  # of a longer word only the beginning is looked at

WEIGHTS = Path(__file__).parent / "weights" / "segmenter.safetensors"
WEIGHTS_SHA256 = "45d9b582c1465076fbc2832c6e3ac4f51983aec799f2d9178c0b9311e1e75da0"
UNKNOWN_PIECE = 100  # [UNK], for a word the tokenizer drops
VECTOR_SCALE = 20.0  # brings the encoder's input vectors (standard deviation 0.05) to about one
TAPS = 5
DILATIONS = (1, 2, 1, 3)  # of the convolutions, each TAPS words wide: 14 words to either side are seen
SEGMENTER_VERSION = f"2-{WEIGHTS_SHA256[:16]}"  # the number counts changes of the rules

DENSITY_WORDS = 20  # to either side of a gap, within which marks are counted
STRIPPED_MARKS = 1  # at most so many marks among 2 * DENSITY_WORDS gaps: stripped; ordinary English has about five

WORD = re.compile(r"[^\W_]+")
LINE = re.compile("[^\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
TOKEN = re.compile(r"\S+")

# ---------------------------------------------------------------- what the network is told

GAP_MARKS = (
    ".", "!", "?", ",", ";", ":", "…", "-–—", "'’`", "\"“”„«»", "([{", ")]}", "*•#>|=_~·", "/\\@&+%$€£",
)  # fmt: skip
GAP_FEATURES = len(GAP_MARKS) + 5
SHAPE_FEATURES = 16


@lru_cache(maxsize=1 << 16)
def shape_features(word: str) -> list[bool]:
    """Return what the encoder's uncased vectors do not say about a word: its letter case and its length."""
    size, capital, rest = len(word), word[0].isupper(), word[1:]
    return [
        capital,
        capital and rest.islower(),
        size > 1 and word.isupper(),
        word.islower(),
        word.isalpha() and not word.islower() and not word.isupper() and not rest.islower(),
        word == "I",
        capital and size == 1 and word != "I",
        word.isdigit(),
        not word.isalpha() and not word.isdigit(),
        word.isdigit() and size == 4,
        size == 1,
        size == 2,
        size == 3,
        4 <= size <= 6,
        size > 10,
        not word.isascii(),
    ]


@lru_cache(maxsize=1 << 12)
def gap_features(gap: str) -> list[bool]:
    """Return which marks stand between two words, and how they are spaced; a single space gives only False."""
    tokens = gap.split()
    attached_left, attached_right = not gap[:1].isspace(), not gap[-1:].isspace()
    spaced = len(tokens) != 1 or not (attached_left and attached_right)
    loose = len(tokens) - (attached_left + attached_right if spaced else 1)
    return [
        not gap or not spaced,
        spaced and attached_left,
        spaced and attached_right,
        gap.count(".") > 1,
        loose > 0,
        *(any(mark in gap for mark in marks) for marks in GAP_MARKS),
    ]


# ---------------------------------------------------------------- rules

TERMINAL = ".!?…。！？｡؟۔।॥"
UNSPACED_TERMINAL = "。！？｡"
CLOSERS = "\"'”’»)]}」』）】"
OPENERS = "([{“‘«¿¡•*#>-–—「『（【"
MARK_AT_END = re.compile(rf"[{re.escape(TERMINAL)}][{re.escape(CLOSERS)}]*$")
MARK = re.compile(rf"[{re.escape(TERMINAL)},;:]")
CJK_END = re.compile(rf"[{UNSPACED_TERMINAL}]+[{re.escape(CLOSERS)}]*")
BULLET = re.compile(r"(?:[-–—*•·▪◦#]+|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s")

LIST_NUMBER = re.compile(r"\n[ \t]*\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]\Z")  # alone on its line so far

# A full stop after these does not end a sentence when a name or a number follows.
TITLES = frozenset(
    "mr mrs ms dr prof rev hon sr jr st mt ft gen col lt sgt capt cpt cmdr adm maj brig gov sen rep pres supt "
    "messrs mme mlle fr vs cf al eg ie viz approx ca no nos vol fig figs eq eqs ch sec art pp ed eds "
    "jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
# These do end one, but only when what follows looks like a beginning.
OFTEN_FINAL = frozenset(
    "inc corp co ltd llc plc etc dept univ assn bros ave blvd rd u.s u.k u.n e.u d.c a.m p.m ph.d".split()
)
BEGINNINGS = frozenset(
    "the a an this that these those it he she they we you i in on at as but and so if when while after before there "
    "what who how why where his her their our my its for by with from however meanwhile although".split()
)


def split_in_gap(gap: str) -> int:
    """Return how many of the gap's characters stay with the word before it when a segment ends there."""
    end = 0
    for token in TOKEN.finditer(gap):
        touches_next = token.end() == len(gap)
        if token.start() and (touches_next or token.group() in OPENERS):
            break
        end = token.end()
    return end


def rule_ends_sentence(before: str, gap: str, after: str) -> bool:
    """Return whether the marks in a gap end a sentence; ``before`` is all that touches it: ``U.S`` of ``U.S. Army``."""
    left = gap[: split_in_gap(gap)]
    if not MARK_AT_END.search(left) or after[0].islower():
        return False
    if "." not in left or any(mark in left for mark in TERMINAL[1:]):
        return True
    stem = before.lower()
    if stem in OFTEN_FINAL or re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", stem):
        return after.lower() in BEGINNINGS and after[0].isupper()
    return not (stem in TITLES or (len(before) == 1 and before.isupper() and before != "I"))


def is_wrapped(widths: Sequence[int], next_words: Sequence[int]) -> bool:
    """Return whether a paragraph's lines end because the next word would not have fitted.

    Args:
        widths: characters of each line, the last one included.
        next_words: characters of the first word of each line after the first.
    """
    limit = max(widths)
    full = sum(width + 1 + word > limit for width, word in zip(widths, next_words, strict=False))
    return 40 <= limit <= 130 and len(widths) > 1 and full >= 0.6 * (len(widths) - 1)


def paragraph_ends(text: str) -> list[int]:
    """Return the offsets of the line breaks that end a paragraph, a heading or a list item."""
    ends: list[int] = []
    group: list[Span] = []
    for match in LINE.finditer(text):
        line = match.group()
        if not line.strip():
            continue
        start = match.start() + len(line) - len(line.lstrip())
        span = Span(start, match.start() + len(line.rstrip()))
        if group and text[group[-1].end : start].strip(" \t") != "\n":  # a blank line, a form feed
            ends += _ends_in_group(text, group)
            group = []
        group.append(span)
    return ends + (_ends_in_group(text, group) if group else [])


def _ends_in_group(text: str, lines: Sequence[Span]) -> list[int]:
    firsts = [TOKEN.match(text, line.start, min(line.end, line.start + 200)) for line in lines[1:]]
    next_words = [len(first.group()) if first else 0 for first in firsts]
    widths = [len(line) for line in lines]
    wrapped = is_wrapped(widths, next_words)
    limit = max(widths)
    ends = []
    for line, following, next_word in zip(lines, lines[1:], next_words, strict=False):
        fits = len(line) + 1 + next_word <= limit
        runs_on = text[following.start].islower() and len(line) >= 40 and text[line.end - 1] not in TERMINAL + ":;"
        new_item = BULLET.match(text, following.start) is not None
        if new_item or not (runs_on or (wrapped and not fits)):
            ends.append(line.end)
    return [*ends, lines[-1].end]


# ---------------------------------------------------------------- the network


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Probabilities from which a gap is a boundary; chosen on the development split, stored with the weights.

    Attributes:
        stripped: where marks are missing.
        ordinary: where marks are present, but the rules see no end.
        ruled: where the rules see one.
    """

    stripped: float
    ordinary: float
    ruled: float


class WordVectors:
    """The encoder's input vectors of words, projected to what the network reads. Threads may share one."""

    def __init__(self, tokenizer: Tokenizer, table: Floats) -> None:
        self._tokenizer = tokenizer
        self._table = table
        self._pieces: dict[str, list[int]] = {}  # of words met before: most words of a text are

    def __call__(self, words: Sequence[str]) -> Floats:
        """Return (n_words, dim) float32, the mean over each word's pieces."""
        import numpy as np

        places = {word: place for place, word in enumerate(dict.fromkeys(words))}
        pieces = self._pieces_of(list(places))
        counts = np.array([len(ids) for ids in pieces])
        flat = np.array([piece for ids in pieces for piece in ids])
        sums: Floats = np.add.reduceat(self._table[flat], np.cumsum(counts) - counts, axis=0)
        vectors: Floats = (sums / counts[:, None]).astype(np.float32)[[places[word] for word in words]]
        return vectors

    def _pieces_of(self, words: Sequence[str]) -> list[list[int]]:
        if len(self._pieces) > KNOWN_WORDS:
            self._pieces = {}
        known = self._pieces  # another thread may take a new one meanwhile; this one only grows
        new = [word for word in words if word not in known]
        for word, encoding in zip(new, self._tokenizer.encode_batch(new, add_special_tokens=False), strict=True):
            known[word] = encoding.ids or [UNKNOWN_PIECE]
        return [known[word] for word in words]


def encoder_table() -> tuple[Tokenizer, Floats]:
    """Return the bundled encoder's tokenizer and its input vectors, (n_pieces, 384) float32, scaled.

    Raises:
        ModelError: the encoder is not installed, or its weights are not the published ones.
    """
    return minilm.load_tokenizer(), minilm.load_tables()["words.weight"] * VECTOR_SCALE


def check_sha256(path: Path, expected: str, remedy: str) -> None:
    """Raise ModelError unless the file is there and has this SHA-256."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise ModelError(f"cannot read {path}: {exc.strerror}; {remedy}") from exc
    if found != expected:
        raise ModelError(f"{path} is damaged or another version: SHA-256 {found}, expected {expected}; {remedy}")


class BoundaryNet:
    """Gated convolutions over words; scores the gap after each word but the last. Any number of threads may use one."""

    def __init__(self, weights: dict[str, Floats], vectors: WordVectors) -> None:
        self._vectors = vectors
        graph = Graph()
        self._logits = _gap_logits(graph, weights)
        self._session = graph.session(("words", weights["inp.weight"].shape[1]), (self._logits, 1))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Floats]) -> BoundaryNet:
        """Return the network of trained tensors, any precision; ``projection`` is that of the encoder's input vectors.

        Raises:
            ModelError: the encoder is not installed, or its weights are not the published ones.
        """
        weights = {name: tensor.astype("float32") for name, tensor in tensors.items()}
        tokenizer, table = encoder_table()
        return cls(weights, WordVectors(tokenizer, table @ weights.pop("projection").T))

    def probabilities(self, words: Sequence[str], gaps: Sequence[str]) -> Floats:
        """Return (n_words - 1,) float32: how likely a sentence ends in each gap, of which there is at least one."""
        import numpy as np

        shown = [word[:KNOWN_LETTERS] for word in words]
        shapes = np.array([shape_features(word) for word in shown], np.float32)
        marks = np.array([*(gap_features(gap) for gap in gaps), (False,) * GAP_FEATURES], np.float32)
        read = np.concatenate([self._vectors([word.lower() for word in shown]), shapes, marks], axis=1)
        return _sigmoid(self._session.run([self._logits], {"words": read})[0])[:, 0]


def _gap_logits(graph: Graph, weights: Mapping[str, Floats]) -> str:
    """Return the network's output, a row a gap, computed from ``words``; inside, rows are channels."""

    def convolved(x: str, name: str, taps: int, **settings: Any) -> str:
        matrix = weights[f"{name}.weight"]
        kernel = matrix if matrix.ndim == 3 else matrix.reshape(len(matrix), taps, -1).transpose(0, 2, 1)
        kernel_name = graph.constant(f"{name}.weight", kernel, "float32")
        return graph.op(
            "Conv", x, kernel_name, graph.constant(f"{name}.bias", weights[f"{name}.bias"], "float32"), **settings
        )

    first = graph.constant("first axis", [0], "int64")
    words = graph.op("Unsqueeze", graph.op("Transpose", "words", perm=[1, 0]), first)
    x = convolved(words, "inp", 1)
    for number, dilation in enumerate(DILATIONS):
        around = dilation * (TAPS // 2)
        both = convolved(x, f"convs.{number}", TAPS, dilations=[dilation], pads=[around, around])
        value, gate = graph.ops("Split", both, outputs=2, axis=1, num_outputs=2)
        x = graph.op("Add", x, graph.op("Mul", value, graph.op("Sigmoid", gate)))
    top = graph.op("Relu", convolved(x, "hid", 2))  # of the word before the gap and the one after it
    return graph.op("Transpose", graph.op("Squeeze", convolved(top, "out", 1), first), perm=[1, 0])


def _sigmoid(x: Floats) -> Floats:
    import numpy as np

    result: Floats = 0.5 * (1 + np.tanh(0.5 * x))
    return result


# ---------------------------------------------------------------- putting it together


@dataclass(frozen=True, slots=True)
class _Block:
    """The words of a piece of text, what stands between them, and how likely each gap is a boundary.

    Attributes:
        words: the runs of letters and digits.
        likely: the network's probability for each gap, one fewer than words.
    """

    text: str
    words: list[Span]
    likely: list[float]

    def gap(self, place: int) -> str:
        return self.text[self.words[place].end : self.words[place + 1].start]


class Segmenter:
    """Cuts text into sentence-like spans. Holds the network; keeps nothing between calls."""

    def __init__(self, net: BoundaryNet, thresholds: Thresholds) -> None:
        self._net = net
        self.thresholds = thresholds

    def segment(self, text: str) -> list[Span]:
        """Return spans, in order, that touch every character of the text that is not white space, each once.

        Each starts and ends on a character that is not white space and has at most MAX_WORDS words (runs of letters
        and digits) and MAX_CHARACTERS characters. A text without such characters has no segments.
        """
        return list(self._segments(text))

    def _segments(self, text: str) -> Iterator[Span]:
        start = 0
        while start < len(text):
            end = min(len(text), start + BLOCK_CHARACTERS)
            spans = self._segment_block(text[start:end])
            settled = len(spans)
            if end < len(text):
                settled = max(1, bisect_left([span.end for span in spans], end - start - UNSETTLED_CHARACTERS))
            for span in spans[:settled]:
                yield Span(start + span.start, start + span.end)
            start = start + spans[settled].start if settled < len(spans) else end

    def _segment_block(self, text: str) -> list[Span]:
        block = self._read(text)
        ends = sorted({*paragraph_ends(text), *self._sentence_ends(block), *_unspaced_ends(text)})
        spans: list[Span] = []
        for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
            span = _trimmed(text, start, end)
            if len(span):
                spans += _split_long(block, span)
        return spans

    def _read(self, text: str) -> _Block:
        words, gaps = words_and_gaps(text)
        if not gaps:
            return _Block(text, words, [])
        gaps = [gap if gap == " " else re.sub(r"\s", " ", gap[:100]) for gap in gaps]
        return _Block(text, words, self._net.probabilities([word.of(text) for word in words], gaps).tolist())

    def _sentence_ends(self, block: _Block) -> Iterator[int]:
        """Yield where segments end by network and rules, in the places where white space stands between two words."""
        text, words = block.text, block.words
        gaps = [block.gap(place) for place in range(len(block.likely))]
        stripped = lack_marks(gaps)
        latin = _mostly_latin([word.of(text) for word in words])
        for place, (gap, likely) in enumerate(zip(gaps, block.likely, strict=True)):
            if gap == " " and latin[place]:
                if likely > (self.thresholds.stripped if stripped[place] else self.thresholds.ordinary):
                    yield words[place].end
            elif any(c.isspace() for c in gap):
                ruled = rule_ends_sentence(_before(text, words[place]), gap, words[place + 1].of(text))
                unruled = self.thresholds.stripped if stripped[place] else self.thresholds.ordinary
                if ruled if not latin[place] else likely > (self.thresholds.ruled if ruled else unruled):
                    end = words[place].end + split_in_gap(gap)
                    if not LIST_NUMBER.search("\n" * (end <= 12) + text[max(0, end - 12) : end]):
                        yield end


def words_and_gaps(text: str) -> tuple[list[Span], list[str]]:
    """Return the words of a text, and what stands between each and the next."""
    words = [Span(*match.span()) for match in WORD.finditer(text)]
    return words, [text[a.end : b.start] for a, b in pairwise(words)]


def lack_marks(gaps: Sequence[str]) -> list[bool]:
    """Return for each gap between two words whether the text around it lacks punctuation.

    At both ends as many gaps are looked at as elsewhere.
    """
    totals = [0]
    for gap in gaps:
        totals.append(totals[-1] + _has_mark(gap))
    last = len(gaps)
    if last < DENSITY_WORDS:
        return [not totals[-1]] * last
    width = min(last, 2 * DENSITY_WORDS)
    starts = (min(max(0, place - DENSITY_WORDS), last - width) for place in range(last))
    return [totals[start + width] - totals[start] <= STRIPPED_MARKS for start in starts]


def _has_mark(gap: str) -> bool:
    """Return whether a gap between two words holds punctuation beside its white space."""
    return len(gap) > 1 and MARK.search(gap) is not None and any(c.isspace() for c in gap)


def _mostly_latin(words: Sequence[str]) -> list[bool]:
    """Return for each word whether most letters of the words around it are Latin."""
    totals = [0]
    for word in words:
        totals.append(totals[-1] + (1 if word[0] < "\u0250" or "\u1e00" <= word[0] < "\u1f00" else -1))
    last = len(words)
    return [totals[min(last, place + DENSITY_WORDS)] > totals[max(0, place - DENSITY_WORDS)] for place in range(last)]


def _before(text: str, word: Span) -> str:
    """Return the word with what stands before it unbroken by white space: ``U.S`` for the S of ``the U.S. Army``."""
    start = word.start
    while start > 0 and word.start - start < 8 and (text[start - 1].isalnum() or text[start - 1] == "."):
        start -= 1
    return text[start : word.end].lstrip(".")


def _unspaced_ends(text: str) -> Iterator[int]:
    return (match.end() for match in CJK_END.finditer(text))


def _trimmed(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    kept = part.strip()
    start += len(part) - len(part.lstrip()) if kept else 0
    return Span(start, start + len(kept))


def _split_long(block: _Block, span: Span) -> Iterator[Span]:
    """Yield the span, or pieces of it within the limits, cut where a reader would most likely pause."""
    first = bisect_left(block.words, span.start, key=lambda word: word.start)
    last = bisect_left(block.words, span.end, key=lambda word: word.start)  # one past the span's words
    while last - first > MAX_WORDS or len(span) > MAX_CHARACTERS:
        cut = _best_cut(block, span, first, last)
        yield _trimmed(block.text, span.start, cut)
        span = _trimmed(block.text, cut, span.end)
        first = bisect_left(block.words, span.start, lo=first, key=lambda word: word.end - 1)
    if len(span):
        yield span


def _best_cut(block: _Block, span: Span, first: int, last: int) -> int:
    """Return where to cut a span that is too long: between words if possible, else hard at the limit."""
    limit = span.start + MAX_CHARACTERS
    far = min(first + MAX_WORDS, last - 1, bisect_right(block.words, limit, key=lambda word: word.end))
    near = first + (far - first) // 3
    if last - first <= 2 * MAX_WORDS and len(span) <= 2 * MAX_CHARACTERS:  # two pieces will do: keep both readable
        near = min(far, max(first + (last - first) // 4, last - MAX_WORDS))
    best, best_merit = span.start, 0.0
    for place in range(near, far):
        gap = block.gap(place)
        cut = block.words[place].end + split_in_gap(gap)
        merit = _pause(block, place, gap) if any(c.isspace() for c in gap) and cut <= limit else 0.0
        if merit > best_merit:
            best, best_merit = cut, merit
    if best > span.start:
        return best
    if last - first > MAX_WORDS:
        limit = min(limit, block.words[first + MAX_WORDS].start)
    return _hard_cut(block.text, span.start, limit)


def _pause(block: _Block, place: int, gap: str) -> float:
    """Return how good a place a gap is to cut a long segment, above 0."""
    before, after = (block.words[at].of(block.text) for at in (place, place + 1))
    mark = 0.5 if any(m in gap for m in TERMINAL + ";:—–") else 0.2 if any(m in gap for m in ',()"“”') else 0.0
    name = before[0].isupper() and after[0].isupper() and not mark
    return (0.001 + block.likely[place] + mark) * (0.01 if name else 1.0)


def _hard_cut(text: str, start: int, limit: int) -> int:
    """Return a cut at ``limit`` or before it: at white space if there is some, and not before a combining mark."""
    for cut in range(limit, (start + limit) // 2, -1):
        if text[cut].isspace():
            return cut
    for cut in range(limit, max(start, limit - 32), -1):
        if not unicodedata.category(text[cut]).startswith("M"):
            return cut
    return limit


@cache
def load_segmenter(weights: Path = WEIGHTS) -> Segmenter:
    """Return the segmenter that ships with the package; loaded once.

    Raises:
        ModelError: the weights, or those of the encoder whose input vectors are read, are missing or damaged.
    """
    check_sha256(weights, WEIGHTS_SHA256, "reinstall pincite")
    from safetensors.numpy import load_file

    tensors = load_file(weights)
    thresholds = Thresholds(*tensors.pop("thresholds").tolist())
    return Segmenter(BoundaryNet.from_tensors(tensors), thresholds)


def segment(text: str) -> list[Span]:
    """Return the sentence-like spans of a text; see ``Segmenter.segment``."""
    return load_segmenter().segment(text)
