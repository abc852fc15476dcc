"""Questions × arms as tables: what every estimate of a report is made from.

All arms keep the same questions in one order, and λ shares a question's noise, so that columns may
be subtracted. Shapes: `N` questions, `S` seeds, `M` scorers, `K` arms.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.report.rows import Answered
from dera_rag.evaluation.report.runs import SectionRun

# A path can be asked for any λ. A table of eleven rows can still be read; what is searched or
# banded is twice as fine, and holds the table's λ.
_TABLE, _FINE = 11, 21


@dataclass(frozen=True, slots=True)
class Way:
    """A way of answering.

    Attributes:
        kind: A fixed λ, a policy, or answers that were given.
        lam: Of a fixed λ; None for the others.
        label: Of a policy; "" for the others.
    """

    kind: Literal["lam", "policy", "given"]
    lam: float | None = None
    label: str = ""

    @property
    def name(self) -> str:
        """`λ=0.5`, the policy's label, or `given`."""
        if self.kind == "lam":
            return f"λ={self.lam:g}"
        return self.label if self.kind == "policy" else "given"

    def position(self, answered: Answered) -> int | None:
        """Where this way's answer stands among a question's; None where it has none."""
        if answered.error:
            return None
        if self.kind == "policy":
            return answered.policies.get(self.label)
        return answered.at(self.lam) if self.lam is not None else 0


def fixed_ways(section: SectionRun, *, fine: bool = False) -> list[Way]:
    """The fixed λ of a section, ascending; none for given answers.

    Args:
        section: The section.
        fine: For a path twice as many, those of the table among them.
    """
    points = list(section.lam)
    if section.answers == "path":
        low, high = section.lam
        points = lam_points(low, high, _FINE if fine else _TABLE)
    return [Way("lam", lam) for lam in points]


def lam_points(low: float, high: float, count: int = _TABLE) -> list[float]:
    """Evenly spaced λ with both ends, and with 1, the aligned model, where it lies between."""
    points = {round(float(x), 6) for x in np.linspace(low, high, count)}
    if low <= 1 <= high:
        points.add(1.0)
    return sorted(points)


def ways(section: SectionRun) -> list[Way]:
    """Every way of answering that a table shows: fixed λ, then policies; or given answers."""
    if section.answers == "given":
        return [Way("given")]
    return [*fixed_ways(section), *(Way("policy", label=label) for label in section.policies)]


def find_way(section: SectionRun, asked: str | float | None) -> Way:
    """An arm by its λ, its label or its name.

    Args:
        section: A section whose answers were not given.
        asked: A number, also as text or as `λ=0.5`, or a policy's label; None for λ=1, or the fixed
            λ nearest to it.

    Raises:
        InvalidValueError: The section has no such arm.
    """
    fixed, labels = fixed_ways(section), section.policies
    if asked is None:
        return min(fixed, key=lambda way: abs((way.lam or 0.0) - 1))
    if isinstance(asked, str) and asked in labels:
        return Way("policy", label=asked)
    try:
        lam = float(asked.removeprefix("λ=") if isinstance(asked, str) else asked)
    except ValueError:
        near = difflib.get_close_matches(str(asked), labels, n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"policies: {list(labels) or 'none'}"
        raise InvalidValueError(
            f"section {section.name!r} has no arm {asked!r}", hint=f"{meant}; or a λ"
        ) from None
    low, high = section.lam[0], section.lam[-1]
    known = (
        low <= lam <= high
        if section.answers == "path"
        else any(abs(lam - x) < 1e-9 for x in section.lam)
    )
    if not known:
        span = f"{low:g} to {high:g}" if section.answers == "path" else list(section.lam)
        raise InvalidValueError(f"λ={lam:g} was not run", hint=f"section {section.name!r}: {span}")
    return Way("lam", lam)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All scores of one way of answering.

    Attributes:
        values: `[N, S, M]`, NaN where there is none.
        weights: `[N, S, M]`.
        failed: `[N, S, M]` bool.
        positions: `[N, S]` positions among the question's answers; −1 for none.
        lams: `[N, S]` λ that was used.
        tokens: `[N, S]` tokens of the answer.
        confidence: `[N, S]` mean log-probability of its tokens.
    """

    values: np.ndarray
    weights: np.ndarray
    failed: np.ndarray
    positions: np.ndarray
    lams: np.ndarray
    tokens: np.ndarray
    confidence: np.ndarray


class Tables:
    """A section's tables; each sheet is made once.

    Args:
        section: The section.
    """

    def __init__(self, section: SectionRun) -> None:
        self.section = section
        self.sources = section.sources
        self._sheet = functools.lru_cache(maxsize=None)(self._make)

    def sheet(self, way: Way) -> Sheet:
        """All scores of a way of answering."""
        return self._sheet(way)

    def _make(self, way: Way) -> Sheet:
        section = self.section
        shape = (len(section.questions), len(section.seeds))
        cube = (*shape, len(section.scorers))
        sheet = Sheet(
            np.full(cube, np.nan),
            np.ones(cube),
            np.ones(cube, dtype=bool),
            np.full(shape, -1),
            np.full(shape, np.nan),
            np.full(shape, np.nan),
            np.full(shape, np.nan),
        )
        for i, question in enumerate(section.questions):
            for j, seed in enumerate(section.seeds):
                one = question.answered[seed]
                at = way.position(one)
                if at is None:
                    continue
                sheet.values[i, j] = one.values[at]
                sheet.weights[i, j] = one.weights[at]
                sheet.failed[i, j] = one.failed[at]
                sheet.positions[i, j] = at
                sheet.lams[i, j] = one.lams[at] if way.lam is None else way.lam
                sheet.tokens[i, j] = one.tokens[at]
                sheet.confidence[i, j] = one.confidence[at]
        return sheet

    def answers(self, way: Way, scorer: str) -> np.ndarray:
        """`[N, S]` values of a scorer, answer by answer."""
        return self.sheet(way).values[:, :, self._index(scorer)]

    def column(self, way: Way, scorer: str) -> tuple[np.ndarray, np.ndarray]:
        """`[N]` values and `[N]` weights of a scorer, seeds averaged within each question."""
        sheet, m = self.sheet(way), self._index(scorer)
        return over_seeds(sheet.values[:, :, m], sheet.weights[:, :, m])

    def columns(self, many: Sequence[Way], scorer: str) -> tuple[np.ndarray, np.ndarray]:
        """`[N, K]` values and weights of a scorer for K ways of answering."""
        pairs = [self.column(way, scorer) for way in many]
        return np.stack([v for v, _ in pairs], 1), np.stack([w for _, w in pairs], 1)

    def _index(self, scorer: str) -> int:
        return self.section.scorers.index(scorer)


def over_seeds(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A question's value and weight out of its seeds': the weighted mean of what is scored.

    Args:
        values: `[N, S]`, NaN where there is none.
        weights: `[N, S]`.

    Returns:
        `[N]` values, NaN where no seed is scored, and `[N]` mean weights of the scored seeds.
    """
    scored = np.isfinite(values)
    held = np.where(scored, weights, 0.0)
    total, count = held.sum(1), scored.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(scored, held * np.nan_to_num(values), 0.0).sum(1) / total
        weight = np.where(count > 0, total / count, 1.0)
    return np.where(count > 0, value, np.nan), weight
