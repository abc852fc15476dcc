"""One band for a whole curve over λ: it holds the true curve everywhere at once.

Intervals drawn point by point each hold their own point 95 % of the time; some point of nine lies
outside its own far more often.

Shapes: `N` questions, `K` settings (values of λ).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.evaluation.statistics.estimates import resamples
from dera_rag.evaluation.statistics.resampling import cluster_numbers, matrix, sums


@dataclass(frozen=True, slots=True)
class Band:
    """A curve with a simultaneous band, K points.

    Attributes:
        values: Means; NaN where nothing was scored.
        lows: Lower ends; NaN where there are fewer than two sources.
        highs: Upper ends.
        n: Items scored at each point.
        critical: How many standard errors wide each side is; 1.96 would be one point alone.
    """

    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    n: tuple[int, ...]
    critical: float


def simultaneous_band(
    scores: Sequence[Sequence[float]] | np.ndarray,
    clusters: Sequence[str] | None = None,
    *,
    weights: Sequence[Sequence[float]] | np.ndarray | None = None,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Band:
    """Means of K columns with a band that holds all true means at once (sup-t).

    Its half width at each point is the same multiple of that point's clustered standard error; the
    multiple is the quantile of the largest standardised deviation over resamples. Questions stay
    whole, so that the correlation along the curve narrows the band.

    Args:
        scores: `[N, K]`, a row per question and a column per setting, NaN for unscorable.
        clusters: N sources; None takes every question as its own.
        weights: `[N, K]` > 0 for means Σ weight·score / Σ weight; None weighs all alike.
        confidence: Level of the whole band, in (0, 1).
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Raises:
        InvalidValueError: No table, lengths differ, or a setting is out of range.
    """
    x = matrix(scores, "scores")
    sources = cluster_numbers(len(x), clusters)
    scored = ~np.isnan(x)
    held = np.where(scored, 1.0 if weights is None else matrix(weights, "weights"), 0.0)
    tops = sums(np.where(scored, x, 0.0) * held, sources)
    bottoms = sums(held, sources)
    count = len(tops)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = tops.sum(0) / bottoms.sum(0)
        residuals = tops - values * bottoms
        # Sandwich variance of a ratio of sums, with the small-sample factor of C clusters.
        spread = np.sqrt((residuals**2).sum(0) * count / max(1, count - 1)) / bottoms.sum(0)
        picks = resamples(count, n_resamples, seed)
        boot = (picks @ tops) / (picks @ bottoms)
        deviations = np.abs(boot - values) / spread
    deviations = np.where(np.isfinite(deviations), deviations, 0.0).max(1)
    critical = float(np.quantile(deviations, confidence)) if count > 1 else float("nan")
    half = critical * spread
    return Band(
        values=tuple(values.tolist()),
        lows=tuple((values - half).tolist()),
        highs=tuple((values + half).tolist()),
        n=tuple(int(k) for k in scored.sum(0)),
        critical=critical,
    )
