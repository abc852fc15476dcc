"""A section of a summary, put together from what the other modules work out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from dera_rag.evaluation.report.abstaining import abstention
from dera_rag.evaluation.report.axes import Scale, axes, scale_of
from dera_rag.evaluation.report.cells import arms, estimate, is_binary, is_weighted, most_frequent
from dera_rag.evaluation.report.choosing import Contest
from dera_rag.evaluation.report.comparing import compare_arms
from dera_rag.evaluation.report.copying import at_equal
from dera_rag.evaluation.report.costs import cost
from dera_rag.evaluation.report.curves import curves
from dera_rag.evaluation.report.findings import (
    Comparison,
    CopyingFinding,
    Frontier,
    OracleFinding,
    PolicyFinding,
)
from dera_rag.evaluation.report.frontiers import frontier_of
from dera_rag.evaluation.report.headline import headline
from dera_rag.evaluation.report.meters import scorer_facts
from dera_rag.evaluation.report.runs import SectionRun
from dera_rag.evaluation.report.summary_types import Axis, Section
from dera_rag.evaluation.report.tables import Tables, Way, find_way, fixed_ways, ways
from dera_rag.evaluation.scorers.cards import Card
from dera_rag.evaluation.statistics import Estimate
from dera_rag.types import Json


class Draws(TypedDict):
    """How intervals are resampled."""

    n_resamples: int
    seed: int


def summarise_section(
    section: SectionRun,
    suite: Mapping[str, Json],
    baseline: str | float | None,
    cards: Mapping[str, Card],
    *,
    n_resamples: int,
    seed: int,
) -> Section:
    """A section's part of a summary.

    Args:
        section: The section.
        suite: The suite's values.
        baseline: What arms are compared with; None for λ=1 or the fixed λ nearest to it.
        cards: Scorer → its card.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Raises:
        InvalidValueError: No such baseline.
    """
    both = axes(section, suite)
    made = _Parts.of(section, both, baseline, Draws(n_resamples=n_resamples, seed=seed))
    tables = made.tables
    weighted = {name: is_weighted(tables, name) for name in section.scorers}
    table = arms(tables, made.many, made.baseline, made.binary, **made.draws)
    frontier, no_frontier = made.frontier()
    policies, oracle = made.choices()
    copying, no_copying = made.copying()
    failures = Counter(
        one.error for q in section.questions for one in q.answered.values() if one.error
    )
    factuality = made.scales.get("factuality")
    return Section(
        name=section.name,
        card=section.card,
        questions=len(section.questions),
        sources=len(set(tables.sources)),
        failed=failures.total(),
        failures=most_frequent(failures),
        seeds=section.seeds,
        headline=headline(table, made.scales, frontier, policies),
        axes=both,
        scorers=scorer_facts(section, both, made.binary, weighted, cards),
        arms=table,
        curves=curves(tables, **made.draws),
        kinds=made.kinds(),
        comparisons=made.comparisons(),
        frontier=frontier,
        frontier_reason=no_frontier,
        policies=policies,
        oracle=oracle,
        copying=copying,
        copying_reason=no_copying,
        abstention=abstention(
            tables, made.many, factuality,
            binary=factuality is not None and made.binary[factuality.scorer], **made.draws,
        ),
        cost=cost(section),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Parts:
    """What several parts of a section need.

    Attributes:
        tables: Its tables.
        many: Its arms.
        baseline: What they are compared with; None for given answers.
        scales: Axis → its scale, of the axes it has.
        binary: Scorer → whether it gives 0 or 1 alone.
        draws: How intervals are resampled.
    """

    tables: Tables
    many: tuple[Way, ...]
    baseline: Way | None
    scales: Mapping[str, Scale]
    binary: Mapping[str, bool]
    draws: Draws

    @classmethod
    def of(
        cls, section: SectionRun, both: Sequence[Axis], baseline: str | float | None, draws: Draws
    ) -> _Parts:
        tables = Tables(section)
        many = ways(section)
        against = None
        if section.answers != "given":
            against = find_way(section, baseline)
            if against not in many:
                many = sorted([*many, against], key=lambda way: (way.kind, way.lam or 0.0))
        scales: dict[str, Scale] = {}
        for axis in both:
            scale = None if axis.scorer is None else scale_of(section, axis.scorer)
            if scale is not None:
                scales[axis.name] = scale
        binary = {name: is_binary(tables, name) for name in section.scorers}
        return cls(tables, tuple(many), against, scales, binary, draws)

    @property
    def policies(self) -> list[Way]:
        return [way for way in self.many if way.kind == "policy"]

    def frontier(self) -> tuple[Frontier | None, str]:
        if len(self.scales) < 2:
            return None, "a frontier needs a scorer on both axes"
        settings = [*fixed_ways(self.tables.section, fine=True), *self.policies]
        if len(settings) < 2:
            return None, "a frontier needs two settings"
        both = (self.scales["factuality"], self.scales["naturalness"])
        return frontier_of(self.tables, settings, both, **self.draws)

    def choices(self) -> tuple[tuple[PolicyFinding, ...], tuple[OracleFinding, ...]]:
        fixed = tuple(fixed_ways(self.tables.section, fine=True))
        if not self.scales or not fixed:
            return (), ()
        contest = Contest(self.tables, fixed, self.scales, **self.draws)
        return tuple(contest.policy(way) for way in self.policies), contest.oracles()

    def copying(self) -> tuple[tuple[CopyingFinding, ...], str]:
        factuality = self.scales.get("factuality")
        if self.baseline is None:  # given answers are one arm by nature, which needs no reason
            return (), ""
        if len(self.many) < 2:
            return (), "there is one arm"
        if factuality is None:
            return (), "no scorer of this section measures factuality"
        return at_equal(self.tables, self.many, self.baseline, factuality, **self.draws)

    def comparisons(self) -> tuple[Comparison, ...]:
        if self.baseline is None:
            return ()
        primary = [scale.scorer for scale in self.scales.values()]
        return compare_arms(
            self.tables, self.many, self.baseline, primary, self.binary, **self.draws
        )

    def kinds(self) -> dict[str, dict[str, dict[str, Estimate]]]:
        """Kind → arm → scorer → estimate, at the ends of λ, the baseline and the policies."""
        questions = self.tables.section.questions
        kinds = [kind for kind in dict.fromkeys(q.kind for q in questions) if kind]
        if len(kinds) < 2:
            return {}
        fixed = [way for way in self.many if way.kind == "lam"]
        ends = {*fixed[:1], *fixed[-1:], *([self.baseline] if self.baseline else [])}
        shown = [way for way in self.many if way.kind != "lam" or way in ends]
        found: dict[str, dict[str, dict[str, Estimate]]] = {}
        for kind in kinds:
            of = np.asarray([q.kind == kind for q in questions])
            sources = [q.source for q in questions if q.kind == kind]
            rows: dict[str, dict[str, Estimate]] = {way.name: {} for way in shown}
            for scorer in self.tables.section.scorers:
                for way in shown:
                    values, weights = self.tables.column(way, scorer)
                    rows[way.name][scorer] = estimate(
                        values[of], weights[of], sources, binary=self.binary[scorer], **self.draws
                    )
            found[kind] = rows
        return found
