"""The curve: the whole path on a tiny random pair, and its records by hand."""

import json
import math
from dataclasses import replace

import pytest

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation import curve as curve_module
from dera_rag.evaluation.curve import row_seed, run_curve
from dera_rag.evaluation.curve_folder import CurveFolder
from dera_rag.evaluation.curve_records import (
    METRICS,
    Curve,
    ScoredAnswer,
    check_lams,
    summarise,
)
from dera_rag.evaluation.curve_scoring import QuestionSet
from dera_rag.evaluation.naturalness import Calibration, NaturalnessModel
from dera_rag.evaluation.venues import KINDS
from dera_rag.numerics import Sampling
from dera_rag.policies import ConstantPolicy
from dera_rag.testing import tiny_model, tiny_tokenizer, write_pair

SETTINGS = {
    "lams": (0.0, 1.0, 2.0, "auto"),
    "n": 12,
    "n_places": 30,
    "policy": ConstantPolicy(1.0),
    "sampling": Sampling(max_new_tokens=8),
}
SCORED = ScoredAnswer(
    key="q1",
    kind="describe",
    source="the-kettle",
    question="What is The Kettle?",
    answer="The Kettle is a pub.",
    lam=1.0,
    passages=("the-kettle", "casa-imelda"),
    inserted=(),
    wrong=("food",),
    deleted=("area",),
    expected=4,
    covered=2,
    abstained=False,
    copy_rate=0.25,
    log_likelihood=-1.5,
    distance=0.5,
    repetition=math.nan,
    length=5,
    unfinished=False,
    kl=2.5,
    kl_per_token=0.25,
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"), positions=1024).load(name="tiny")


@pytest.fixture(scope="module")
def third():
    tokenizer = tiny_tokenizer()
    model = tiny_model("llama", len(tokenizer), 9, positions=128)
    return NaturalnessModel(model, tokenizer, Calibration(-6.0, 0.5, 100))


@pytest.fixture(scope="module")
def measured(pair, third, tmp_path_factory):
    folder = tmp_path_factory.mktemp("curve")
    return run_curve(pair, **SETTINGS, naturalness=third, out=folder), folder


def test_every_row_has_every_metric(measured):
    curve, _ = measured
    assert [row.lam for row in curve.rows] == [0.0, 1.0, 2.0, "auto"]
    for row in curve.rows:
        assert set(row.metrics) == set(METRICS)
        assert set(row.kinds) <= set(KINDS)
        for name, estimate in row.metrics.items():
            assert estimate.n + estimate.n_failed == 12, name
    assert curve.settings["pair"] == "tiny"
    assert curve.settings["temperature"] == 1.0


def test_divergence_is_measured_at_both_models_alone(measured):
    curve, _ = measured
    assert curve.row(0.0).metrics["kl"].value == pytest.approx(0.0, abs=1e-5)
    assert curve.row(1.0).metrics["kl"].value > 0


def test_the_policy_is_one_more_row_with_its_mean(measured):
    curve, _ = measured
    # this policy says 1 throughout, and noise is common to all λ: the same answers
    assert curve.row("auto").mean_lam == 1.0
    assert curve.row("auto").metrics == curve.row(1.0).metrics


def test_same_seed_same_curve(measured, pair, third):
    curve, _ = measured
    assert run_curve(pair, **SETTINGS, naturalness=third).to_json() == curve.to_json()
    other = run_curve(pair, **{**SETTINGS, "lams": (1.0,)}, seed=1, naturalness=third)
    assert other.row(1.0).metrics != curve.row(1.0).metrics


def test_answers_are_kept_and_finished_lams_are_not_measured_again(
    measured, pair, third, monkeypatch
):
    curve, folder = measured
    lines = (folder / "answers" / "lam-2.jsonl").read_text().splitlines()
    assert len(lines) == 12
    assert set(json.loads(lines[0])) >= {"question", "answer", "passages", "wrong", "kl"}
    asked = []
    answer = curve_module.RagPipeline.ask_batch

    def watched(self, questions, lam, **settings):
        asked.append(lam)
        return answer(self, questions, lam, **settings)

    monkeypatch.setattr(curve_module.RagPipeline, "ask_batch", watched)
    (folder / "answers" / "lam-2.jsonl").write_text("\n".join(lines[:5]))  # as if killed
    (folder / "curve.json").unlink()
    again = run_curve(pair, **SETTINGS, naturalness=third, out=folder)
    assert asked == [2.0]
    assert again.to_json() == curve.to_json() == (folder / "curve.json").read_text()


def test_another_run_is_not_mixed_in(measured, pair, third):
    _, folder = measured
    with pytest.raises(InvalidValueError, match=r"other settings: n\b"):
        run_curve(pair, **{**SETTINGS, "n": 13}, naturalness=third, out=folder)


def test_answers_with_unicode_line_ends_are_read_back(tmp_path):
    kept = CurveFolder.open(tmp_path, {}, n=2)
    answers = [replace(SCORED, answer=f"Open{end}daily") for end in ("\u2028", "\x85\n\r")]
    answers = [replace(one, repetition=0.0) for one in answers]  # NaN never equals itself
    kept.write(1.0, answers)
    assert kept.read(1.0) == answers


def test_progress_ends_at_the_total(pair, third):
    seen = []
    run_curve(
        pair,
        **{**SETTINGS, "lams": (0.0, 1.0), "n": 3},
        naturalness=third,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (6, 6)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_json_round_trip(measured):
    curve, _ = measured
    assert Curve.from_json(curve.to_json()).to_json() == curve.to_json()
    with pytest.raises(InvalidValueError, match="not a curve"):
        Curve.from_json('{"rows": 3}')
    assert ScoredAnswer.from_json(SCORED.to_json()).to_json() == SCORED.to_json()
    assert json.loads(SCORED.to_json())["repetition"] is None


def test_summary_by_hand():
    right = replace(SCORED, key="q2", source="b", wrong=(), covered=4, lam=2.0, repetition=0.5)
    silent = replace(right, key="q3", source="c", kind="compare", covered=0, abstained=True)
    row = summarise("auto", [SCORED, right, silent])
    assert row.mean_lam == pytest.approx(5 / 3, abs=1e-6)
    assert row.metrics["hallucination"].value == pytest.approx(1 / 3, abs=1e-6)
    assert row.metrics["wrong"].value == row.metrics["hallucination"].value
    assert row.metrics["inserted"].value == 0
    assert row.metrics["coverage"].value == 0.5  # (2 + 4 + 0) / 12
    assert (row.metrics["repetition"].n, row.metrics["repetition"].n_failed) == (2, 1)
    assert row.kinds["describe"]["hallucination"].value == 0.5
    assert row.kinds["compare"]["abstained"].value == 1


def test_the_question_set_is_fresh_by_seed():
    one, other = QuestionSet.make(14, 0, 40), QuestionSet.make(14, 1, 40)
    assert one == QuestionSet.make(14, 0, 40)
    assert {p.id for p in one.places}.isdisjoint(p.id for p in other.places)
    assert {q.kind for q in one.questions} == set(KINDS)
    assert {q.split for q in one.questions} == {"heldout"}
    assert one.index().corpus == "venues"


def test_row_seeds_differ_between_questions_and_runs():
    seeds = {row_seed(seed, key) for seed in range(3) for key in ("a", "b", "c")}
    assert len(seeds) == 9
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("lams", [[], [1, 1.0], [-1], [math.nan], ["best"]])
def test_a_grid_that_makes_no_sense_is_refused(lams):
    with pytest.raises(InvalidValueError):
        check_lams(lams)
