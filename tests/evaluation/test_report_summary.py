"""The summary of a run: numbers that can be counted, and absences that say why."""

import csv
import io
import json
import math
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from report_runs import (
    LOWER,
    NEITHER,
    SCORERS,
    at,
    chosen,
    given,
    question,
    scored,
    segments,
    write_run,
)

from dera_rag import registry
from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.report import summarise
from dera_rag.evaluation.report.axes import DEFAULTS, axes
from dera_rag.evaluation.report.csv_text import COLUMNS, to_csv
from dera_rag.evaluation.report.markdown import to_markdown
from dera_rag.evaluation.report.page.report import render
from dera_rag.evaluation.report.plain import plain
from dera_rag.evaluation.report.runs import load_run
from dera_rag.evaluation.runner import run
from dera_rag.evaluation.scorers.cards import Card, agreement

FEW = {"n_resamples": 200}


def said(wrong, natural, *, copied=0.5, abstained=0.0, length=10.0):
    """An answer's scores."""
    return scored(
        {
            "venues_hallucination": float(wrong),
            "learned_naturalness": natural,
            "copy_rate": copied,
            "venues_abstained": abstained,
            "length": length,
        }
    )


def trade_off(count=12, *, policy=True):
    """λ=0 is natural and wrong, λ=1 right and less natural; the policy is right and natural.

    Half of the questions tune; every third of them is wrong at λ=0 alone.
    """
    asked = []
    for i in range(count):
        split = "tune" if i % 2 else "test"
        wrong = i % 3 == 0
        answers = [
            at(0, said(wrong, 0.75, copied=0.25 + i / 100)),
            at(1, said(0, 0.5, copied=0.25 + i / 100), tokens=20),
        ]
        if policy:
            lam = 1.0 if wrong else 0.0
            answers.append(chosen("evidence", lam, said(0, 0.5 if wrong else 0.75)))
        asked.append(question(f"q{i}", answers, split=split, kind=["even", "odd"][i % 2]))
    return asked


def grid_run(folder, asked, **more):
    return write_run(folder, asked, answers="grid", lam=(0, 1), **more)


@pytest.fixture
def section(tmp_path):
    """A section's summary; `section(questions)`."""

    def made(asked, **more):
        settings = {key: more.pop(key) for key in ("baseline", "cards") if key in more}
        folder = grid_run(tmp_path / "run", asked, **more)
        return summarise(folder, **settings, **FEW).sections[0]

    return made


def arm(section, name):
    return next(one for one in section.arms if one.name == name)


def test_arms_scorers_and_axes_are_what_the_rows_say(section):
    found = section(trade_off())
    assert [one.name for one in found.arms] == ["λ=0", "λ=1", "evidence"]
    assert [one.baseline for one in found.arms] == [False, True, False]
    rate = arm(found, "λ=0").cells["venues_hallucination"].estimate
    assert (rate.value, rate.n) == (4 / 12, 12)
    assert arm(found, "λ=1").cells["learned_naturalness"].estimate.value == 0.5
    policy = arm(found, "evidence")
    assert policy.lam == pytest.approx(4 / 12)
    assert policy.lam_range == (0, 1)
    assert arm(found, "λ=1").tokens.value == 20
    assert [axis.scorer for axis in found.axes] == ["venues_hallucination", "learned_naturalness"]
    assert [axis.turned for axis in found.axes] == ["1 − value", ""]
    assert [axis.chosen for axis in found.axes] == ["default", "default"]
    facts = {one.name: one for one in found.scorers}
    assert facts["venues_hallucination"].binary
    assert facts["venues_hallucination"].axis == "factuality"
    assert not facts["learned_naturalness"].binary
    assert (found.questions, found.sources, found.failed) == (12, 12, 0)
    assert found.card.anchors[0].value == "15.94 %"


def test_an_axis_passes_over_a_scorer_without_a_value(section):
    def one(i):
        lacking = {"slot_error_rate": "the record has no slots"}
        return scored({"exact_match": float(i % 2)}, unscored=lacking)

    scorers = {"slot_error_rate": LOWER, "exact_match": NEITHER | {"direction": "higher"}}
    asked = [question(f"q{i}", [at(0, one(i)), at(1, one(1))]) for i in range(4)]
    found = section(asked, scorers=scorers, axes={"factuality": "slot_error_rate"})
    factuality, naturalness = found.axes
    assert (factuality.scorer, factuality.chosen) == ("exact_match", "default")
    assert factuality.reason == "slot_error_rate scored no answer"
    assert naturalness.reason == "no scorer of this section measures naturalness"
    assert "factuality 0.500" in found.headline[0]
    assert not any("–" in sentence for sentence in found.headline)


