"""The cost of an answer at each λ beside one model's: the second table of harness.py.

The same prompts, in batches of a suite's size, are answered by the aligned model alone through
transformers' `generate`, by our decoder at each λ (both models where λ is neither 0 nor 1, no
speculation, as in a run), and as whole paths. All take turns within a round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.evaluation.curve import row_seed
from dera_rag.evaluation.suites import load_suite
from dera_rag.pairs.lean import plain
from dera_rag.prompts import PromptBuilder
from dera_rag.rag.requests import read_sampling

# More do not change a rate that is a sum over all of them.
_MOST = 64


@dataclass(frozen=True)
class Asked:
    """Questions that are answered together.

    Attributes:
        prompts: Token ids.
        seeds: Row seeds, as a run has them.
    """

    prompts: list[list[int]]
    seeds: list[int]


def read_batches(suite: Path, pair: ModelPair, questions: int) -> list[Asked]:
    """The suite's first questions with their passages, in its batches."""
    read = load_suite(suite)
    task = read.tasks[0].make_task(read.folder)
    index, builder = task.retriever(), PromptBuilder.for_pair(pair)
    examples = task.examples(given=False)[:questions]
    prompts = [builder.question(e.question, index.retrieve(e.question, 3)) for e in examples]
    seeds = [row_seed(0, example.key) for example in examples]
    return [
        Asked(prompts[i : i + read.batch], seeds[i : i + read.batch])
        for i in range(0, len(prompts), read.batch)
    ]


def one_model(
    model: PreTrainedModel, stops: frozenset[int], asked: Asked, sampling: Sampling
) -> int:
    """Answers of one model by `generate`; the number of their tokens."""
    longest = max(map(len, asked.prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + list(p) for p in asked.prompts])
    mask = torch.tensor(
        [[0] * (longest - len(p)) + [1] * len(p) for p in asked.prompts], dtype=torch.long
    )
    torch.manual_seed(asked.seeds[0] % 2**32)
    with torch.inference_mode():
        out = model.generate(  # type: ignore[operator]
            ids,
            attention_mask=mask,
            max_new_tokens=sampling.max_new_tokens,
            do_sample=True,
            top_k=0,
            pad_token_id=0,
            eos_token_id=sorted(stops),
        )
    answers = out[:, longest:].tolist()
    return sum(
        next((i + 1 for i, token in enumerate(answer) if token in stops), len(answer))
        for answer in answers
    )


def measure_lambdas(
    suite: Path, lams: Sequence[float], questions: int, rounds: int
) -> dict[str, Any]:
    """Tokens a second and seconds a question: one model, each λ, the whole path.

    Args:
        suite: Whose questions are asked.
        lams: λ to answer at.
        questions: How many, at most 64.
        rounds: Measured rounds; one more comes before them.
    """
    torch.set_num_threads(1)
    pair = ModelPair.embedded()
    single = plain(pair.aligned)
    decoder = DeraDecoder(pair, speculation="off")
    batches = read_batches(suite, pair, min(questions, _MOST))
    longest = read_sampling(None, pair).max_new_tokens

    def settings(asked: Asked) -> Sampling:
        return Sampling(temperature=1.0, max_new_tokens=longest, seed=asked.seeds)

    def at(lam: float) -> Callable[[Asked], int]:
        def run(asked: Asked) -> int:
            found = decoder.generate(asked.prompts, lam, settings(asked), trace="off")
            return sum(len(answer.token_ids) for answer in found)

        return run

    def whole(asked: Asked) -> int:
        found = decoder.path(asked.prompts, (lams[0], lams[-1]), settings(asked))
        return sum(len(segment.token_ids) for path in found for segment in path.segments)

    systems: dict[str, Callable[[Asked], int]] = {
        "one model": lambda asked: one_model(single, pair.stop_ids, asked, settings(asked)),
        **{f"λ = {lam:g}": at(lam) for lam in lams},
        f"path, λ ∈ [{lams[0]:g}, {lams[-1]:g}]": whole,
    }
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    tokens: dict[str, int] = {}
    for number in range(rounds + 1):
        for name, system in systems.items():
            pair.forget_prefixes()
            started = time.process_time()
            tokens[name] = sum(map(system, batches))
            if number:
                seconds[name].append(time.process_time() - started)
    asked = sum(len(batch.prompts) for batch in batches)
    middle = {name: statistics.median(found) for name, found in seconds.items()}
    return {
        "questions": asked,
        "batch": len(batches[0].prompts),
        "rounds": rounds,
        "one_model_mb": _megabytes(single),
        "both_models_mb": _megabytes(single) + _megabytes(plain(pair.reference)),
        "rows": [
            {
                "what": name,
                "tokens": tokens[name],
                "cpu": middle[name],
                "rate": tokens[name] / middle[name],
                "each": middle[name] / asked,
            }
            for name in systems
        ],
    }


def _megabytes(model: PreTrainedModel) -> float:
    return sum(weight.nbytes for weight in model.parameters()) / 2**20
