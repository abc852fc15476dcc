"""What the decode itself says of an answer, for free: both models' opinions of its tokens.

The log-ratio of aligned over reference is DPO's implicit reward: a token that the aligned model
finds much less likely than the reference does is one that alignment would not have said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dera_rag.evaluation.contract import Direction, Item, Need, Score
from dera_rag.evaluation.instruments.base import Instrument
from dera_rag.types import DecodeTrace

_SIGNALS: frozenset[Need] = frozenset({"signals"})
_Column = Callable[[DecodeTrace], Sequence[float]]
_Summary = Callable[[Sequence[float]], float]


def log_ratio_lowest() -> Instrument:
    """Lowest log π_aligned − log π_reference of a token, nats; low hints at an unfaithful token."""
    return _over("log_ratio_lowest", "higher", lambda trace: trace.log_ratio, min)


def log_ratio_mean() -> Instrument:
    """Mean log π_aligned − log π_reference, nats a token; higher is closer to the aligned model."""
    return _over("log_ratio_mean", "higher", lambda trace: trace.log_ratio, _mean)


def kl_mean() -> Instrument:
    """Mean KL(mixture ‖ reference), nats a token: how far decoding moved; neither end is better."""
    return _over("kl_mean", "neither", lambda trace: trace.kl, _mean)


def entropy_highest() -> Instrument:
    """Highest entropy of a token's distribution, nats; lower is surer throughout."""
    return _over("entropy_highest", "lower", lambda trace: trace.entropy, max)


def _over(name: str, direction: Direction, column: _Column, summary: _Summary) -> Instrument:
    def measure(item: Item) -> Score:
        values = [] if item.signals is None else column(item.signals.trace)
        if not values:
            return Score(None, "nothing was generated")
        if not all(map(math.isfinite, values)):
            return Score(None, "not traced: decode with trace='full'")
        return Score(summary(values))

    low = 0.0 if name in {"kl_mean", "entropy_highest"} else -math.inf
    return Instrument(name, "1", direction, (low, math.inf), _SIGNALS, measure)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
