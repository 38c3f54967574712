"""Any extractive reader by name, in place of the trained one: ``AutoModelForQuestionAnswering`` of transformers.

What the stored calibration says of the trained network does not hold for another, so the score is the model's own: with
``margin`` the start plus end logit of a span less those of "no answer", the odds of the span against "no answer" are
``exp(margin)``, and the probability is ``1 / (1 + exp(-margin))``. The threshold of 0.5 is where a model trained with
unanswerable questions (as in SQuAD 2.0) prefers the span. It is not calibrated, and means little for a model that was
trained without them; ``pincite eval DATA --reader NAME`` shows what it gives.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from index.documents import Span
from index.hub import load_named
from qa.errors import ReaderError
from qa.reader import Query, Readable, Reading
from qa.restoring import Restored, load_restorer
from qa.span_network import DECODING, MAX_QUESTION_TOKENS, MAX_TOKENS
from qa.spans import ScoredSpan, best_spans, keep_apart

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BATCH_SIZE = 8
PASSAGES_READ = 8
THRESHOLD = 0.5
OVERLAP = 1 / 3  # of a window is in the next one too, as in the training of most such models: 128 of 384 tokens


@dataclass(frozen=True, slots=True)
class Window:
    """As much of a question and a passage as the model reads at once.

    Attributes:
        passage: the number of the passage.
        inputs: what the model takes, one number per token.
        null: the token that stands for "no answer".
        tokens: the range of the passage's tokens.
        offsets: code-point range in the passage for each of these.
    """

    passage: int
    inputs: dict[str, list[int]]
    null: int
    tokens: slice
    offsets: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.inputs["input_ids"])


class NamedReader:
    """Reads the best passages with a model of transformers. Any number of threads may use one."""

    threshold = THRESHOLD
    passages_read = PASSAGES_READ

    def __init__(self, tokenizer: Any, model: Any) -> None:
        """``tokenizer`` is a fast one, ``model`` has a question-answering head; both of transformers."""
        self._tokenizer = tokenizer
        self._model = model
        self._max_tokens = _max_tokens(tokenizer, model)
        self._lock = threading.Lock()  # a tokenizer keeps the length at which it cuts

    @classmethod
    def load(cls, name: str) -> NamedReader:
        """Return the reader of a folder or of a name on the hub, downloaded unless it was before.

        Raises:
            ModelError: it cannot be loaded; without a network that is said in seconds.
            ReaderError: it is no question-answering model, or its tokenizer gives no offsets.
        """
        advice = "Leave --reader out for the bundled reader, or give the folder of a question-answering model of "
        tokenizer, model, untrained = load_named(
            name, partial(_load, name), advice=f"{advice}transformers, or the name of one that can be downloaded."
        )
        if untrained:
            raise ReaderError(
                f"The model {name!r} is not trained to answer questions: it lacks {', '.join(sorted(untrained)[:2])}. "
                "Give a question-answering model, or leave --reader out for the bundled one."
            )
        if not tokenizer.is_fast or tokenizer.pad_token is None:
            raise ReaderError(
                f"The tokenizer of {name!r} ({type(tokenizer).__name__}) does not tell where its tokens stand in a "
                "text, or how to pad them. Give one with a fast tokenizer, or leave --reader out for the bundled one."
            )
        return cls(tokenizer, model)._tried(name)

    def _tried(self, name: str) -> NamedReader:
        """Return this reader after reading a few words, so that a model of another kind fails here."""
        try:
            self._best_spans("Who?", ["Somebody."], [[]])
        except Exception as error:  # whatever a model of another kind may raise
            raise ReaderError(
                f"The model {name!r} does not mark words of a text ({type(error).__name__}). "
                "Give an extractive question-answering model, or leave --reader out for the bundled one."
            ) from error
        return self

    def read(self, query: Query, readables: Sequence[Readable]) -> list[Reading]:
        """Return readings, best first, up to three per passage; equal scores keep passage order. [] for no passages."""
        if not readables or not query.text.strip():
            return []
        found = self._best_spans(
            query.text, [readable.passage.text for readable in readables], [readable.breaks for readable in readables]
        )
        placed = [(span, readable) for spans, readable in zip(found, readables, strict=True) for span in spans]
        return [
            Reading(readable, _in_document(span, readable), _probability(span.score))
            for span, readable in sorted(placed, key=lambda place: -place[0].score)
        ]

    def _best_spans(
        self, question: str, passages: Sequence[str], breaks: Sequence[Sequence[int]]
    ) -> list[list[ScoredSpan]]:
        """Return the best spans of each passage, best first, scored by margin over "no answer" in their window."""
        restored = [load_restorer().restore(passage) for passage in passages]
        lists = [passage.lists for passage in restored]
        windows = sorted(self._windows(question, restored), key=len)  # like lengths together: less padding
        found: list[list[ScoredSpan]] = [[] for _ in passages]
        for at in range(0, len(windows), BATCH_SIZE):
            batch = windows[at : at + BATCH_SIZE]
            for window, logits in zip(batch, self._logits(batch), strict=True):
                null = float(logits[window.null].sum())
                spans = best_spans(
                    logits[window.tokens],
                    window.offsets,
                    passages[window.passage],
                    DECODING,
                    question=question,
                    breaks=breaks[window.passage],
                    lists=lists[window.passage],
                )
                found[window.passage] += [ScoredSpan(span.start, span.end, span.score - null) for span in spans]
        best_first = (sorted(spans, key=lambda span: (-span.score, span.start)) for spans in found)
        return [keep_apart(spans, most=DECODING.kept) for spans in best_first]

    def _windows(self, question: str, restored: Sequence[Restored]) -> list[Window]:
        """Return the windows of all passages, read with their marks."""
        asked = min(MAX_QUESTION_TOKENS, self._max_tokens // 4)
        with self._lock:
            pieces = self._tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            kept = question[: pieces[:asked][-1][1]] if pieces else question
            encoded = self._tokenizer(
                [kept] * len(restored),
                [passage.text for passage in restored],
                truncation="only_second",
                max_length=self._max_tokens,
                stride=int(self._max_tokens * OVERLAP),
                return_overflowing_tokens=True,
                return_offsets_mapping=True,
            )
        return [self._window(encoded, row, restored) for row in range(len(encoded["input_ids"]))]

    def _window(self, encoded: Any, row: int, restored: Sequence[Restored]) -> Window:
        passage = encoded["overflow_to_sample_mapping"][row]
        inputs = {name: encoded[name][row] for name in self._tokenizer.model_input_names if name in encoded}
        ids, marker = inputs["input_ids"], self._tokenizer.cls_token_id
        own = [at for at, side in enumerate(encoded.sequence_ids(row)) if side == 1]
        tokens = slice(own[0], own[-1] + 1) if own else slice(0)
        return Window(
            passage,
            inputs,
            null=ids.index(marker) if marker in ids else 0,
            tokens=tokens,
            offsets=[restored[passage].original(*offset) for offset in encoded["offset_mapping"][row][tokens]],
        )

    def _logits(self, windows: Sequence[Window]) -> npt.NDArray[np.float32]:
        """Return start and end logits, (windows, length, 2) float32."""
        import torch

        names = windows[0].inputs
        padded = self._tokenizer.pad(
            {name: [window.inputs[name] for window in windows] for name in names},
            padding_side="right",
            return_tensors="pt",
        )
        with torch.inference_mode():
            marked = self._model(**padded)
        logits: npt.NDArray[np.float32] = torch.stack((marked.start_logits, marked.end_logits), -1).float().numpy()
        return logits


def _load(name: str, *, local_files_only: bool) -> tuple[Any, Any, set[str]]:
    """Return tokenizer and model, and the names of weights that the model lacks, which are random then."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    # code that comes with a model is not run; words that look like markers are only words
    common = {"local_files_only": local_files_only, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(name, split_special_tokens=True, **common)
    model, loading = AutoModelForQuestionAnswering.from_pretrained(
        name, dtype=torch.float32, output_loading_info=True, **common
    )
    return tokenizer, model.eval(), set(loading["missing_keys"])


def _max_tokens(tokenizer: Any, model: Any) -> int:
    """Return how many tokens are read at once: what the model was made for, at most what such models are trained on."""
    positions = getattr(model.config, "max_position_embeddings", None) or -1
    # models of the RoBERTa family count positions from 2
    limits = MAX_TOKENS, tokenizer.model_max_length, positions - 2 if positions > 2 else MAX_TOKENS
    return int(min(limits))


def _in_document(span: ScoredSpan, readable: Readable) -> Span:
    base = readable.passage.span.start
    return Span(base + span.start, base + span.end)


def _probability(margin: float) -> float:
    return (1 + math.tanh(margin / 2)) / 2  # the logistic function, without overflow
