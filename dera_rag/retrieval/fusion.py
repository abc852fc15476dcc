"""Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from dera_rag.errors import InvalidValueError

Item = TypeVar("Item", bound=Hashable)


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[Item]], k: int = 60, weights: Sequence[float] | None = None
) -> dict[Item, float]:
    """Σ over rankings of weight / (k + rank), for every item that appears in any.

    Args:
        rankings: Items, best first, each at most once in a ranking; ranks count from 1.
        k: Damps the lead of the first ranks, > 0; 60 is the paper's value.
        weights: One per ranking, ≥ 0; None for 1 each.

    Returns:
        Item → score, > 0 unless all its weights are 0, higher is better.

    Raises:
        InvalidValueError: k ≤ 0, or as many weights as rankings were not given.
    """
    factors = [1.0] * len(rankings) if weights is None else list(weights)
    if k <= 0 or len(factors) != len(rankings):
        raise InvalidValueError(
            f"cannot fuse {len(rankings)} rankings with k={k} and {len(factors)} weights",
            hint="k > 0 and one weight per ranking",
        )
    scores: dict[Item, float] = {}
    for ranking, factor in zip(rankings, factors, strict=True):
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + factor / (k + rank)
    return scores
