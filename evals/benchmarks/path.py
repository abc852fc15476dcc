"""What every answer over λ ∈ [0, 2] costs, in decodes at one λ.

    python evals/benchmarks/path.py [--n 100] [--temperature 1] [--threads 1] [--json]

For each question the whole path and one plain decode (λ = 0.6, both models, no speculation) take
turns on the embedded pair, with the same prompt and noise. A path is checked against the plain
answer. Ratios are per question; `in all` is total time over total time, and `together` that of all
questions' paths in one call over all plain decodes in one call.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import torch

from dera_rag import DeraDecoder, LambdaPath, ModelPair, Sampling
from dera_rag.evaluation.curve import row_seed
from dera_rag.evaluation.curve_scoring import QuestionSet
from dera_rag.prompts import PromptBuilder

INTERVAL = (0.0, 2.0)
# One λ at which no answer is a single model's.
PLAIN_LAM = 0.6
# Beyond this many plain decodes a path would not pay against a coarse grid.
LIMIT = 2.5
_T = TypeVar("_T")


@dataclass(frozen=True)
class Spread:
    """Median, 90 % quantile and largest of a figure over the questions."""

    p50: float
    p90: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least two values."""
        tenths = statistics.quantiles(values, n=10, method="inclusive")
        return cls(statistics.median(values), tenths[-1], max(values))


@dataclass(frozen=True)
class Clock:
    """Wall and CPU seconds of one call."""

    wall: float
    cpu: float


def timed(call: Callable[[], _T]) -> tuple[_T, Clock]:
    """A call's result and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = call()
    return made, Clock(time.perf_counter() - wall, time.process_time() - cpu)


def prompts_and_seeds(pair: ModelPair, n: int) -> tuple[list[tuple[int, ...]], list[int]]:
    """Real prompts: fresh questions, with the passages that retrieval finds for them."""
    data = QuestionSet.make(n, 0, 400)
    index, builder = data.index(), PromptBuilder.for_pair(pair, None)
    fitted = [builder.fit(q.text, index.retrieve(q.text, 3), None) for q in data.questions]
    return [tuple(p.token_ids) for p in fitted], [row_seed(0, q.key) for q in data.questions]


def measure(n: int, temperature: float, max_new_tokens: int) -> dict[str, object]:
    """All figures; a path that differs from the plain answer is counted."""
    pair = ModelPair.embedded()
    decoder = DeraDecoder(pair, speculation="off")
    prompts, seeds = prompts_and_seeds(pair, n)
    settings = Sampling(temperature=temperature, max_new_tokens=max_new_tokens)
    decoder.path(prompts[0], INTERVAL, settings)
    decoder.generate(prompts[0], PLAIN_LAM, settings)
    paths: list[LambdaPath] = []
    clocks: list[tuple[Clock, Clock]] = []
    different = 0
    for i, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
        own = Sampling(temperature=temperature, max_new_tokens=max_new_tokens, seed=seed)

        def path(prompt: Sequence[int] = prompt, own: Sampling = own) -> LambdaPath:
            return decoder.path(prompt, INTERVAL, own)

        def plain(prompt: Sequence[int] = prompt, own: Sampling = own) -> list[int]:
            return decoder.generate(prompt, PLAIN_LAM, own).token_ids

        if i % 2:
            (expected, one), (found, whole) = timed(plain), timed(path)
        else:
            (found, whole), (expected, one) = timed(path), timed(plain)
        paths.append(found)
        clocks.append((whole, one))
        different += found.at(PLAIN_LAM).token_ids != expected
    rows = Sampling(temperature=temperature, max_new_tokens=max_new_tokens, seed=seeds)
    _, all_paths = timed(lambda: decoder.path(prompts, INTERVAL, rows))
    _, all_plain = timed(lambda: decoder.generate(prompts, PLAIN_LAM, rows))
    return {
        "questions": n,
        "temperature": temperature,
        "threads": torch.get_num_threads(),
        "different": different,
        "segments": asdict(Spread.of([len(path.segments) for path in paths])),
        "prompt tokens": asdict(Spread.of([len(prompt) for prompt in prompts])),
        "answer tokens at one λ": asdict(
            Spread.of([len(path.at(PLAIN_LAM).token_ids) for path in paths])
        ),
        "plain, ms": asdict(Spread.of([1000 * one.wall for _, one in clocks])),
        "path, ms": asdict(Spread.of([1000 * whole.wall for whole, _ in clocks])),
        "path / plain, wall": asdict(Spread.of([w.wall / o.wall for w, o in clocks])),
        "path / plain, CPU": asdict(Spread.of([w.cpu / o.cpu for w, o in clocks])),
        "in all, CPU": sum(w.cpu for w, _ in clocks) / sum(o.cpu for _, o in clocks),
        "together, CPU": all_paths.cpu / all_plain.cpu,
    }


def main() -> int:
    """Measure and print; 1 when `--check` finds the median ratio beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100, help="questions (default 100)")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 (default) is greedy")
    parser.add_argument("--max-new-tokens", type=int, default=64, help="default 64")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 beyond the limit")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    figures = measure(arguments.n, arguments.temperature, arguments.max_new_tokens)
    if arguments.json:
        print(json.dumps(figures, ensure_ascii=False, indent=2))
    else:
        for name, value in figures.items():
            text = f"{value:8.2f}" if isinstance(value, float) else f"{value!s:>8}"
            if isinstance(value, dict):
                text = "  ".join(f"{key} {number:8.2f}" for key, number in value.items())
            print(f"{name:24} {text}")
    ratios = figures["path / plain, CPU"]
    beyond = isinstance(ratios, dict) and ratios["p50"] > LIMIT
    return 1 if arguments.check and beyond else 0


if __name__ == "__main__":
    sys.exit(main())