def test_an_axis_whose_scorers_have_no_value_says_so(section):
    lacking = scored({"length": 3.0}, unscored={"exact_match": "no references"})
    scorers = {"exact_match": NEITHER | {"direction": "higher"}, "length": NEITHER}
    asked = [question(f"q{i}", [at(0, lacking), at(1, lacking)]) for i in range(4)]
    factuality = section(asked, scorers=scorers).axes[0]
    assert (factuality.scorer, factuality.reason) == (None, "exact_match scored no answer")


def test_a_scorer_named_after_its_model_stands_for_its_axis(tmp_path):
    scorers = {"minicheck_small": NEITHER | {"direction": "higher", "range": [0.0, 1.0]}}
    asked = [question(f"q{i}", [at(0, scored({"minicheck_small": 0.5}))]) for i in range(4)]
    folder = grid_run(tmp_path / "run", asked, scorers=scorers)
    found = load_run(folder).sections["mine"]
    assert axes(found, {})[0].scorer is None
    promise = found.promises["minicheck_small"] | {"name": "minicheck"}  # as the registry has it
    named = replace(found, promises={"minicheck_small": promise})
    assert axes(named, {})[0].scorer == "minicheck_small"


def test_a_suite_names_its_axes_and_lower_is_turned_round(section):
    axes = {"factuality": ["no_such", "copy_rate"], "naturalness": "length"}
    found = section(trade_off(), axes=axes)
    factuality, naturalness = found.axes
    assert (factuality.scorer, factuality.chosen) == ("copy_rate", "suite")
    # A length has no better end, so the default stands in.
    assert (naturalness.scorer, naturalness.chosen) == ("learned_naturalness", "default")


def test_every_default_is_a_scorer_that_exists():
    assert {name for names in DEFAULTS.values() for name in names} <= set(registry.names("scorers"))


def test_without_an_axis_the_rest_still_stands(section):
    scorers = {"length": NEITHER, "copy_rate": LOWER}
    rows = [
        question(f"q{i}", [at(lam, scored({"length": 1.0, "copy_rate": 0.5})) for lam in (0, 1)])
        for i in range(3)
    ]
    found = section(rows, scorers=scorers)
    assert [axis.scorer for axis in found.axes] == [None, None]
    assert "no scorer" in found.axes[0].reason
    assert found.frontier is None
    assert "both axes" in found.frontier_reason
    assert found.copying == ()
    assert "factuality" in found.copying_reason
    assert arm(found, "λ=0").cells["length"].estimate.value == 1.0
    assert "neither" not in found.headline[0]
    assert "No scorer" in found.headline[0]


def test_what_is_missing_is_counted_with_its_reason_and_never_averaged_as_zero(section):
    rows = trade_off(6, policy=False)
    nothing = scored({}, unscored={"copy_rate": "the answer has no words"})
    broken = scored({}, failed={"copy_rate": "RuntimeError: out of luck"})
    for i, row in ((0, nothing), (1, broken)):
        rest = rows[i]["answers"][0][1]["row"]
        rest["scores"]["copy_rate"] = None
        rest |= {key: row[key] for key in ("unscored", "failed") if key in row}
    rows[2]["answers"] = {0: "OSError: no room"}
    found = section(rows)
    cell = arm(found, "λ=1").cells["copy_rate"]
    assert (cell.scored, cell.unscored, cell.failed) == (3, 1, 2)
    assert (cell.estimate.n, cell.estimate.n_failed) == (3, 3)
    assert cell.estimate.value == pytest.approx(0.25 + (3 + 4 + 5) / 3 / 100)
    assert cell.reasons == {
        "RuntimeError: out of luck": 1,
        "no answer: OSError: no room": 1,
        "the answer has no words": 1,
    }
    assert found.failed == 1
    assert found.failures == {"OSError: no room": 1}
    assert "n = 5, 1 answers without a score" in found.headline[0]


