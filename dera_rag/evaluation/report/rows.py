"""The stored rows of one question under one seed, as numbers.

Shapes: `R` answers, `M` scorers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dera_rag.evaluation.runner.storage import Row

# Rows hold six decimals, so a λ with more is found this near.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Answered:
    """A question's answers under one seed.

    Attributes:
        lows: Of the answers at fixed λ, which come first: left ends of a path's segments, or the
            λ of a grid, ascending; a given answer stands at −∞.
        path: Whether those are segments: then an answer holds up to the next one's left end.
        end: Where the last segment ends.
        policies: Label → position of its answer.
        lams: R values of λ; NaN for a given answer.
        values: `[R, M]` scores, NaN where there is none.
        weights: `[R, M]`, 1 where a scorer does not weigh.
        failed: `[R, M]` bool: no value because of a failure; elsewhere NaN is "not scorable".
        reasons: For each answer: scorer → why it has no value.
        tokens: R counts; NaN where none were generated here.
        confidence: R mean log-probabilities of the tokens, nats; NaN where they are not stored.
        inexact: Width of λ over which an answer stands in for others.
        error: Why there is no answer at all; "" else.
    """

    lows: np.ndarray
    path: bool
    end: float
    policies: Mapping[str, int]
    lams: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    failed: np.ndarray
    reasons: tuple[Mapping[str, str], ...]
    tokens: np.ndarray
    confidence: np.ndarray
    inexact: float
    error: str

    def at(self, lam: float) -> int | None:
        """Position of the answer at a fixed λ; at a breakpoint the right-hand segment's.

        Args:
            lam: λ; one that a grid lacks, or beyond a path's ends, has no answer.
        """
        if not len(self.lows):
            return None
        if not self.path:
            near = np.flatnonzero(np.abs(self.lows - lam) <= _ROUNDING)
            return int(near[0]) if len(near) else None
        if not self.lows[0] - _ROUNDING <= lam <= self.end + _ROUNDING:
            return None
        return max(0, int(np.searchsorted(self.lows, lam, side="right")) - 1)


def read_answered(row: Row, scores: Sequence[Row], scorers: Sequence[str]) -> Answered:
    """A generation row with its score rows.

    Args:
        row: The generation row.
        scores: Its rows of scores, one per answer; one alone where there is no answer.
        scorers: M names, in order.
    """
    answers = row["answers"]
    fixed = [one for one in answers if one["arm"] != "policy"]
    path = bool(fixed) and fixed[0]["arm"] == "path"
    left = "lo" if path else "lam"
    wide = [one["hi"] - one["lo"] for one in fixed if path and not one.get("exact", True)]
    return Answered(
        lows=np.asarray([one.get(left, -math.inf) for one in fixed], dtype=np.float64),
        path=path,
        end=float(fixed[-1]["hi"]) if path else math.nan,
        policies={one["policy"]: i for i, one in enumerate(answers) if one["arm"] == "policy"},
        lams=_column(answers, "lam"),
        values=_table(scores, "scores", scorers, math.nan),
        weights=_table(scores, "weights", scorers, 1.0),
        failed=np.asarray(
            [[name in one.get("failed", {}) for name in scorers] for one in scores], dtype=bool
        ).reshape(len(scores), len(scorers)),
        reasons=tuple({**one.get("unscored", {}), **one.get("failed", {})} for one in scores),
        tokens=_column(answers, "token_count"),
        confidence=np.asarray([_confidence(one) for one in answers], dtype=np.float64),
        inexact=float(sum(wide)),
        error=row.get("error", ""),
    )


def _column(answers: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.asarray([one.get(name, math.nan) for one in answers], dtype=np.float64)


def _table(scores: Sequence[Row], name: str, scorers: Sequence[str], default: float) -> np.ndarray:
    """`[R, M]`; null is NaN."""
    rows = []
    for one in scores:
        held = one.get(name, {})
        found = [held.get(scorer, default) for scorer in scorers]
        rows.append([math.nan if value is None else value for value in found])
    return np.asarray(rows, dtype=np.float64).reshape(len(scores), len(scorers))


def _confidence(answer: Mapping[str, Any]) -> float:
    """Mean log-probability of the answer's tokens under the mixture; NaN where one is missing."""
    column = answer.get("trace", {}).get("mixture") or ()
    if not column or None in column:
        return math.nan
    return float(sum(column) / len(column))
