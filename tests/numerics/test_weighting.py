import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.numerics import WeightedRows, mix, weighted_sum

INF = math.inf


def test_by_hand():
    """Row 0 has one term, row 1 both: 1.5·[1, 2] − 0.5·[3, 0] = [0, 3]."""
    first = WeightedRows(torch.tensor([[5.0, 6.0], [1.0, 2.0]]), [0, 1], [1.0, 1.5])
    second = WeightedRows(torch.tensor([[3.0, 0.0]]), [1], [-0.5])
    assert weighted_sum([first, second], 2).tolist() == [[5.0, 6.0], [0.0, 3.0]]


def test_drafted_positions_are_summed_alike():
    logits = torch.arange(12.0).reshape(2, 3, 2)
    terms = [WeightedRows(logits, [1, 0], [2.0, 1.0]), WeightedRows(logits, [1, 0], [-1.0, 1.0])]
    summed = weighted_sum(terms, 2)
    assert torch.equal(summed[1], logits[0])
    assert torch.equal(summed[0], 2 * logits[1])


def test_one_branch_alone_stays_as_it_is():
    logits = torch.tensor([[0.1, 0.2], [0.3, -INF]])
    assert weighted_sum([WeightedRows(logits, [0, 1], [1.0, 1.0])], 2) is logits
    half = logits.bfloat16()
    assert weighted_sum([WeightedRows(half, [0, 1], [1.0, 1.0])], 2).dtype is torch.float32


@given(
    st.lists(st.tuples(*[st.floats(-50, 50, width=32)] * 2), min_size=2, max_size=9),
    st.floats(0, 4),
)
def test_two_terms_are_a_mixture(pairs, lam):
    """(1 − λ)·r + λ·a is `mix`, whatever the numbers."""
    reference, aligned = (torch.tensor([values]) for values in zip(*pairs, strict=True))
    terms = [WeightedRows(reference, [0], [1 - lam]), WeightedRows(aligned, [0], [lam])]
    torch.testing.assert_close(
        weighted_sum(terms, 1), mix(reference, aligned, lam), atol=1e-3, rtol=1e-5
    )


@pytest.mark.parametrize("value", [-INF, INF, math.nan])
@pytest.mark.parametrize("weights", [(1.5, -0.5), (0.3, 0.7)])
@pytest.mark.parametrize("term", [0, 1])
def test_what_cannot_be_summed_becomes_nan_in_its_row_alone(value, weights, term):
    """−∞ weighted by −α would be +∞, +∞ by −α an excluded token: both must be seen as faults."""
    logits = [torch.zeros(2, 3), torch.ones(2, 3)]
    logits[term][1, 2] = value
    terms = [
        WeightedRows(own, [0, 1], [weight] * 2) for own, weight in zip(logits, weights, strict=True)
    ]
    summed = weighted_sum(terms, 2)
    assert summed[1, 2].isnan()
    assert summed.isnan().sum() == 1


def test_a_token_excluded_by_all_terms_stays_excluded():
    hidden = torch.tensor([[0.0, -INF], [1.0, 2.0]])
    terms = [WeightedRows(hidden, [0, 1], [1.5] * 2), WeightedRows(hidden[:1], [0], [-0.5])]
    assert weighted_sum(terms, 2).tolist() == [[0.0, -INF], [1.5, 3.0]]
