"""What a condition of a gate names in a section: an axis' scorer, or a scorer itself."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import get_args

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.report.axes import axes, scored_by
from dera_rag.evaluation.report.pairing import Shared
from dera_rag.evaluation.report.summary_types import AxisName
from dera_rag.types import Json


def scorer_for(shared: Shared, suite: Mapping[str, Json], name: str) -> str | None:
    """The scorer that stands for a name in a section; None where the section has none.

    Args:
        shared: The section in both runs.
        suite: Values of the suite of the run to judge.
        name: `factuality`, `naturalness` or a scorer.

    Raises:
        InvalidValueError: The two runs' scores cannot be compared, or neither end is better.
    """
    scorer: str | None = name
    if name in get_args(AxisName):
        found = axes(shared.new.section, suite, _silent(shared))
        scorer = next(axis.scorer for axis in found if axis.name == name)
    if scorer in shared.skipped:
        raise InvalidValueError(
            f"section {shared.name!r}: {scorer} cannot be compared: {shared.skipped[scorer]}"
        )
    if scorer not in shared.scorers or scorer in _silent(shared):
        return None
    if shared.new.section.promises[scorer]["direction"] == "neither":
        raise InvalidValueError(
            f"no condition can be put on {scorer!r}: neither end of it is better",
            hint=f"name factuality, naturalness or one of {_directed(shared)}",
        )
    return scorer


def _silent(shared: Shared) -> set[str]:
    """Scorers that the baseline has and that scored nothing there: nothing can be held to them.

    One that scored the baseline and not the run stays: what failed must fail the gate.
    """
    new, old = shared.new.section, shared.old.section
    return set(new.scorers) - scored_by(old) - (scored_by(new) - set(old.scorers))


def check_held(unknown: Sequence[str], shared: Sequence[Shared], suite: Mapping[str, Json]) -> None:
    """Refuse a condition that no section was held to, with what could be named instead.

    Args:
        unknown: Names of such conditions; none is well.
        shared: The sections in both runs.
        suite: Values of the suite of the run to judge.

    Raises:
        InvalidValueError: There is one.
    """
    if not unknown:
        return
    name = unknown[0]
    why = [f"{one.name}: {told}" for one in shared if (told := _why_not(one, suite, name))]
    known = list(dict.fromkeys(found for one in shared for found in _directed(one)))
    near = difflib.get_close_matches(name, [*get_args(AxisName), *known], n=1)
    guess = f"did you mean {near[0]!r}? " if near and near[0] != name else ""
    raise InvalidValueError(
        f"no section can be held to {name!r}{': ' if why else ''}{'; '.join(why)}",
        hint=f"{guess}a condition names factuality, naturalness or a scorer, here {known}",
    )


def _why_not(shared: Shared, suite: Mapping[str, Json], name: str) -> str:
    """Why a section is not held to a name that it knows; "" for one it does not know."""
    if name in get_args(AxisName):
        found = axes(shared.new.section, suite, _silent(shared))
        return next(axis.reason for axis in found if axis.name == name)
    return f"{name} scored no answer of the baseline" if name in _silent(shared) else ""


def _directed(shared: Shared) -> list[str]:
    """Scorers of both runs that a condition can name."""
    promises = shared.new.section.promises
    return [
        name
        for name in shared.scorers
        if promises[name]["direction"] != "neither" and name not in _silent(shared)
    ]
