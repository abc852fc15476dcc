"""What is left of a run: the whole rows of its files held against its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.runner.bench import Job
from dera_rag.evaluation.runner.manifest import Manifest
from dera_rag.evaluation.runner.plan import Plan, make_plan
from dera_rag.evaluation.runner.scoring import expected_rows
from dera_rag.evaluation.runner.storage import GENERATIONS, SCORES, TIMINGS, Stored, whole_lines
from dera_rag.evaluation.runner.weights import identify
from dera_rag.evaluation.suites import Suite
from dera_rag.types import Json


@dataclass(frozen=True, slots=True)
class Remaining:
    """What a run's folder lacks.

    Attributes:
        jobs: Batches to do, in the order of the plan.
        sizes: File name → bytes that stay; what stands behind them is torn or of no use.
        skipped: Questions that are answered and scored.
    """

    jobs: tuple[Job, ...]
    sizes: Mapping[str, int]
    skipped: int


def left_to_do(folder: Path, manifest: Manifest, suite: Suite, plan: Plan) -> Remaining:
    """What a folder lacks.

    Args:
        folder: The run's folder.
        manifest: Its manifest.
        suite: Its suite.
        plan: Its plan.
    """
    seeds = (0,) if suite.answers == "given" else suite.seeds
    generated, scored = Stored(folder / GENERATIONS), Stored(folder / SCORES)
    jobs: list[Job] = []
    skipped = 0
    for batch in plan.batches:
        wanted = [(e.key, seed) for e in batch.examples for seed in seeds]
        lines = generated.take(
            len(wanted),
            lambda i, row, batch=batch, wanted=wanted: (  # type: ignore[misc]
                row.get("batch") == batch.key and (row.get("key"), row.get("seed")) == wanted[i]
            ),
        )
        if lines is None:
            jobs.append(Job(batch))
            continue
        due = expected_rows(lines)
        scores = scored.take(
            len(due),
            lambda i, row, batch=batch, due=due: (  # type: ignore[misc]
                row.get("batch") == batch.key
                and row.get("scoring") == manifest.scoring
                and (row.get("key"), row.get("seed"), row.get("answer")) == due[i]
            ),
        )
        if scores is None:
            jobs.append(Job(batch, tuple(lines)))
        else:
            skipped += len(batch.examples)
    sizes = {
        GENERATIONS: generated.size,
        SCORES: scored.size,
        TIMINGS: whole_lines(folder / TIMINGS),
    }
    return Remaining(tuple(jobs), sizes, skipped)


def same_plan(manifest: Manifest, suite: Suite) -> Plan:
    """The plan of a run that was begun, made again.

    Args:
        manifest: What was begun.
        suite: What it asks now.

    Raises:
        InvalidValueError: It is another one now.
    """
    models: Mapping[str, Json] = {}
    if suite.answers != "given":
        models = identify(suite.pair, suite.folder)
    if models != manifest.models:
        changed = sorted(k for k in models if models[k] != manifest.models.get(k))
        raise InvalidValueError(
            f"the weights are not those the run was begun with: {', '.join(changed)}",
            hint="run again in another folder",
        )
    plan = make_plan(suite, manifest.limit, models)
    now = plan.to_dict()["batches"]
    if now != manifest.plan["batches"]:
        raise InvalidValueError(
            "questions, corpus or settings are not those the run was begun with",
            hint="bring them back, or run again in another folder",
        )
    return plan
