"""Estimates with intervals: proportions by Wilson, means and ratios by a clustered bootstrap.

Missing is not zero: a NaN among the values is an item that could not be scored. It leaves the
estimate and is counted in `n_failed`. Items that share a source (two questions about one place) are
not independent; `clusters` names the source of each item, and whole sources are resampled.

Shapes: `N` items, `C` clusters, `R` resamples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.types import Json

Method = Literal["bca", "percentile"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, how sure it is, and what it rests on.

    Attributes:
        value: The point estimate; NaN where nothing could be scored.
        low: Lower end of the interval (95 % unless asked otherwise); NaN where it cannot be told.
        high: Upper end likewise.
        n: Items scored.
        n_failed: Items that could not be scored and are not in `value`.
    """

    value: float
    low: float
    high: float
    n: int
    n_failed: int = 0

    def rounded(self, digits: int = 6) -> Estimate:
        """The same to so many decimals: stored results do not depend on the order of a sum."""
        return Estimate(
            round(self.value, digits),
            round(self.low, digits),
            round(self.high, digits),
            self.n,
            self.n_failed,
        )

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form; NaN becomes null."""
        return {
            name: None if isinstance(x, float) and not math.isfinite(x) else x
            for name, x in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Estimate:
        """Read `to_dict` back."""
        numbers = {name: math.nan if x is None else x for name, x in data.items()}
        return cls(**numbers)  # type: ignore[arg-type]


def proportion(
    outcomes: Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """A rate with Wilson's interval, which stays inside [0, 1] and is honest at 0 and 1.

    With clusters, n in Wilson's formula is divided by the design effect (cluster-robust variance
    over binomial variance, at least 1; Korn and Graubard 1998). At a rate of 0 or 1 the data do not
    show how alike the items of a cluster are, so n is then the number of clusters.

    Args:
        outcomes: N values, 1 or True for the event, 0 or False otherwise, NaN for unscorable.
        clusters: N sources; None takes every item as its own.
        confidence: Level of the interval, in (0, 1).

    Raises:
        InvalidValueError: An outcome is neither 0, 1 nor NaN; lengths differ; no such confidence.
    """
    values, sources, failed = _scored(clusters, outcomes)
    x = values[0]
    if not np.isin(x, (0.0, 1.0)).all():
        raise InvalidValueError(
            f"outcomes of a proportion must be 0, 1 or NaN, got {x[~np.isin(x, (0.0, 1.0))][0]!r}",
            hint="use mean() for graded scores",
        )
    if not len(x):
        return Estimate(math.nan, math.nan, math.nan, 0, failed)
    rate = float(x.mean())
    low, high = _wilson(rate, _effective_n(x - rate, rate, sources), _z(confidence))
    return Estimate(rate, low, high, len(x), failed)


def mean(
    values: Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
    method: Method = "bca",
) -> Estimate:
    """A mean with a clustered bootstrap interval.

    Args:
        values: N scores, NaN for unscorable.
        clusters: N sources; None takes every item as its own.
        confidence: Level of the interval, in (0, 1).
        n_resamples: R, at least 100; 2,000 puts an end within about 3 % of the interval's width.
        seed: Of the resampling. Equal seeds and numbers of clusters give equal resamples.
        method: `bca` corrects bias and skew (Efron 1987), `percentile` does not.

    Raises:
        InvalidValueError: Lengths differ, or a setting is out of range.
    """
    return ratio(
        values,
        [1.0] * len(values),
        clusters,
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
        method=method,
    )


def ratio(
    numerators: Sequence[float],
    denominators: Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
    method: Method = "bca",
) -> Estimate:
    """Σ numerators / Σ denominators with a clustered bootstrap interval.

    For example covered over expected slots: every slot counts the same, not every answer.

    Args:
        numerators: N numbers, NaN for unscorable.
        denominators: N numbers ≥ 0, NaN for unscorable; a sum of 0 gives NaN.
        clusters: N sources; None takes every item as its own.
        confidence: Level of the interval, in (0, 1).
        n_resamples: R, at least 100.
        seed: Of the resampling.
        method: `bca` corrects bias and skew (Efron 1987), `percentile` does not.

    Raises:
        InvalidValueError: Lengths differ, or a setting is out of range.
    """
    _check_resamples(n_resamples)
    z = _z(confidence)
    (top, bottom), sources, failed = _scored(clusters, numerators, denominators)
    if not len(top) or bottom.sum() == 0:
        return Estimate(math.nan, math.nan, math.nan, len(top), failed)
    value = float(top.sum() / bottom.sum())
    count = int(sources.max()) + 1
    if count == 1:  # one source says nothing about how sources differ
        return Estimate(value, math.nan, math.nan, len(top), failed)
    tops = np.bincount(sources, weights=top, minlength=count)
    bottoms = np.bincount(sources, weights=bottom, minlength=count)
    picks = resamples(count, n_resamples, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        boot = (picks @ tops) / (picks @ bottoms)
        jack = (tops.sum() - tops) / (bottoms.sum() - bottoms)
    boot = boot[np.isfinite(boot)]
    levels = (NormalDist().cdf(-z), NormalDist().cdf(z))
    if method == "bca":
        levels = _bca_levels(value, boot, jack[np.isfinite(jack)], z)
    low, high = np.quantile(boot, levels)
    return Estimate(value, float(low), float(high), len(top), failed)


def _scored(
    clusters: Sequence[str] | None, *columns: Sequence[float]
) -> tuple[list[np.ndarray], np.ndarray, int]:
    """Columns without items that hold a NaN, cluster numbers `[n]`, and how many left."""
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    names = list(range(len(arrays[0]))) if clusters is None else list(clusters)
    lengths = {len(names), *(len(a) for a in arrays)}
    if len(lengths) > 1:
        raise InvalidValueError(
            f"values and clusters differ in length: {sorted(lengths)}", hint="one of each per item"
        )
    bad = np.any([np.isnan(a) for a in arrays], axis=0)
    kept = [name for name, drop in zip(names, bad, strict=True) if not drop]
    numbers = {name: i for i, name in enumerate(dict.fromkeys(kept))}
    sources = np.asarray([numbers[name] for name in kept], dtype=np.int64)
    return [a[~bad] for a in arrays], sources, int(bad.sum())


def _z(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise InvalidValueError(f"confidence must be in (0, 1), got {confidence}", hint="use 0.95")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def _effective_n(residuals: np.ndarray, rate: float, sources: np.ndarray) -> float:
    """How many independent items would be as sure, at most n: n over the design effect."""
    n, count = len(residuals), int(sources.max()) + 1
    binomial = n * rate * (1 - rate)
    if binomial == 0 or count == 1:
        return float(count)
    # Without small-sample factors the effect is exactly 1 for single items and m for m copies.
    sums = np.bincount(sources, weights=residuals)
    return n / max(1.0, float(sums @ sums) / binomial)


def _wilson(rate: float, n: float, z: float) -> tuple[float, float]:
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def resamples(count: int, n_resamples: int, seed: int) -> np.ndarray:
    """How often each of `count` sources is drawn, `[R, C]` float64, read-only.

    Equal arguments give equal draws: every metric of a run is resampled alike.

    Raises:
        InvalidValueError: Fewer than 100 resamples.
    """
    _check_resamples(n_resamples)
    return _draws(count, n_resamples, seed)


@lru_cache(maxsize=4)
def _draws(count: int, n_resamples: int, seed: int) -> np.ndarray:
    share = np.full(count, 1 / count)
    # Seeds of a run may be any integer; numpy wants none below 0.
    draws = np.random.default_rng(seed % 2**64).multinomial(count, share, size=n_resamples)
    picks = draws.astype(np.float64)
    picks.flags.writeable = False
    return picks


def _check_resamples(n_resamples: int) -> None:
    if n_resamples < 100:
        raise InvalidValueError(f"n_resamples must be ≥ 100, got {n_resamples}", hint="use 2000")


def _bca_levels(value: float, boot: np.ndarray, jack: np.ndarray, z: float) -> tuple[float, float]:
    """Quantile levels of BCa (Efron 1987, eq. 2.3); the plain ones where it is undefined."""
    normal = NormalDist()
    below = float((np.sum(boot < value) + 0.5 * np.sum(boot == value)) / len(boot))
    spread = jack.mean() - jack
    scale = float((spread**2).sum()) ** 1.5
    if not 0 < below < 1 or scale == 0:
        return normal.cdf(-z), normal.cdf(z)
    bias, skew = normal.inv_cdf(below), float((spread**3).sum()) / (6 * scale)

    def level(q: float) -> float:
        return normal.cdf(bias + (bias + q) / (1 - skew * (bias + q)))

    return level(-z), level(z)
