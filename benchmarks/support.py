"""Does the check of a language model's sentences tell supported ones from others? The table of decision 0016.

    python -m benchmarks.support DATA/wice/claim_dev.jsonl

A claim of WiCE stands for a sentence that a model wrote, evidence sentences for the spans that it cites. Claims are
split by article into two halves: the threshold is chosen on one, precision and recall are told for the other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.embedding import Encoder, load_encoder
from index.lexical import terms
from qa.llm.composing import nearness
from qa.llm.support import THRESHOLD, problem

AIM = 0.9  # precision that the threshold must reach on the development half
THRESHOLDS = np.arange(0.40, 0.80, 0.02)
NEAREST = 2  # sentences cited for a claim that they do not support

# kind of case -> whether it should pass; what is partly supported must not pass either
SUPPORTED, PARTLY, UNSUPPORTED, OTHERS = "supported", "partially_supported", "not_supported", "supported by others"


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence, what it cites, and which kind of pair that is."""

    kind: str
    half: str
    sentence: str
    spans: tuple[str, ...]
    cosine: float

    def passes(self, threshold: float) -> bool:
        return not problem(self.sentence, self.spans, cosine=self.cosine, threshold=threshold)


def read_cases(path: Path, encoder: Encoder) -> list[Case]:
    """Return each claim with its smallest set of evidence, and with the nearest sentences that are no evidence."""
    cases = []
    for row in map(json.loads, path.read_text().splitlines()):
        half = "dev" if hashlib.sha256(row["meta"]["claim_title"].encode()).digest()[0] % 2 == 0 else "test"
        claim, evidence = row["claim"], row["evidence"]
        sets = [chosen for chosen in row["supporting_sentences"] if chosen]
        pairs = [(row["label"], tuple(evidence[at] for at in min(sets, key=len)))] if sets else []
        used = {at for chosen in sets for at in chosen}
        unused = [sentence for at, sentence in enumerate(evidence) if at not in used]
        pairs.append((OTHERS if sets else UNSUPPORTED, nearest(claim, unused)))
        cases += [Case(kind, half, claim, spans, nearness(encoder, claim, spans)) for kind, spans in pairs if spans]
    return cases


def nearest(claim: str, sentences: Sequence[str]) -> tuple[str, ...]:
    wanted = set(terms(claim))
    return tuple(sorted(sentences, key=lambda sentence: -len(wanted & set(terms(sentence))))[:NEAREST])


def precision_and_recall(cases: Sequence[Case], threshold: float, *, partly_counts: bool) -> tuple[float, float, int]:
    """Return precision, recall and how many pass; what is partly supported is wrong, or left out."""
    counted = [case for case in cases if partly_counts or case.kind != PARTLY]
    passed = [case.kind == SUPPORTED for case in counted if case.passes(threshold)]
    supported = sum(case.kind == SUPPORTED for case in counted)
    return sum(passed) / max(1, len(passed)), sum(passed) / supported, len(passed)


def chosen(cases: Sequence[Case]) -> float:
    """Return the lowest threshold from which on precision reaches the aim, of what is supported or not."""
    reached = [t for t in THRESHOLDS if precision_and_recall(cases, t, partly_counts=False)[0] >= AIM]
    return float(min(reached))


def altered(case: Case) -> dict[str, str]:
    """Return the sentence with one fact changed, by what was changed; the measured cosine is kept."""
    number = re.search(r"\d+", case.sentence)
    denied = re.sub(r"\b(was|were|is|are|has|had|would)\b", r"\1 not", case.sentence, count=1)
    return {
        **({"another number": case.sentence.replace(number[0], f"{int(number[0]) + 7}", 1)} if number else {}),
        "another name": f"{case.sentence.rstrip('. ')} with Zoltan Quiroga.",
        **({"a denial": denied} if denied != case.sentence else {}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claims", type=Path)
    cases = read_cases(parser.parse_args().claims, load_encoder())
    halves = {half: [case for case in cases if case.half == half] for half in ("dev", "test")}
    print(f"lowest threshold with precision {AIM} on dev: {chosen(halves['dev']):.2f}; in use: {THRESHOLD}")
    print("\nhalf  threshold  precision  recall  passed | precision with partly supported counted as wrong")
    for half, held in halves.items():
        for threshold in sorted({0.0, 0.5, 0.56, 0.6, 0.64, THRESHOLD}):
            precision, recall, passed = precision_and_recall(held, threshold, partly_counts=False)
            strict = precision_and_recall(held, threshold, partly_counts=True)[0]
            print(f"{half:4}  {threshold:9.2f}  {precision:9.3f}  {recall:6.3f}  {passed:6} | {strict:.3f}")
    print("\nkind of pair          pairs  facts hold  shown as supported")
    for kind in (SUPPORTED, PARTLY, UNSUPPORTED, OTHERS):
        held = [case for case in halves["test"] if case.kind == kind]
        print(f"{kind:20}  {len(held):5}  {rate(held, 0.0):10.3f}  {rate(held, THRESHOLD):.3f}")
    passing = [case for case in cases if case.kind == SUPPORTED and case.passes(THRESHOLD)]
    print(f"\none fact changed in the {len(passing)} supported claims that pass: how many still pass")
    for change in ("another number", "another name", "a denial"):
        changed = [(altered(case)[change], case) for case in passing if change in altered(case)]
        still = sum(not problem(text, case.spans, cosine=case.cosine) for text, case in changed)
        print(f"{change:15}  {still} of {len(changed)}")


def rate(cases: Sequence[Case], threshold: float) -> float:
    return sum(case.passes(threshold) for case in cases) / len(cases)


if __name__ == "__main__":
    main()
