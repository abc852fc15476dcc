"""Estimates: numbers by hand, and coverage of the interval on simulated truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics import Estimate, mean, proportion, ratio


def test_wilson_by_hand():
    # p = .5, n = 4, z = 1.96: centre = (.5 + z²/8) / (1 + z²/4) = .5, half = .34997
    estimate = proportion([1, 1, 0, 0])
    assert estimate.value == 0.5
    assert estimate.low == pytest.approx(0.15004, abs=1e-5)
    assert estimate.high == pytest.approx(0.84996, abs=1e-5)
    assert (estimate.n, estimate.n_failed) == (4, 0)


def test_wilson_of_nothing_found_is_not_certainty():
    # p = 0: the upper end is z² / (n + z²)
    estimate = proportion([0] * 20)
    assert (estimate.value, estimate.low) == (0.0, 0.0)
    assert estimate.high == pytest.approx(3.8415 / 23.8415, abs=1e-4)


def test_wilson_agrees_with_scipy():
    scipy_stats = pytest.importorskip("scipy.stats")
    for successes, n in [(0, 7), (3, 11), (50, 200), (9, 9)]:
        mine = proportion([1] * successes + [0] * (n - successes))
        theirs = scipy_stats.binomtest(successes, n).proportion_ci(0.95, "wilson")
        assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_percentile_bootstrap_brackets_scipy():
    scipy_stats = pytest.importorskip("scipy.stats")
    x = np.random.default_rng(1).exponential(size=60)
    for method, theirs_method in [("percentile", "percentile"), ("bca", "BCa")]:
        mine = mean(x, method=method, n_resamples=9999)
        theirs = scipy_stats.bootstrap(
            (x,), np.mean, n_resamples=9999, method=theirs_method, random_state=2
        ).confidence_interval
        width = theirs.high - theirs.low
        assert mine.low == pytest.approx(theirs.low, abs=0.05 * width)
        assert mine.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_nan_is_a_failure_and_never_zero():
    assert proportion([1, math.nan, 1]) == proportion([1, 1]).__class__(
        1.0, proportion([1, 1]).low, 1.0, 2, 1
    )
    estimate = mean([2.0, math.nan, 4.0])
    assert (estimate.value, estimate.n, estimate.n_failed) == (3.0, 2, 1)
    estimate = ratio([1.0, 1.0, math.nan], [2.0, 2.0, 9.0])
    assert (estimate.value, estimate.n, estimate.n_failed) == (0.5, 2, 1)


def test_nothing_scored():
    for estimate in (proportion([math.nan]), mean([math.nan]), ratio([math.nan], [1.0])):
        assert math.isnan(estimate.value)
        assert math.isnan(estimate.low)
        assert (estimate.n, estimate.n_failed) == (0, 1)


def test_ratio_weighs_items_by_their_denominator():
    assert ratio([1.0, 8.0], [2.0, 8.0]).value == 0.9  # not the mean of .5 and 1


def test_ratio_without_denominator_is_unknown():
    assert math.isnan(ratio([0.0, 0.0], [0.0, 0.0]).value)


def test_copies_of_a_source_add_no_certainty():
    # ten questions on each of 20 places, all alike within a place, are 20 observations
    outcomes = [float(place % 2) for place in range(20) for _ in range(10)]
    places = [str(place) for place in range(20) for _ in range(10)]
    clustered, once = proportion(outcomes, places), proportion(outcomes[::10])
    assert (clustered.low, clustered.high) == pytest.approx((once.low, once.high), abs=1e-9)
    assert proportion(outcomes).high < clustered.high
    assert mean(outcomes, places).low == pytest.approx(mean(outcomes[::10]).low)


def test_one_source_cannot_tell_a_spread():
    estimate = mean([1.0, 2.0], ["a", "a"])
    assert estimate.value == 1.5
    assert math.isnan(estimate.low)


def test_a_seed_may_be_any_integer():
    assert mean([0.0, 1.0, 3.0], seed=-5) == mean([0.0, 1.0, 3.0], seed=-5)


def test_equal_seed_equal_interval():
    x = list(np.random.default_rng(0).normal(size=50))
    assert mean(x, seed=3) == mean(x, seed=3)
    assert mean(x, seed=3).low != mean(x, seed=4).low


def _coverage_of(interval, truth, runs):
    hits = sum(e.low <= truth <= e.high for e in (interval(run) for run in range(runs)))
    return hits / runs


def test_wilson_covers_clustered_truth():
    """Places with an intra-class correlation of .3: the plain interval is too short."""

    def draw(run):
        rng = np.random.default_rng(run)
        rates = np.repeat(rng.beta(0.7, 1.633, size=60), 4)  # mean .3, 1/(a+b+1) = .3
        return (rng.random(240) < rates).astype(float), [str(i // 4) for i in range(240)]

    clustered = _coverage_of(lambda run: proportion(*draw(run)), 0.3, 600)
    plain = _coverage_of(lambda run: proportion(draw(run)[0]), 0.3, 600)
    assert 0.92 <= clustered <= 0.98  # binomial noise of 600 runs at .95: sd .009
    assert plain < 0.90


def test_bca_covers_a_skewed_mean_and_a_ratio(cases):
    def skewed(run):
        return mean(np.random.default_rng(run).exponential(size=50), seed=run % 7, n_resamples=1000)

    def weighted(run):
        rng = np.random.default_rng(run)
        expected = rng.integers(1, 8, size=80)
        return ratio(rng.binomial(expected, 0.8), expected, seed=run % 7, n_resamples=1000)

    runs = cases(150, 600)
    low, high = 0.95 - 3.5 * (0.0475 / runs) ** 0.5, 0.99
    assert low <= _coverage_of(skewed, 1.0, runs) <= high
    assert low <= _coverage_of(weighted, 0.8, runs) <= high


@given(st.lists(st.sampled_from([0.0, 1.0, math.nan]), min_size=1, max_size=40))
def test_a_proportion_lies_in_its_interval(outcomes):
    estimate = proportion(outcomes)
    assert estimate.n + estimate.n_failed == len(outcomes)
    if estimate.n:
        assert -1e-12 <= estimate.low <= estimate.value + 1e-12
        assert estimate.value - 1e-12 <= estimate.high <= 1 + 1e-12


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12), st.integers(0, 3))
def test_a_mean_interval_stays_within_the_data(values, seed):
    estimate = mean(values, seed=seed, n_resamples=100)
    assert min(values) - 1e-6 <= estimate.low <= estimate.high <= max(values) + 1e-6


def test_json_round_trip():
    for estimate in (Estimate(0.5, 0.1, 0.9, 10, 1), mean([math.nan])):
        assert Estimate.from_dict(estimate.to_dict()).to_dict() == estimate.to_dict()
    assert mean([math.nan]).to_dict()["value"] is None
    assert Estimate(1 / 3, 0, 1, 3).rounded().value == 0.333333


@pytest.mark.parametrize(
    "call",
    [
        lambda: proportion([0.5]),
        lambda: proportion([1, 0], ["a"]),
        lambda: proportion([1], confidence=1.0),
        lambda: mean([1.0], n_resamples=10),
        lambda: ratio([1.0], [1.0, 2.0]),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(InvalidValueError):
        call()
