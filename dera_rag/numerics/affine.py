"""Scores that are linear in λ, and which token has the highest over an interval.

The score of token v is base_v + λ·slope_v; for DeRa base = r and slope = a − r (Liu et al. 2024,
Proposition 1). Noise adds to the base. A repetition penalty bends a line where it crosses zero.
Shapes: `N` intervals, one per row, `V` token ids; float64 throughout.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dera_rag.numerics.envelope import Line, Piece, joined, upper_envelope
from dera_rag.numerics.mixing import mix
from dera_rag.numerics.sampling import penalise


@dataclass(frozen=True, slots=True)
class AffineScores:
    """Scores base + λ·slope of every token.

    Attributes:
        base: `[N, V]` float64; −inf for a token that is excluded at every λ.
        slope: `[N, V]` float64, finite.
    """

    base: Tensor
    slope: Tensor

    def at(self, lam: Tensor) -> Tensor:
        """`[N, V]` scores, with `[N]` λ of each row."""
        return torch.addcmul(self.base, self.slope, lam.unsqueeze(1))


@dataclass(frozen=True, slots=True)
class Penalty:
    """A repetition penalty, as `numerics.sampling.penalise` applies it.

    Attributes:
        factor: > 0; divides positive scores of seen tokens and multiplies negative ones.
        seen: `[N, V]` bool.
    """

    factor: float
    seen: Tensor


def affine_scores(
    reference: Tensor, aligned: Tensor, *, step: int = 0, rows: Sequence[int] | None = None
) -> AffineScores:
    """The mixture r + λ(a − r) as lines in λ.

    Args:
        reference: `[N, V]` logits of the reference.
        aligned: `[N, V]` logits of the aligned model.
        step: Index of the token being generated, for the error.
        rows: The caller's row numbers, for the error; 0…N−1 by default.

    Returns:
        The lines; a token that is −inf in both branches is excluded.

    Raises:
        LogitsError: As `mix`.
    """
    base = reference.double()
    slope = aligned.double() - base
    if not bool(slope.sum().isfinite()):
        # Refuses what cannot be mixed, so that only −inf in both branches is left.
        mix(reference, aligned, 0.5, step=step, rows=rows)
        slope = slope.masked_fill(base.isneginf(), 0.0)
    return AffineScores(base, slope)


def winners(
    scores: AffineScores,
    intervals: Sequence[tuple[float, float]],
    *,
    noise: Tensor | None = None,
    penalty: Penalty | None = None,
) -> list[list[Piece]]:
    """Which token has the highest score, everywhere in each row's interval.

    Args:
        scores: Lines of every row.
        intervals: (lo, hi) of every row, lo ≤ hi.
        noise: `[N, V]` float64, added after the penalty: T·g for Gumbel noise g at temperature T.
            None for none.
        penalty: Bends lines of seen tokens; None for none.

    Returns:
        Pieces of every row, joined as `joined` does; ties go to the lowest id.
    """
    ends = torch.tensor(intervals, dtype=torch.float64, device=scores.base.device).unbind(1)
    plain = [scores.at(end) for end in ends]
    values = plain
    if penalty is not None:
        values = [penalise(value, penalty.seen, penalty.factor) for value in values]
    if noise is not None:
        values = [value + noise for value in values]
    best = [value.argmax(-1).tolist() for value in values]
    bent = None if penalty is None else _bends(penalty, plain[0], plain[1])
    folded = None if bent is None else bent.any(-1).tolist()
    out = []
    for row, (lo, hi) in enumerate(intervals):
        token = best[0][row]
        if token == best[1][row] and not (folded and folded[row]):
            # Highest at both ends is highest throughout: a maximum of lines is convex.
            out.append([Piece(lo, hi, token)])
            continue
        rivals = _rivals(
            values[0][row],
            values[1][row],
            None if bent is None else bent[row],
            None if noise is None else noise[row],
        )
        out.append(joined(_pieces(_Rivals.of(row, rivals, scores, noise, penalty), lo, hi)))
    return out


def _bends(penalty: Penalty, low: Tensor, high: Tensor) -> Tensor:
    """`[N, V]` bool: penalised lines that cross zero, given their values at both ends."""
    return penalty.seen & (low * high < 0)


def _rivals(low: Tensor, high: Tensor, bent: Tensor | None, noise: Tensor | None) -> Tensor:
    """Ids of the tokens that can win somewhere: those that reach the floor no winner is below.

    A line's extremes are at the ends; a bent one's also at its zero, where its noise alone counts.
    """
    least, most = torch.minimum(low, high), torch.maximum(low, high)
    if bent is not None:
        fold = torch.zeros_like(low) if noise is None else noise
        least = torch.where(bent, torch.minimum(least, fold), least)
        most = torch.where(bent, torch.maximum(most, fold), most)
    return (most >= least.max()).nonzero().squeeze(1)


@dataclass(frozen=True, slots=True)
class _Rivals:
    """The tokens of one row that can win, ids ascending; lists of one length."""

    tokens: list[int]
    base: list[float]
    slope: list[float]
    noise: list[float]
    seen: list[bool]
    factor: float

    @classmethod
    def of(
        cls,
        row: int,
        tokens: Tensor,
        scores: AffineScores,
        noise: Tensor | None,
        penalty: Penalty | None,
    ) -> _Rivals:
        count = len(tokens)
        return cls(
            tokens.tolist(),
            scores.base[row, tokens].tolist(),
            scores.slope[row, tokens].tolist(),
            [0.0] * count if noise is None else noise[row, tokens].tolist(),
            [False] * count if penalty is None else penalty.seen[row, tokens].tolist(),
            1.0 if penalty is None else penalty.factor,
        )

    def zeros(self, lo: float, hi: float) -> list[float]:
        """Where penalised lines bend strictly inside (lo, hi), ascending."""
        found = {
            -base / slope
            for base, slope, seen in zip(self.base, self.slope, self.seen, strict=True)
            if seen and slope
        }
        return sorted(zero for zero in found if lo < zero < hi)

    def lines(self, lam: float) -> list[Line]:
        """The lines as they run around λ, where none of them bends."""
        made = []
        for token, base, slope, noise, seen in zip(
            self.tokens, self.base, self.slope, self.noise, self.seen, strict=True
        ):
            factor = 1.0
            if seen:
                factor = self.factor if base + lam * slope < 0 else 1 / self.factor
            made.append(Line(token, factor * base + noise, factor * slope))
        return made


def _pieces(rivals: _Rivals, lo: float, hi: float) -> list[Piece]:
    """The envelope of one row, from bend to bend."""
    cuts = [lo, *rivals.zeros(lo, hi), hi]
    return [
        piece
        for left, right in itertools.pairwise(cuts)
        for piece in upper_envelope(rivals.lines((left + right) / 2), left, right)
    ]
