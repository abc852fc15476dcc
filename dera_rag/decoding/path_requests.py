"""What `DeraDecoder.path` can follow exactly, and what it refuses."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from dera_rag.decoding.mixer import AffineMixer, LinearMixer, Mixer
from dera_rag.errors import InvalidValueError
from dera_rag.numerics import Sampling
from dera_rag.types import check_lam


def read_interval(lam: Any) -> tuple[float, float]:
    """An interval of λ.

    Raises:
        InvalidValueError: Not two numbers, one of them no λ, or not ascending.
    """
    lam = lam.tolist() if hasattr(lam, "tolist") else lam
    if not isinstance(lam, (tuple, list)) or len(lam) != 2:
        raise InvalidValueError(
            f"a path needs an interval of λ, got {lam!r}", hint="e.g. lam=(0.0, 2.0)"
        )
    lo, hi = (check_lam(end) for end in lam)
    if lo >= hi:
        raise InvalidValueError(
            f"the interval of λ must ascend, got ({lo:g}, {hi:g})",
            hint="for one λ there is generate(prompt, lam)",
        )
    return lo, hi


def check_budget(max_segments: Any) -> int:
    """Most segments of a path.

    Raises:
        InvalidValueError: Not an integer ≥ 1.
    """
    if isinstance(max_segments, bool) or not isinstance(max_segments, Integral) or max_segments < 1:
        raise InvalidValueError(f"max_segments must be an integer ≥ 1, got {max_segments!r}")
    return int(max_segments)


def check_truncation(sampling: Sampling) -> None:
    """Refuse truncation of the mixture, unless greedy, where it changes nothing.

    Raises:
        InvalidValueError: top-k, top-p or min-p at a temperature above 0.
    """
    if sampling.greedy:
        return
    for name, off in (("top_k", 0), ("top_p", 1.0), ("min_p", 0.0)):
        value = getattr(sampling, name)
        if value != off:
            raise InvalidValueError(
                f"a path cannot be exact with {name}={value:g} at temperature "
                f"{sampling.temperature:g}: which tokens of the mixture are kept changes with λ, "
                "so that a token's score is no line in λ",
                hint=f"{name}={off:g} keeps every token; at temperature=0 it has no effect",
            )


def read_mixer(mixer: Mixer | None) -> AffineMixer:
    """A mixer whose scores are lines in λ.

    Raises:
        InvalidValueError: A mixer whose scores are none, e.g. because λ changes per token.
    """
    if mixer is None:
        return LinearMixer()
    if not isinstance(mixer, AffineMixer):
        raise InvalidValueError(
            f"a path cannot be exact with {type(mixer).__name__}: its scores are not linear in λ, "
            "or its λ changes per token",
            hint="decode a grid with generate([prompt] * 9, lam=[0.0, 0.25, …])",
        )
    return mixer
