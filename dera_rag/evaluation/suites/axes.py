"""Which scorers a suite's report takes for factuality and for naturalness."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.suites.schema import Suite
from dera_rag.policies.config import Settings
from dera_rag.types import Json


def read_axes(values: Mapping[str, Json], where: str) -> dict[str, tuple[str, ...]]:
    """Axis → names of scorers, each a name or a list of names in a suite.

    Args:
        values: As in the YAML.
        where: Names the suite in messages.

    Raises:
        InvalidValueError: Another axis, with a suggestion, or something else than names.
    """
    read, here = Settings(values, f"{where}, axes"), f"{where}, axes"
    named = {}
    for axis in ("factuality", "naturalness"):
        found = read.take(axis, object, [])
        found = [found] if isinstance(found, str) else found
        named[axis] = tuple(read.strings(found, f"{here}, {axis}"))
    read.finish()
    return {axis: names for axis, names in named.items() if names}


def check_axes(suite: Suite, where: str) -> None:
    """Refuse an axis that no section is judged by, or that has no better direction.

    Args:
        suite: The suite.
        where: Names it in messages.

    Raises:
        InvalidValueError: There is one; the hint suggests a name.
    """
    made = [named.scorer(suite.folder) for section in suite.tasks for named in section.scorers]
    directions = {scorer.name: scorer.direction for scorer in made}
    for axis, names in suite.axes.items():
        for name in names:
            if name not in directions:
                near = difflib.get_close_matches(name, directions, n=1)
                meant = f"did you mean {near[0]!r}?" if near else f"scored are {[*directions]}"
                raise InvalidValueError(
                    f"{where}, axes, {axis}: nothing is scored by {name!r}", hint=meant
                )
            if directions[name] == "neither":
                raise InvalidValueError(
                    f"{where}, axes, {axis}: neither end of {name!r} is better",
                    hint="name a scorer with a direction",
                )
