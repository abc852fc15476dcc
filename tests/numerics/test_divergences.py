import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from dera_rag.numerics import entropy, js_divergence, kl_divergence, renyi_divergence

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


def test_renyi_by_hand():
    """½, ½ against ¼, ¾ at α = ½: −2 ln(√⅛ + √⅜); the same both ways at this order alone."""
    half, skewed = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()
    expected = -2 * math.log(math.sqrt(1 / 8) + math.sqrt(3 / 8))
    assert renyi_divergence(half, skewed, 0.5).item() == pytest.approx(expected, abs=1e-6)
    assert renyi_divergence(skewed, half, 0.5).item() == pytest.approx(expected, abs=1e-6)
    # α = ¾: −4 ln(½^¾·¼^¼ + ½^¾·¾^¼).
    expected = -4 * math.log(0.5**0.75 * (0.25**0.25 + 0.75**0.25))
    assert renyi_divergence(half, skewed, 0.75).item() == pytest.approx(expected, abs=1e-6)
    assert renyi_divergence(half, half, 0.3).item() == 0


def test_renyi_without_a_common_token_is_infinite():
    one, other = torch.tensor([[1.0, 0.0]]).log(), torch.tensor([[0.0, 1.0]]).log()
    assert renyi_divergence(one, other, 0.5).item() == INF
    # Half of the mass in common: −2 ln √½.
    even = torch.tensor([[0.5, 0.5]]).log()
    assert renyi_divergence(one, even, 0.5).item() == pytest.approx(math.log(2), abs=1e-6)


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=12),
    st.floats(0.05, 0.9),
)
def test_renyi_grows_with_its_order_towards_kl(pairs, order):
    left, right = (
        torch.tensor(column, dtype=torch.float64).log_softmax(-1)
        for column in zip(*pairs, strict=True)
    )
    lower, higher = (renyi_divergence(left, right, x) for x in (order, order + 0.05))
    assert 0 <= lower <= higher + 1e-12
    assert higher <= kl_divergence(left, right) + 1e-12
    near = renyi_divergence(left, right, 1 - 1e-6)
    assert math.isclose(near, kl_divergence(left, right), abs_tol=1e-3)
