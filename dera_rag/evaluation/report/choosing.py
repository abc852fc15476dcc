"""Is choosing λ for each question worth it: policies against fixed λ, chance, and the oracle.

Axes differ in their units, so a sum of both takes each in units of its spread: how far its mean
over the tuning questions moves between the fixed λ. A ratio's weights scale its values to an even
mean weight; intervals then take that mean weight as known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.report.axes import Scale
from dera_rag.evaluation.report.findings import (
    AgainstFixed,
    Objective,
    OracleFinding,
    PolicyFinding,
)
from dera_rag.evaluation.report.frontiers import turned
from dera_rag.evaluation.report.tables import Tables, Way, over_seeds
from dera_rag.evaluation.statistics import Estimate
from dera_rag.evaluation.statistics.policies import (
    against_best_fixed,
    against_random,
    dominance,
    oracle,
)

_LEVEL = 0.9  # two-sided: 5 % a side, as the test of dominance has it


@dataclass(frozen=True, slots=True)
class Contest:
    """The axes of a section at fixed λ, scaled to even weights.

    Attributes:
        tables: The section's tables.
        fixed: K fixed λ, ascending.
        scales: Axis → its scale; one or both.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.
    """

    tables: Tables
    fixed: tuple[Way, ...]
    scales: Mapping[str, Scale]
    n_resamples: int
    seed: int

    @property
    def lams(self) -> list[float]:
        """K values of λ."""
        return [way.lam or 0.0 for way in self.fixed]

    def tuning(self) -> np.ndarray:
        """`[N]`: which questions tune."""
        return np.asarray([q.split == "tune" for q in self.tables.section.questions], dtype=bool)

    def scaled(self, axis: str, many: Sequence[Way]) -> np.ndarray:
        """`[N, K]` values of an axis, times weight over mean weight."""
        values, weights = turned(self.tables, many, self.scales[axis])
        return np.asarray(values * _even(weights))

    def policy(self, way: Way) -> PolicyFinding:
        """What a policy is worth."""
        tune = self.tuning()
        lams = self.tables.sheet(way).lams
        known = np.isfinite(lams)
        found, reasons = [], []
        if not tune.any() or tune.all():
            side = "tuning" if not tune.any() else "test"
            reasons.append(f"no {side} questions: the suite's `tuning` says how sources are split")
        else:
            try:
                found = self._against_fixed(way, tune)
            except InvalidValueError as error:
                reasons.append(error.message)
        chance: dict[str, Estimate] = {}
        try:
            chance = self._against_random(way)
        except InvalidValueError as error:
            reasons.append(f"no random λ of the same mean: {error.message}")
        return PolicyFinding(
            policy=way.name,
            mean_lam=float(lams[known].mean()) if known.any() else math.nan,
            against_fixed=tuple(found),
            against_random=chance,
            n_tuning=int(tune.sum()),
            n_test=int((~tune).sum()),
            reason="; ".join(reasons),
        )

    def _against_fixed(self, way: Way, tune: np.ndarray) -> list[AgainstFixed]:
        sources = [s for s, t in zip(self.tables.sources, tune, strict=True) if not t]
        mine, tables = {}, {}
        units = {}
        for axis in self.scales:
            table = self.scaled(axis, self.fixed)
            units[axis] = spread(table[tune])
            tables[axis] = table / units[axis]
            # Its weights are the fixed λ's: they depend on the question.
            mine[axis] = self.scaled(axis, [way])[:, 0] / units[axis]
        if len(self.scales) == 1:
            (axis,) = self.scales
            one = against_best_fixed(
                mine[axis][~tune].tolist(), tables[axis][~tune], tables[axis][tune], sources,
                confidence=_LEVEL, n_resamples=self.n_resamples, seed=self.seed,
            )  # fmt: skip
            gains = {axis: times(one.gain, units[axis])}
            return [AgainstFixed(_named(axis), self.lams[one.fixed], gains, math.nan, False)]
        f, n = self.scales
        made = []
        for weight, objective in ((1.0, f), (0.0, n), (0.5, "balanced")):
            both = dominance(
                (mine[f][~tune].tolist(), mine[n][~tune].tolist()),
                (tables[f][~tune], tables[n][~tune]),
                (tables[f][tune], tables[n][tune]),
                sources, weight=weight, n_resamples=self.n_resamples, seed=self.seed,
            )  # fmt: skip
            gains = {
                f: times(both.factuality, units[f]),
                n: times(both.naturalness, units[n]),
            }
            made.append(
                AgainstFixed(
                    _named(objective), self.lams[both.fixed], gains, both.p_value, both.dominates
                )
            )
        return made

    def _against_random(self, way: Way) -> dict[str, Estimate]:
        sheet = self.tables.sheet(way)
        answered = np.isfinite(sheet.lams).all(1)
        if not answered.any():
            raise InvalidValueError(f"{way.name} chose no λ")
        lams = sheet.lams[answered].mean(1)
        sources = [s for s, a in zip(self.tables.sources, answered, strict=True) if a]
        return {
            axis: against_random(
                self.scaled(axis, [way])[answered, 0].tolist(), lams.tolist(),
                self.scaled(axis, self.fixed)[answered], self.lams, sources,
                n_resamples=self.n_resamples, seed=self.seed,
            )
            for axis in self.scales
        }  # fmt: skip

    def oracles(self) -> tuple[OracleFinding, ...]:
        """The best λ of each question over the best fixed one, by every objective."""
        objectives = [*self.scales, *(["balanced"] if len(self.scales) > 1 else [])]
        seeds = self.tables.section.seeds
        if len(seeds) == 1:
            why = "the run has one seed: chosen and scored on the same answers, luck is skill"
            return tuple(OracleFinding(_named(name), None, why) for name in objectives)
        halves = {axis: self._halves(axis) for axis in self.scales}
        if len(self.scales) > 1:
            units = {axis: spread(first) for axis, (first, _) in halves.items()}
            halves["balanced"] = (
                sum(halves[axis][0] / units[axis] for axis in self.scales),
                sum(halves[axis][1] / units[axis] for axis in self.scales),
            )  # type: ignore[assignment]  # sum() starts from 0
        return tuple(self._oracle(_named(name), *halves[name]) for name in objectives)

    def _oracle(self, name: Objective, first: np.ndarray, others: np.ndarray) -> OracleFinding:
        try:
            gain = oracle(
                first, others, self.tables.sources, n_resamples=self.n_resamples, seed=self.seed
            )
        except InvalidValueError as error:
            return OracleFinding(name, None, error.message)
        return OracleFinding(name, gain)

    def _halves(self, axis: str) -> tuple[np.ndarray, np.ndarray]:
        """`[N, K]` of the first seed, and of the mean of the others."""
        scale = self.scales[axis]
        m = self.tables.section.scorers.index(scale.scorer)
        sheets = [self.tables.sheet(way) for way in self.fixed]
        values = np.stack([scale.turned(sheet.values[:, :, m]) for sheet in sheets], 1)
        weights = np.stack([sheet.weights[:, :, m] for sheet in sheets], 1)
        return _seeds(values, weights, slice(0, 1)), _seeds(values, weights, slice(1, None))


def _seeds(values: np.ndarray, weights: np.ndarray, which: slice) -> np.ndarray:
    """`[N, K]` out of `[N, K, S]`: some seeds' mean, scaled to even weights."""
    n, k, _ = values.shape
    part, held = values[:, :, which], weights[:, :, which]
    mean, weight = over_seeds(part.reshape(n * k, -1), held.reshape(n * k, -1))
    return np.asarray(mean.reshape(n, k) * _even(weight.reshape(n, k)))


def _even(weights: np.ndarray) -> np.ndarray:
    """`[N, 1]`: a question's mean weight over the mean weight of all."""
    own = weights.mean(1, keepdims=True)
    return np.asarray(own / own.mean())


def spread(table: np.ndarray) -> float:
    """How far the mean of `[N, K]` moves between its columns; 1 where it does not.

    Args:
        table: Values, NaN for unscorable; questions scored throughout count.
    """
    whole = np.isfinite(table).all(1)
    means = table[whole].mean(0) if whole.any() else np.zeros(1)
    found = float(means.max() - means.min())
    return found if found > 0 else 1.0


def times(estimate: Estimate, unit: float) -> Estimate:
    """An estimate in another unit.

    Args:
        estimate: In units of `unit`.
        unit: > 0.
    """
    ends = (estimate.value * unit, estimate.low * unit, estimate.high * unit)
    return Estimate(*ends, estimate.n, estimate.n_failed)


def _named(name: str) -> Objective:
    return name  # type: ignore[return-value]  # axes and "balanced" are the objectives
