"""Run folders read: what is whole, which answer stands at a λ, exact means over λ."""

import math

import pytest
from hypothesis import given as cases
from hypothesis import strategies as st
from report_runs import (
    LOWER,
    at,
    chosen,
    given,
    lines,
    question,
    scored,
    segments,
    write_run,
)

from dera_rag.errors import MissingFileError, RunFolderError
from dera_rag.evaluation.report.curves import curves, exact_steps
from dera_rag.evaluation.report.runs import load_run
from dera_rag.evaluation.report.tables import Tables, Way, fixed_ways, ways

M = {"m": LOWER}


def m(value, **more):
    return scored({"m": value}, **more)


@pytest.fixture
def path_run(tmp_path):
    """Two questions; the mean of m is .5 below λ=.5, 0 up to 1.25, and .5 from there."""
    return write_run(
        tmp_path / "run",
        [
            question("a", [*segments((0, m(1.0)), (0.5, m(0.0))), chosen("evidence", 0.7, m(0.0))]),
            question(
                "b", [*segments((0, m(0.0)), (1.25, m(1.0))), chosen("evidence", 2.0, m(1.0))]
            ),
        ],
        scorers=M,
    )


def section(folder):
    return load_run(folder).sections["mine"]


def test_a_path_answers_at_every_lambda_the_right_hand_segment_at_a_breakpoint(path_run):
    one = section(path_run).questions[0].answered[0]
    assert [one.at(lam) for lam in (0, 0.49, 0.5, 2)] == [0, 0, 1, 1]
    assert one.at(2.5) is None
    assert one.at(-0.5) is None


def test_the_mean_over_lambda_is_the_step_function_counted_by_hand(path_run):
    steps = exact_steps(section(path_run))
    assert steps.lows.tolist() == [0, 0.5, 1.25]
    assert steps.values[:, 0].tolist() == [0.5, 0.0, 0.5]
    assert steps.n[:, 0].tolist() == [2, 2, 2]
    assert steps.end == 2


def test_columns_of_a_table_are_questions_in_order(path_run):
    tables = Tables(section(path_run))
    assert tables.column(Way("lam", 0.5), "m")[0].tolist() == [0, 0]
    assert tables.column(Way("lam", 1.25), "m")[0].tolist() == [0, 1]
    assert tables.column(Way("policy", label="evidence"), "m")[0].tolist() == [0, 1]
    assert tables.sheet(Way("policy", label="evidence")).lams.ravel().tolist() == [0.7, 2]


def test_a_path_is_shown_at_even_lambdas_and_at_the_aligned_model(tmp_path):
    folder = write_run(
        tmp_path / "run",
        [question("a", segments((0.25, m(1.0)), end=1.5))],
        scorers=M,
        lam=(0.25, 1.5),
    )
    shown = [way.lam for way in fixed_ways(section(folder))]
    fine = [way.lam for way in fixed_ways(section(folder), fine=True)]
    assert (shown[0], shown[-1], len(shown)) == (0.25, 1.5, 11)  # 1.0 is one of the eleven
    assert 1.0 in shown
    assert set(shown) <= set(fine)


def test_a_grid_answers_at_its_own_lambdas_alone(tmp_path):
    third = 1 / 3  # stored with six decimals
    folder = write_run(
        tmp_path / "run",
        [question("a", [at(0, m(1.0)), at(third, m(0.0))])],
        answers="grid",
        lam=(0, third),
        scorers=M,
    )
    tables = Tables(section(folder))
    assert [tables.column(way, "m")[0].tolist() for way in ways(tables.section)] == [[1], [0]]
    assert section(folder).questions[0].answered[0].at(0.2) is None
    (curve,) = curves(tables, n_resamples=100, seed=0)
    assert not curve.exact
    assert curve.values == (1.0, 0.0)


def test_given_answers_are_one_arm(tmp_path):
    folder = write_run(
        tmp_path / "run", [question("a", [given(m(0.25))])], answers="given", scorers=M
    )
    tables = Tables(section(folder))
    assert [way.name for way in ways(tables.section)] == ["given"]
    assert tables.column(Way("given"), "m")[0].tolist() == [0.25]
    assert curves(tables, n_resamples=100, seed=0) == ()


def test_seeds_are_averaged_within_their_question_and_what_is_missing_is_left_out(tmp_path):
    missing = scored({}, unscored={"m": "no words"})
    folder = write_run(
        tmp_path / "run",
        [
            question("a", {0: segments((0, m(1.0))), 1: segments((0, m(0.0)), (1, missing))}),
            question("b", {0: segments((0, m(0.0))), 1: "OSError: no room"}),
            question("c", {0: "OSError: no room", 1: "OSError: no room"}),
        ],
        scorers=M,
        seeds=(0, 1),
    )
    tables = Tables(section(folder))
    value = tables.column(Way("lam", 0.0), "m")[0]
    assert value.tolist()[:2] == [0.5, 0]
    assert math.isnan(value[2])
    assert tables.column(Way("lam", 1.0), "m")[0].tolist()[0] == 1.0
    steps = exact_steps(tables.section)
    assert steps.values[:, 0].tolist() == [0.25, 0.5]  # (.5 + 0) / 2, then (1 + 0) / 2


def test_weights_make_a_mean_a_ratio(tmp_path):
    folder = write_run(
        tmp_path / "run",
        [
            question("a", segments((0, m(1.0, weights={"m": 3})), (1, m(0.0, weights={"m": 3})))),
            question("b", segments((0, m(0.0)))),
        ],
        scorers=M,
    )
    assert exact_steps(section(folder)).values[:, 0].tolist() == [0.75, 0.0]
    (curve,) = curves(Tables(section(folder)), n_resamples=100, seed=0)
    assert curve.band.values[0] == 0.75


