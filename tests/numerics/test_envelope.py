"""The upper envelope of lines, against values by hand and against exact fractions."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.numerics.envelope import NARROW, Line, Piece, joined, upper_envelope


def test_two_lines_cross_where_they_are_equal():
    # 1 and 0 + λ are equal at λ = 1.
    assert upper_envelope([Line(5, 1.0, 0.0), Line(8, 0.0, 1.0)], 0.0, 2.0) == [
        Piece(0.0, 1.0, 5),
        Piece(1.0, 2.0, 8),
    ]


def test_a_third_line_may_win_only_in_between():
    # At the ends 2 − λ and λ win; .5 + 0λ never does; 1.5 does from .5 to 1.5.
    ends = [Line(1, 2.0, -1.0), Line(2, 0.0, 1.0)]
    assert [piece.token for piece in upper_envelope([*ends, Line(3, 0.5, 0.0)], 0, 2)] == [1, 2]
    assert upper_envelope([*ends, Line(3, 1.5, 0.0)], 0.0, 2.0) == [
        Piece(0.0, 0.5, 1),
        Piece(0.5, 1.5, 3),
        Piece(1.5, 2.0, 2),
    ]


def test_equal_lines_go_to_the_first():
    lines = [Line(4, 1.0, 1.0), Line(7, 1.0, 1.0)]
    assert upper_envelope(lines, 0.0, 2.0) == [Piece(0.0, 2.0, 4)]


def test_three_lines_through_one_point_split_once():
    lines = [Line(1, 2.0, -1.0), Line(2, 1.0, 0.0), Line(3, 0.0, 1.0)]
    assert upper_envelope(lines, 0.0, 2.0) == [Piece(0.0, 1.0, 1), Piece(1.0, 2.0, 3)]


def test_a_tie_at_an_end_goes_to_whoever_wins_inside():
    lines = [Line(1, 1.0, 0.0), Line(2, 1.0, 1.0)]
    assert upper_envelope(lines, 0.0, 2.0) == [Piece(0.0, 2.0, 2)]
    lines = [Line(1, 2.0, -1.0), Line(2, 4.0, -2.0)]
    assert upper_envelope(lines, 0.0, 2.0) == [Piece(0.0, 2.0, 2)]


def test_a_point_has_one_winner():
    lines = [Line(1, 1.0, 0.0), Line(2, 0.0, 1.0)]
    assert upper_envelope(lines, 0.5, 0.5) == [Piece(0.5, 0.5, 1)]


def test_narrow_pieces_join_a_neighbour():
    narrow = NARROW / 2
    pieces = [Piece(0, 1, 1), Piece(1, 1 + narrow, 2), Piece(1 + narrow, 2, 3)]
    assert joined(pieces) == [Piece(0, 1 + narrow, 1), Piece(1 + narrow, 2, 3)]
    assert joined([Piece(0, narrow, 1), Piece(narrow, 1, 2)]) == [Piece(0, 1, 2)]
    assert joined([Piece(0, 1, 1), Piece(1, 1 + narrow, 2), Piece(1 + narrow, 2, 1)]) == [
        Piece(0, 2, 1)
    ]
    assert joined([Piece(0, narrow, 1)]) == [Piece(0, narrow, 1)]


numbers = st.integers(-8, 8)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=7), st.integers(1, 6))
def test_against_exact_fractions(values, hi):
    """Between neighbouring crossings of any two lines one line is highest throughout."""
    lines = [Line(i, float(base), float(slope)) for i, (base, slope) in enumerate(values)]
    crossings = {
        Fraction(left[0] - right[0], right[1] - left[1])
        for left, right in itertools.combinations(values, 2)
        if left[1] != right[1]
    }
    cuts = sorted({0, hi, *(cross for cross in crossings if 0 < cross < hi)})
    pieces = upper_envelope(lines, 0.0, float(hi))
    assert (pieces[0].lo, pieces[-1].hi) == (0.0, hi)
    assert all(a.hi == b.lo for a, b in itertools.pairwise(pieces))
    assert all(a.token != b.token for a, b in itertools.pairwise(pieces))
    for left, right in itertools.pairwise(cuts):
        middle = (Fraction(left) + Fraction(right)) / 2
        scores = [base + middle * slope for base, slope in values]
        holder = next(p for p in pieces if p.lo <= middle <= p.hi)
        assert holder.token == scores.index(max(scores))
        assert holder.lo == pytest.approx(float(left), abs=1e-9) or holder.lo < left
        assert holder.hi == pytest.approx(float(right), abs=1e-9) or holder.hi > right
