"""Differences, McNemar, Holm, the gate and the band: by hand, by peers, and on simulated truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.bands import simultaneous_band
from dera_rag.evaluation.statistics.paired import difference, gate, holm, mcnemar


def noise(truth, runs):
    """3.5 binomial standard errors: one false alarm in some two thousand."""
    return 3.5 * math.sqrt(truth * (1 - truth) / runs)


def test_a_difference_pairs_items_and_counts_what_fails_in_either():
    estimate = difference([1.0, 2.0, math.nan, 5.0], [0.0, 2.0, 1.0, math.nan])
    assert (estimate.value, estimate.n, estimate.n_failed) == (0.5, 2, 2)


def test_pairing_is_what_makes_a_small_gain_visible():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=200)
    estimate = difference(hard + 0.1 + rng.normal(0, 0.1, 200), hard)
    assert estimate.low > 0
    assert estimate.high - estimate.low < 0.05  # unpaired it would be about .39


def test_differences_cover_clustered_truth(cases):
    runs = cases(120, 1000)

    def hit(run):
        rng = np.random.default_rng(run)
        places = np.repeat(np.arange(40), 5)
        old = rng.normal(size=200)
        new = old + 0.3 + rng.normal(size=40)[places] + rng.normal(size=200)
        e = difference(new, old, list(map(str, places)), n_resamples=500, seed=run % 5)
        return e.low <= 0.3 <= e.high

    # A bootstrap of forty sources is known to be a little short.
    assert np.mean([hit(run) for run in range(runs)]) >= 0.95 - 0.02 - noise(0.95, runs)


def test_mcnemar_by_hand():
    # 5 against 1 discordant: 2·(C(6,0) + C(6,1)) / 2⁶ = 14/64
    found = mcnemar([1] * 5 + [0] + [1, 0], [0] * 5 + [1] + [1, 0])
    assert (found.only_new, found.only_old, found.n) == (5, 1, 8)
    assert found.p_value == pytest.approx(14 / 64)


def test_mcnemar_agrees_with_scipy():
    scipy_stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    for n in (7, 30, 200):
        a, b = rng.random(n) < 0.6, rng.random(n) < 0.5
        up, down = int((a & ~b).sum()), int((~a & b).sum())
        expected = scipy_stats.binomtest(up, up + down, 0.5).pvalue
        assert mcnemar(a, b).p_value == pytest.approx(expected)


def test_copies_of_a_source_are_one_observation_to_mcnemar():
    a, b = [1] * 40, [0] * 40
    assert mcnemar(a, b).p_value < 1e-9
    assert mcnemar(a, b, ["one"] * 20 + ["other"] * 20).p_value == 0.5  # ++, −−, +−, −+


def test_clustered_mcnemar_keeps_its_level(cases):
    runs = cases(300, 2000)
    names = [str(i) for i in range(30) for _ in range(6)]

    def rejects(run):
        rng = np.random.default_rng(run)
        tilt = rng.choice([0.2, 0.8], size=30)  # each place favours one arm, by chance
        pick = (rng.random((30, 6)) < tilt[:, None]).ravel()
        return mcnemar(pick, ~pick, names).p_value <= 0.05, mcnemar(pick, ~pick).p_value <= 0.05

    clustered, plain = np.mean([rejects(run) for run in range(runs)], axis=0)
    assert clustered <= 0.05 + noise(0.05, runs)
    assert plain > 0.1


def test_holm_by_hand():
    pytest.importorskip("statsmodels")
    # sorted: .01·3, then max(.02·2, .03), then max(.04·1, .04)
    found = holm([0.02, math.nan, 0.01, 0.04])
    assert found == pytest.approx([0.04, math.nan, 0.03, 0.04], nan_ok=True)
    with pytest.raises(InvalidValueError):
        holm([1.2])


def test_a_gate_says_why():
    rng = np.random.default_rng(0)
    base = rng.random(400)
    good = gate("factuality", base + rng.normal(0, 0.05, 400), base, -0.01)
    assert good.passed
    assert "passes" in good.sentence
    bad = gate("factuality", base - 0.05 + rng.normal(0, 0.05, 400), base, -0.01)
    assert not bad.passed
    assert "is below the margin -0.01" in bad.sentence
    lower = gate("repetition", base - 0.05, base, 0.0, direction="lower")
    assert lower.passed
    assert lower.low == pytest.approx(0.05)


def test_a_gate_refuses_to_pass_on_nothing():
    assert not gate("m", [math.nan], [1.0], -1).passed
    assert not gate("m", [1.0], [1.0], -1).passed  # one item tells no spread
    lost = gate("m", [1.0, 1.0, math.nan], [1.0, 1.0, 0.0], -1)
    assert not lost.passed
    assert "1 items of the baseline" in lost.sentence


def test_an_identical_run_passes_its_own_gate():
    x = list(np.random.default_rng(0).random(50))
    assert gate("m", x, x, 0.0).passed


def test_a_gate_lets_a_loss_at_the_margin_through_one_time_in_twenty(cases):
    runs = cases(200, 2000)

    def passes(run):
        rng = np.random.default_rng(run)
        base = rng.random(150)
        new = base - 0.02 + rng.normal(0, 0.1, 150)
        return gate("m", new, base, -0.02, n_resamples=500, seed=run % 7).passed

    share = np.mean([passes(run) for run in range(runs)])
    assert abs(share - 0.05) <= 0.01 + noise(0.05, runs)


def test_a_band_covers_the_whole_curve_where_intervals_do_not(cases):
    runs = cases(150, 1000)
    truth = np.linspace(0, 1, 9)
    places = np.repeat(np.arange(60), 3)

    def hits(run):
        rng = np.random.default_rng(run)
        x = truth + rng.normal(size=(60, 9))[places] + rng.normal(size=(180, 9))
        x[rng.random(x.shape) < 0.03] = np.nan
        band = simultaneous_band(x, list(map(str, places)), n_resamples=500, seed=run % 5)
        values, half = np.array(band.values), np.array(band.highs) - np.array(band.values)
        gap = np.abs(values - truth)
        return (gap <= half).all(), (gap <= half * 1.96 / band.critical).all()

    band, point_by_point = np.mean([hits(run) for run in range(runs)], axis=0)
    assert band >= 0.95 - 0.02 - noise(0.95, runs)
    assert point_by_point < 0.85


def test_a_band_over_one_point_is_an_interval():
    x = np.random.default_rng(0).normal(size=(2000, 1))
    band = simultaneous_band(x, n_resamples=500)
    assert band.critical == pytest.approx(1.96, abs=0.2)
    half = band.highs[0] - band.values[0]
    assert half == pytest.approx(band.critical * x.std(ddof=1) / math.sqrt(2000), rel=1e-9)


def test_one_source_has_a_curve_but_no_band():
    band = simultaneous_band([[1.0, 2.0], [3.0, math.nan]], ["a", "a"])
    assert band.values == (2.0, 2.0)
    assert band.n == (2, 1)
    assert math.isnan(band.lows[0])


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), max_size=25))
def test_swapping_the_arms_swaps_the_counts_and_keeps_p(rows):
    a, b = [row[0] for row in rows], [row[1] for row in rows]
    names = [str(row[2]) for row in rows]
    one, other = mcnemar(a, b, names), mcnemar(b, a, names)
    assert (one.only_new, one.p_value) == (other.only_old, other.p_value)
    assert 0 < one.p_value <= 1
