"""Factuality against naturalness: which settings nothing beats, how sure, and the area below.

Both axes are read as "higher is better"; negate a metric for which lower is. Shapes: `N` questions,
`P` settings (values of λ, policies).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.estimates import Estimate, resamples
from dera_rag.evaluation.statistics.resampling import cluster_numbers, interval, matrix, sums


@dataclass(frozen=True, slots=True)
class Frontier:
    """The Pareto frontier of P settings, with what resampling the sources does to it.

    Attributes:
        factuality: P means.
        naturalness: P means.
        efficient: For each setting whether no other is at least as good on both axes and better on
            one.
        efficient_share: For each setting the share of resamples in which it is efficient.
        hypervolume: Area that the frontier dominates above the reference point. A maximum over
            noisy settings is a little too high, the more so the closer they are.
        levels: L levels of factuality, ascending.
        best: L estimates: the highest naturalness to be had at that factuality or more; NaN where
            no setting reaches it.
        n: Questions scored on both axes at every setting.
        n_failed: Questions that miss a score somewhere, left out of all settings alike.
    """

    factuality: tuple[float, ...]
    naturalness: tuple[float, ...]
    efficient: tuple[bool, ...]
    efficient_share: tuple[float, ...]
    hypervolume: Estimate
    levels: tuple[float, ...]
    best: tuple[Estimate, ...]
    n: int
    n_failed: int


def efficient(points: np.ndarray) -> np.ndarray:
    """Which points no other dominates, higher being better on both axes; equal points all stay.

    Args:
        points: `[..., P, 2]`.

    Returns:
        `[..., P]` bool.
    """
    mine, other = points[..., :, None, :], points[..., None, :, :]
    beaten = (other >= mine).all(-1) & (other > mine).any(-1)
    return np.asarray(~beaten.any(-1))


def hypervolume(points: np.ndarray, reference: tuple[float, float]) -> np.ndarray:
    """Area that points dominate above a reference point (Zitzler and Thiele 1998), two axes.

    Args:
        points: `[..., P, 2]`, higher is better; points not above the reference add nothing.
        reference: The worst corner, equal in all runs that are to be compared.

    Returns:
        `[...]`, ≥ 0, higher is better.
    """
    gain = np.maximum(points - np.asarray(reference), 0.0)
    order = np.argsort(-gain[..., 0], axis=-1, kind="stable")
    x = np.take_along_axis(gain[..., 0], order, -1)
    y = np.maximum.accumulate(np.take_along_axis(gain[..., 1], order, -1), axis=-1)
    # From the largest x leftwards, each strip is as high as the best y seen so far.
    width = x - np.concatenate([x[..., 1:], np.zeros_like(x[..., :1])], axis=-1)
    return np.asarray((width * y).sum(-1))


def frontier(
    factuality: Sequence[Sequence[float]] | np.ndarray,
    naturalness: Sequence[Sequence[float]] | np.ndarray,
    reference: tuple[float, float],
    clusters: Sequence[str] | None = None,
    *,
    weights: tuple[np.ndarray, np.ndarray] | None = None,
    n_levels: int = 21,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Frontier:
    """The frontier of P settings on N questions with bootstrap bands.

    Args:
        factuality: `[N, P]`, higher is better, NaN for unscorable.
        naturalness: `[N, P]` likewise.
        reference: Worst corner of the hypervolume, in the units of the axes.
        clusters: N sources; None takes every question as its own.
        weights: `[N, P]` > 0 for each axis, where a mean is Σ weight·score / Σ weight; None weighs
            all alike.
        n_levels: L, how many levels of factuality the band is drawn at, ≥ 2.
        confidence: Level of each interval, in (0, 1).
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Raises:
        InvalidValueError: The tables differ in shape, nothing was scored throughout, or a setting
            is out of range.
    """
    one, other = matrix(factuality, "factuality"), matrix(naturalness, "naturalness")
    if one.shape != other.shape:
        raise InvalidValueError(
            f"factuality is {one.shape} and naturalness {other.shape}",
            hint="the same questions and settings in one order",
        )
    axes = np.stack([one, other], -1)
    whole = np.isfinite(axes).all((1, 2))
    if not whole.any() or n_levels < 2:
        raise InvalidValueError(
            f"{int(whole.sum())} of {len(axes)} questions are scored at every setting, and "
            f"n_levels is {n_levels}",
            hint="leave out a setting that scores nothing; n_levels ≥ 2",
        )
    sources = cluster_numbers(len(axes), clusters, whole)
    p = axes.shape[1]
    held = np.ones_like(axes) if weights is None else np.stack(weights, -1)
    totals = sums((axes * held)[whole].reshape(-1, 2 * p), sources)
    sizes = sums(held[whole].reshape(-1, 2 * p), sources)
    picks = resamples(len(sizes), n_resamples, seed)
    points = (totals.sum(0) / sizes.sum(0)).reshape(p, 2)
    boot = (picks @ totals / (picks @ sizes)).reshape(-1, p, 2)
    n, failed = int(whole.sum()), int((~whole).sum())
    area = hypervolume(np.concatenate([points[None], boot]), reference)
    levels = np.linspace(points[:, 0].min(), points[:, 0].max(), n_levels)
    best, best_boot = _best_at(points, levels), _best_at(boot, levels)
    return Frontier(
        factuality=tuple(points[:, 0].tolist()),
        naturalness=tuple(points[:, 1].tolist()),
        efficient=tuple(efficient(points).tolist()),
        efficient_share=tuple(efficient(boot).mean(0).tolist()),
        hypervolume=interval(float(area[0]), area[1:], n, failed, confidence),
        levels=tuple(levels.tolist()),
        best=tuple(
            interval(float(best[i]), best_boot[:, i], n, failed, confidence)
            for i in range(n_levels)
        ),
        n=n,
        n_failed=failed,
    )


def _best_at(points: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """`[..., L]`: the highest second axis among points whose first is at or above each level."""
    reaches = points[..., :, None, 0] >= levels - 1e-12
    best = np.where(reaches, points[..., :, None, 1], -np.inf).max(-2)
    return np.where(np.isfinite(best), best, np.nan)
