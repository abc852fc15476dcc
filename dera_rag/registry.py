"""Names for things users choose: `name → "module:attribute"`, imported on first use.

Third parties add entries through the entry-point group `dera_rag.<kind>`; a built-in name wins over
one of theirs.
"""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import entry_points
from typing import Any

from dera_rag.errors import UnknownNameError

_BUILT_IN: dict[str, dict[str, str]] = {
    "policies": {
        "constant": "dera_rag.policies.constant:ConstantPolicy",
        "evidence": "dera_rag.policies.evidence:EvidencePolicy",
    },
    "meters": {
        "venues": "dera_rag.evaluation.venues.meter:VenuesMeter",
    },
}


def names(kind: str) -> list[str]:
    """Every known name of a kind, sorted.

    Args:
        kind: `policies` or `meters`.

    Raises:
        UnknownNameError: No such kind.
    """
    if kind not in _BUILT_IN:
        raise UnknownNameError(f"no registry {kind!r}", hint=f"one of {sorted(_BUILT_IN)}")
    return sorted({*_BUILT_IN[kind], *(e.name for e in entry_points(group=f"dera_rag.{kind}"))})


def resolve(kind: str, name: str) -> Any:
    """The object registered under a name.

    Args:
        kind: `policies` or `meters`.
        name: A name out of `names(kind)`.

    Raises:
        UnknownNameError: No such kind or name; the hint lists the nearest names.
    """
    known = names(kind)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or known
        raise UnknownNameError(f"no {kind} entry named {name!r}", hint=f"did you mean {near}?")
    target = _BUILT_IN[kind].get(name)
    if target is None:
        return next(e for e in entry_points(group=f"dera_rag.{kind}") if e.name == name).load()
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
