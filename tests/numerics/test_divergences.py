import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from dera_rag.numerics import entropy, js_divergence, kl_divergence

INF = math.inf


def test_by_hand():
    even, skewed = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()
    assert math.isclose(entropy(even).item(), math.log(2), rel_tol=1e-6)
    # ½ log(½ / ¼) + ½ log(½ / ¾) = ½ log(4/3).
    assert math.isclose(kl_divergence(even, skewed).item(), 0.5 * math.log(4 / 3), rel_tol=1e-6)


def test_a_token_of_probability_zero_adds_nothing():
    log_p = torch.tensor([[0.5, 0.5, 0.0]]).log()
    assert math.isclose(entropy(log_p).item(), math.log(2), rel_tol=1e-6)
    assert kl_divergence(log_p, log_p).item() == 0
    wider = torch.tensor([[0.25, 0.25, 0.5]]).log()
    assert math.isclose(kl_divergence(log_p, wider).item(), math.log(2), rel_tol=1e-6)


def test_a_token_the_other_excludes_costs_infinity():
    log_p, log_q = torch.tensor([0.5, 0.5]).log(), torch.tensor([1.0, 0.0]).log()
    assert kl_divergence(log_p, log_q).item() == INF


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=12),
)
def test_agrees_with_scipy(pairs):
    left, right = (torch.tensor(column).log_softmax(-1) for column in zip(*pairs, strict=True))
    assert math.isclose(entropy(left), scipy_entropy(left.exp()), abs_tol=1e-5)
    expected = scipy_entropy(left.double().exp(), right.double().exp())
    assert math.isclose(kl_divergence(left, right), expected, abs_tol=1e-5)
    assert kl_divergence(left, right) >= 0


def test_jensen_shannon_by_hand():
    """½, ½ against 1, 0: m = (¾, ¼), JSD = ½(½ ln ⅔ + ½ ln 2) + ½ ln 4⁄3."""
    half, one = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[1.0, 0.0]]).log()
    expected = 0.5 * (0.5 * math.log(2 / 3) + 0.5 * math.log(2)) + 0.5 * math.log(4 / 3)
    assert js_divergence(half, one).item() == pytest.approx(expected, abs=1e-6)
    assert js_divergence(one, half).item() == pytest.approx(expected, abs=1e-6)
    assert js_divergence(half, half).item() == 0
    other = torch.tensor([[0.0, 1.0]]).log()
    assert js_divergence(one, other).item() == pytest.approx(math.log(2), abs=1e-6)
