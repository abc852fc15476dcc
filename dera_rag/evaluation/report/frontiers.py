"""Factuality against naturalness over a section's arms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.evaluation.report.axes import Scale
from dera_rag.evaluation.report.findings import Frontier, FrontierPoint
from dera_rag.evaluation.report.tables import Tables, Way
from dera_rag.evaluation.statistics import frontier as statistics


@dataclass(frozen=True, slots=True)
class Plane:
    """Both axes of K settings on N questions, higher is better.

    Attributes:
        many: K settings that score something on both axes.
        factuality: `[N, K]` values, NaN for unscorable, and weights.
        naturalness: Likewise.
        scales: Of both axes.
    """

    many: tuple[Way, ...]
    factuality: tuple[np.ndarray, np.ndarray]
    naturalness: tuple[np.ndarray, np.ndarray]
    scales: tuple[Scale, Scale]

    def whole(self) -> np.ndarray:
        """`[N]`: which questions every setting has a score for on both axes."""
        both = self.factuality[0] + self.naturalness[0]
        return np.asarray(np.isfinite(both).all(1))

    def of(self, kind: str) -> Plane:
        """The settings of one kind."""
        at = [k for k, way in enumerate(self.many) if way.kind == kind]
        (f, fw), (n, nw) = self.factuality, self.naturalness
        kept = tuple(self.many[k] for k in at)
        return Plane(kept, (f[:, at], fw[:, at]), (n[:, at], nw[:, at]), self.scales)


def turned(tables: Tables, many: Sequence[Way], scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """`[N, K]` values of an axis, higher is better, and their weights.

    Args:
        tables: The section's tables.
        many: K ways of answering.
        scale: Of the axis.
    """
    values, weights = tables.columns(many, scale.scorer)
    return scale.turned(values), weights


def plane(tables: Tables, many: Sequence[Way], scales: tuple[Scale, Scale]) -> Plane:
    """Both axes of the settings that score something on both.

    Args:
        tables: The section's tables.
        many: Ways of answering.
        scales: Factuality and naturalness.
    """
    live = [
        way
        for way in many
        if all(np.isfinite(tables.column(way, scale.scorer)[0]).any() for scale in scales)
    ]
    if not live:
        empty = np.empty((len(tables.sources), 0))
        return Plane((), (empty, empty), (empty, empty), scales)
    f, n = (turned(tables, live, scale) for scale in scales)
    return Plane(tuple(live), f, n, scales)


def frontier_of(
    tables: Tables,
    many: Sequence[Way],
    scales: tuple[Scale, Scale],
    *,
    n_resamples: int,
    seed: int,
) -> tuple[Frontier | None, str]:
    """The frontier, or why there is none.

    Args:
        tables: The section's tables.
        many: Ways of answering: fixed λ ascending, then policies.
        scales: Factuality and naturalness.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.
    """
    found = plane(tables, many, scales)
    if not found.whole().any():
        return None, "no question is scored on both axes at every setting"
    reference, comparable = _worst_corner(found)

    def frontier(part: Plane) -> statistics.Frontier:
        return statistics.frontier(
            part.factuality[0], part.naturalness[0], reference, tables.sources,
            weights=(part.factuality[1], part.naturalness[1]),
            n_resamples=n_resamples, seed=seed,
        )  # fmt: skip

    made, fixed = frontier(found), found.of("lam")
    return Frontier(
        points=_points(tables, found, made),
        levels=made.levels,
        best=made.best,
        hypervolume_fixed=frontier(fixed).hypervolume if fixed.many else None,
        hypervolume=made.hypervolume,
        reference=reference,
        comparable=comparable,
        n=made.n,
        n_failed=made.n_failed,
        note=_note(many, found, comparable),
    ), ""


def _points(tables: Tables, found: Plane, made: statistics.Frontier) -> tuple[FrontierPoint, ...]:
    points = []
    for k, way in enumerate(found.many):
        lams = tables.sheet(way).lams
        known = lams[np.isfinite(lams)]
        points.append(
            FrontierPoint(
                arm=way.name,
                lam=float(known.mean()) if way.lam is None and len(known) else way.lam,
                policy=way.kind == "policy",
                factuality=made.factuality[k],
                naturalness=made.naturalness[k],
                efficient=made.efficient[k],
                efficient_share=made.efficient_share[k],
            )
        )
    return tuple(points)


def _worst_corner(found: Plane) -> tuple[tuple[float, float], bool]:
    """The scales' worst ends; where one has none, the worst mean of this run."""
    whole = found.whole()
    corner, comparable = [], True
    for scale, (values, weights) in zip(
        found.scales, (found.factuality, found.naturalness), strict=True
    ):
        worst = scale.worst
        if math.isnan(worst):
            comparable = False
            means = (values * weights)[whole].sum(0) / weights[whole].sum(0)
            worst = float(means.min())
        corner.append(worst)
    return (corner[0], corner[1]), comparable


def _note(many: Sequence[Way], found: Plane, comparable: bool) -> str:
    notes = [f"{way.name} scores nothing and is left out" for way in many if way not in found.many]
    if not comparable:
        notes.append("the worst corner is this run's own, so its areas compare with no other run's")
    return "; ".join(notes)
