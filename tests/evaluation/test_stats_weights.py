"""Ratios in bands, frontiers and paired differences; the sign-flip test on simulated truth."""

import math

import numpy as np
import pytest

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.bands import simultaneous_band
from dera_rag.evaluation.statistics.flips import sign_flip_test
from dera_rag.evaluation.statistics.frontier import frontier
from dera_rag.evaluation.statistics.paired import difference, gate, mcnemar


def noise(truth, runs):
    """3.5 binomial standard errors: one false alarm in some two thousand."""
    return 3.5 * math.sqrt(truth * (1 - truth) / runs)


def test_equal_weights_change_nothing_and_others_give_the_ratio():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 30, 3))
    ones, w = np.ones((30, 3)), rng.uniform(1, 9, (30, 3))
    assert simultaneous_band(x, weights=ones) == simultaneous_band(x)
    ratios = (w * x).sum(0) / w.sum(0)
    assert simultaneous_band(x, weights=w).values == pytest.approx(ratios.tolist())
    plain = frontier(x, y, (0.0, 0.0), n_resamples=200)
    assert frontier(x, y, (0.0, 0.0), weights=(ones, ones), n_resamples=200) == plain
    both = frontier(x, y, (0.0, 0.0), weights=(w, ones), n_resamples=200)
    assert both.factuality == pytest.approx(ratios.tolist())
    assert both.naturalness == pytest.approx(y.mean(0).tolist())
    a, b, v = x[:, 0], y[:, 0], w[:, 0]
    assert difference(a, b, weights=v).value == pytest.approx(((a - b) * v).sum() / v.sum())
    assert gate("m", a, b, 0.0, weights=v, direction="lower").estimate.value == pytest.approx(
        ((b - a) * v).sum() / v.sum()
    )


def test_a_band_of_ratios_covers(cases):
    runs = cases(150, 1000)

    def hit(run):
        rng = np.random.default_rng(run)
        w = rng.uniform(1, 9, (80, 1))
        # Heavy questions score higher: the plain mean would be another number.
        x = 0.05 * w + rng.normal(0, 0.2, (80, 1)) + rng.normal(0, 0.1, (80, 4))
        found = simultaneous_band(x, weights=np.repeat(w, 4, 1), n_resamples=400, seed=run % 5)
        truth = 0.05 * (25 + 64 / 12) / 5  # E[w²] / E[w] for w uniform on [1, 9]
        return all(lo <= truth <= hi for lo, hi in zip(found.lows, found.highs, strict=True))

    assert np.mean([hit(run) for run in range(runs)]) >= 0.95 - 0.025 - noise(0.95, runs)


def test_three_equal_gaps_are_as_lopsided_as_one_draw_in_four():
    # Of the eight signs two are as extreme: + + + and − − −.
    assert sign_flip_test([2.0, 2.0, 2.0]) == pytest.approx(0.25, abs=0.02)
    assert sign_flip_test([0.0, 0.0]) == 1.0
    assert math.isnan(sign_flip_test([math.nan]))
    assert sign_flip_test([math.nan, 2.0, 2.0, 2.0]) == sign_flip_test([2.0, 2.0, 2.0])


def test_sources_flip_as_one():
    # One source of three items has a sign of its own only once.
    assert sign_flip_test([1.0, 1.0, 1.0], ["a", "a", "a"]) == 1.0
    with pytest.raises(InvalidValueError, match="clusters"):
        sign_flip_test([1.0], ["a", "b"])


def test_it_agrees_with_mcnemar_on_outcomes():
    rng = np.random.default_rng(3)
    new, old = (rng.random((2, 80)) < [[0.5], [0.35]]).astype(float)
    sources = [f"s{i // 2}" for i in range(80)]
    exact = mcnemar(new, old, sources).p_value
    assert sign_flip_test(new - old, sources) == pytest.approx(exact, abs=0.02)


def test_its_level_holds_and_a_gain_is_found(cases):
    runs = cases(400, 4000)

    def rejects(run, gain):
        rng = np.random.default_rng(run)
        shared = np.repeat(rng.normal(0, 1, 20), 3)
        gaps = shared + rng.exponential(1, 60) * rng.choice([-1, 1], 60) + gain
        sources = [f"s{i // 3}" for i in range(60)]
        return sign_flip_test(gaps, sources, n_flips=399, seed=run) < 0.05

    found = np.mean([rejects(run, 0.0) for run in range(runs)])
    assert abs(found - 0.05) < noise(0.05, runs)
    assert np.mean([rejects(run, 1.0) for run in range(runs // 4)]) > 0.8
