"""Effective faithfulness: what is left of a difference once both arms copy equally much.

An answer copied word for word is faithful on most meters, so an arm can win by copying alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.estimates import Estimate, resamples
from dera_rag.evaluation.statistics.resampling import cluster_numbers, interval

_KNOTS = (0.25, 0.5, 0.75)  # of the copy rate's distribution: enough for a bent relation


@dataclass(frozen=True, slots=True)
class EqualCopying:
    """Two arms' faithfulness at the copy rates of both together.

    Attributes:
        new: Effective faithfulness of the new arm.
        old: Of the old arm.
        difference: New − old at equal copying; its interval is paired.
        raw: New − old as it stands, copying included.
        overlap: Share of answers whose copy rate lies where both arms have answers, in [0, 1]; the
            rest is extrapolated, so near 0 the comparison says little.
    """

    new: Estimate
    old: Estimate
    difference: Estimate
    raw: Estimate
    overlap: float


def at_equal_copying(
    new: tuple[Sequence[float], Sequence[float]],
    old: tuple[Sequence[float], Sequence[float]],
    clusters: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> EqualCopying:
    """Compares arms at equal copy rate: analysis of covariance with a bent line.

    Faithfulness is regressed on the arm and on a line in the copy rate that may bend at its
    quartiles, shared by the arms; an arm's effective faithfulness is its prediction averaged over
    the copy rates of both arms. Sources are resampled whole, the regression refitted each time.

    Args:
        new: N values of faithfulness, N of copy rate; a NaN in either arm leaves the question out.
        old: The same questions in the old arm.
        clusters: N sources; None takes every question as its own.
        confidence: Level of the intervals.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Raises:
        InvalidValueError: Lengths differ, nothing is scored in both arms, or a setting is out of
            range.
    """
    if len({len(c) for c in (*new, *old)}) > 1:
        raise InvalidValueError(
            f"lengths differ: {[len(c) for c in (*new, *old)]}",
            hint="the same questions in both arms",
        )
    columns = np.asarray([*new, *old], dtype=np.float64)
    whole = np.asarray(np.isfinite(columns).all(0))
    if not whole.any():
        raise InvalidValueError("no question is scored in both arms")
    sources = cluster_numbers(len(whole), clusters, whole)
    f_new, c_new, f_old, c_old = columns[:, whole]
    copied = np.concatenate([c_new, c_old])
    knots = np.unique(np.quantile(copied, _KNOTS))
    rows = np.stack([_design(c_new, 1.0, knots), _design(c_old, 0.0, knots)])  # [2, n, D]
    effects = _effects(rows, np.stack([f_new, f_old]), sources, n_resamples, seed)
    n, failed = len(f_new), int((~whole).sum())

    def estimate(column: np.ndarray) -> Estimate:
        return interval(float(column[0]), column[1:], n, failed, confidence)

    low, high = max(c_new.min(), c_old.min()), min(c_new.max(), c_old.max())
    return EqualCopying(
        new=estimate(effects[:, 0]),
        old=estimate(effects[:, 1]),
        difference=estimate(effects[:, 0] - effects[:, 1]),
        raw=estimate(effects[:, 2]),
        overlap=float(((copied >= low) & (copied <= high)).mean()),
    )


def _design(copied: np.ndarray, arm: float, knots: np.ndarray) -> np.ndarray:
    bends = [np.maximum(0.0, copied - k) for k in knots]
    return np.stack([np.ones_like(copied), np.full_like(copied, arm), copied, *bends], -1)


def _effects(
    rows: np.ndarray, y: np.ndarray, sources: np.ndarray, n_resamples: int, seed: int
) -> np.ndarray:
    """`[1 + R, 3]`: effective new, effective old, raw difference; all questions first."""
    count = int(sources.max()) + 1
    grams, crosses = np.einsum("and,ane->nde", rows, rows), np.einsum("and,an->nd", rows, y)
    means, gaps = rows.sum(0), y[0] - y[1]
    width = rows.shape[-1]
    ends = np.stack([gaps, np.ones_like(gaps)], -1)
    flat = np.concatenate([grams.reshape(len(gaps), -1), crosses, means, ends], axis=1)
    totals = np.zeros((count, flat.shape[1]))
    np.add.at(totals, sources, flat)
    weights = np.concatenate([np.ones((1, count)), resamples(count, n_resamples, seed)])
    summed = weights @ totals
    gram = summed[:, : width**2].reshape(-1, width, width)
    cross, mean = summed[:, width**2 : width**2 + width], summed[:, width**2 + width : -2]
    size = summed[:, -1:]
    # The pseudo-inverse, because one arm or one copy rate throughout leaves columns alike.
    beta = np.einsum("rde,re->rd", np.linalg.pinv(gram, hermitian=True), cross)
    mean = mean / (2 * size)
    shared = np.einsum("rd,rd->r", beta, mean) - beta[:, 1] * mean[:, 1]
    return np.stack([shared + beta[:, 1], shared, summed[:, -2] / size[:, 0]], -1)
