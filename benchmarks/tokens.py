"""What does a question cost in tokens, and how far is the estimate off? Figures of decision 0016.

    python -m benchmarks.tokens --index DIR

DIR is an index of seeds/. The estimate is held against each of tiktoken's tables that is at hand (TIKTOKEN_CACHE_DIR).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import median

from qa.corpus import Corpus
from qa.llm.budget import Counter, counter_for
from qa.llm.composing import PASSAGES, quoted_first
from qa.llm.prompt import Prompt, build_prompt
from qa.llm.settings import Settings

QUESTIONS = (
    "who controls Idlib?",
    "How many civilians have died in the fighting this year?",
    "How many people were displaced?",
    "Who called Idlib a magnet for terrorist groups?",
    "What is the population of Idlib province?",
    "Who is petitioning the US and NATO?",
    "Who is Mark Lowcock?",
    "What secures the closed border?",
    "Who won the 2018 World Cup?",
)
TABLES = {"o200k_base": "gpt-4o", "cl100k_base": "gpt-4"}


def prompt_of(corpus: Corpus, question: str, counter: Counter, most_tokens: int) -> Prompt:
    passages = quoted_first(corpus.segments(question, PASSAGES), corpus.ask(question))
    return build_prompt(question, passages, counter=counter, most_tokens=most_tokens, mark="~0123456789abcdef~")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, required=True)
    corpus = Corpus.open(parser.parse_args().index)
    settings = Settings("http://localhost/v1", "any")
    estimate = counter_for(settings, corpus.encoder)
    prompts = [prompt_of(corpus, question, estimate, settings.prompt_tokens) for question in QUESTIONS]
    for question, prompt in zip(QUESTIONS, prompts, strict=True):
        print(f"{prompt.tokens:6,} tokens, {len(prompt.spans):3} spans  {question}")
    print(f"{median(prompt.tokens for prompt in prompts):6,} median, as estimated")
    for name, model in TABLES.items():
        exact = counter_for(replace(settings, model=model), corpus.encoder)
        if exact.is_exact:
            counted = [sum(exact.count(message["content"]) for message in prompt.messages) for prompt in prompts]
            ratios = [true / prompt.tokens for true, prompt in zip(counted, prompts, strict=True)]
            print(f"{median(counted):6,} median by {name}; true over estimated {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
