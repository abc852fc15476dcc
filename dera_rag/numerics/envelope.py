"""Which of several lines in λ is highest, over an interval: the exact upper envelope.

A token's score is a line base + λ·slope, so the winners over an interval of λ form finitely many
pieces. Everything here is float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

# A third line splits a piece only where it is higher by more than this: rounding of the crossing of
# two lines must not look like a gain, or ties of several lines would be split for ever.
GAIN = 1e-12
# Float32 logits cannot tell two λ this close apart, so a piece this narrow is never seen.
NARROW = 1e-6


class Line(NamedTuple):
    """The score of one token: base + λ·slope."""

    token: int
    base: float
    slope: float

    def at(self, lam: float) -> float:
        """Its value."""
        return self.base + lam * self.slope


class Piece(NamedTuple):
    """An interval of λ over which one token wins; the lower end belongs to it."""

    lo: float
    hi: float
    token: int

    @property
    def width(self) -> float:
        """Its length, ≥ 0."""
        return self.hi - self.lo


def upper_envelope(lines: Sequence[Line], lo: float, hi: float) -> list[Piece]:
    """The highest line everywhere in [lo, hi].

    Args:
        lines: At least one. Where two are equal the first in this order wins: lowest ids first.
        lo: Lower end.
        hi: Upper end, ≥ lo.

    Returns:
        Pieces from lo to hi without gaps; neighbours have different lines.
    """
    pieces: list[Piece] = []
    for piece in _between(lines, lo, hi, _highest(lines, lo), _highest(lines, hi)):
        if pieces and pieces[-1].token == piece.token:
            pieces[-1] = pieces[-1]._replace(hi=piece.hi)
        else:
            pieces.append(piece)
    return pieces


def _between(
    lines: Sequence[Line], lo: float, hi: float, left: Line, right: Line
) -> Iterator[Piece]:
    """Pieces of [lo, hi], given which line is highest at each end.

    Two lines that are highest at both ends leave room for others only below their crossing: if
    none is higher there, there is none in between (lines are convex functions).
    """
    rise = right.slope - left.slope
    cross = lo if rise <= 0 else (left.base - right.base) / rise
    if left is right or cross >= hi:
        yield Piece(lo, hi, left.token)
        return
    if cross <= lo:
        yield Piece(lo, hi, right.token)
        return
    middle = _highest(lines, cross)
    if middle.at(cross) - max(left.at(cross), right.at(cross)) > GAIN and hi - lo > NARROW:
        yield from _between(lines, lo, cross, left, middle)
        yield from _between(lines, cross, hi, middle, right)
    else:
        yield Piece(lo, cross, left.token)
        yield Piece(cross, hi, right.token)


def _highest(lines: Sequence[Line], lam: float) -> Line:
    """The highest line at λ; of equals the first."""
    return max(lines, key=lambda line: line.at(lam))


def joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Neighbours with one token made one, and pieces narrower than `NARROW` given to a neighbour.

    Args:
        pieces: In order and without gaps, at least one.

    Returns:
        Pieces over the same interval: none is narrow, unless it is the only one.
    """
    out = [pieces[0]]
    for piece in pieces[1:]:
        last = out[-1]
        if piece.token == last.token or piece.width < NARROW:
            out[-1] = last._replace(hi=piece.hi)
        elif last.width < NARROW:
            # Only the first piece can still be narrow here; it joins what follows it.
            out[-1] = piece._replace(lo=last.lo)
        else:
            out.append(piece)
    return out
