"""Answers to a batch of questions, as rows: every λ of a path or a grid, and each policy's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from dera_rag.decoding.path import traces
from dera_rag.evaluation.curve import row_seed
from dera_rag.evaluation.runner.passages import GivenPassages
from dera_rag.evaluation.runner.plan import Batch
from dera_rag.evaluation.runner.rows import (
    base_row,
    failed_row,
    policy_head,
    shown_passages,
    trace_columns,
)
from dera_rag.evaluation.runner.storage import Row
from dera_rag.evaluation.suites import Suite
from dera_rag.evaluation.tasks import Example
from dera_rag.prompts import FittedPrompt
from dera_rag.rag import RagPath, RagPipeline
from dera_rag.rag.choosing import choose
from dera_rag.types import DecodeTrace, LambdaDecision, RagAnswer

if TYPE_CHECKING:
    from dera_rag.pairs import ModelPair
    from dera_rag.protocols import LambdaPolicy, Retriever

_LOG = logging.getLogger(__name__)
# Nearer to a breakpoint than this a path and a decode at that λ may differ, see `LambdaPath.at`.
_NEAR = 1e-5


class _Found(NamedTuple):
    """An answer, what its row says of it first, and the path that it was read off, if any."""

    head: Row
    answer: RagAnswer
    path: RagPath | None


class Generator:
    """Answers a suite's questions with one pair.

    Args:
        suite: The suite; answers: path or grid.
        pair: The models.
        retriever: Finds passages for a section's questions that have none of their own; None for
            sections whose questions all have.
    """

    def __init__(self, suite: Suite, pair: ModelPair, retriever: Retriever | None) -> None:
        self._suite = suite
        self._pair = pair
        self._passages = GivenPassages(retriever)
        self._policies = suite.make_policies()
        self._pipeline = self._make_pipeline(None)
        self._deciding = {
            label: self._make_pipeline(policy) for label, policy in self._policies.items()
        }

    def _make_pipeline(self, policy: LambdaPolicy | None) -> RagPipeline:
        pipeline = RagPipeline(
            self._pair,
            self._passages,
            policy=policy,
            top_k=self._suite.top_k,
            prompt=self._suite.prompt,
            trace="full" if self._suite.signals == "full" else "auto",
            # Drafts go by measured times: without them equal seeds repeat to the last digit.
            speculation="off",
        )
        if self._suite.sampling:
            settings = self._suite.make_sampling()
            if "max_new_tokens" not in self._suite.sampling:
                longest = pipeline.sampling.max_new_tokens
                settings = replace(settings, max_new_tokens=longest)
            pipeline.sampling = replace(settings, seed=0)
        return pipeline

    def rows(self, batch: Batch) -> list[Row]:
        """One row per question and seed, in order; a question that cannot be answered is one too.

        Args:
            batch: The questions.
        """
        # What earlier batches left behind may change the last digits of this one.
        self._pair.forget_prefixes()
        try:
            return self._together(batch, batch.examples)
        except Exception:  # which question is at fault shows when each is asked alone
            _LOG.warning("batch %s failed: its questions are asked one by one", batch.key)
            return [row for example in batch.examples for row in self._alone(batch, example)]

    def _alone(self, batch: Batch, example: Example) -> list[Row]:
        try:
            return self._together(batch, [example])
        except Exception as error:  # a failure is a row and never the end of a run
            return [failed_row(self._suite, batch, example, seed, error) for seed in self._seeds]

    @property
    def _seeds(self) -> tuple[int, ...]:
        return self._suite.seeds

    def _together(self, batch: Batch, examples: Sequence[Example]) -> list[Row]:
        asked = [(example, seed) for example in examples for seed in self._seeds]
        make: Callable[[Sequence[tuple[Example, int]]], list[Row]]
        make = self._paths if self._suite.answers == "path" else self._grid
        return [
            base_row(self._suite, batch, example, seed) | row
            for (example, seed), row in zip(asked, make(asked), strict=True)
        ]

    def _paths(self, asked: Sequence[tuple[Example, int]]) -> list[Row]:
        """All λ of all questions: the nodes of their paths share batches, and so do traces."""
        low, high = self._suite.lam
        seeds = [row_seed(seed, example.key) for example, seed in asked]
        with self._passages.handing_out([example.passages for example, _ in asked]):
            paths = self._pipeline.path_batch(
                [example.question for example, _ in asked],
                (low, high),
                seeds=seeds,
                max_segments=self._suite.max_segments,
            )
        found = [
            [
                _Found({"arm": "path", "lo": s.lo, "hi": s.hi, "exact": s.exact}, answer, path)
                for s, answer in zip(path.path.segments, path.answers, strict=True)
            ]
            for path in paths
        ]
        for label in self._policies:
            for own, chosen in zip(found, self._on_paths(label, paths, asked), strict=True):
                own.append(chosen)
        traced = iter(self._path_traces([one for own in found for one in own]))
        return [
            {
                **shown_passages(own[0].answer),
                "row_seed": seed,
                "answers": [one.head | self._answer(one.answer, next(traced)) for one in own],
            }
            for own, seed in zip(found, seeds, strict=True)
        ]

    def _on_paths(
        self, label: str, paths: Sequence[RagPath], asked: Sequence[tuple[Example, int]]
    ) -> list[_Found]:
        """The policy's answers: off the path where that is exact, the others decoded."""
        decisions = choose(
            self._policies[label],
            self._pipeline.decoder,
            self._passages.corpus,
            questions=[example.question for example, _ in asked],
            prompts=[
                FittedPrompt(path.path.prompt, path.passages, path.dropped_passages)
                for path in paths
            ],
            lams=["auto"] * len(asked),
        )
        decided = list(zip(paths, decisions, strict=True))
        off = [i for i, (path, decision) in enumerate(decided) if not _on_path(path, decision)]
        decoded = dict(zip(off, self._chosen(label, [asked[i] for i in off]), strict=True))
        found = []
        for i, (path, decision) in enumerate(decided):
            answer = decoded.get(i) or replace(path.at(decision.lam), decision=decision)
            own = None if i in decoded else path
            found.append(_Found(policy_head(label, answer.decision), answer, own))
        return found

    def _path_traces(self, found: Sequence[_Found]) -> list[DecodeTrace | None]:
        """Whole traces where the suite wants them; None for what an answer knows itself."""
        if self._suite.signals != "full":
            return [None] * len(found)
        asked = [(one.path.path, one.answer.decision.lam) for one in found if one.path is not None]
        made = iter(traces(asked))
        return [None if one.path is None else next(made) for one in found]

    def _grid(self, asked: Sequence[tuple[Example, int]]) -> list[Row]:
        """All λ of all questions in one batch: rows of one question share its prompt."""
        grid = self._suite.lam
        spread = [(example, seed, lam) for example, seed in asked for lam in grid]
        with self._passages.handing_out([example.passages for example, _, _ in spread]):
            fixed = self._pipeline.ask_batch(
                [example.question for example, _, _ in spread],
                [lam for _, _, lam in spread],
                seeds=[row_seed(seed, example.key) for example, seed, _ in spread],
            )
        chosen = {label: self._chosen(label, asked) for label in self._policies}
        rows = []
        for i, (example, seed) in enumerate(asked):
            own = fixed[i * len(grid) : (i + 1) * len(grid)]
            answers: list[Row] = [{"arm": "lam"} | self._answer(answer, None) for answer in own]
            for label, found in chosen.items():
                answers.append(policy_head(label, found[i].decision) | self._answer(found[i], None))
            rows.append(
                {
                    **shown_passages(own[0]),
                    "row_seed": row_seed(seed, example.key),
                    "answers": answers,
                }
            )
        return rows

    def _chosen(self, label: str, asked: Sequence[tuple[Example, int]]) -> list[RagAnswer]:
        with self._passages.handing_out([example.passages for example, _ in asked]):
            return self._deciding[label].ask_batch(
                [example.question for example, _ in asked],
                "auto",
                seeds=[row_seed(seed, example.key) for example, seed in asked],
            )

    def _answer(self, answer: RagAnswer, trace: DecodeTrace | None) -> Row:
        generation = answer.generation
        row: Row = {
            "lam": answer.decision.lam,
            "text": answer.text,
            "finish": generation.finish_reason,
            "token_count": len(generation.token_ids),
        }
        if self._suite.signals == "off":
            return row
        decode = self._pair.tokenizer.decode
        return row | {
            "tokens": [str(decode([token])) for token in generation.token_ids],
            "trace": trace_columns(trace or generation.trace),
        }


def _on_path(path: RagPath, decision: LambdaDecision) -> bool:
    """Whether the path's answer at the decision's λ is what a decode would give."""
    lam, found = decision.lam, path.path
    if decision.plausibility or not found.lo <= lam <= found.hi:
        return False
    clear = all(abs(lam - end) > _NEAR for end in found.breakpoints)
    return clear and found.segment(lam).exact
