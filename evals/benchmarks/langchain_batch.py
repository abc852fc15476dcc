"""What batching calls of the chat model is worth: `.batch()` of 8 against 8 single calls.

    python evals/benchmarks/langchain_batch.py [--runs 7] [--json] [--check]

On the embedded pair, with questions over its own corpus, at λ=1.5 and temperature 1, both models
running. Single calls and the batch take turns; the median of each is taken, of wall time and of the
process's CPU time, which a busy machine shifts less. Every round checks that the answers agree.
Before each measurement remembered prompts are dropped, so that neither profits from the other.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

from dera_rag.langchain import ChatDeRa
from dera_rag.prompts import PLAIN_PROMPT, number_passages
from dera_rag.retrieval import VectorIndex

CALLS = 8
LIMIT = 0.5


def prompts() -> list[str]:
    """Questions with their passages."""
    index = VectorIndex.embedded()
    names = [
        passage.text.splitlines()[0][len("- name: ") :] for passage in index.retrieve("pub", 8)
    ]
    questions = [f"What kind of food does {name} serve?" for name in names]
    return [
        PLAIN_PROMPT.format(
            passages=number_passages(p.text for p in index.retrieve(question, 3)), question=question
        )
        for question in questions
    ]


def seconds(call: Callable[[], list[str]]) -> tuple[float, float, list[str]]:
    """Wall time, CPU time and what came of it."""
    wall, cpu = time.perf_counter(), time.process_time()
    answers = call()
    return time.perf_counter() - wall, time.process_time() - cpu, answers


def measure(runs: int) -> dict[str, float]:
    """Median seconds by figure.

    Raises:
        AssertionError: The batch answers otherwise than the single calls.
    """
    model = ChatDeRa.embedded(dera_lambda=1.5, seed=1, max_tokens=64)
    asked = prompts()
    model.invoke(asked[0])
    pair = model.engine.pair
    rounds = []
    for _ in range(runs + 1):
        pair.forget_prefixes()
        single = seconds(lambda: [str(model.invoke(prompt).content) for prompt in asked])
        pair.forget_prefixes()
        batch = seconds(lambda: [str(made.content) for made in model.batch(asked)])
        if single[2] != batch[2]:
            raise AssertionError("the batch answers otherwise than the single calls")
        rounds.append((single, batch))
    median = {
        (name, kind): statistics.median(r[i][k] for r in rounds[1:])
        for i, name in enumerate(("single", "batch"))
        for k, kind in enumerate(("wall", "cpu"))
    }
    return {f"{name} {kind}": value for (name, kind), value in median.items()} | {
        f"ratio {kind}": median["batch", kind] / median["single", kind] for kind in ("wall", "cpu")
    }


def main() -> int:
    """Measure and print; 1 when `--check` finds the batch too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="measured rounds (default 7)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 beyond the limit")
    arguments = parser.parse_args()
    figures = measure(arguments.runs)
    if arguments.json:
        print(json.dumps({"runs": arguments.runs, "calls": CALLS, **figures, "limit": LIMIT}))
    else:
        for name, value in figures.items():
            print(f"{name:12} {value:7.3f}")
        print(f"limit of the CPU ratio: {LIMIT}")
    return 1 if arguments.check and figures["ratio cpu"] > LIMIT else 0


if __name__ == "__main__":
    raise SystemExit(main())
