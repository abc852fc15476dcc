"""The mixture h = r + λ(a − r) of two branches' logits (Liu et al. 2024, Proposition 1).

Shapes: `B` rows of a batch, `V` token ids. Everything is float32, whatever the models' dtype, and
comes before any penalty, temperature or mask: a −inf written into one branch beforehand would turn
into 0·−inf = NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from dera_rag.errors import LogitsError

_HINT = "the weights or the dtype overflow; try dtype='float32'"


def mix(
    reference: Tensor,
    aligned: Tensor,
    lam: float | Tensor,
    *,
    step: int = 0,
    rows: Sequence[int] | None = None,
) -> Tensor:
    """Mix two branches: λ=0 is the reference, λ=1 the aligned model, λ>1 extrapolates.

    Args:
        reference: `[B, V]` logits of the reference.
        aligned: `[B, V]` logits of the aligned model.
        lam: λ ≥ 0, one number or `[B]`. A row at λ=1 gives the aligned logits bit for bit.
        step: Index of the token being generated, for the error.
        rows: The caller's row numbers, for the error; 0…B−1 by default.

    Returns:
        `[B, V]` float32. Where both branches are −inf the mixture is −inf.

    Raises:
        LogitsError: NaN, +inf, a −inf in one branch alone, or a row without any finite logit. It
            names the branch, the row and the step.
    """
    reference, aligned = reference.float(), aligned.float()
    weight = torch.as_tensor(lam, dtype=torch.float32, device=reference.device).reshape(-1, 1)
    # From λ = ½ on this is a − (1 − λ)(a − r): a row at λ=1 must not depend, by a rounding, on
    # whether the reference ran beside it.
    mixed = torch.lerp(reference, aligned, weight)
    if _finite(mixed):
        return mixed
    rows = range(mixed.shape[0]) if rows is None else rows
    return _excluding(mixed, reference, aligned, "overflow of r + λ(a − r)", step=step, rows=rows)


def log_ratio(
    reference: Tensor,
    aligned: Tensor,
    *,
    step: int = 0,
    rows: Sequence[int] | None = None,
) -> Tensor:
    """The log-ratio log π_aligned − log π_reference of every token: where λ → ∞ points.

    Args:
        reference: `[B, V]` logits of the reference.
        aligned: `[B, V]` logits of the aligned model.
        step: Index of the token being generated, for the error.
        rows: The caller's row numbers, for the error; 0…B−1 by default.

    Returns:
        `[B, V]` float32 in nats. Where both branches are −inf it is −inf.

    Raises:
        LogitsError: As `mix`.
    """
    reference, aligned = reference.float(), aligned.float()
    ratio = aligned.log_softmax(-1) - reference.log_softmax(-1)
    if _finite(ratio):
        return ratio
    rows = range(ratio.shape[0]) if rows is None else rows
    return _excluding(ratio, reference, aligned, "overflow of the log-ratio", step=step, rows=rows)


def implausible(aligned: Tensor, share: float) -> Tensor:
    """Which tokens fall short of a share of the aligned model's highest probability.

    This is min-p on the aligned branch: the plausibility constraint of contrastive decoding (Li et
    al. 2023). It does not depend on λ, so scores stay lines in λ on what is left.

    Args:
        aligned: `[..., V]` logits of the aligned model.
        share: In [0, 1]; 0 rules nothing out, 1 all but the most probable.

    Returns:
        `[..., V]` bool; a token of highest probability is never ruled out.
    """
    if share == 0:
        return torch.zeros_like(aligned, dtype=torch.bool)
    return aligned < aligned.amax(-1, keepdim=True) + math.log(share)


def check_logits(
    logits: Tensor, branch: str, *, step: int = 0, rows: Sequence[int] | None = None
) -> Tensor:
    """The logits of rows that run one model only, as float32, refused unless decodable.

    Args:
        logits: `[B, V]` logits.
        branch: `reference` or `aligned`, for the error.
        step: Index of the token being generated, for the error.
        rows: The caller's row numbers, for the error; 0…B−1 by default.

    Returns:
        `[B, V]` float32; −inf (a token the model excludes) stays.

    Raises:
        LogitsError: NaN, +inf, or a row without any finite logit.
    """
    logits = logits.float()
    if not _finite(logits):
        rows = range(logits.shape[0]) if rows is None else rows
        _refuse_bad_values(logits, branch, step, rows)
        _refuse_empty_rows(logits, branch, step, rows)
    return logits


def mix_rows(
    reference: Tensor | None,
    aligned: Tensor | None,
    reference_rows: Sequence[int],
    aligned_rows: Sequence[int],
    lam: Tensor,
    *,
    step: int = 0,
    rows: Sequence[int] | None = None,
) -> Tensor:
    """Mix a batch in which some rows run one model only.

    Args:
        reference: `[R, V]` logits of the rows that need the reference; None where R = 0.
        aligned: `[A, V]` logits of the rows that need the aligned model; None where A = 0.
        reference_rows: The R batch rows behind `reference`, ascending.
        aligned_rows: The A batch rows behind `aligned`, ascending; both lists together cover the
            batch.
        lam: `[B]` λ of every row; used where a row has both branches.
        step: Index of the token being generated, for the error.
        rows: The caller's row numbers, for the error; 0…B−1 by default.

    Returns:
        `[B, V]` float32.

    Raises:
        LogitsError: As `mix` and `check_logits`.
    """
    rows = range(len(lam)) if rows is None else rows
    if reference is None or aligned is None:
        name, alone = ("aligned", aligned) if reference is None else ("reference", reference)
        if alone is None:
            raise LogitsError("neither branch produced logits")
        return check_logits(alone, name, step=step, rows=rows)
    if len(reference_rows) == len(aligned_rows) == len(lam):
        return mix(reference, aligned, lam, step=step, rows=rows)
    out = torch.empty(len(lam), reference.shape[1], device=reference.device)
    place = {row: i for i, row in enumerate(reference_rows)}
    both = [(place[row], j, row) for j, row in enumerate(aligned_rows) if row in place]
    for name, logits, own in (
        ("reference", reference, reference_rows),
        ("aligned", aligned, aligned_rows),
    ):
        names = [rows[row] for row in own]
        out[list(own)] = check_logits(logits, name, step=step, rows=names)
    if both:
        first, second, at = (list(column) for column in zip(*both, strict=True))
        names = [rows[row] for row in at]
        out[at] = mix(reference[first], aligned[second], lam[at], step=step, rows=names)
    return out


def _excluding(
    made: Tensor,
    reference: Tensor,
    aligned: Tensor,
    overflow: str,
    *,
    step: int,
    rows: Sequence[int],
) -> Tensor:
    """What was made of two branches, −inf where both exclude a token; all else is refused."""
    _refuse_bad_values(reference, "reference", step, rows)
    _refuse_bad_values(aligned, "aligned", step, rows)
    hidden = reference.isneginf(), aligned.isneginf()
    _refuse(hidden[0] & ~hidden[1], "reference", "−inf in this branch alone", step, rows)
    _refuse(hidden[1] & ~hidden[0], "aligned", "−inf in this branch alone", step, rows)
    made = torch.where(hidden[0], reference, made)
    _refuse(made.isnan() | made.isposinf(), "mixed", overflow, step, rows)
    _refuse_empty_rows(made, "mixed", step, rows)
    return made


def _finite(logits: Tensor) -> bool:
    """Whether every value is finite: a NaN or infinity survives into the sum.

    A sum of finite values that overflows gives a false alarm, which costs time and nothing else.
    """
    return bool(logits.sum().isfinite())


def _refuse_bad_values(logits: Tensor, branch: str, step: int, rows: Sequence[int]) -> None:
    _refuse(logits.isnan(), branch, "NaN", step, rows)
    _refuse(logits.isposinf(), branch, "+inf", step, rows)


def _refuse_empty_rows(logits: Tensor, branch: str, step: int, rows: Sequence[int]) -> None:
    empty = logits.isneginf().all(-1, keepdim=True)
    _refuse(empty, branch, "−inf for every token", step, rows)


def _refuse(faults: Tensor, branch: str, what: str, step: int, rows: Sequence[int]) -> None:
    """Raise for the first fault, in row order."""
    if bool(faults.any()):
        row, token = (int(x) for x in faults.nonzero()[0])
        raise LogitsError(
            f"{branch} logits of row {rows[row]} at step {step}: {what} (token id {token})",
            hint=_HINT,
        )