def test_comparisons_are_paired_with_the_baseline(section):
    found = section(trade_off())
    one = next(c for c in found.comparisons if (c.arm, c.scorer) == ("λ=0", "venues_hallucination"))
    assert (one.baseline, one.test) == ("λ=1", "mcnemar")
    assert one.difference.value == pytest.approx(4 / 12)
    assert (one.only_arm, one.only_baseline) == (4, 0)
    assert one.p_value == 2 / 2**4
    # Holm over the four tests of both axes: λ=0 and the policy.
    p = {(c.arm, c.scorer): c for c in found.comparisons}
    axes = [
        c for c in found.comparisons if c.scorer in {"venues_hallucination", "learned_naturalness"}
    ]
    assert len(axes) == 4
    smallest = min(axes, key=lambda c: c.p_value)
    assert smallest.p_holm == pytest.approx(4 * smallest.p_value)
    graded = p["λ=0", "learned_naturalness"]
    assert graded.test == "sign flip"
    assert graded.difference.value == pytest.approx(0.25)
    assert graded.better == "better"
    assert p["λ=0", "length"].better == ""


def test_another_baseline_may_be_named(section):
    found = section(trade_off(), baseline="evidence")
    assert {c.baseline for c in found.comparisons} == {"evidence"}
    found = section(trade_off(), baseline="0")
    assert {c.baseline for c in found.comparisons} == {"λ=0"}
    with pytest.raises(InvalidValueError, match="did you mean 'evidence'"):
        section(trade_off(), baseline="evidense")
    with pytest.raises(InvalidValueError, match="was not run"):
        section(trade_off(), baseline=0.5)


def test_a_path_can_be_compared_with_any_lambda(tmp_path):
    rows = [question(f"q{i}", segments((0, said(1, 0.5)), (0.33, said(0, 0.5)))) for i in range(4)]
    found = summarise(write_run(tmp_path / "run", rows), baseline=0.33, **FEW).sections[0]
    assert [one.name for one in found.arms][:4] == ["λ=0", "λ=0.2", "λ=0.33", "λ=0.4"]
    gaps = {c.arm: c.difference.value for c in found.comparisons if "hallucination" in c.scorer}
    assert (gaps["λ=0.2"], gaps["λ=0.4"]) == (1, 0)


def test_the_frontier_and_its_area_by_hand(section):
    found = section(trade_off()).frontier
    points = {p.arm: (p.factuality, p.naturalness) for p in found.points}
    natural = (8 * 0.75 + 4 * 0.5) / 12
    assert points["λ=0"] == pytest.approx((8 / 12, 0.75))
    assert points["λ=1"] == pytest.approx((1.0, 0.5))
    assert points["evidence"] == pytest.approx((1.0, natural))
    # λ=0 is more natural than the policy, so both stay; λ=1 is beaten.
    assert [p.arm for p in found.points if p.efficient] == ["λ=0", "evidence"]
    assert found.hypervolume.value == pytest.approx(8 / 12 * 0.75 + (1 - 8 / 12) * natural)
    assert found.hypervolume_fixed.value == pytest.approx(8 / 12 * 0.75 + (1 - 8 / 12) * 0.5)
    assert found.reference == (0, 0)
    assert found.comparable


def test_an_endless_scale_has_a_corner_of_its_own_run_and_says_so(section):
    scorers = {"venues_hallucination": LOWER, "own": {**LOWER, "range": [0.0, None]}}
    both = [at(lam, scored({"venues_hallucination": float(lam), "own": lam + 1})) for lam in (0, 1)]
    rows = [question(f"q{i}", both) for i in range(3)]
    found = section(rows, scorers=scorers, axes={"naturalness": "own"})
    assert found.axes[1].turned == "−value"
    assert found.frontier.reference == (0, -2)
    assert not found.frontier.comparable
    assert "compare with no other" in found.frontier.note


def test_a_policy_is_judged_on_questions_that_did_not_choose_the_fixed_lambda(section):
    (found,) = section(trade_off()).policies
    assert (found.n_tuning, found.n_test) == (6, 6)
    by = {one.objective: one for one in found.against_fixed}
    assert (by["factuality"].lam, by["naturalness"].lam) == (1, 0)
    # Of the test questions 0, 2, 4, 6, 8, 10 two are wrong at λ=0: there the policy takes λ=1.
    assert by["factuality"].gains["factuality"].value == 0
    assert by["factuality"].gains["naturalness"].value == pytest.approx(4 / 6 * 0.25)
    assert by["naturalness"].gains["factuality"].value == pytest.approx(2 / 6)
    assert by["naturalness"].gains["naturalness"].value == pytest.approx(-2 / 6 * 0.25)
    assert not by["balanced"].dominates
    # Its λ dealt at random: wrong at λ=0 a third of the time, and there two thirds of the time.
    assert found.against_random["factuality"].value == pytest.approx(4 / 12 * 8 / 12)


