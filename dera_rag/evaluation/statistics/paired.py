"""Two arms on the same questions: differences, tests, and the gate of a continuous integration.

Shapes: `N` items, the same in both arms and in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.errors import InvalidValueError, MissingDependencyError
from dera_rag.evaluation.statistics.estimates import Estimate, ratio
from dera_rag.evaluation.statistics.resampling import cluster_numbers


def difference(
    new: Sequence[float],
    old: Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean of new − old over items scored in both arms, sources resampled whole.

    Args:
        new: N scores, NaN for unscorable.
        old: N scores of the same items.
        clusters: N sources; None takes every item as its own.
        weights: N numbers > 0, alike in both arms, for Σ weight·(new − old) / Σ weight; None
            weighs all alike.
        confidence: Level of the two-sided interval, in (0, 1).
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Returns:
        Above 0 where `new` scores higher; `n_failed` counts items that an arm could not score.

    Raises:
        InvalidValueError: Lengths differ, or a setting is out of range.
    """
    a, b = _arms(new, old)
    held = np.ones_like(a) if weights is None else np.asarray(weights, dtype=np.float64)
    return ratio(
        ((a - b) * held).tolist(), held.tolist(), clusters,
        confidence=confidence, n_resamples=n_resamples, seed=seed,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class McNemar:
    """How often exactly one of two arms succeeds, and whether that is lopsided.

    Attributes:
        only_new: Items that only the new arm got right.
        only_old: Items that only the old arm got right.
        p_value: Two-sided and exact: the probability of a split at least this lopsided if the arms
            were interchangeable within every source.
        n: Items scored in both arms.
        n_failed: Items that an arm could not score.
    """

    only_new: int
    only_old: int
    p_value: float
    n: int
    n_failed: int


def mcnemar(
    new: Sequence[float], old: Sequence[float], clusters: Sequence[str] | None = None
) -> McNemar:
    """The exact McNemar test; with clusters a source's items change arms together.

    The statistic is |only_new − only_old|. Under the null hypothesis each source's difference has
    either sign with equal probability, and the distribution of their sum is computed exactly by
    convolution. For single items that is McNemar's binomial test.

    Args:
        new: N outcomes, 1 or True for success, 0 or False otherwise, NaN for unscorable.
        old: N outcomes of the same items.
        clusters: N sources; None takes every item as its own.

    Raises:
        InvalidValueError: An outcome is neither 0, 1 nor NaN, or lengths differ.
    """
    a, b = _arms(new, old)
    sources = cluster_numbers(len(a), clusters)
    bad = np.isnan(a) | np.isnan(b)
    if not np.isin(np.concatenate([a[~bad], b[~bad]]), (0.0, 1.0)).all():
        raise InvalidValueError(
            "outcomes of McNemar's test must be 0, 1 or NaN", hint="use difference() for scores"
        )
    gaps = (a - b)[~bad]
    by_source = np.zeros(int(sources.max(initial=-1)) + 1)
    np.add.at(by_source, sources[~bad], gaps)
    return McNemar(
        only_new=int((gaps > 0).sum()),
        only_old=int((gaps < 0).sum()),
        p_value=_sign_flip(np.abs(by_source).astype(int), abs(int(gaps.sum()))),
        n=len(gaps),
        n_failed=int(bad.sum()),
    )


def _sign_flip(sizes: np.ndarray, observed: int) -> float:
    """P(|Σ ±size| ≥ observed) for fair signs: the exact distribution of the sum."""
    total = int(sizes.sum())
    probability = np.zeros(2 * total + 1)  # of the sums −total … total
    probability[total] = 1.0
    for size in sizes[sizes > 0]:
        up, down = np.roll(probability, size), np.roll(probability, -size)
        probability = (up + down) / 2
    at = np.abs(np.arange(-total, total + 1)) >= observed
    return float(min(1.0, probability[at].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, Holm's step-down method; NaN stays NaN, uncounted.

    Args:
        p_values: One per comparison, in [0, 1].

    Raises:
        InvalidValueError: A p-value outside [0, 1].
        MissingDependencyError: statsmodels is not installed.
    """
    p = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(p)
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise InvalidValueError(f"p-values must be in [0, 1], got {p[known].tolist()}")
    if not known.any():
        return [float(x) for x in p]
    require_holm()
    from statsmodels.stats.multitest import multipletests

    adjusted = p.copy()
    adjusted[known] = multipletests(p[known], method="holm")[1]
    return [float(x) for x in adjusted]


def require_holm() -> None:
    """Say what is missing before minutes of resampling, and not behind them.

    Raises:
        MissingDependencyError: statsmodels is not installed.
    """
    try:
        import statsmodels.stats.multitest  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "comparing arms or runs adjusts p-values by Holm's method, which needs statsmodels",
            hint="pip install 'dera-rag[eval]'",
        ) from error


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a change may pass.

    Attributes:
        passed: Whether the lower end is at or above the margin.
        low: Lower end of the one-sided interval of the paired difference; NaN where unknown.
        estimate: The difference with its two-sided interval (its lower end is `low`).
        margin: What was asked.
        sentence: Why, for people.
    """

    passed: bool
    low: float
    estimate: Estimate
    margin: float
    sentence: str


def gate(
    name: str,
    new: Sequence[float],
    old: Sequence[float],
    margin: float,
    clusters: Sequence[str] | None = None,
    *,
    direction: str = "higher",
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Gate:
    """Passes when the one-sided lower end of the paired improvement is at or above the margin.

    Args:
        name: Of the metric, for the sentence.
        new: N scores of the run to judge, NaN for unscorable.
        old: N scores of the baseline on the same items.
        margin: The worst change allowed, usually ≤ 0: −0.01 tolerates a loss of one point.
        clusters: N sources; None takes every item as its own.
        direction: `higher` or `lower`, which way the metric is better; for `lower` an improvement
            is old − new.
        weights: As in `difference`.
        confidence: Level of the one-sided interval, in (0, 1).
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Returns:
        Never passed where nothing was scored in both runs, where there is a single source, or where
        items of the baseline are no longer scored in the new run: what failed may not vanish.

    Raises:
        InvalidValueError: Lengths differ, or a setting is out of range.
    """
    if direction not in {"higher", "lower"}:
        raise InvalidValueError(
            f"a gate needs a direction, got {direction!r}", hint="'higher' or 'lower'"
        )
    if not 0.5 < confidence < 1:
        raise InvalidValueError(f"confidence must be in (0.5, 1), got {confidence}", hint="0.95")
    a, b = _arms(new, old)
    better, worse = (a, b) if direction == "higher" else (b, a)
    # The lower end of a two-sided interval of level 2c − 1 is one-sided of level c.
    estimate = difference(
        better.tolist(), worse.tolist(), clusters, weights=weights,
        confidence=2 * confidence - 1, n_resamples=n_resamples, seed=seed,
    )  # fmt: skip
    lost = int((np.isnan(a) & ~np.isnan(b)).sum())
    low = estimate.low
    passed = not math.isnan(low) and low >= margin and not lost
    return Gate(passed, low, estimate, margin, _sentence(name, estimate, margin, passed, lost))


def _sentence(name: str, estimate: Estimate, margin: float, passed: bool, lost: int) -> str:
    if lost:
        return f"{name}: fails, {lost} items of the baseline could not be scored in this run"
    if not estimate.n:
        return f"{name}: fails, no item is scored in both runs"
    if math.isnan(estimate.low):
        return f"{name}: fails, {estimate.n} paired items tell no interval"
    relation = "is at or above" if passed else "is below"
    # A sum's last digits would print as −0.0000.
    value, low = (round(x, 9) + 0.0 for x in (estimate.value, estimate.low))
    return (
        f"{name}: {'passes' if passed else 'fails'}, improvement {value:+.4f}, its "
        f"one-sided lower end {low:+.4f} {relation} the margin {margin:+g} "
        f"(n = {estimate.n}, {estimate.n_failed} unscored)"
    )


def _arms(new: Sequence[float], old: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(new, dtype=np.float64), np.asarray(old, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise InvalidValueError(
            f"the arms differ: {len(new)} and {len(old)} items", hint="the same items in one order"
        )
    return a, b
