"""The clustered bootstrap that the estimators share.

Shapes: `N` items, `C` clusters (sources), `R` resamples, `K` columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.estimates import Estimate, resamples


def cluster_numbers(
    n: int, clusters: Sequence[str] | None, kept: np.ndarray | None = None
) -> np.ndarray:
    """Sources as numbers from 0 in order of first appearance, `[N]` or as many as are kept.

    Args:
        n: Number of items.
        clusters: N sources; None takes every item as its own.
        kept: `[N]` bool, which items stay; None for all.

    Raises:
        InvalidValueError: Not one source per item.
    """
    if clusters is not None and len(clusters) != n:
        raise InvalidValueError(
            f"{n} items but {len(clusters)} clusters", hint="one source per item"
        )
    names: list[int | str] = [*(range(n) if clusters is None else clusters)]
    if kept is not None:
        names = [names[i] for i in np.flatnonzero(kept).tolist()]
    first = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.asarray([first[name] for name in names], dtype=np.int64)


def matrix(values: Sequence[Sequence[float]] | np.ndarray, what: str) -> np.ndarray:
    """`[N, K]` float64.

    Raises:
        InvalidValueError: Not a table with at least one row and column.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise InvalidValueError(
            f"{what} must be a table of items × settings, got shape {array.shape}",
            hint="one row per item, one column per setting",
        )
    return array


def sums(values: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """`[C, K]`: the rows of `[N, K]` added up by source."""
    total = np.zeros((int(sources.max()) + 1, values.shape[1]))
    np.add.at(total, sources, values)
    return total


def interval(value: float, boot: np.ndarray, n: int, failed: int, confidence: float) -> Estimate:
    """A percentile interval around a value; NaN ends where fewer than 9 in 10 resamples count.

    Raises:
        InvalidValueError: No such confidence.
    """
    if not 0 < confidence < 1:
        raise InvalidValueError(f"confidence must be in (0, 1), got {confidence}", hint="use 0.95")
    known = boot[np.isfinite(boot)]
    if len(known) < 0.9 * len(boot):
        return Estimate(value, math.nan, math.nan, n, failed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), n, failed)


def weighted_interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    sources: np.ndarray,
    *,
    n_failed: int,
    confidence: float,
    n_resamples: int,
    seed: int,
) -> Estimate:
    """Bootstrap of a statistic that takes weights of items.

    Args:
        statistic: `[r, N]` weights → `[r]` values.
        sources: `[N]` numbers of the items' sources.
        n_failed: Items already left out.
        confidence: Level of the interval.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.
    """
    n = len(sources)
    value = float(statistic(np.ones((1, n)))[0])
    count = int(sources.max()) + 1
    if count == 1:  # one source says nothing about how sources differ
        return Estimate(value, math.nan, math.nan, n, n_failed)
    picks = resamples(count, n_resamples, seed)
    # In blocks: all weights at once would be R × N numbers.
    step = max(1, int(2e6 // n))
    boot = [statistic(picks[at : at + step][:, sources]) for at in range(0, n_resamples, step)]
    return interval(value, np.concatenate(boot), n, n_failed, confidence)