def test_without_a_split_a_policy_is_set_against_chance_alone(section):
    rows = trade_off()
    for row in rows:
        row["split"] = "test"
    (found,) = section(rows).policies
    assert found.against_fixed == ()
    assert "no tuning questions" in found.reason
    assert "factuality" in found.against_random


def test_a_policy_beyond_the_grid_has_no_random_control(section):
    rows = trade_off()
    rows[0]["answers"][0][2]["lam"] = 1.5
    (found,) = section(rows).policies
    assert found.against_random == {}
    assert "leaves the grid" in found.reason


def test_the_oracle_needs_two_seeds_and_is_scored_on_the_other(tmp_path, section):
    assert {one.gain for one in section(trade_off()).oracle} == {None}
    assert "one seed" in section(trade_off()).oracle[0].reason
    rows = []
    for i in range(8):
        # Even questions are right at λ=0, odd ones at λ=1, under both seeds.
        best = i % 2
        both = [at(lam, said(lam != best, 0.5)) for lam in (0, 1)]
        rows.append(question(f"q{i}", {0: both, 1: both}))
    folder = grid_run(tmp_path / "two", rows, seeds=(0, 1))
    gains = {one.objective: one.gain for one in summarise(folder, **FEW).sections[0].oracle}
    assert gains["factuality"].value == 0.5
    assert gains["naturalness"].value == 0
    # Seeds that disagree about every question leave no skill, only luck.
    for i, row in enumerate(rows):
        row["answers"][1] = [at(lam, said(lam == i % 2, 0.5)) for lam in (0, 1)]
    grid_run(tmp_path / "luck", rows, seeds=(0, 1))
    luck = summarise(tmp_path / "luck", **FEW).sections[0].oracle[0].gain
    assert luck.value == -0.5


def test_outcomes_and_risk_of_answering_by_hand(section):
    # Right; wrong; refused; and of two that cannot be answered one is answered all the same.
    rows = [
        question("right", [at(0, said(0, 0.5)), at(1, said(0, 0.5))], answerable=True),
        question("wrong", [at(0, said(1, 0.5)), at(1, said(0, 0.5))], answerable=True),
        question("no", [at(0, said(0, 0.5, abstained=1.0)), at(1, said(0, 0.5))], answerable=True),
        question("u1", [at(0, said(0, 0.5)), at(1, said(0, 0.5))], answerable=False),
        question("u2", [at(0, said(0, 0.5, abstained=1.0)), at(1, said(0, 0.5))], answerable=False),
    ]
    found = section(rows).abstention
    at_0 = found.outcomes[0]
    rates = (at_0.answered, at_0.correct, at_0.wrong, at_0.over_refusal, at_0.unsupported)
    assert [r.value for r in rates] == [2 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 2]
    assert [r.n for r in rates] == [3, 3, 3, 3, 2]
    (curve, _) = found.curves
    # All answers are equally sure, so nothing can be dropped before the rest.
    assert (curve.coverage, curve.risk) == ((1.0,), (0.2,))


def test_outcomes_are_absent_where_a_task_does_not_say_what_can_be_answered(section):
    found = section(trade_off()).abstention
    assert found.outcomes == ()
    assert "does not say" in found.outcomes_reason


def test_copying_is_compared_at_equal_rates(section):
    found = section(trade_off(policy=False))
    (one,) = found.copying
    assert (one.arm, one.baseline, one.copy_scorer) == ("λ=0", "λ=1", "copy_rate")
    # Both copy alike, so nothing is explained away.
    assert one.difference.value == pytest.approx(-4 / 12)
    assert one.raw.value == pytest.approx(-4 / 12)
    assert one.overlap == 1


def test_kinds_and_cost(section):
    found = section(trade_off(), seconds=2.0)
    assert set(found.kinds) == {"even", "odd"}
    # Questions 0 and 6 of the six even ones are wrong at λ=0.
    assert found.kinds["even"]["λ=0"]["venues_hallucination"].value == pytest.approx(2 / 6)
    assert (found.cost.questions, found.cost.generate_s, found.cost.peak_mb) == (12, 12.0, 512.0)
    assert found.cost.tokens == 12 * (10 + 20 + 10)
    assert found.cost.tokens_per_s == 600 / 12
    assert found.cost.segments is None


