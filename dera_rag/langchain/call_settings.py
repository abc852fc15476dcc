"""What a call sets, checked before anything is loaded."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dera_rag.errors import InvalidValueError
from dera_rag.types import check_lam

if TYPE_CHECKING:
    from dera_rag.numerics import Sampling

# What a call may set; a model's fields of the same names hold the defaults.
_SAMPLING = (
    "temperature",
    "max_tokens",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
)
FIELDS = ("dera_lambda", *_SAMPLING, "logprobs", "top_logprobs")
"""Names of what both a model and a call set."""

CALL_SETTINGS = frozenset({*FIELDS, "dera_evidence"})
"""Names of what a call sets, besides what concerns messages and tools."""

REMOTE = frozenset({"api_key", "base_url", "max_retries", "stream", "streaming", "timeout"})
"""LangChain's standard settings of a remote service: accepted, without meaning in this process."""

MOST_LOGPROBS = 20
"""Most alternatives that are listed with a token."""


@dataclass(frozen=True)
class CallSettings:
    """One call's settings, checked.

    Attributes:
        lam: λ ≥ 0 or "auto".
        sampling: How tokens are drawn.
        stops: Strings that end the answer.
        logprobs: Whether log-probabilities are returned.
        top_logprobs: How many alternatives come with each.
        evidence: What was given as `dera_evidence`.
    """

    lam: float | Literal["auto"]
    sampling: Sampling
    stops: tuple[str, ...]
    logprobs: bool
    top_logprobs: int
    evidence: object


def read_call_settings(
    defaults: object, stop: list[str] | None, kwargs: Mapping[str, Any], *also: str
) -> CallSettings:
    """Settings of one call.

    Args:
        defaults: The model; its fields stand where the call sets nothing.
        stop: Strings that end the answer; None for the field's.
        kwargs: What the call sets.
        also: Names that are read elsewhere.

    Raises:
        InvalidValueError: An unknown name, or a value out of its range.
    """
    from dera_rag.decoding.requests import read_stops
    from dera_rag.numerics import Sampling

    known = [*FIELDS, "dera_evidence", *also]
    unknown = set(kwargs) - set(known) - REMOTE
    if unknown:
        raise InvalidValueError(f"unknown settings {sorted(unknown)}", hint=f"one of {known}")
    chosen = {
        name: getattr(defaults, name) if kwargs.get(name) is None else kwargs[name]
        for name in FIELDS
    }
    lam = chosen["dera_lambda"]
    sampling = {name: chosen[name] for name in _SAMPLING if name != "max_tokens"}
    longest = _whole("max_tokens", chosen["max_tokens"], 1, sys.maxsize)
    alternatives = _whole("top_logprobs", chosen["top_logprobs"] or 0, 0, MOST_LOGPROBS)
    return CallSettings(
        lam if lam == "auto" else check_lam(lam),
        Sampling(max_new_tokens=longest, **sampling),
        read_stops(getattr(defaults, "stop", None) if stop is None else stop),
        bool(chosen["logprobs"]),
        alternatives if chosen["logprobs"] else 0,
        kwargs.get("dera_evidence"),
    )


def _whole(name: str, value: object, least: int, most: int) -> int:
    """A whole number in a range.

    Raises:
        InvalidValueError: Another value.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        span = f"in [{least}, {most}]" if most < sys.maxsize else f"≥ {least}"
        raise InvalidValueError(f"{name} must be an integer {span}, got {value!r}")
    return value
