"""Is choosing λ for each query worth it: against the best fixed λ, against luck, against chance.

Shapes: `N` evaluation questions, `M` tuning questions, `K` fixed values of λ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.estimates import Estimate
from dera_rag.evaluation.statistics.paired import difference
from dera_rag.evaluation.statistics.resampling import matrix

Table = Sequence[Sequence[float]] | np.ndarray


@dataclass(frozen=True, slots=True)
class AgainstFixed:
    """A policy beside the best fixed λ.

    Attributes:
        fixed: Which of the K values was best on the tuning questions.
        gain: Policy − that λ on the evaluation questions, paired.
    """

    fixed: int
    gain: Estimate


def best_fixed(tuning: Table) -> int:
    """The column with the highest mean over questions scored in every column; ties go to the first.

    Args:
        tuning: `[M, K]` scores, higher is better, NaN for unscorable.

    Raises:
        InvalidValueError: No question is scored at every setting.
    """
    x = matrix(tuning, "tuning scores")
    whole = np.isfinite(x).all(1)
    if not whole.any():
        raise InvalidValueError(
            f"none of {len(x)} tuning questions is scored at every λ", hint="leave out that λ"
        )
    return int(x[whole].mean(0).argmax())


def against_best_fixed(
    policy: Sequence[float],
    fixed: Table,
    tuning: Table,
    clusters: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> AgainstFixed:
    """The policy's gain over the λ that was best on other questions.

    Picking that λ on the evaluation questions would give it their luck.

    Args:
        policy: N scores of the policy, higher is better.
        fixed: `[N, K]` scores of the same questions at each λ.
        tuning: `[M, K]` scores of tuning questions at each λ.
        clusters: N sources; None takes every question as its own.
        confidence: Level of the interval.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Raises:
        InvalidValueError: Shapes do not fit, or a setting is out of range.
    """
    x, t = matrix(fixed, "fixed scores"), matrix(tuning, "tuning scores")
    if x.shape[1] != t.shape[1]:
        raise InvalidValueError(
            f"{x.shape[1]} values of λ to evaluate but {t.shape[1]} tuned", hint="the same grid"
        )
    best = best_fixed(t)
    gain = difference(
        policy, x[:, best].tolist(), clusters,
        confidence=confidence, n_resamples=n_resamples, seed=seed,
    )  # fmt: skip
    return AgainstFixed(best, gain)


@dataclass(frozen=True, slots=True)
class Dominance:
    """Whether a policy dominates the best fixed λ.

    Attributes:
        fixed: Which λ was best on the tuning questions.
        factuality: Policy − fixed, two-sided intervals of level 1 − 2α.
        naturalness: Likewise.
        p_value: Of "the policy is no better": the larger of the two one-sided p-values
            (intersection–union test), so no correction for two axes is due.
        dominates: Whether `p_value` is below α.
    """

    fixed: int
    factuality: Estimate
    naturalness: Estimate
    p_value: float
    dominates: bool


def dominance(
    policy: tuple[Sequence[float], Sequence[float]],
    fixed: tuple[Table, Table],
    tuning: tuple[Table, Table],
    clusters: Sequence[str] | None = None,
    *,
    weight: float = 0.5,
    margin: float = 0.0,
    alpha: float = 0.05,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Dominance:
    """Tests that a policy is better on both axes than the fixed λ chosen on the tuning split.

    Pairs are (factuality, naturalness), higher is better on both, in comparable units.

    Args:
        policy: N scores of the policy on each axis.
        fixed: `[N, K]` scores on each axis.
        tuning: `[M, K]` scores on each axis.
        clusters: N sources; None takes every question as its own.
        weight: Of factuality in the sum that picks the fixed λ, in [0, 1].
        margin: Loss on an axis that still counts as no worse, ≥ 0; 0 asks for a gain on both.
        alpha: Level of the test, in (0, 0.5).
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Raises:
        InvalidValueError: Shapes do not fit, or a setting is out of range.
    """
    if not (0 <= weight <= 1 and margin >= 0 and 0 < alpha < 0.5):
        raise InvalidValueError(
            f"weight={weight}, margin={margin}, alpha={alpha} do not fit",
            hint="weight in [0, 1], margin ≥ 0, alpha in (0, 0.5)",
        )
    ours, theirs = (matrix(t, "tuning scores") for t in tuning)
    best = best_fixed(weight * ours + (1 - weight) * theirs)
    gains, p_values = [], []
    for mine, table in zip(policy, fixed, strict=True):
        column = matrix(table, "fixed scores")[:, best].tolist()
        gain = difference(
            mine, column, clusters, confidence=1 - 2 * alpha, n_resamples=n_resamples, seed=seed
        )
        gains.append(gain)
        p_values.append(_one_sided(gain, margin, alpha))
    p = max(p_values)
    return Dominance(best, gains[0], gains[1], p, p < alpha)


def _one_sided(gain: Estimate, margin: float, alpha: float) -> float:
    """P-value of "gain ≤ −margin", by the normal approximation the interval's width stands for.

    At the level asked for it agrees with the interval itself: the width is the lower side's.
    """
    normal = NormalDist()
    side = gain.value - gain.low
    if not np.isfinite(side):
        return 1.0
    if side == 0:
        return 0.0 if gain.value + margin > 0 else 1.0
    return 1 - normal.cdf((gain.value + margin) / side * normal.inv_cdf(1 - alpha))


def oracle(
    chosen_on: Table,
    scored_on: Table,
    clusters: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """What the best λ of each query is worth over the best fixed one: an upper bound for policies.

    λ is chosen on the answers of one seed and scored on those of another, and both the oracle's and
    the fixed λ are: the largest of K noisy scores would otherwise count luck as skill.

    Args:
        chosen_on: `[N, K]` scores under one seed, higher is better.
        scored_on: `[N, K]` scores of the same questions and values of λ under another seed.
        clusters: N sources; None takes every question as its own.
        confidence: Level of the interval.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Returns:
        Mean of oracle − best fixed λ; 0 where no query differs from another.

    Raises:
        InvalidValueError: The tables differ in shape, or nothing was scored.
    """
    first, second = matrix(chosen_on, "scores"), matrix(scored_on, "scores")
    if first.shape != second.shape:
        raise InvalidValueError(
            f"the seeds differ: {first.shape} and {second.shape}", hint="the same questions and λ"
        )
    known = np.isfinite(first).any(1)
    picks = np.where(np.isfinite(first), first, -np.inf).argmax(1)
    mine = second[np.arange(len(second)), picks]
    mine[~known] = np.nan
    return difference(
        mine.tolist(), second[:, best_fixed(first)].tolist(), clusters,
        confidence=confidence, n_resamples=n_resamples, seed=seed,
    )  # fmt: skip


def against_random(
    policy: Sequence[float],
    lams: Sequence[float],
    fixed: Table,
    grid: Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """The policy's gain over its own values of λ dealt to the questions at random.

    A policy that only moves the mean of λ gains nothing here. The control's expectation is exact:
    each question is scored at every λ of the grid, weighted by how often the policy chose it; a λ
    between two grid points is shared between them so that its mean is kept.

    Args:
        policy: N scores of the policy, higher is better.
        lams: N values of λ it chose, within the grid.
        fixed: `[N, K]` scores of the same questions on the grid.
        grid: K values of λ, ascending.
        clusters: N sources; None takes every question as its own.
        confidence: Level of the interval.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Raises:
        InvalidValueError: Shapes do not fit, or a λ lies outside the grid.
    """
    x, points = matrix(fixed, "fixed scores"), np.asarray(grid, dtype=np.float64)
    lam = np.asarray(lams, dtype=np.float64)
    if len(points) != x.shape[1] or len(lam) != len(x) or (np.diff(points) <= 0).any():
        raise InvalidValueError(
            f"{len(lam)} values of λ and a grid of {len(points)} for scores {x.shape}",
            hint="one λ per question; an ascending grid, one column each",
        )
    if not ((lam >= points[0]) & (lam <= points[-1])).all():
        raise InvalidValueError(
            f"λ from {lam.min()} to {lam.max()} leaves the grid, {points[0]} to {points[-1]}",
            hint="widen the grid: λ beyond it has no score",
        )
    control = x @ _shares(lam, points)
    return difference(
        policy, control.tolist(), clusters,
        confidence=confidence, n_resamples=n_resamples, seed=seed,
    )  # fmt: skip


def _shares(lam: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How often each grid point is chosen, `[K]`, sums to 1 and keeps the mean of λ."""
    shares = np.zeros(len(points))
    if len(points) == 1:
        return np.ones(1)
    right = np.clip(np.searchsorted(points, lam), 1, len(points) - 1)
    part = (lam - points[right - 1]) / (points[right] - points[right - 1])
    np.add.at(shares, right, part)
    np.add.at(shares, right - 1, 1 - part)
    return np.asarray(shares / len(lam))
