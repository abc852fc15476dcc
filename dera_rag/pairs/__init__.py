"""Where two models' logits come from.

Names are imported on first use, so that the catalog of public pairs stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dera_rag.pairs.context import ContextContrast as ContextContrast
    from dera_rag.pairs.context import ContextPair as ContextPair
    from dera_rag.pairs.interpolation import interpolated as interpolated
    from dera_rag.pairs.pair import ModelPair as ModelPair
    from dera_rag.pairs.several import SeveralPair as SeveralPair

_LAZY = {
    "ContextContrast": "dera_rag.pairs.context",
    "ContextPair": "dera_rag.pairs.context",
    "ModelPair": "dera_rag.pairs.pair",
    "SeveralPair": "dera_rag.pairs.several",
    "interpolated": "dera_rag.pairs.interpolation",
}

__all__ = ["ContextContrast", "ContextPair", "ModelPair", "SeveralPair", "interpolated"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'dera_rag.pairs' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
