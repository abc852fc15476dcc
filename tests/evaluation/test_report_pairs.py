"""Two runs on the questions they share: differences and gates."""

import pytest
from report_runs import LOWER, at, chosen, given, question, scored, segments, write_run

from dera_rag.errors import InvalidValueError, RunFolderError
from dera_rag.evaluation.report import diff, gate
from dera_rag.evaluation.report.gates import Condition, parse_conditions
from dera_rag.evaluation.report.markdown_differences import difference_to_markdown

FEW = {"n_resamples": 200}
AXES = {"venues_hallucination": LOWER, "learned_naturalness": LOWER | {"direction": "higher"}}


def row(wrong, natural=0.5):
    return scored({"venues_hallucination": float(wrong), "learned_naturalness": natural})


def grid(folder, wrong, *, natural=0.5, policy=None, **more):
    """A run whose questions are wrong at λ=1 as listed, and at λ=0 always."""
    asked = []
    for i, bad in enumerate(wrong):
        answers = [at(0, row(1, natural)), at(1, row(bad, natural))]
        if policy:
            answers.append(chosen(policy, 0.5, row(bad, natural)))
        asked.append(question(f"q{i}", answers))
    more = {"scorers": AXES, "answers": "grid", "lam": (0, 1)} | more
    return write_run(folder, asked, **more)


@pytest.fixture
def runs(tmp_path):
    """Twelve questions, six of them right at λ=1; in the new run three of those are wrong."""
    old = grid(tmp_path / "old", [1, 0] * 6)
    new = grid(tmp_path / "new", [1, 1] * 3 + [1, 0] * 3)
    return old, new


def changes(found, scorer="venues_hallucination"):
    return {one.arm: one for one in found.sections[0].changes if one.scorer == scorer}


def test_a_run_against_itself_differs_nowhere(runs):
    for one in diff(runs[0], runs[0], **FEW).sections[0].changes:
        assert (one.difference.value, one.p_value, one.p_holm, one.better) == (0, 1, 1, "")
        assert (one.difference.n, one.lost) == (12, 0)
        assert one.before == one.after


def test_a_difference_is_paired_by_question(runs):
    found = changes(diff(*runs, **FEW))["λ=1"]
    assert (found.before, found.after) == (0.5, 0.75)
    assert found.difference.value == 0.25
    assert (found.test, found.only_new, found.only_old) == ("mcnemar", 3, 0)
    assert found.p_value == 2 / 2**3
    # Two arms × two axes are tested; the other three p-values are 1.
    assert found.p_holm == 1.0
    backwards = changes(diff(*reversed(runs), **FEW))["λ=1"]
    assert backwards.difference.value == -0.25


def test_only_what_both_runs_asked_is_compared(tmp_path, runs):
    shorter = grid(tmp_path / "shorter", [1, 0, 1])
    section = diff(runs[0], shorter, **FEW).sections[0]
    assert (section.questions, section.only_old, section.only_new) == (3, 9, 0)
    asked = [question(f"q{i}", [at(0, row(1)), at(1, row(1))]) for i in range(4)]
    asked[2]["text"] = "What else?"
    other = write_run(tmp_path / "other", asked, answers="grid", lam=(0, 1), scorers=AXES)
    section = diff(shorter, other, **FEW).sections[0]
    assert (section.questions, section.changed, section.only_new) == (2, 1, 1)


def test_runs_without_a_question_or_a_seed_in_common_are_refused(tmp_path, runs):
    asked = [question("other", [at(0, row(1)), at(1, row(1))])]
    other = write_run(tmp_path / "o", asked, answers="grid", lam=(0, 1), scorers=AXES)
    with pytest.raises(InvalidValueError, match="no question and seed in common"):
        diff(runs[0], other)
    asked = [question("q0", {7: [at(0, row(1)), at(1, row(1))]})]
    seeds = write_run(tmp_path / "s", asked, answers="grid", lam=(0, 1), scorers=AXES, seeds=(7,))
    with pytest.raises(InvalidValueError, match="no question and seed"):
        diff(runs[0], seeds)


def test_seeds_in_common_are_compared(tmp_path):
    def two(folder, seeds, wrong):
        answers = {seed: [at(0, row(wrong)), at(1, row(wrong))] for seed in seeds}
        asked = [question(f"q{i}", answers) for i in range(3)]
        return write_run(
            tmp_path / folder, asked, answers="grid", lam=(0, 1), scorers=AXES, seeds=seeds
        )

    section = diff(two("a", (0, 1), 0), two("b", (1, 2), 1), **FEW).sections[0]
    assert section.seeds == (1,)
    assert section.changes[0].difference.value == 1


