"""What batching calls of the chat model is worth: `.batch()` of 8 against 8 single calls.

    python evals/benchmarks/langchain_batch.py [--runs 7] [--json] [--check]

On the embedded pair, with questions over its own corpus, at λ=1.5 and temperature 1, both models
running. Single calls and the batch take turns; the median of each is taken, of wall time and of the
process's CPU time, which a busy machine shifts less. Every round checks that the answers agree.

Each round asks about other places, and neither side finds a prompt or an answer that the other left
behind. The last setting is the exception: the same eight questions asked again and again, whose
answers an engine remembers as drafts, so that a single call takes two passes.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from dera_rag.langchain import ChatDeRa
from dera_rag.prompts import PLAIN_PROMPT, number_passages
from dera_rag.retrieval import VectorIndex

CALLS = 8
LIMIT = 0.5
QUESTIONS = (
    "What kind of food does {} serve?",
    "Where is {}?",
    "Is {} family friendly?",
    "How expensive is {}?",
    "What is {} near?",
    "How do customers rate {}?",
    "What type of place is {}?",
    "Tell me about {}.",
)
AGAIN = "asked again"


class Prompts:
    """Eight prompts a round, about places of the embedded corpus."""

    def __init__(self) -> None:
        self._index = VectorIndex.embedded()
        found = self._index.retrieve("pub", 64)
        self._names = [p.text.splitlines()[0][len("- name: ") :] for p in found]

    def own_passages(self, turn: int) -> list[str]:
        """Eight places, each with passages of its own."""
        return [self._prompt(question, question) for question in self._questions(turn)]

    def same_passages(self, turn: int) -> list[str]:
        """One place: all read the same passages."""
        name = self._names[turn % len(self._names)]
        return [self._prompt(question.format(name), name) for question in QUESTIONS]

    def no_passages(self, turn: int) -> list[str]:
        """The bare questions."""
        return self._questions(turn)

    def first_ones(self, _: int) -> list[str]:
        """Those of the first round in every round."""
        return self.own_passages(0)

    def _questions(self, turn: int) -> list[str]:
        start = CALLS * turn % len(self._names)
        names = self._names[start : start + CALLS]
        return [
            QUESTIONS[(turn + place) % len(QUESTIONS)].format(name)
            for place, name in enumerate(names)
        ]

    def _prompt(self, question: str, query: str) -> str:
        passages = number_passages(p.text for p in self._index.retrieve(query, 3))
        return PLAIN_PROMPT.format(passages=passages, question=question)


def seconds(call: Callable[[], list[Any]]) -> tuple[dict[str, float], list[Any]]:
    """Wall time and CPU time, and what came of it."""
    wall, cpu = time.perf_counter(), time.process_time()
    answers = call()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}, answers


def measure(
    pair: Any, prompts: Callable[[int], Sequence[str]], runs: int, *, again: bool = False
) -> dict[str, float]:
    """Median seconds by figure; `again` keeps what the rounds before have left behind.

    Raises:
        AssertionError: The batch answers otherwise than the single calls.
    """
    models: list[ChatDeRa] = []
    rounds, tokens = [], []
    for turn in range(runs + 1):
        asked = prompts(turn)
        if not (again and models):
            models = [_model(pair), _model(pair)]
        single, batch = models
        if not again:
            pair.forget_prefixes()
        one, alone = seconds(lambda: [single.invoke(prompt) for prompt in asked])  # noqa: B023
        if not again:
            pair.forget_prefixes()
        all_, together = seconds(lambda: batch.batch(asked))  # noqa: B023
        if [made.content for made in alone] != [made.content for made in together]:
            raise AssertionError("the batch answers otherwise than the single calls")
        rounds.append((one, all_))
        tokens += [made.usage_metadata["output_tokens"] for made in together]
    figures = {"tokens an answer": statistics.mean(tokens)}
    for kind in ("wall", "cpu"):
        single_time, batch_time = (
            statistics.median(sides[i][kind] for sides in rounds[1:]) for i in (0, 1)
        )
        figures[f"single {kind}"] = single_time
        figures[f"batch {kind}"] = batch_time
        figures[f"ratio {kind}"] = batch_time / single_time
    return figures


def _model(pair: Any) -> ChatDeRa:
    """A model whose engine remembers nothing."""
    return ChatDeRa(pair=pair, dera_lambda=1.5, seed=1, max_tokens=64)


def main() -> int:
    """Measure and print; 1 when `--check` finds the batch too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="measured rounds (default 7)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 beyond the limit")
    arguments = parser.parse_args()
    made, pair = Prompts(), ChatDeRa.embedded().engine.pair
    settings = {
        "own passages": made.own_passages,
        "same passages": made.same_passages,
        "no passages": made.no_passages,
        AGAIN: made.first_ones,
    }
    found = {
        name: measure(pair, prompts, arguments.runs, again=name == AGAIN)
        for name, prompts in settings.items()
    }
    if arguments.json:
        print(json.dumps({"runs": arguments.runs, "calls": CALLS, "limit": LIMIT, **found}))
    else:
        for name, figures in found.items():
            shown = ", ".join(f"{figure} {value:.3f}" for figure, value in figures.items())
            print(f"{name:14} {shown}")
        print(f"limit of the CPU ratio, but for what is {AGAIN}: {LIMIT}")
    slow = [name for name, f in found.items() if name != AGAIN and f["ratio cpu"] > LIMIT]
    return 1 if arguments.check and slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
