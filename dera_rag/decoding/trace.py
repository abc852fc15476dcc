"""What both models think of each generated token; see `dera_rag.types.DecodeTrace`.

Shapes: `B` rows of a batch, `R` and `A` rows that run the reference and the aligned model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from dera_rag.decoding.mixer import Mixer
from dera_rag.errors import InvalidValueError
from dera_rag.numerics.divergences import entropy, kl_divergence
from dera_rag.protocols import Branches, LogitPair
from dera_rag.types import DecodeTrace

TraceMode = Literal["auto", "full", "off"]
COLUMNS = ("reference", "aligned", "mixture", "kl", "entropy")


def check_trace(trace: str) -> TraceMode:
    """A known mode, else an error.

    Raises:
        InvalidValueError: Another value.
    """
    for mode in get_args(TraceMode):
        if trace == mode:
            return mode  # type: ignore[no-any-return]
    raise InvalidValueError(
        f"unknown trace {trace!r}", hint="'auto' (default), 'full' (both models always) or 'off'"
    )


def branches_for(lam: float, trace: TraceMode, mixer: Mixer) -> Branches:
    """Which models a row runs: those its mixer needs, and both if the trace is to be full."""
    return Branches.BOTH if trace == "full" else mixer.branches(lam)


def measure(
    logits: LogitPair,
    mixture: Tensor,
    tokens: Tensor,
    reference_rows: Sequence[int],
    aligned_rows: Sequence[int],
) -> Tensor:
    """The trace columns of one step, before temperature, penalties and truncation.

    Args:
        logits: Both branches' logits.
        mixture: `[B, V]` logits.
        tokens: `[B]` chosen ids.
        reference_rows: The batch rows behind `logits.reference`, ascending.
        aligned_rows: The batch rows behind `logits.aligned`, ascending.

    Returns:
        `[5, B]` in the order of `COLUMNS`, in nats; NaN where a branch did not run.
    """
    log_mixture = mixture.log_softmax(-1)
    columns = mixture.new_full((len(COLUMNS), mixture.shape[0]), math.nan)
    columns[2] = _of(log_mixture, tokens)
    columns[4] = entropy(log_mixture)
    if logits.reference is not None:
        log_reference = logits.reference.log_softmax(-1)
        if len(reference_rows) == mixture.shape[0]:
            columns[0] = _of(log_reference, tokens)
            columns[3] = kl_divergence(log_mixture, log_reference)
        else:
            at = torch.tensor(reference_rows, device=mixture.device)
            columns[0, at] = _of(log_reference, tokens[at])
            columns[3, at] = kl_divergence(log_mixture[at], log_reference)
    if logits.aligned is not None:
        at = torch.tensor(aligned_rows, device=mixture.device)
        columns[1, at] = _of(logits.aligned.log_softmax(-1), tokens[at])
    return columns


def build_trace(
    lams: Sequence[float], steps: Sequence[Sequence[float]], branches: Branches
) -> DecodeTrace:
    """A row's trace out of its steps.

    Args:
        lams: λ used at each token.
        steps: One entry per generated token, each in the order of `COLUMNS`; empty entries where
            the trace is off.
        branches: Which models the row ran.

    Returns:
        The trace, with a reason for every field that is NaN throughout.
    """
    off = not any(len(step) for step in steps)
    reasons = _reasons(branches, off)
    # One NaN object throughout, so that equal traces compare equal.
    absent = (math.nan,) * len(steps)
    values = dict.fromkeys(COLUMNS, absent)
    if not off:
        columns = zip(*steps, strict=True)
        values = {
            name: absent if name in reasons else tuple(column)
            for name, column in zip(COLUMNS, columns, strict=True)
        }
    return DecodeTrace(lam=tuple(lams), reasons=reasons, **values)


def _reasons(branches: Branches, off: bool) -> dict[str, str]:
    if off:
        return dict.fromkeys(COLUMNS, "trace='off'")
    way_out = "; trace='full' runs both models"
    if branches is Branches.REFERENCE:
        return {"aligned": "at λ=0 only the reference ran" + way_out}
    if branches is Branches.ALIGNED:
        reason = "at λ=1 only the aligned model ran" + way_out
        return {"reference": reason, "kl": reason}
    return {}


def _of(log_probabilities: Tensor, tokens: Tensor) -> Tensor:
    return log_probabilities.gather(1, tokens.unsqueeze(1)).squeeze(1)