def test_a_path_says_how_much_of_it_is_not_exact(tmp_path):
    answers = segments((0, said(0, 0.5)), (1.5, said(0, 0.5)))
    answers[1]["exact"] = False
    folder = write_run(tmp_path / "run", [question("a", answers), question("b", answers[:])])
    cost = summarise(folder, **FEW).sections[0].cost
    assert (cost.segments, cost.inexact) == (2, 0.25)


def test_given_answers_have_one_arm_and_no_comparison(tmp_path):
    rows = [question(f"q{i}", [given(said(i % 2, 0.5))]) for i in range(4)]
    found = summarise(write_run(tmp_path / "run", rows, answers="given"), **FEW).sections[0]
    assert [one.name for one in found.arms] == ["given"]
    assert found.arms[0].cells["venues_hallucination"].estimate.value == 0.5
    assert found.comparisons == found.curves == found.policies == found.oracle == ()
    assert "two settings" in found.frontier_reason


def test_right_wrong_and_declined_of_rows_of_ones_own(tmp_path):
    """Given answers to two questions that the contexts answer and two that they do not."""
    rows = [
        ("How much is a ticket?", "12 pounds", "It is 12 pounds.", "true"),
        ("How long is a tour?", "75 minutes", "The passages do not say.", "true"),
        ("Is there wifi?", "", "I do not know.", "false"),
        ("Who built the roof?", "", "A builder did.", "false"),
    ]
    head = "user_input,reference,response,answerable\n"
    text = head + "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    (tmp_path / "q.csv").write_text(text)
    (tmp_path / "suite.yaml").write_text(
        "suite: mine\nanswers: given\nscorers: [answer_recall, abstained]\n"
        "tasks: {mine: {task: own, questions: q.csv}}\n"
    )
    run(tmp_path / "suite.yaml", tmp_path / "run", workers=0)
    (found,) = summarise(tmp_path / "run", **FEW).sections[0].abstention.outcomes
    assert (found.correct.value, found.wrong.value, found.over_refusal.value) == (0.5, 0.0, 0.5)
    assert (found.unsupported.value, found.unsupported.n) == (0.5, 2)
    (tmp_path / "q.csv").write_text(text.replace('"false"', '"perhaps"'))
    with pytest.raises(InvalidValueError, match=r"row 3 .*`answerable` is true or false.*perhaps"):
        run(tmp_path / "suite.yaml", tmp_path / "other", workers=0)


def test_a_report_of_given_answers_speaks_of_no_lambda_and_of_no_time_of_generating(tmp_path):
    rows = [question(f"q{i}", [given(said(i % 2, 0.5))]) for i in range(4)]
    folder = write_run(tmp_path / "run", rows, answers="given")
    found = summarise(folder, **FEW)
    cost = found.sections[0].cost
    assert (cost.generate_s, cost.tokens_per_s, cost.s_per_question, cost.note) == (
        0,
        None,
        None,
        "",
    )
    # The browser of questions serves every way of answering; the manifest is as it is stored.
    unread = "style|script|pre|select|template"
    page = re.sub(rf"<({unread})\b.*?</\1>", "", render(folder, found), flags=re.S)
    for text in (to_markdown(found), page):
        assert "0.5" in text
        for word in ("λ", "baseline", "rontier", "tokens", "generating", "seeds", "equal copying"):
            assert word not in text


def test_what_every_arm_lacks_is_one_row(tmp_path):
    none = scored(
        {"venues_hallucination": 0.0, "learned_naturalness": 0.5},
        unscored={"copy_rate": "no passages"},
    )
    short = scored(
        {"venues_hallucination": 0.0, "learned_naturalness": 0.5},
        unscored={"copy_rate": "no passages", "length": "no words"},
    )
    names = ("venues_hallucination", "learned_naturalness", "copy_rate", "length")
    rows = [question(f"q{i}", [at(0, short), at(1, none)]) for i in range(3)]
    folder = grid_run(tmp_path / "run", rows, scorers={name: SCORERS[name] for name in names})
    text = to_markdown(summarise(folder, **FEW))
    assert "| every arm | copy_rate | 0 | 3 | 0 | no passages (3) |" in text
    assert "| λ=0 | length | 0 | 3 | 0 | no words (3) |" in text
    assert text.count("no passages") == text.count("no words") == 1


