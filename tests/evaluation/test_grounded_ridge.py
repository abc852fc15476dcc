"""The logistic regression behind grounded-ness, and the index of the passages."""

import numpy as np
import pytest

from dera_rag.evaluation.scorers.grounded.features import Reader
from dera_rag.evaluation.scorers.grounded.ridge import fit_logistic, probability
from dera_rag.evaluation.scorers.grounded.source import Source


def drawn(n=400, d=3, seed=0):
    """Rows, and labels that depend on the first column alone."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d))
    return rows, (rng.random(n) < probability(2 * rows[:, 0])).astype(float)


def fitted(rows, labels, groups=None, **settings):
    defaults = {"penalty": 1.0, "direction": np.zeros(rows.shape[1])}
    return fit_logistic(
        rows, labels, groups or ["a"] * len(rows), np.ones(len(rows)), **defaults | settings
    )


def test_without_a_direction_it_is_ridge_regression():
    linear = pytest.importorskip("sklearn.linear_model")
    rows, labels = drawn()
    found = fitted(rows, labels, penalty=20.0)
    z = (rows - rows.mean(0)) / rows.std(0)
    known = linear.LogisticRegression(C=1 / 20, tol=1e-10).fit(z, labels)
    assert found.weights == pytest.approx(known.coef_[0], abs=1e-3)
    assert found.bias == pytest.approx(known.intercept_[0], abs=1e-3)


def test_a_strong_penalty_leaves_the_direction_and_nothing_else():
    rows, labels = drawn()
    direction = np.array([0.5, 0.5, 0.0])
    weights = np.asarray(fitted(rows, labels, penalty=1e9, direction=direction).weights)
    assert weights[0] > 0.2
    assert weights == pytest.approx(weights[0] * np.array([1, 1, 0]), abs=1e-4)


def test_how_often_a_group_fails_teaches_nothing_about_a_feature():
    rng = np.random.default_rng(1)
    groups = ["a"] * 300 + ["b"] * 300
    labels = np.r_[rng.random(300) < 0.1, rng.random(300) < 0.9].astype(float)
    rows = (np.r_[np.zeros(300), np.full(300, 5.0)] + rng.normal(size=600))[:, None]
    assert abs(fitted(rows, labels, groups).weights[0]) < 0.4
    assert fitted(rows, labels).weights[0] > 1.5


def test_the_bias_is_of_the_typical_groups():
    rows, _ = drawn(600)
    labels = np.r_[np.arange(300) % 2 == 0, np.arange(300) % 10 == 0].astype(float)
    groups = ["answers"] * 300 + ["sentences"] * 300
    found = fitted(rows, labels, groups, penalty=1e6, typical=["answers"])
    assert probability(found.log_odds(rows[:300])).mean() == pytest.approx(0.5, abs=0.01)


def test_what_does_not_vary_in_training_has_no_say_later():
    rows, labels = drawn()
    rows[:, 1] = 1.0
    found = fitted(rows, labels, direction=np.full(3, 1 / 3))
    other = rows.copy()
    other[:, 1] = 0.0
    assert found.log_odds(other) == pytest.approx(found.log_odds(rows))


def test_an_index_knows_neighbours_spelling_and_denials():
    source = Source(['{"WiFi": false, "Music": true, "open": {"Monday": "9:0-17:0"}}',
                     "The old cook bakes rye bread every single morning."])  # fmt: skip
    assert source.near("cook", "bread", 3)
    assert not source.near("cook", "bread", 2)
    assert not source.near("monday", "cook", 40)  # not across passages
    assert source.spelled("the old cook bakes") == 1
    assert source.spelled("the cold look takes") < 0.5
    assert {"wi", "fi"} <= source.denied  # camel case is taken apart
    assert "music" not in source.denied


def test_passages_are_indexed_once_for_all_their_answers(monkeypatch):
    made = []
    monkeypatch.setattr(
        "dera_rag.evaluation.scorers.grounded.features.Source",
        lambda *given: made.append(given) or Source(*given),
    )
    reader = Reader()
    first = reader.read("The inn is old.", ["The inn is new."])
    reader.read("It is new.", ["The inn is new."])
    reader.read("It is new.", ["The mill is new."])
    assert len(made) == 2
    assert (reader.read("The inn is old.", ["The inn is new."]).rows == first.rows).all()
