"""Frontier, policies, equal copying, abstention, ranking: by hand and on simulated truth."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.abstention import outcomes, risk_coverage
from dera_rag.evaluation.statistics.copying import at_equal_copying
from dera_rag.evaluation.statistics.frontier import efficient, frontier, hypervolume
from dera_rag.evaluation.statistics.policies import (
    against_best_fixed,
    against_random,
    best_fixed,
    dominance,
    oracle,
)
from dera_rag.evaluation.statistics.ranking import auroc, spearman


def noise(truth, runs):
    """3.5 binomial standard errors: one false alarm in some two thousand."""
    return 3.5 * math.sqrt(truth * (1 - truth) / runs)


POINTS = np.array([[0.0, 3.0], [1.0, 2.0], [1.0, 1.0], [2.0, 2.0], [3.0, 0.0]])


def test_frontier_by_hand():
    assert efficient(POINTS).tolist() == [True, False, False, True, True]
    # strips from the right: 1 wide and 0 high, 1 and 1 wide and 2 high, and [0, 3] adds nothing
    assert hypervolume(POINTS, (0.0, 0.0)) == 4.0
    assert hypervolume(POINTS, (-1.0, 0.0)) == 1 * 3 + 2 * 2
    assert hypervolume(POINTS, (9.0, 9.0)) == 0.0


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=8))
def test_hypervolume_counts_the_dominated_squares(points):
    squares = {(i, j) for x, y in points for i in range(x) for j in range(y)}
    assert hypervolume(np.array(points, float), (0.0, 0.0)) == len(squares)


def test_a_frontier_of_constant_scores_has_no_doubt():
    rows = np.ones((20, 1))
    found = frontier(rows * POINTS[:, 0], rows * POINTS[:, 1], (0.0, 0.0), n_levels=4)
    assert found.efficient == (True, False, False, True, True)
    assert found.efficient_share == (1.0, 0.0, 0.0, 1.0, 1.0)
    assert (found.hypervolume.value, found.hypervolume.low, found.hypervolume.high) == (4, 4, 4)
    assert [e.value for e in found.best] == [3.0, 2.0, 2.0, 0.0]  # at factuality ≥ 0, 1, 2, 3


def test_frontier_bands_cover(cases):
    runs = cases(80, 600)
    truth = np.array([[0.2, 0.9], [0.5, 0.7], [0.8, 0.3], [0.4, 0.4]])
    area = float(hypervolume(truth, (0.0, 0.0)))

    def hits(run):
        rng = np.random.default_rng(run)
        both = truth + rng.normal(0, 0.3, size=(60, 1, 2)) + rng.normal(0, 0.3, size=(60, 4, 2))
        found = frontier(both[..., 0], both[..., 1], (0.0, 0.0), n_resamples=400, seed=run % 5)
        return found.hypervolume.low <= area <= found.hypervolume.high, found.efficient_share[3]

    covered, share = np.mean([hits(run) for run in range(runs)], axis=0)
    assert covered >= 0.95 - 0.02 - noise(0.95, runs)
    assert share < 0.1  # the fourth setting is dominated in truth


def test_best_fixed_ignores_what_is_not_scored_everywhere():
    assert best_fixed([[0.0, 1.0], [0.0, 1.0], [99.0, math.nan]]) == 1


def test_the_fixed_lambda_is_chosen_on_other_questions():
    found = against_best_fixed([1.0] * 4, [[0.0, 9.0]] * 4, [[1.0, 0.0]] * 3)
    assert (found.fixed, found.gain.value) == (0, 1.0)


def test_an_oracle_chosen_on_one_seed_counts_no_luck(cases):
    runs = cases(60, 400)

    def gains(run):
        rng = np.random.default_rng(run)
        a, b = rng.normal(size=(2, 100, 9))  # no λ is better for any query
        honest = oracle(a, b, n_resamples=200)
        return honest.value, oracle(a, a, n_resamples=200).value, honest.low <= 0 <= honest.high

    honest, lucky, covered = np.mean([gains(run) for run in range(runs)], axis=0)
    assert abs(honest) < 3.5 * math.sqrt(2 / 100 / runs)
    assert lucky > 1.2  # the mean maximum of nine standard normals is 1.49
    assert covered >= 0.95 - 0.02 - noise(0.95, runs)


def test_an_oracle_finds_what_queries_differ_in():
    rng = np.random.default_rng(0)
    wants = rng.integers(0, 2, size=400)
    truth = np.stack([1.0 - wants, wants], 1)
    a, b = truth + rng.normal(0, 0.1, (400, 2)), truth + rng.normal(0, 0.1, (400, 2))
    # The best fixed λ is right for the larger half.
    assert oracle(a, b).value == pytest.approx(min(wants.mean(), 1 - wants.mean()), abs=0.02)


def test_a_policy_that_deals_lambda_at_random_gains_nothing(cases):
    runs = cases(80, 600)
    grid = np.array([0.0, 0.5, 1.0])

    def hit(run):
        rng = np.random.default_rng(run)
        scores = rng.normal(size=(150, 1)) + grid * 0.7 + rng.normal(0, 0.3, size=(150, 3))
        picks = rng.integers(0, 3, size=150)
        mine = scores[np.arange(150), picks]
        gain = against_random(mine, grid[picks], scores, grid, n_resamples=300, seed=run % 5)
        return gain.low <= 0 <= gain.high

    assert np.mean([hit(run) for run in range(runs)]) >= 0.95 - 0.02 - noise(0.95, runs)


def test_the_random_control_keeps_the_mean_of_lambda():
    # the score is λ itself, so the control's mean is that of the policy's λ, off the grid too
    grid, lams = [0.0, 1.0, 2.0], [0.25, 1.5, 0.5]
    gain = against_random(lams, lams, [grid] * 3, grid)
    assert gain.value == pytest.approx(0.0)
    with pytest.raises(InvalidValueError, match="leaves the grid"):
        against_random([0.0], [3.0], [grid], grid)


def test_dominance_needs_a_gain_on_both_axes():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(300, 2))
    tuning = (base, base)
    up, flat = base[:, 0] + 0.2, base[:, 0] + rng.normal(0, 0.01, 300)
    best = best_fixed(base)
    shift = base[:, best] - base[:, 0]
    both = dominance((up + shift, up + shift), (base, base), tuning)
    assert both.dominates
    one = dominance((up + shift, flat + shift), (base, base), tuning)
    assert not one.dominates
    assert dominance((up + shift, flat + shift), (base, base), tuning, margin=0.01).dominates


def test_dominance_keeps_its_level(cases):
    runs = cases(120, 1000)

    def rejects(run):
        rng = np.random.default_rng(run)
        base = rng.normal(size=(120, 1))
        no_gain, gain = base[:, 0] + rng.normal(0, 0.3, 120), base[:, 0] + 1.0
        return dominance((no_gain, gain), (base, base), (base, base), n_resamples=300).dominates

    assert np.mean([rejects(run) for run in range(runs)]) <= 0.05 + 0.01 + noise(0.05, runs)


def test_a_gain_made_of_copying_vanishes_at_equal_copying(cases):
    runs = cases(60, 400)

    def hits(run):
        rng = np.random.default_rng(run)
        old_copy = rng.beta(2, 4, size=150)
        new_copy = np.clip(old_copy + rng.normal(0.2, 0.15, 150), 0, 1)
        line = lambda c: 0.4 + 0.5 * c + rng.normal(0, 0.1, 150)  # noqa: E731
        found = at_equal_copying(
            (line(new_copy) + 0.05, new_copy), (line(old_copy), old_copy),
            n_resamples=300, seed=run % 5,
        )  # fmt: skip
        return found.difference.low <= 0.05 <= found.difference.high, found.raw.value

    covered, raw = np.mean([hits(run) for run in range(runs)], axis=0)
    assert covered >= 0.95 - 0.02 - noise(0.95, runs)
    assert raw == pytest.approx(0.15, abs=0.02)


def test_equal_copying_of_equal_copiers_is_the_plain_difference():
    found = at_equal_copying(([1.0, 0.5, 0.0], [0.2] * 3), ([0.0, 0.5, 0.0], [0.2] * 3))
    assert found.difference.value == pytest.approx(found.raw.value) == pytest.approx(1 / 3)
    assert (found.new.value, found.overlap) == (pytest.approx(0.5), 1.0)


def test_outcomes_by_hand():
    found = outcomes(
        ["correct", "wrong", "abstained", "correct", "wrong", "abstained"],
        [True, True, True, True, False, False],
    )
    assert (found.answered.value, found.correct.value) == (0.75, 0.5)
    assert (found.wrong.value, found.over_refusal.value, found.unsupported.value) == (
        0.25,
        0.25,
        0.5,
    )
    assert (found.correct.n, found.unsupported.n) == (4, 2)
    with pytest.raises(InvalidValueError, match="maybe"):
        outcomes(["maybe"], [True])


def test_risk_coverage_by_hand():
    found = risk_coverage([0.9, 0.8, 0.8, 0.1], [0.0, 1.0, 0.0, 1.0])
    assert found.coverage == (0.25, 0.75, 1.0)  # the two of .8 go together
    assert found.risk == pytest.approx((0.0, 1 / 3, 0.5))
    # Of the two, one or the other is kept first: (0 + 1)/2 of a loss among two answers.
    assert found.area.value == pytest.approx((0 + 0.5 / 2 + 1 / 3 + 2 / 4) / 4)
    assert found.excess.value == pytest.approx(found.area.value - (0 + 0 + 1 / 3 + 2 / 4) / 4)


def test_the_area_of_ties_is_the_mean_over_their_orders():
    losses = [1.0, 0.25, 0.0, 1.0, 0.5]
    tied = risk_coverage([2, 1, 1, 1, 0], losses, n_resamples=100).area.value
    orders = [[2, *confidences, 0] for confidences in permutations([1.1, 1.2, 1.3])]
    each = [risk_coverage(order, losses, n_resamples=100).area.value for order in orders]
    assert tied == pytest.approx(np.mean(each))


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=12
    )
)
def test_no_order_is_better_than_a_perfect_one(answers):
    confidences, losses = zip(*answers, strict=True)
    found = risk_coverage(confidences, losses, [*map(str, range(len(losses)))], n_resamples=100)
    assert found.excess.value >= -1e-12
    assert not found.excess.low < -1e-12  # in no resample, and NaN where there is one question


def test_a_perfect_confidence_has_no_excess_and_chance_covers_the_base_rate(cases):
    runs = cases(60, 400)

    def hit(run):
        rng = np.random.default_rng(run)
        losses = (rng.random(300) < 0.3).astype(float)
        found = risk_coverage(rng.random(300), losses, n_resamples=300, seed=run % 5)
        return found.area.low <= 0.3 <= found.area.high

    losses = (np.arange(20) % 3 == 0).astype(float)
    assert risk_coverage(-losses, losses, n_resamples=100).excess.value == pytest.approx(0.0)
    assert np.mean([hit(run) for run in range(runs)]) >= 0.95 - 0.03 - noise(0.95, runs)


def test_ranking_agrees_with_its_peers():
    scipy_stats = pytest.importorskip("scipy.stats")
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for ties in (3, 1000):
        x = rng.integers(0, ties, size=80).astype(float)
        y = (x / ties + rng.normal(0, 0.7, 80) > 0.5).astype(float)
        assert auroc(x, y, n_resamples=100).value == pytest.approx(metrics.roc_auc_score(y, x))
        z = x + rng.normal(0, ties, 80)
        expected = scipy_stats.spearmanr(x, z).statistic
        assert spearman(x, z, n_resamples=100).value == pytest.approx(expected)


def test_auroc_of_copies_of_a_source_is_no_surer():
    rng = np.random.default_rng(0)
    y = (np.arange(60) % 2).astype(float)
    x = y + rng.normal(size=60)
    names = [str(i) for i in range(60) for _ in range(4)]
    once = auroc(x, y)
    copied = auroc(np.repeat(x, 4), np.repeat(y, 4), names)
    assert (once.low, once.high) == pytest.approx((copied.low, copied.high))


def test_auroc_and_its_paired_difference_cover(cases):
    runs = cases(60, 500)
    # P(N(1, 1) > N(0, 1)) = Φ(1/√2)
    truth = 0.5 * (1 + math.erf(0.5))

    def hits(run):
        rng = np.random.default_rng(run)
        y = (np.arange(160) % 2).astype(float)
        x, other = y + rng.normal(size=160), y + rng.normal(size=160)
        e = auroc(x, y, n_resamples=400, seed=run % 5)
        d = auroc(x, y, baseline=other, n_resamples=400, seed=run % 5)
        return e.low <= truth <= e.high, d.low <= 0 <= d.high

    covered = np.mean([hits(run) for run in range(runs)], axis=0)
    assert (covered >= 0.95 - 0.02 - noise(0.95, runs)).all()


def test_ranking_leaves_out_what_is_not_scored_and_says_so():
    e = auroc([0.1, 0.9, math.nan, 0.2], [0, 1, 1, 0], n_resamples=100)
    assert (e.value, e.n, e.n_failed) == (1.0, 3, 1)
    with pytest.raises(InvalidValueError, match="both classes"):
        auroc([0.1, 0.2], [1, 1])
