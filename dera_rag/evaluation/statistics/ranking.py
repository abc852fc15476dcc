"""Does a scorer order answers as people do: AUROC and Spearman with clustered intervals.

Shapes: `N` items, `R` resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.estimates import Estimate
from dera_rag.evaluation.statistics.resampling import cluster_numbers, weighted_interval


def auroc(
    scores: Sequence[float],
    labels: Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    baseline: Sequence[float] | None = None,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Probability that a positive item scores above a negative one, ties counting half.

    Args:
        scores: N scores, higher for positive; NaN for unscorable.
        labels: N labels, 1 or 0.
        clusters: N sources; None takes every item as its own.
        baseline: N scores of another scorer: the estimate is then the paired difference to it.
        confidence: Level of the interval.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Returns:
        In [0, 1], .5 is chance (a difference lies in [−1, 1]); higher is better.

    Raises:
        InvalidValueError: Lengths differ, a label is neither 0 nor 1, one class is missing, or a
            setting is out of range.
    """
    y = np.asarray(labels, dtype=np.float64)
    if not np.isin(y, (0.0, 1.0)).all():
        raise InvalidValueError("labels of an AUROC must be 0 or 1", hint="spearman() for grades")

    estimate = _ranked(
        _auroc_of, scores, y, clusters,
        baseline=baseline, confidence=confidence, n_resamples=n_resamples, seed=seed,
    )  # fmt: skip
    if np.isnan(estimate.value):
        raise InvalidValueError("an AUROC needs scored items of both classes")
    return estimate


def spearman(
    scores: Sequence[float],
    truth: Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    baseline: Sequence[float] | None = None,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Spearman's rank correlation, ties taking their mean rank.

    Args:
        scores: N scores; NaN for unscorable.
        truth: N grades by people, NaN for none.
        clusters: N sources; None takes every item as its own.
        baseline: N scores of another scorer: the estimate is then the paired difference to it.
        confidence: Level of the interval.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Returns:
        In [−1, 1], 0 is chance (a difference lies in [−2, 2]); NaN where either side is constant.

    Raises:
        InvalidValueError: Lengths differ, nothing is scored, or a setting is out of range.
    """
    y = np.asarray(truth, dtype=np.float64)
    return _ranked(
        _spearman_of, scores, y, clusters,
        baseline=baseline, confidence=confidence, n_resamples=n_resamples, seed=seed,
    )  # fmt: skip


def _ranked(
    make: Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]],
    scores: Sequence[float],
    truth: np.ndarray,
    clusters: Sequence[str] | None,
    *,
    baseline: Sequence[float] | None,
    confidence: float,
    n_resamples: int,
    seed: int,
) -> Estimate:
    rows: list[Sequence[float] | np.ndarray] = [scores, truth]
    if baseline is not None:
        rows.append(baseline)
    if len({len(row) for row in rows}) > 1:
        raise InvalidValueError(
            f"lengths differ: {[len(row) for row in rows]}", hint="one of each per item"
        )
    columns = np.asarray(rows, dtype=np.float64)
    whole = np.asarray(np.isfinite(columns).all(0))
    if not whole.any():
        raise InvalidValueError("no item has a score and a label")
    sources = cluster_numbers(len(truth), clusters, whole)
    parts = [make(c[whole], truth[whole]) for c in (columns[0], *columns[2:])]

    def statistic(weights: np.ndarray) -> np.ndarray:
        values = [part(weights) for part in parts]
        return values[0] - values[1] if len(values) > 1 else values[0]

    return weighted_interval(
        statistic, sources, n_failed=int((~whole).sum()),
        confidence=confidence, n_resamples=n_resamples, seed=seed,
    )  # fmt: skip


def _auroc_of(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    ranks = _midranks_of(x)

    def value(weights: np.ndarray) -> np.ndarray:
        up = (weights * y).sum(1)
        down = weights.sum(1) - up
        # Mann–Whitney: the positives' rank sum less what it is among themselves.
        below = (weights * y * ranks(weights * (1 - y))).sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(below / (up * down))

    return value


def _spearman_of(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    rank_x, rank_y = _midranks_of(x), _midranks_of(y)

    def value(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(1, keepdims=True)
        a, b = rank_x(weights) - total / 2, rank_y(weights) - total / 2  # midranks average n / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            top = (weights * a * b).sum(1)
            return np.asarray(top / np.sqrt((weights * a * a).sum(1) * (weights * b * b).sum(1)))

    return value


def _midranks_of(x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """`[r, N]` weights → `[r, N]`: the weight below each item plus half the weight beside it."""
    unique, inverse = np.unique(x, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(unique)))

    def ranks(weights: np.ndarray) -> np.ndarray:
        groups = np.add.reduceat(weights[:, order], starts, axis=1)
        middle = groups.cumsum(1) - groups / 2
        return np.asarray(middle[:, inverse])

    return ranks
