"""Two columns of one set of questions: a paired difference, a test, and all tests adjusted."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dera_rag.evaluation.report.findings import Comparison, Test
from dera_rag.evaluation.report.tables import Tables, Way, over_seeds
from dera_rag.evaluation.statistics import Estimate
from dera_rag.evaluation.statistics.flips import sign_flip_test
from dera_rag.evaluation.statistics.paired import difference, holm, mcnemar

_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Scores:
    """A scorer's answers in one arm, N questions × S seeds.

    Attributes:
        values: `[N, S]`, NaN where there is none.
        weights: `[N, S]`.
    """

    values: np.ndarray
    weights: np.ndarray

    def column(self) -> tuple[np.ndarray, np.ndarray]:
        """`[N]` values and weights, seeds averaged within each question."""
        return over_seeds(self.values, self.weights)


@dataclass(frozen=True, slots=True)
class Paired:
    """A difference with its test.

    Attributes:
        new_mean: Mean of the new arm over the questions scored in both.
        old_mean: Of the old one.
        difference: New − old, paired.
        test: Which test; "" where nothing is scored in both.
        p_value: Two-sided; NaN without a test.
        only_new: Answers that are 1 in the new arm alone (McNemar), else None.
        only_old: Answers that are 1 in the old arm alone (McNemar), else None.
        lost: Answers scored in the old arm alone.
    """

    new_mean: float
    old_mean: float
    difference: Estimate
    test: Test
    p_value: float
    only_new: int | None
    only_old: int | None
    lost: int


def scores_of(tables: Tables, way: Way, scorer: str) -> Scores:
    """A scorer's answers in one arm."""
    sheet, m = tables.sheet(way), tables.section.scorers.index(scorer)
    return Scores(sheet.values[:, :, m], sheet.weights[:, :, m])


@dataclass(frozen=True, slots=True)
class Columns:
    """Two arms, question by question.

    Attributes:
        new: `[N]`, NaN where no seed is scored in both arms.
        old: `[N]` likewise.
        weights: `[N]`, the mean of both arms'. Weights of this package's scorers depend on the
            question alone: then the weighted mean of differences is the difference of the means.
        lost: `[N]` answers that the old arm scored and the new one could not.
    """

    new: np.ndarray
    old: np.ndarray
    weights: np.ndarray
    lost: np.ndarray


def paired_columns(new: Scores, old: Scores) -> Columns:
    """Both arms on the seeds scored in both: one that an arm could not score leaves both.

    Args:
        new: Scores of the new arm.
        old: Of the same questions and seeds in the old one.
    """
    mine, theirs = np.isfinite(new.values), np.isfinite(old.values)
    both = mine & theirs
    a, weights = replace(new, values=np.where(both, new.values, np.nan)).column()
    b, others = replace(old, values=np.where(both, old.values, np.nan)).column()
    return Columns(a, b, (weights + others) / 2, (theirs & ~mine).sum(1))


def compare(
    new: Scores,
    old: Scores,
    sources: Sequence[str],
    *,
    binary: bool,
    n_resamples: int,
    seed: int,
) -> Paired:
    """New − old on the questions scored in both.

    Args:
        new: Scores of the new arm.
        old: Of the same questions and seeds in the old one.
        sources: N sources.
        binary: Whether the scorer gives 0 or 1 alone.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.
    """
    columns = paired_columns(new, old)
    a, b, weights = columns.new, columns.old, columns.weights
    lost = int(columns.lost.sum())
    gap = difference(
        a.tolist(), b.tolist(), sources,
        weights=weights.tolist(), n_resamples=n_resamples, seed=seed,
    )  # fmt: skip
    means = (_mean(a, weights), _mean(b, weights))
    if not gap.n:
        return Paired(*means, gap, "", math.nan, None, None, lost)
    if binary:
        each = [source for source in sources for _ in range(new.values.shape[1])]
        found = mcnemar(new.values.ravel().tolist(), old.values.ravel().tolist(), each)
        p, ones = found.p_value, (found.only_new, found.only_old)
        return Paired(*means, gap, "mcnemar", p, *ones, lost)
    p = sign_flip_test(((a - b) * weights).tolist(), sources)
    return Paired(*means, gap, "sign flip", p, None, None, lost)


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    known = np.isfinite(values)
    total = weights[known].sum()
    return float((values * weights)[known].sum() / total) if total else math.nan


def compare_arms(
    tables: Tables,
    many: Sequence[Way],
    baseline: Way,
    primary: Collection[str],
    binary: Mapping[str, bool],
    *,
    n_resamples: int,
    seed: int,
) -> tuple[Comparison, ...]:
    """Every other arm against the baseline by every scorer, adjusted by `by_family`.

    Args:
        tables: The section's tables.
        many: Ways of answering.
        baseline: One of them.
        primary: Scorers of the axes.
        binary: Scorer → whether it gives 0 or 1 alone.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.
    """
    made = []
    for scorer in tables.section.scorers:
        old = scores_of(tables, baseline, scorer)
        for way in many:
            if way == baseline:
                continue
            found = compare(
                scores_of(tables, way, scorer), old, tables.sources,
                binary=binary[scorer], n_resamples=n_resamples, seed=seed,
            )  # fmt: skip
            made.append((way.name, scorer, found))
    adjusted = by_family(
        [found.p_value for *_, found in made], [scorer in primary for _, scorer, _ in made]
    )
    return tuple(
        Comparison(
            arm=name,
            baseline=baseline.name,
            scorer=scorer,
            difference=found.difference,
            better=verdict(found.difference.value, p, tables.section.promises[scorer]["direction"]),
            test=found.test,
            p_value=found.p_value,
            p_holm=p,
            only_arm=found.only_new,
            only_baseline=found.only_old,
        )
        for (name, scorer, found), p in zip(made, adjusted, strict=True)
    )


def by_family(p_values: Sequence[float], primary: Sequence[bool]) -> list[float]:
    """p-values adjusted by Holm's method, those of the axes apart from all others.

    The axes are what a run is made to compare; a dozen scorers that are read beside them would
    otherwise decide how sure one may be of the axes.

    Args:
        p_values: One per test; NaN for none.
        primary: For each whether it is of an axis.
    """
    adjusted = list(p_values)
    for family in (True, False):
        at = [i for i, one in enumerate(primary) if one is family]
        for i, p in zip(at, holm([p_values[i] for i in at]), strict=True):
            adjusted[i] = p
    return adjusted


def verdict(gap: float, p_holm: float, direction: str) -> Literal["better", "worse", ""]:
    """What an adjusted test says of the new arm.

    Args:
        gap: New − old.
        p_holm: The adjusted p-value.
        direction: Which way the scorer is better; `neither` has no verdict.
    """
    if direction == "neither" or not p_holm < _ALPHA:
        return ""
    return "better" if (gap > 0) == (direction == "higher") else "worse"