def test_a_grid_pairs_with_a_path_at_its_own_lambdas(tmp_path, runs):
    asked = [question(f"q{i}", segments((0, row(1)), (0.75, row(i % 2)))) for i in range(12)]
    path = write_run(tmp_path / "path", asked, scorers=AXES, lam=(0, 2))
    found = changes(diff(runs[0], path, **FEW))
    assert list(found) == ["λ=0", "λ=1"]
    assert found["λ=0"].difference.value == 0
    assert (found["λ=1"].only_new, found["λ=1"].only_old) == (6, 6)
    # Two paths meet where both have answers.
    narrow = [question(f"q{i}", segments((0.5, row(1)), end=1.5)) for i in range(12)]
    other = write_run(tmp_path / "narrow", narrow, scorers=AXES, lam=(0.5, 1.5))
    lams = list(changes(diff(path, other, **FEW)))
    assert (lams[0], lams[-1], len(lams)) == ("λ=0.5", "λ=1.5", 11)


def test_scorers_of_two_versions_are_two_meters(tmp_path, runs):
    newer = AXES | {"venues_hallucination": LOWER | {"version": "2"}}
    other = grid(tmp_path / "newer", [1, 0] * 6, scorers=newer)
    section = diff(runs[0], other, **FEW).sections[0]
    assert {one.scorer for one in section.changes} == {"learned_naturalness"}
    assert "versions 1 and 2" in section.skipped["venues_hallucination"]
    with pytest.raises(InvalidValueError, match="versions 1 and 2"):
        gate(other, runs[0], "factuality>=-0.5")


def test_an_answer_that_failed_is_lost_and_no_difference(tmp_path, runs):
    asked = [question(f"q{i}", [at(0, row(1)), at(1, row(i % 2 == 0))]) for i in range(12)]
    asked[3]["answers"] = {0: "OSError: no room"}
    other = write_run(tmp_path / "o", asked, answers="grid", lam=(0, 1), scorers=AXES)
    found = changes(diff(runs[0], other, **FEW))["λ=1"]
    assert (found.difference.value, found.difference.n, found.lost) == (0, 11, 1)


def test_an_unfinished_run_is_refused_by_both(runs):
    scores = runs[1] / "scores.jsonl"
    scores.write_text(scores.read_text("utf-8")[:-5], "utf-8")
    for call in (lambda: diff(*runs), lambda: gate(*reversed(runs), "factuality>=0")):
        with pytest.raises(RunFolderError, match="eval resume"):
            call()


def test_a_difference_as_text_is_the_same_each_time(runs):
    first, second = (difference_to_markdown(diff(*runs, **FEW)) for _ in range(2))
    assert first == second
    assert "# new against old" in first
    assert "12 questions in common, seeds 0." in first
    assert "| λ=1 | venues_hallucination | 0.500 | 0.750 | +0.250 " in first


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("factuality>=-0.01", [("factuality", -0.01)]),
        (" a.b >= 0 , c≥−.5,", [("a.b", 0.0), ("c", -0.5)]),
    ],
)
def test_conditions_are_read(text, read):
    assert parse_conditions(text) == tuple(Condition(*one) for one in read)


@pytest.mark.parametrize("text", ["", "factuality", "factuality>-0.01", "factuality>=much"])
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(InvalidValueError, match=r"factuality>=-0\.01"):
        parse_conditions(text)


def test_a_gate_passes_what_is_no_worse_and_fails_what_is(runs):
    old, new = runs
    same = gate(old, old, "factuality>=-0.01, naturalness>=0")
    assert same.passed
    assert same.sentence.startswith("The gate passes.")
    worse = gate(new, old, "factuality>=-0.01, naturalness>=0")
    assert not worse.passed
    assert [check.gate.passed for check in worse.checks] == [False, True]
    # λ=1 of the new run is wrong a quarter more often: lower is better, so that is a loss.
    assert worse.checks[0].gate.estimate.value == -0.25
    assert (worse.checks[0].arm, worse.checks[0].scorer) == ("λ=1", "venues_hallucination")
    assert "1 of 2 conditions do not hold" in worse.sentence
    assert "is below the margin -0.01" in worse.sentence
    assert gate(new, old, "venues_hallucination>=-0.6").passed
    assert gate(new, old, "factuality>=-0.01", at="0").passed
    assert gate(old, new, "factuality>=0").passed