@st.composite
def paths(draw):
    """Questions × seeds with random segments, scores, gaps and weights."""
    seeds = draw(st.integers(1, 2))
    found = []
    for i in range(draw(st.integers(1, 4))):
        weight = draw(st.integers(1, 3))
        per_seed = {}
        for seed in range(seeds):
            # Sixths have no six decimals: what is stored is near them.
            lows = [0, *sorted(draw(st.sets(st.integers(1, 11), max_size=5)))]
            rows = []
            for low in lows:
                value = draw(st.sampled_from([None, 0.0, 0.25, 1.0]))
                row = scored({}, unscored={"m": "no words"})
                if value is not None:
                    row = m(value, weights={"m": weight} if weight > 1 else None)
                rows.append((low / 6, row))
            per_seed[seed] = segments(*rows)
        found.append(question(f"q{i}", per_seed))
    return found, seeds


@cases(paths(), st.lists(st.floats(0, 2), min_size=1, max_size=4))
def test_exact_means_are_those_of_every_question_looked_up(tmp_path_factory, made, lams):
    questions, seeds = made
    folder = write_run(
        tmp_path_factory.mktemp("run"), questions, scorers=M, seeds=tuple(range(seeds))
    )
    steps = exact_steps(section(folder))
    stored = lines(folder)
    breaks = sorted({row["lo"] for row in stored})
    for lam in (*lams, *breaks):
        top = bottom = count = 0
        for asked in questions:
            held = []
            for seed in range(seeds):
                own = [r for r in stored if (r["key"], r["seed"]) == (asked["key"], seed)]
                (row,) = [r for r in own if r["lo"] <= lam < r["hi"]] or own[-1:]
                if row["scores"]["m"] is not None:
                    held.append((row["scores"]["m"], row.get("weights", {}).get("m", 1)))
            if held:
                weight = sum(w for _, w in held) / len(held)
                top += weight * sum(v * w for v, w in held) / sum(w for _, w in held)
                bottom, count = bottom + weight, count + 1
        step = max(i for i, low in enumerate(steps.lows) if low <= lam)
        assert steps.n[step, 0] == count
        if count:
            assert steps.values[step, 0] == pytest.approx(top / bottom, abs=1e-12)
        else:
            assert math.isnan(steps.values[step, 0])


def test_many_steps_are_thinned_with_a_note_of_what_that_changed(tmp_path):
    asked = [
        question(f"q{i}", segments((0, m(0.0)), (2 * (i + 1) / 500, m(1.0)))) for i in range(400)
    ]
    folder = write_run(tmp_path / "run", asked, scorers=M, batch=100)
    (curve,) = curves(Tables(section(folder)), n_resamples=100, seed=0)
    assert curve.steps == 401
    assert len(curve.lam) == len(curve.values) == len(curve.n) == 300
    # What is drawn is exact, the rest is late by a step or two of 1/400.
    assert curve.values[-1] == 1.0
    for lam, value in zip(curve.lam, curve.values, strict=True):
        assert value == pytest.approx(round(lam * 250) / 400, abs=1e-9)
    assert "300 of 401 steps" in curve.note
    assert "0.0025" in curve.note


@pytest.mark.parametrize("name", ["generations.jsonl", "scores.jsonl"])
@pytest.mark.parametrize("lost", ["torn", "last line", "all"])
def test_an_unfinished_run_is_refused_with_the_way_on(path_run, name, lost):
    file = path_run / name
    text = file.read_text("utf-8")
    kept = {"torn": text[:-9], "last line": text[: text[:-1].rindex("\n") + 1], "all": ""}[lost]
    file.write_text(kept, "utf-8")
    with pytest.raises(RunFolderError, match=r"not a finished run.*eval resume"):
        load_run(path_run)


def test_rows_of_another_run_are_refused(path_run, tmp_path):
    other = write_run(tmp_path / "other", [question("z", segments((0, m(1.0))))], scorers=M)
    with (path_run / "scores.jsonl").open("a", encoding="utf-8") as file:
        file.write((other / "scores.jsonl").read_text("utf-8"))
    with pytest.raises(RunFolderError, match="stand behind"):
        load_run(path_run)
    (path_run / "scores.jsonl").write_text((other / "scores.jsonl").read_text("utf-8"), "utf-8")
    with pytest.raises(RunFolderError, match="0 of 1 batches"):
        load_run(path_run)


def test_scores_by_other_scorers_are_no_part_of_the_run(path_run, tmp_path):
    """As after a rescore that was stopped: the manifest has moved on."""
    other = write_run(
        tmp_path / "other",
        [
            question("a", segments((0, scored({"m": 1.0})))),
            question("b", segments((0, scored({"m": 1.0})))),
        ],
        scorers={"m": LOWER | {"version": "2"}},
    )
    (path_run / "manifest.json").write_text((other / "manifest.json").read_text("utf-8"), "utf-8")
    with pytest.raises(RunFolderError, match="not a finished run"):
        load_run(path_run)


def test_what_is_no_run_says_so(tmp_path):
    with pytest.raises(MissingFileError, match="check the path"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(RunFolderError, match="eval run"):
        load_run(tmp_path)


def test_nothing_but_the_folder_is_needed(path_run, monkeypatch):
    """A report is often written on another machine than the run."""
    monkeypatch.setattr("dera_rag.evaluation.runner.manifest.read_suite", None)
    assert len(section(path_run).questions) == 2
