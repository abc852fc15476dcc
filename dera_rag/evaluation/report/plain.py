"""Records as JSON values: what `--format json` prints and a page embeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from dera_rag.types import Json


def plain(value: Any) -> Json:
    """A record as JSON values, floats to 7 digits, NaN and infinities as null.

    Args:
        value: A dataclass, mapping, sequence or plain value, nested at will.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, float):
        # Digits and not decimals: a p-value of 1e-12 is not 0. −0.0 would be another text for 0.0.
        return float(f"{value:.7g}") + 0.0 if math.isfinite(value) else None
    return value  # type: ignore[no-any-return]  # the rest is JSON already
