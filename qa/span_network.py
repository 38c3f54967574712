"""The trained network: question and passage in, the best answer spans of the passage out, in its own characters.

It is the bundled encoder with its layers trained further and three linear outputs: start, end, relevance. Its frozen
embedding tables come from the bundled package; the rest is ``weights/reader.safetensors``. How it was trained, on what,
and what it scores: ``weights/reader.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index import minilm
from index.layers import Layers, in_parallel
from index.lexical import terms
from qa.errors import ReaderError
from qa.restoring import Restorer, load_restorer, with_marks
from qa.spans import Decoding, best_spans

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Encoding, Tokenizer

    Floats = npt.NDArray[np.float32]

MAX_TOKENS = 384
MAX_QUESTION_TOKENS = 64
DECODING = Decoding()


# --- text to tokens -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a passage as word pieces.

    Attributes:
        question, passage: word piece numbers; cut so that both fit into ``MAX_TOKENS``.
        offsets: code-point range in the passage, as it was given, for each piece of ``passage``.
        matches: whether the piece's word, in any form, stands on the other side too, for each of `tokens`.
        lists: where the items of the passage's lists part, see `qa.restoring.Restored`.
    """

    question: list[int]
    passage: list[int]
    offsets: list[tuple[int, int]]
    matches: list[bool]
    lists: list[list[int]]

    def __len__(self) -> int:
        return len(self.question) + len(self.passage) + 3

    @property
    def tokens(self) -> list[int]:
        """``[CLS] question [SEP] passage [SEP]``."""
        return [minilm.CLS, *self.question, minilm.SEP, *self.passage, minilm.SEP]

    @property
    def types(self) -> list[int]:
        """0 up to the first ``[SEP]``, 1 after it, for each of `tokens`."""
        return [0] * (len(self.question) + 2) + [1] * (len(self.passage) + 1)


def make_pairs(
    tokenizer: Tokenizer, questions: Sequence[str], passages: Sequence[str], restorer: Restorer | None = None
) -> list[Pair]:
    """Return one pair per question and passage.

    With a restorer, passages that have lost their punctuation are read with the marks they most likely had.
    """
    once = {passage: restorer.restore(passage) if restorer else with_marks(passage, {}) for passage in set(passages)}
    restored = [once[passage] for passage in passages]
    asked = tokenizer.encode_batch(list(questions), add_special_tokens=False)
    read = tokenizer.encode_batch([passage.text for passage in restored], add_special_tokens=False)
    pairs = []
    for question, asked_pieces, passage, pieces in zip(questions, asked, restored, read, strict=True):
        ids = asked_pieces.ids[:MAX_QUESTION_TOKENS]
        room = MAX_TOKENS - 3 - len(ids)
        offsets = [passage.original(*offset) for offset in pieces.offsets[:room]]
        sides = _words(question, asked_pieces)[: len(ids)], _words(passage.text, pieces)[:room]
        both = set(sides[0]).intersection(sides[1]) - {()}
        matches = [False, *(word in both for word in sides[0]), False, *(word in both for word in sides[1]), False]
        pairs.append(Pair(ids, pieces.ids[:room], offsets, matches, passage.lists))
    return pairs


def _words(text: str, pieces: Encoding) -> list[tuple[str, ...]]:
    """Return for each piece the index terms of the word it belongs to, none for a mark: secures and secured are one."""
    numbers = pieces.word_ids
    places: dict[int | None, tuple[int, int]] = {}
    for number, (start, end) in zip(numbers, pieces.offsets, strict=True):
        places[number] = places.get(number, (start, end))[0], end
    known = {number: tuple(terms(text[start:end])) for number, (start, end) in places.items()}
    return [known[number] for number in numbers]


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


def decode(
    pair: Pair,
    text: str,
    marks: Floats,
    relevance: float,
    decoding: Decoding,
    *,
    question: str = "",
    breaks: Sequence[int] = (),
) -> list[Candidate]:
    """Return the best spans of a passage, best first; equal scores keep text order.

    Args:
        marks: (length, 2) float32 start and end logits of the pair's tokens, row 0 for "no answer".
        breaks: where a sentence of the passage ends and the next begins, ascending.
    """
    first = len(pair.question) + 2
    logits = marks[first : first + len(pair.passage)]
    null = float(marks[0, 0] + marks[0, 1])
    spans = best_spans(logits, pair.offsets, text, decoding, question=question, breaks=breaks, lists=pair.lists)
    return [Candidate(span.start, span.end, span.score - null, relevance) for span in spans]


# --- the network, ready to read -------------------------------------------------------------------------------------


class Network:
    """Weights and tokenizer, ready to mark spans. Any number of threads may use one."""

    def __init__(self, weights: minilm.Weights, tokenizer: Tokenizer, *, exact: bool = False) -> None:
        """``exact``: multiply in float32 instead of 8 bits."""
        self._weights = minilm.without_layers(weights)
        self._layers = Layers(weights, exact=exact)
        self._tokenizer = tokenizer
        self._restorer = load_restorer()

    def candidates(
        self,
        questions: Sequence[str],
        passages: Sequence[str],
        *,
        breaks: Sequence[Sequence[int]],
    ) -> list[list[Candidate]]:
        """Return, for each question and passage, its best spans, best first.

        ``breaks``, for each passage, are where a sentence ends and the next begins.
        """
        return in_parallel(self._candidates, list(zip(questions, passages, breaks, strict=True)))

    def _candidates(self, asked: tuple[str, str, Sequence[int]]) -> list[Candidate]:
        question, passage, breaks = asked
        (pair,) = make_pairs(self._tokenizer, [question], [passage], self._restorer)
        marks, relevance = self.score(pair)
        return decode(pair, passage, marks, relevance, DECODING, question=question, breaks=breaks)

    def score(self, pair: Pair) -> tuple[Floats, float]:
        """Return start and end logit of each token, (length, 2) float32, and the logit that the passage answers.

        A vector, ``match.weight``, is added to the tokens whose words stand on both sides. The first token stands
        for "no answer here"; what the question's tokens get means nothing.
        """
        import numpy as np

        w = self._weights
        read = minilm.embedded(w, pair.tokens, pair.types)
        read[np.asarray(pair.matches)] += w["match.weight"]
        states = self._layers(read)
        marks: Floats = states @ w["span.weight"].T + w["span.bias"]
        return marks, float((states[0] @ w["relevance.weight"].T + w["relevance.bias"])[0])


def load_weights(folder: Path, sha256: str) -> minilm.Weights:
    """Return the trained network, float32: ``reader.safetensors`` over the bundled embedding tables.

    Raises:
        ReaderError: the file is missing, damaged, or of another version.
        ModelError: the bundled encoder is.
    """
    import numpy as np
    from safetensors.numpy import load

    path = folder / "reader.safetensors"
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ReaderError(
            f"The reader's weights {path} cannot be read: {exc.strerror}. Install pincite again."
        ) from exc
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ReaderError(
            f"The reader's weights {path} have SHA-256 {found[:12]}…, expected {sha256[:12]}…. Install pincite again."
        )
    trained = {name: tensor.astype(np.float32) for name, tensor in load(data).items()}
    return {**minilm.load_tables(), **trained}