def test_scorer_cards_are_embedded_where_they_were_written(tmp_path, section):
    made = agreement(
        "a set", "auroc", [1, 2, 3, 4], [0, 0, 1, 1], list("abcd"),
        baselines={"length": [1, 1, 1, 1]}, n_resamples=200,
    )  # fmt: skip
    card = Card("venues_hallucination", "0", (made,))
    cards = tmp_path / "cards"
    cards.mkdir()
    (cards / "venues_hallucination.json").write_text(card.to_json(), encoding="utf-8")
    found = section(trade_off(), cards=cards)
    facts = {one.name: one for one in found.scorers}
    assert facts["venues_hallucination"].card.agreements[0].scorer.value == 1.0
    assert "version 0" in facts["venues_hallucination"].card_note
    assert facts["length"].card is None
    (cards / "bad.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InvalidValueError, match=r"bad\.json"):
        section(trade_off(), cards=cards)


def test_a_weighted_scorer_is_a_ratio_everywhere(section):
    """Two questions, weights 3 and 1: every mean counts attributes and not answers."""
    scorers = {"slot_hallucinated": LOWER | {"range": [0.0, None]}}

    def row(value, weight):
        return scored({"slot_hallucinated": value}, weights={"slot_hallucinated": weight})

    rows = [
        question("a", [at(0, row(1.0, 3)), at(1, row(0.0, 3))]),
        question("b", [at(0, row(0.0, 1)), at(1, row(1.0, 1))]),
    ]
    found = section(rows, scorers=scorers)
    assert found.scorers[0].weighted
    assert arm(found, "λ=0").cells["slot_hallucinated"].estimate.value == 0.75
    assert found.comparisons[0].difference.value == pytest.approx(0.75 - 0.25)
    assert found.curves[0].band.values == (0.75, 0.25)


def test_csv_has_a_row_per_arm_and_scorer(tmp_path):
    text = to_csv(summarise(grid_run(tmp_path / "run", trade_off()), **FEW))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 3 * len(SCORERS)
    (one,) = [r for r in rows if (r["arm"], r["scorer"]) == ("λ=0", "venues_hallucination")]
    assert float(one["value"]) == pytest.approx(4 / 12, abs=1e-6)
    assert (one["axis"], one["direction"], one["questions"]) == ("factuality", "lower", "12")
    policy = next(r for r in rows if r["arm"] == "evidence")
    assert float(policy["lam"]) == pytest.approx(4 / 12, abs=1e-6)


def test_json_is_strict_and_markdown_says_the_same_each_time(tmp_path):
    folder = grid_run(tmp_path / "run", trade_off())
    first, second = summarise(folder, **FEW), summarise(folder, **FEW)
    data = json.loads(json.dumps(plain(first), allow_nan=False))
    assert data["sections"][0]["arms"][0]["cells"]["length"]["estimate"]["value"] == 10.0
    assert "batches" not in json.dumps(data["manifest"])
    text = to_markdown(first)
    assert text == to_markdown(second)
    for part in ("λ=0", "evidence", "15.94 %", "best balanced", "tokens a second", "one seed"):
        assert part in text
    assert str(tmp_path) not in text


def test_tiny_and_hopeless_numbers_stay_numbers():
    assert plain({"p": 1e-12, "x": math.nan, "y": (-0.0, math.inf)}) == {
        "p": 1e-12,
        "x": None,
        "y": [0.0, None],
    }


def test_a_thousand_questions_take_seconds(tmp_path, full):
    """Ten segments each, a quarter of them in the quick tests; in time of the processor."""
    draw, count = np.random.default_rng(0), 1000 if full else 250
    rows = []
    for i in range(count):
        lows = [0, *sorted(draw.uniform(0, 2, 9).tolist())]
        answers = segments(*((x, said(draw.random() < 0.2, draw.random())) for x in lows))
        answers.append(chosen("evidence", draw.uniform(0, 2), said(0, draw.random())))
        rows.append(
            question(
                f"q{i}", answers, source=f"s{i // 2}", split="tune" if i % 4 < 2 else "test",
                kind="abcdefg"[i % 7], answerable=i % 7 < 5,
            )
        )  # fmt: skip
    folder = write_run(tmp_path / "run", rows, batch=8)
    started = time.process_time()
    summary = summarise(folder)
    assert time.process_time() - started < 30
    assert len(json.dumps(plain(summary))) < 400_000
