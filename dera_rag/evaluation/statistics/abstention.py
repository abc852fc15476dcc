"""Abstaining as an axis: how the answers split, and what answering less would buy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.estimates import Estimate, proportion
from dera_rag.evaluation.statistics.resampling import cluster_numbers, weighted_interval

Outcome = Literal["correct", "wrong", "abstained"]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the answers of a set of questions split.

    Attributes:
        answered: Share of answerable questions answered at all.
        correct: Share of answerable questions answered rightly, higher is better.
        wrong: Share of answerable questions answered wrongly, lower is better.
        over_refusal: Share of answerable questions refused, lower is better.
        unsupported: Share of unanswerable questions answered all the same, lower is better.
    """

    answered: Estimate
    correct: Estimate
    wrong: Estimate
    over_refusal: Estimate
    unsupported: Estimate


def outcomes(
    found: Sequence[Outcome],
    answerable: Sequence[bool],
    clusters: Sequence[str] | None = None,
) -> Outcomes:
    """Rates with Wilson's intervals over answerable and over unanswerable questions.

    Args:
        found: N outcomes; an answer to an unanswerable question is `wrong`.
        answerable: N flags: whether the passages hold an answer.
        clusters: N sources; None takes every question as its own.

    Raises:
        InvalidValueError: Lengths differ, or an outcome has another name.
    """
    unknown = set(found) - {"correct", "wrong", "abstained"}
    if unknown or len(found) != len(answerable):
        raise InvalidValueError(
            f"{len(found)} outcomes, {len(answerable)} flags, unknown outcomes {sorted(unknown)}",
            hint="'correct', 'wrong' or 'abstained', and one flag each",
        )
    names = list(map(str, range(len(found)))) if clusters is None else list(clusters)

    def rate(kinds: set[str], among: bool) -> Estimate:
        at = [i for i, can in enumerate(answerable) if bool(can) is among]
        return proportion([float(found[i] in kinds) for i in at], [names[i] for i in at])

    return Outcomes(
        answered=rate({"correct", "wrong"}, True),
        correct=rate({"correct"}, True),
        wrong=rate({"wrong"}, True),
        over_refusal=rate({"abstained"}, True),
        unsupported=rate({"correct", "wrong"}, False),
    )


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The error among answers kept, as ever fewer are kept, the least confident dropped first.

    Attributes:
        coverage: L shares of questions answered, ascending, the last 1.
        risk: L mean losses among them; equal confidences are kept or dropped together.
        area: Mean risk over all numbers of questions kept (AURC, Geifman and El-Yaniv 2017), lower
            is better; equal confidences are in the order of chance.
        excess: `area` − that of a confidence that orders the losses perfectly, ≥ 0.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: Estimate
    excess: Estimate


def risk_coverage(
    confidence_scores: Sequence[float],
    losses: Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> RiskCoverage:
    """The risk–coverage curve of a confidence, with intervals of its area.

    Args:
        confidence_scores: N numbers, higher means surer; NaN leaves the question out.
        losses: N losses ≥ 0, for example 1 for a wrong answer; NaN likewise.
        clusters: N sources; None takes every question as its own.
        confidence: Level of the intervals.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Raises:
        InvalidValueError: Lengths differ, nothing is scored, or a setting is out of range.
    """
    c = np.asarray(confidence_scores, dtype=np.float64)
    loss = np.asarray(losses, dtype=np.float64)
    if c.shape != loss.shape:
        raise InvalidValueError(f"{len(c)} confidences but {len(loss)} losses")
    whole = np.isfinite(c) & np.isfinite(loss)
    if not whole.any():
        raise InvalidValueError("no question has a confidence and a loss")
    sources = cluster_numbers(len(c), clusters, whole)
    c, loss = c[whole], loss[whole]

    def bootstrap(statistic: Callable[[np.ndarray], np.ndarray]) -> Estimate:
        return weighted_interval(
            statistic, sources, n_failed=int((~whole).sum()), confidence=confidence,
            n_resamples=n_resamples, seed=seed,
        )  # fmt: skip

    covered, kept = _curve(c, loss, np.ones((1, len(c))))
    return RiskCoverage(
        coverage=tuple(covered[0].tolist()),
        risk=tuple(kept[0].tolist()),
        area=bootstrap(lambda w: _area(c, loss, w)),
        excess=bootstrap(lambda w: _area(c, loss, w) - _area(-loss, loss, w)),
    )


def _curve(c: np.ndarray, loss: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and risk `[r, L]` after each group of equal confidence, the surest first."""
    size, lost = _sums(c, loss, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return size / size[:, -1:], lost / size


def _area(c: np.ndarray, loss: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean risk `[r]` over all numbers of answers kept.

    Where N answers with losses S go before a group of n with the mean loss l, keeping k of it has
    the risk (S + k·l)/(N + k) = l + (S − N·l)/(N + k) in the mean over its orders. Over k = 1…n
    that adds up to n·l + (S − N·l)·(H(N + n) − H(N)), with H the harmonic numbers.
    """
    size, lost = _sums(c, loss, weights)
    n, of_group = np.diff(size, axis=1, prepend=0), np.diff(lost, axis=1, prepend=0.0)
    before = size - n
    harmonic = np.append(0.0, np.cumsum(1 / np.arange(1, size.max() + 1)))
    mean = of_group / np.maximum(n, 1)
    added = of_group + (lost - of_group - before * mean) * (harmonic[size] - harmonic[before])
    return np.asarray(added.sum(1) / size[:, -1])


def _sums(c: np.ndarray, loss: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers and losses `[r, L]` up to the end of each group of equal confidence."""
    order = np.argsort(-c, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(c[order]) != 0, True))
    w = weights[:, order]
    # Weights are how often a resample drew an answer.
    return np.rint(w.cumsum(1)[:, ends]).astype(int), (w * loss[order]).cumsum(1)[:, ends]
