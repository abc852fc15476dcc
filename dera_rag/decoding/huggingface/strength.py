"""λ as `generate(dera_lambda=)` takes it, and the branches it needs."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from dera_rag.errors import InvalidValueError
from dera_rag.protocols import Branches
from dera_rag.types import check_lam

Strength = float | Sequence[float] | Tensor


def read_strength(lam: Any, rows: int | None = None) -> float | Tensor:
    """One λ, or one per prompt, checked.

    Args:
        lam: A number ≥ 0, or a list, array or tensor with one per prompt.
        rows: Number of prompts B; None where it is not known yet.

    Returns:
        A float where all rows share one λ, else `[B]` float32.

    Raises:
        InvalidValueError: Not a number ≥ 0, or not one per prompt.
    """
    values = lam.tolist() if hasattr(lam, "tolist") else lam
    if isinstance(values, Real):
        return check_lam(values)  # type: ignore[arg-type]
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise InvalidValueError(
            f"dera_lambda must be a number or a list of numbers, got {lam!r}", hint="e.g. 1.0"
        )
    if rows is not None and len(values) != rows:
        raise InvalidValueError(
            f"{len(values)} λ for {rows} prompts", hint="pass one λ per prompt, or one number"
        )
    checked = [check_lam(value) for value in values]
    if len(set(checked)) == 1:
        return checked[0]
    return torch.tensor(checked)


def branches_of(lam: float | Tensor) -> Branches:
    """The models a batch runs: at λ=0 and λ=1 only one, as every row's logits are its own."""
    if isinstance(lam, Tensor):
        return Branches.BOTH
    return {0.0: Branches.REFERENCE, 1.0: Branches.ALIGNED}.get(lam, Branches.BOTH)
