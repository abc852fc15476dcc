"""Weighted sums of branches: several models, or one model on several prompts, as one branch.

Shapes: `B` rows of a batch, `R` of them behind one term, `V` token ids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class WeightedRows(NamedTuple):
    """Logits of some rows of a batch, and how much each counts there.

    Attributes:
        logits: `[R, ..., V]`.
        rows: The R batch rows behind them, distinct.
        weights: R weights; a row of weight 0 is left out by its owner.
    """

    logits: Tensor
    rows: Sequence[int]
    weights: Sequence[float]


def weighted_sum(terms: Sequence[WeightedRows], count: int) -> Tensor:
    """Σ w·h over the terms of every row: several branches as one.

    What cannot be summed (NaN, +inf, a −inf that not all of a row's terms share) becomes NaN, so
    that whoever mixes the sum refuses it with the row and the step.

    Args:
        terms: At least one; together they cover all rows.
        count: Number of rows B.

    Returns:
        `[B, ..., V]` float32; a single term of weight 1 is returned as it is. Where all terms of a
        row are −inf the sum is −inf.
    """
    first = terms[0].logits
    if (
        len(terms) == 1
        and list(terms[0].rows) == list(range(count))
        and set(terms[0].weights) == {1}
    ):
        return first.float()
    shape = (count, *first.shape[1:])
    total = torch.zeros(shape, dtype=torch.float32, device=first.device)
    # Each term as `[R, ..., V]` float32 where the sum is, with its rows as an index.
    placed = [
        (term.logits.to(total), torch.tensor(term.rows, device=total.device), term.weights)
        for term in terms
    ]
    for logits, rows, weights in placed:
        factors = torch.tensor(weights, device=total.device).reshape(-1, *(1,) * (len(shape) - 1))
        total.index_add_(0, rows, logits * factors)
    if bool(total.sum().isfinite()):
        return total
    some = torch.zeros(shape, dtype=torch.bool, device=total.device)
    every, broken = ~some, some.clone()
    for logits, rows, _ in placed:
        some[rows] |= logits.isneginf()
        every[rows] &= logits.isneginf()
        broken[rows] |= logits.isnan() | logits.isposinf()
    total = torch.where(some, torch.where(every, -math.inf, math.nan), total)
    return total.masked_fill(broken, math.nan)