def test_a_gate_looks_at_the_first_policy(tmp_path, runs):
    old = grid(tmp_path / "p", [0] * 6, policy="evidence")
    new = grid(tmp_path / "q", [1] * 6, policy="evidence")
    assert gate(new, old, "factuality>=-2").checks[0].arm == "evidence"
    assert gate(new, old, "factuality>=-2", at=0).checks[0].arm == "λ=0"
    with pytest.raises(InvalidValueError, match="has no policy 'evidence'"):
        gate(new, runs[0], "factuality>=-2")
    with pytest.raises(InvalidValueError, match="was not run"):
        gate(new, old, "factuality>=-2", at="0.25")


def test_what_the_baseline_scored_and_the_run_cannot_fails_the_gate(tmp_path):
    def seeds(folder, answers):
        asked = [question(f"q{i}", answers) for i in range(4)]
        return write_run(
            tmp_path / folder, asked, answers="grid", lam=(0, 1), scorers=AXES, seeds=(0, 1)
        )

    whole = [at(0, row(0)), at(1, row(0))]
    old = seeds("old", {0: whole, 1: whole})
    # One of two seeds failed: the other must not stand in for it.
    new = seeds("new", {0: whole, 1: "OSError: no room"})
    found = gate(new, old, "factuality>=-1")
    assert not found.passed
    assert "4 items of the baseline could not be scored" in found.sentence
    assert gate(old, new, "factuality>=-1").passed


def test_questions_that_are_gone_are_named(tmp_path, runs):
    shorter = grid(tmp_path / "shorter", [1, 0, 1])
    found = gate(shorter, runs[0], "factuality>=0")
    assert found.passed
    assert "9 questions of the baseline are not in this run" in found.sentence


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ("factualty>=0", "did you mean 'factuality'"),
        ("venues_halucination>=0", "did you mean 'venues_hallucination'"),
        ("copy_rate>=0", "no section can be held to 'copy_rate'"),
        ("copy_rate>=0", r"factuality, naturalness or a scorer, here \['venues_hallucination'"),
    ],
)
def test_a_gate_refuses_names_that_nothing_is_scored_by(runs, conditions, says):
    with pytest.raises(InvalidValueError, match=says):
        gate(*runs, conditions)


def test_a_gate_needs_a_better_direction(tmp_path):
    neither = AXES | {"length": LOWER | {"direction": "neither"}}

    def run(folder):
        values = row(0)["scores"] | {"length": 1.0}
        asked = [question(f"q{i}", [at(0, scored(values))]) for i in range(3)]
        return write_run(tmp_path / folder, asked, answers="grid", lam=(0,), scorers=neither)

    says = r"'length': neither end.*name factuality, naturalness or one of \['venues_halluc"
    with pytest.raises(InvalidValueError, match=says):
        gate(run("a"), run("b"), "length>=-1")


# A scorer that stands first for factuality and scored nothing, and one behind it that did.
TWO = {
    "slot_hallucinated": LOWER,
    "copy_rate": LOWER,
    "exact_match": LOWER | {"direction": "higher"},
}


def silent(folder, right, first=None):
    """A run whose `slot_hallucinated` says `first` (None for nothing) of every answer."""
    lacking = {"slot_hallucinated": "the record has no slots"} if first is None else None
    values = {} if first is None else {"slot_hallucinated": first}
    asked = [
        question(f"q{i}", [at(1, scored(values | {"exact_match": one}, unscored=lacking))])
        for i, one in enumerate(right)
    ]
    return write_run(folder, asked, answers="grid", lam=(1,), scorers=TWO)


def test_a_gate_passes_over_a_scorer_that_scored_nothing(tmp_path):
    old, new = silent(tmp_path / "old", [0, 1, 0, 1]), silent(tmp_path / "new", [1, 1, 1, 1])
    found = gate(new, old, "factuality>=0", **FEW)
    assert found.passed
    assert [check.scorer for check in found.checks] == ["exact_match"]
    for name in ("slot_hallucinated", "copy_rate"):
        with pytest.raises(InvalidValueError, match=f"{name} scored no answer of the baseline"):
            gate(new, old, f"{name}>=0")
    with pytest.raises(
        InvalidValueError, match=r"no section can be held to 'naturalness'.*no scor"
    ):
        gate(new, old, "naturalness>=0")


