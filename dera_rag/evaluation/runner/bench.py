"""One process's share of a run: its models, its retrievers, its scorers, loaded when needed."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dera_rag.evaluation.runner.manifest import Manifest
from dera_rag.evaluation.runner.plan import Batch
from dera_rag.evaluation.runner.rows import given_rows
from dera_rag.evaluation.runner.scoring import score_rows
from dera_rag.evaluation.runner.storage import Row, dumped

if TYPE_CHECKING:
    from dera_rag.evaluation.contract import Scorer
    from dera_rag.evaluation.runner.generation import Generator
    from dera_rag.evaluation.suites import Suite
    from dera_rag.pairs import ModelPair


@dataclass(frozen=True, slots=True)
class Job:
    """A batch to do.

    Attributes:
        batch: The questions.
        generated: Its generation rows where they are stored already; None to make them.
    """

    batch: Batch
    generated: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job.

    Attributes:
        generations: Lines for `generations.jsonl`; empty where they were stored already.
        scores: Lines for `scores.jsonl`.
        timing: The row for `timings.jsonl`.
        tokens: Tokens generated.
        failures: Questions without an answer.
    """

    generations: tuple[str, ...]
    scores: tuple[str, ...]
    timing: Row
    tokens: int
    failures: int


class Bench:
    """Does jobs.

    Args:
        manifest: The run.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._generators: dict[str, Generator] = {}
        self._scorers: dict[str, list[Scorer]] = {}

    @functools.cached_property
    def _suite(self) -> Suite:
        return self._manifest.read_suite()

    @functools.cached_property
    def _pair(self) -> ModelPair:
        return self._suite.pair.load(Path(self._manifest.folder))

    def do(self, job: Job) -> Done:
        """Answer and score a batch.

        Args:
            job: The batch.
        """
        started = time.perf_counter()
        rows: list[Row] = [] if job.generated is not None else self._generate(job.batch)
        lines = tuple(map(dumped, rows)) if job.generated is None else job.generated
        generated = time.perf_counter()
        scored = score_rows(lines, self._scorers_of(job.batch.section), self._manifest.scoring)
        answers = [answer for row in rows for answer in row["answers"]]
        tokens = sum(answer.get("token_count", 0) for answer in answers)
        timing: Row = {
            "batch": job.batch.key,
            "section": job.batch.section,
            "questions": len(job.batch.examples),
            "answers": len(scored),
            "tokens": tokens,
            "generate_s": generated - started if job.generated is None else 0.0,
            "score_s": time.perf_counter() - generated,
            "peak_mb": _peak(),
        }
        return Done(
            generations=lines if job.generated is None else (),
            scores=tuple(map(dumped, scored)),
            timing=timing,
            tokens=tokens,
            failures=sum("error" in row for row in rows),
        )

    def _generate(self, batch: Batch) -> list[Row]:
        if self._suite.answers == "given":
            return given_rows(self._suite, batch)
        from dera_rag.evaluation.runner.generation import Generator

        if batch.section not in self._generators:
            section = next(s for s in self._suite.tasks if s.name == batch.section)
            task = section.make_task(self._suite.folder)
            self._generators[batch.section] = Generator(self._suite, self._pair, task.retriever())
        return self._generators[batch.section].rows(batch)

    def _scorers_of(self, name: str) -> list[Scorer]:
        if name not in self._scorers:
            section = next(s for s in self._suite.tasks if s.name == name)
            self._scorers[name] = [named.scorer(self._suite.folder) for named in section.scorers]
        return self._scorers[name]


def _peak() -> float:
    """Most memory this process has held so far, in megabytes; 0 where it cannot be told."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    # Linux counts in kilobytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
