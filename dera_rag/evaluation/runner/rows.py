"""The shapes of `generations.jsonl`: a row per question and seed, with its answers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dera_rag.evaluation.runner.plan import Batch, split_of
from dera_rag.evaluation.runner.storage import Row
from dera_rag.evaluation.suites import Suite
from dera_rag.evaluation.tasks import Example
from dera_rag.types import DecodeTrace, LambdaDecision, RagAnswer


def base_row(suite: Suite, batch: Batch, example: Example, seed: int) -> Row:
    """What every row says of its question, whatever came of it."""
    return {
        "batch": batch.key,
        "section": batch.section,
        "key": example.key,
        "source": example.source,
        "split": split_of(example.source, suite.tuning),
        "seed": seed,
        "question": example.question,
        "references": list(example.references),
        "record": dict(example.record),
    }


def failed_row(suite: Suite, batch: Batch, example: Example, seed: int, error: Exception) -> Row:
    """The row of a question that could not be answered."""
    return base_row(suite, batch, example, seed) | {
        "passages": [[p.id, p.text] for p in example.passages or ()],
        "answers": [],
        "error": f"{type(error).__name__}: {error}",
    }


def given_rows(suite: Suite, batch: Batch) -> list[Row]:
    """Rows of answers that are there already."""
    return [
        base_row(suite, batch, example, 0)
        | {
            "passages": [[p.id, p.text] for p in example.passages or ()],
            "answers": [{"arm": "given", "text": (example.answer or "").strip()}],
        }
        for example in batch.examples
    ]


def shown_passages(answer: RagAnswer) -> Row:
    """The passages in the prompt, and the ids of those that did not fit."""
    return {
        "passages": [[passage.id, passage.text] for passage in answer.passages],
        "dropped": list(answer.dropped_passages),
    }


def policy_head(label: str, decision: LambdaDecision) -> Row:
    """What a policy decided, and why."""
    signals: Mapping[str, float] = decision.signals
    return {
        "arm": "policy",
        "policy": label,
        "reason": decision.reason,
        "signals": dict(signals),
        "plausibility": decision.plausibility,
    }


def trace_columns(trace: DecodeTrace) -> dict[str, list[float]]:
    """The columns that were computed; one that is NaN throughout says nothing."""
    named = {
        "reference": trace.reference,
        "aligned": trace.aligned,
        "mixture": trace.mixture,
        "kl": trace.kl,
        "entropy": trace.entropy,
    }
    return {
        name: list(values)
        for name, values in named.items()
        if any(not math.isnan(value) for value in values)
    }