def test_what_scored_the_baseline_alone_is_not_passed_over(tmp_path):
    """A scorer whose model could not be loaded must not hand its place to an easier one."""
    old, new = silent(tmp_path / "old", [1] * 4, first=0.0), silent(tmp_path / "new", [1] * 4)
    found = gate(new, old, "factuality>=-1", **FEW)
    assert not found.passed
    assert found.checks[0].scorer == "slot_hallucinated"
    assert "4 items of the baseline could not be scored" in found.sentence
    # The other way round there is nothing to be held to.
    assert gate(old, new, "factuality>=-1", **FEW).checks[0].scorer == "exact_match"


def test_given_answers_can_be_gated_and_not_mixed(tmp_path, runs):
    def run(folder, wrong):
        asked = [question(f"q{i}", [given(row(bad))]) for i, bad in enumerate(wrong)]
        return write_run(tmp_path / folder, asked, answers="given", scorers=AXES)

    old, new = run("a", [1, 1, 0]), run("b", [0, 1, 0])
    assert gate(new, old, "factuality>=0").passed
    assert changes(diff(old, new, **FEW))["given"].difference.value == pytest.approx(-1 / 3)
    with pytest.raises(InvalidValueError, match="were given"):
        gate(new, runs[0], "factuality>=0")
    assert diff(new, runs[0], **FEW).sections[0].changes == ()


def settings(found):
    return {one.setting: (one.before, one.after) for one in found.settings}


def test_runs_of_the_same_settings_say_so(tmp_path, runs):
    found = diff(runs[0], runs[0], **FEW)
    assert found.settings == ()
    assert "Both runs have the same settings." in difference_to_markdown(found)
    # A default that is written is no difference.
    stated = {"top_k": 3, "signals": "auto", "sampling": {}, "policies": []}
    assert diff(runs[0], grid(tmp_path / "stated", [1, 0] * 6, **stated), **FEW).settings == ()


def test_settings_that_differ_stand_at_the_top_of_a_difference(tmp_path):
    def policy(lam):
        return [{"policy": "constant", "lam": lam, "label": "fixed"}]

    task = {"mine": {"task": "own", "questions": "q.jsonl", "scorers": ["copy_rate"]}}
    first = {"sampling": {"temperature": 1}, "policies": policy(1.2), "tasks": task}
    second = {
        "sampling": {"temperature": 0.5, "top_p": 0.9},
        "policies": [*policy(1.5), "evidence"],
        "tasks": {"mine": {**task["mine"], "n": 20}},
        "top_k": 5,
        "tuning": 0.25,
    }
    newer = AXES | {"venues_hallucination": LOWER | {"version": "2"}}
    old = grid(tmp_path / "old", [1, 0], policy="fixed", **first)
    new = grid(tmp_path / "new", [1, 0], policy="fixed", scorers=newer, **second)
    found = diff(old, new, **FEW)
    assert settings(found) == {
        "top_k": ("3", "5"),
        "sampling.temperature": ("1", "0.5"),
        "sampling.top_p": ("none", "0.9"),
        "policies.fixed": (
            '{"policy": "constant", "lam": 1.2}', '{"policy": "constant", "lam": 1.5}'
        ),
        "policies.evidence": ("none", "evidence"),
        "tasks.mine.n": ("none", "20"),
        "tuning": ("0.5", "0.25"),
        "mine, scorer venues_hallucination, version": ("1", "2"),
    }  # fmt: skip
    text = difference_to_markdown(found)
    assert "- sampling.temperature: 1 → 0.5\n" in text
    assert text.index("- tuning: 0.5 → 0.25") < text.index("## mine")


def test_data_that_changed_under_the_same_settings_is_told(tmp_path):
    old, new = grid(tmp_path / "old", [1, 0, 1, 0]), grid(tmp_path / "new", [1, 0, 1, 0])
    for name in ("manifest.json", "generations.jsonl", "scores.jsonl"):
        text = (new / name).read_text("utf-8")  # a batch's key is a hash of all it depends on
        (new / name).write_text(text.replace('"mine-2"', '"other"'), "utf-8")
    found = settings(diff(old, new, **FEW))
    told = "mine, data (corpus, contexts or references)"
    assert found == {told: ("mine-2", "other")}
