"""Which scorer measures factuality and which naturalness, and both turned so that higher is better.

A suite may say so under `axes`; where it does not, or names none that a section has, the first of
`DEFAULTS` that judges the section is taken: exact instruments before estimates. A scorer without a
value for any answer judges nothing, and is passed over.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from dera_rag.evaluation.report.runs import SectionRun
from dera_rag.evaluation.report.summary_types import Axis, AxisName
from dera_rag.types import Json

DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "factuality": (
        "venues_hallucination",
        "slot_hallucinated",
        "slot_error_rate",
        "conflict_context",
        "answer_recall",
        "exact_match",
        "token_f1",
        "grounded",
        "minicheck",
        "lettucedetect",
        "entailment",
    ),
    "naturalness": ("learned_naturalness", "naturalness_distance", "preferred_to_reference"),
}
"""Axis → names of scorers, the first that judges a section being taken."""

# The worst corner of a hypervolume has to be the same in every run. Where a scale has no end of
# its own: every attribute wrong; three standard deviations from human texts.
_WORST = {
    "slot_hallucinated": 1.0,
    "slot_error_rate": 1.0,
    "slot_inserted": 1.0,
    "slot_wrong": 1.0,
    "naturalness_distance": 3.0,
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How a scorer's values become "higher is better".

    Attributes:
        scorer: The scorer.
        sign: 1, or −1 where lower is better.
        shift: Added after the sign: the upper end of a scale that is turned round, else 0.
        worst: Lowest value after turning; NaN where the scale has no such end.
        best: Highest value after turning; likewise.
    """

    scorer: str
    sign: float
    shift: float
    worst: float
    best: float

    def turned(self, values: np.ndarray) -> np.ndarray:
        """Values of the scorer as values of the axis."""
        return self.sign * values + self.shift


def scale_of(section: SectionRun, scorer: str) -> Scale | None:
    """The scale of a scorer; None where neither direction is better.

    Args:
        section: A section that it judges.
        scorer: Its name.
    """
    promise = section.promises[scorer]
    low, high = (math.nan if end is None else float(end) for end in promise["range"])
    if promise["direction"] == "higher":
        return Scale(scorer, 1.0, 0.0, low, high)
    if promise["direction"] != "lower":
        return None
    if math.isnan(high):
        return Scale(scorer, -1.0, 0.0, -_WORST.get(scorer, math.nan), -low)
    return Scale(scorer, -1.0, high, 0.0, high - low)


def scored_by(section: SectionRun) -> frozenset[str]:
    """Scorers that have a value for some answer of a section."""
    tables = [one.values for q in section.questions for one in q.answered.values()]
    found = np.isfinite(np.concatenate(tables)).any(0) if tables else ()
    return frozenset(name for name, any_ in zip(section.scorers, found, strict=False) if any_)


def axes(
    section: SectionRun, suite: Mapping[str, Json], silent: Collection[str] | None = None
) -> tuple[Axis, Axis]:
    """Factuality and naturalness of a section.

    Args:
        section: The section.
        suite: The suite's values, where `axes` may name scorers.
        silent: Scorers to pass over; None for those that have scored no answer of the section.
    """
    stated = suite.get("axes")
    named = stated if isinstance(stated, Mapping) else {}
    if silent is None:
        silent = set(section.scorers) - scored_by(section)
    factuality, naturalness = get_args(AxisName)
    return (
        _axis(factuality, section, named, silent),
        _axis(naturalness, section, named, silent),
    )


def _axis(
    name: AxisName, section: SectionRun, named: Mapping[str, Json], silent: Collection[str]
) -> Axis:
    asked = named.get(name, [])
    asked = [asked] if isinstance(asked, str) else asked
    passed_over: list[str] = []
    for chosen, candidates in (("suite", asked), ("default", DEFAULTS[name])):
        for candidate in candidates if isinstance(candidates, (list, tuple)) else ():
            for scorer in _made_by(section, str(candidate)):
                scale = scale_of(section, scorer)
                if scale is not None and scorer not in silent:
                    why = _passed_over(passed_over)
                    return Axis(name, scorer, _in_words(scale), chosen, reason=why)
                if scale is not None and scorer not in passed_over:
                    passed_over.append(scorer)
    why = _passed_over(passed_over) or f"no scorer of this section measures {name}"
    return Axis(name, None, reason=why)


def _made_by(section: SectionRun, name: str) -> list[str]:
    """Scorers of a name; a model's, such as `minicheck_NAME`, are found by their registry name."""
    return [
        scorer
        for scorer in section.scorers
        if name in {scorer, section.promises[scorer].get("name")}
    ]


def _passed_over(names: Sequence[str]) -> str:
    return f"{', '.join(names)} scored no answer" if names else ""


def _in_words(scale: Scale) -> str:
    if scale.sign > 0:
        return ""
    return f"{scale.shift:g} − value" if scale.shift else "−value"
