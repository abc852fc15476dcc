"""Winners over an interval of λ for whole rows: ties, exclusions, noise, penalties."""

import math
import random

import pytest
import torch

from dera_rag.errors import LogitsError
from dera_rag.numerics import AffineScores, Penalty, affine_scores, mix, winners
from dera_rag.numerics.envelope import Piece
from dera_rag.numerics.sampling import penalise


def test_lines_are_the_mixture():
    torch.manual_seed(0)
    reference, aligned = torch.randn(3, 20), torch.randn(3, 20)
    lines = affine_scores(reference, aligned)
    for lam in (0.0, 0.3, 1.0, 1.7):
        expected = mix(reference, aligned, lam).double()
        torch.testing.assert_close(lines.at(torch.full((3,), lam)), expected, atol=1e-6, rtol=0)
    assert torch.equal(lines.at(torch.zeros(3)), reference.double())
    assert torch.allclose(lines.at(torch.ones(3)), aligned.double(), atol=1e-15)


def test_a_token_excluded_by_both_branches_never_wins():
    reference, aligned = torch.tensor([[1.0, -math.inf, 0.0]]), torch.tensor([[0.0, -math.inf, 2]])
    lines = affine_scores(reference, aligned)
    assert lines.slope[0, 1] == 0
    # 1 − λ and 2λ cross at 1/3.
    assert winners(lines, [(0.0, 2.0)]) == [[Piece(0, 1 / 3, 0), Piece(1 / 3, 2, 2)]]


@pytest.mark.parametrize(
    ("branch", "value"),
    [("reference", math.nan), ("aligned", math.inf), ("aligned", -math.inf)],
)
def test_what_cannot_be_mixed_is_refused(branch, value):
    logits = {"reference": torch.ones(2, 4), "aligned": torch.ones(2, 4)}
    logits[branch][1, 2] = value
    with pytest.raises(LogitsError, match="row 7 at step 3"):
        affine_scores(logits["reference"], logits["aligned"], step=3, rows=[6, 7])


def test_rows_have_intervals_of_their_own():
    lines = AffineScores(torch.tensor([[1.0, 0.0]] * 3).double(), torch.tensor([[0.0, 1]] * 3))
    lines = AffineScores(lines.base, lines.slope.double())
    assert winners(lines, [(0.0, 2.0), (0.0, 0.9), (1.5, 1.5)]) == [
        [Piece(0, 1, 0), Piece(1, 2, 1)],
        [Piece(0, 0.9, 0)],
        [Piece(1.5, 1.5, 1)],
    ]


def test_noise_moves_the_breakpoint():
    lines = affine_scores(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    noise = torch.tensor([[0.0, 0.25]]).double()
    assert winners(lines, [(0.0, 2.0)], noise=noise) == [[Piece(0, 0.75, 0), Piece(0.75, 2, 1)]]


def test_a_penalised_line_bends_at_zero():
    """Token 0 scores −1 + λ, penalised by 2: −2 + 2λ below λ=1, (λ − 1)/2 above. Token 1: −½.

    So token 0 wins from λ = ¾ on; without the bend, (λ − 1)/2 > −½ for every λ > 0.
    """
    lines = affine_scores(torch.tensor([[-1.0, -0.5]]), torch.tensor([[0.0, -0.5]]))
    penalty = Penalty(2.0, torch.tensor([[True, False]]))
    assert winners(lines, [(0.0, 2.0)], penalty=penalty) == [[Piece(0, 0.75, 1), Piece(0.75, 2, 0)]]


def test_one_token_at_both_ends_is_no_proof_under_a_penalty():
    """Token 0 scores 4λ − 4 below λ=1 and (λ − 1)/4 above; token 1 scores λ/2 − .55, unpenalised.

    Token 1 wins at 0 (−.55) and at 2 (.45), but at λ=1 it has −.05 and token 0 has 0. They meet
    where 3.5λ = 3.45 and where .25λ = .3.
    """
    reference, aligned = torch.tensor([[-1.0, -0.55]]), torch.tensor([[0.0, -0.05]])
    penalty = Penalty(4.0, torch.tensor([[True, False]]))
    (pieces,) = winners(affine_scores(reference, aligned), [(0.0, 2.0)], penalty=penalty)
    assert [piece.token for piece in pieces] == [1, 0, 1]
    assert [piece.hi for piece in pieces] == pytest.approx([3.45 / 3.5, 1.2, 2], abs=1e-6)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3, 3.0])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_winners_against_a_fine_grid(factor, temperature, cases):
    """Small integers, so that ties, bends and crossings of several lines in a point are common."""
    for seed in range(cases(40, 400)):
        rng = random.Random(seed)
        size = rng.randint(2, 9)
        draw = [[float(rng.randint(-4, 4)) for _ in range(size)] for _ in range(2)]
        reference, aligned = (torch.tensor([row]) for row in draw)
        noise = None
        if temperature:
            noise = torch.tensor([[rng.gauss(0, 1) for _ in range(size)]]).double()
        seen = torch.tensor([[rng.random() < 0.6 for _ in range(size)]])
        penalty = None if factor == 1 else Penalty(factor, seen)
        lines = affine_scores(reference, aligned)
        (pieces,) = winners(lines, [(0.0, 2.5)], noise=noise, penalty=penalty)
        assert (pieces[0].lo, pieces[-1].hi) == (0.0, 2.5)
        lams = torch.arange(250).double() / 100
        scores = AffineScores(*(x.expand(250, -1) for x in (lines.base, lines.slope))).at(lams)
        scores = penalise(scores, seen, factor) + (0 if noise is None else noise)
        best = scores.max(-1, keepdim=True).values
        tied = scores >= best - 1e-9
        for lam, ties in zip(lams.tolist(), tied, strict=True):
            if any(abs(lam - piece.lo) < 1e-6 for piece in pieces):
                continue
            (token,) = (piece.token for piece in pieces if piece.lo <= lam < piece.hi)
            assert ties[token]
