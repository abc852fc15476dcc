"""What a generation request of lm-evaluation-harness asks for, in this package's settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dera_rag.errors import InvalidValueError
from dera_rag.numerics import Sampling
from dera_rag.types import check_lam

# In the order in which the harness heeds them.
_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_SAMPLING = ("top_k", "top_p", "min_p", "repetition_penalty")
_OTHER = ("until", "do_sample", "temperature", "lam")
# What tasks name though it changes nothing here, with the values for which that is so.
_IDLE: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (1, None),
    "num_return_sequences": (1, None),
    "use_cache": (True, False, None),
    "early_stopping": (True, False, None),
}


@dataclass(frozen=True, slots=True)
class Request:
    """How one answer is to be made.

    Attributes:
        stops: Strings that end it.
        sampling: How tokens are drawn; greedy by default. A repetition penalty counts the prompt
            too, as transformers does, so that figures can be compared with those of its models.
        lam: λ.
    """

    stops: tuple[str, ...]
    sampling: Sampling
    lam: float


def read_request(kwargs: Mapping[str, Any], *, lam: float, max_gen_toks: int, seed: int) -> Request:
    """A request's keyword arguments, by the harness' own rules.

    Without `do_sample` a temperature above 0 samples; `do_sample: false` is greedy whatever the
    temperature; `do_sample: true` without a temperature takes 1.

    Args:
        kwargs: `until`, `do_sample`, `temperature`, `top_k`, `top_p`, `min_p`,
            `repetition_penalty`, `max_gen_toks` (or one of its other names), and `lam` for a λ of
            its own.
        lam: λ where the request names none.
        max_gen_toks: Longest answer where the request names none.
        seed: Of the answer's noise.

    Raises:
        InvalidValueError: A value that cannot be, or an argument that is not known: left out, it
            would change answers unseen.
    """
    _refuse_unknown(kwargs)
    named = [kwargs[name] for name in _LENGTHS if kwargs.get(name) is not None]
    settings = {name: kwargs[name] for name in _SAMPLING if kwargs.get(name) is not None}
    sampling = Sampling(
        temperature=_temperature(kwargs.get("do_sample"), kwargs.get("temperature")),
        max_new_tokens=named[0] if named else max_gen_toks,
        seed=seed,
        repetition_scope="all",
        **settings,
    )
    own = kwargs.get("lam")
    return Request(_stops(kwargs.get("until")), sampling, lam if own is None else check_lam(own))


def _temperature(do_sample: object, temperature: Any) -> Any:
    if do_sample is None:
        return 0.0 if temperature is None else temperature
    if not isinstance(do_sample, bool):
        raise InvalidValueError(f"do_sample must be true or false, got {do_sample!r}")
    if not do_sample:
        return 0.0
    return 1.0 if temperature is None else temperature


def _stops(until: Any) -> tuple[str, ...]:
    """Stop strings; the harness' tasks also hold empty ones, which mean nothing."""
    given = [until] if until is None or isinstance(until, str) else list(until)
    for stop in given:
        if stop is not None and not isinstance(stop, str):
            raise InvalidValueError(f"until holds {stop!r}", hint="a string or a list of strings")
    return tuple(dict.fromkeys(stop for stop in given if stop))


def _refuse_unknown(kwargs: Mapping[str, Any]) -> None:
    known = (*_LENGTHS, *_SAMPLING, *_OTHER, *_IDLE)
    for name, value in kwargs.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1) or known
            raise InvalidValueError(
                f"unknown generation argument {name!r}", hint=f"did you mean {list(near)}?"
            )
        if name in _IDLE and value not in _IDLE[name]:
            raise InvalidValueError(
                f"{name}={value!r} cannot be done for a pair",
                hint=f"leave it out; only {_IDLE[name][0]!r} is",
            )
