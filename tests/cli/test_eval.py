"""`dera-rag eval`, as typed."""

import csv
import io
import json
import shutil
import sys

import pytest
from evaluation_suites import write_suite
from report_runs import LOWER, at, question, scored, write_run
from report_runs import given as answer_given

from dera_rag import registry


@pytest.fixture
def suite(tiny_pair, tmp_path):
    return write_suite(tmp_path, tiny_pair)


def test_run_resume_and_rescore(suite, tmp_path, run):
    folder = tmp_path / "run"
    made = run("eval", "run", suite, "--out", folder, "--limit", 3, "--workers", 0)
    assert made.exit_code == 0, made.output
    assert "questions" in made.output
    assert "dera-rag eval report" in made.output
    scores = (folder / "scores.jsonl").read_bytes()
    assert len({json.loads(line)["key"] for line in scores.splitlines()}) == 3
    again = run("eval", "resume", folder, "--workers", 0)
    assert again.exit_code == 0
    assert "done before" in again.output
    assert run("eval", "rescore", folder, "--workers", 0).exit_code == 0
    assert (folder / "scores.jsonl").read_bytes() == scores


def test_faults_are_one_line_with_a_way_out(suite, tmp_path, run):
    failed = run("eval", "resume", tmp_path)
    assert failed.exit_code == 2
    assert "eval run" in failed.stderr
    failed = run("eval", "run", "venus", "--out", tmp_path / "run")
    assert failed.exit_code == 2
    assert "venues" in failed.stderr
    assert not (tmp_path / "run").exists()


def test_validate_shows_what_is_asked_without_a_model(run, monkeypatch):
    monkeypatch.setattr("dera_rag.pairs.ModelPair.embedded", None)
    shown = run("eval", "validate", "e2e")
    assert shown.exit_code == 0, shown.output
    for part in ("every answer for λ in [0, 2]", "CC BY-SA 4.0", "slot_error_rate", "15.94 %"):
        assert part in shown.output
    assert run("eval", "validate", "nothing-like-it").exit_code == 2


def test_validate_reads_the_questions(run, tmp_path):
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "suite: mine\nanswers: path\nlam: [0, 2]\ntasks: {mine: {task: own, questions: q.jsonl}}\n"
    )
    row = {"user_input": "Open?", "retrieved_contexts": ["Until nine."], "refrence": "nine"}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    shown = run("eval", "validate", suite)
    # A misspelt column shows among those that stand beside the questions.
    assert "1, of them 0 with a reference; their further columns: refrence" in shown.output
    (tmp_path / "q.jsonl").write_text('{"question": "Open?"}\n')
    refused = run("eval", "validate", suite)
    assert refused.exit_code == 2
    assert "user_input" in refused.output


AXES = {"venues_hallucination": LOWER, "learned_naturalness": LOWER | {"direction": "higher"}}


@pytest.fixture
def by_hand(tmp_path):
    """Finished runs whose questions are wrong at λ=1 as listed."""

    def made(name, wrong):
        def row(bad):
            return scored({"venues_hallucination": float(bad), "learned_naturalness": 0.5})

        asked = [question(f"q{i}", [at(0, row(1)), at(1, row(bad))]) for i, bad in enumerate(wrong)]
        return write_run(tmp_path / name, asked, answers="grid", lam=(0, 1), scorers=AXES)

    return made


def test_a_report_of_a_run_just_made(suite, tmp_path, run):
    folder = tmp_path / "run"
    assert run("eval", "run", suite, "--out", folder, "--workers", 0).exit_code == 0
    shown = run("eval", "report", folder, "--format", "md", "--resamples", 100)
    assert shown.exit_code == 0, shown.output
    for part in ("# tiny", "5 questions of 3 sources", "copy_rate", "middle"):
        assert part in shown.output
    table = run("eval", "report", folder, "--format", "csv", "--resamples", 100).output
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["arm"] for row in rows] == ["λ=0", "λ=0.5", "λ=1", "middle"]
    assert {row["scorer"] for row in rows} == {"copy_rate"}


def test_a_report_goes_to_stdout_or_to_a_file(by_hand, tmp_path, run):
    folder = by_hand("run", [1, 0, 0, 0])
    shown = run("eval", "report", folder, "--format", "json")
    arms = json.loads(shown.stdout)["sections"][0]["arms"]
    assert arms[1]["cells"]["venues_hallucination"]["estimate"]["value"] == 0.25
    wrote = run("eval", "report", folder, "--format", "md", "--out", tmp_path / "r.md")
    assert "wrote" in wrote.output
    first = (tmp_path / "r.md").read_text("utf-8")
    assert first == run("eval", "report", folder, "--format", "md").stdout
    against = run("eval", "report", folder, "--format", "md", "--against", 0).stdout
    assert "### Against λ=0" in against
    assert run("eval", "report", folder, "--against", "evidence").exit_code == 2


def test_a_page_is_written_into_the_runs_folder(by_hand, run):
    folder = by_hand("run", [1, 0, 0, 0])
    made = run("eval", "report", folder)
    assert made.exit_code == 0, made.output
    assert "<html" in (folder / "report.html").read_text("utf-8")
    beside = run("eval", "report", folder, "--beside", by_hand("other", [0, 0, 0, 0]))
    assert beside.exit_code == 0, beside.output
    assert run("eval", "report", folder, "--beside", folder / "nothing").exit_code == 2
    # The page is no row of the run: it can be read again.
    assert run("eval", "report", folder, "--format", "csv").exit_code == 0


def test_an_unfinished_run_is_refused_with_the_way_on(suite, tmp_path, run):
    folder = tmp_path / "run"
    assert run("eval", "run", suite, "--out", folder, "--workers", 0).exit_code == 0
    torn = tmp_path / "torn"
    shutil.copytree(folder, torn)
    scores = torn / "scores.jsonl"
    scores.write_bytes(scores.read_bytes()[:-20])
    failed = run("eval", "report", torn, "--format", "md")
    assert failed.exit_code == 2
    assert f"eval resume {torn}" in failed.stderr.replace("\n", "")
    assert run("eval", "resume", torn, "--workers", 0).exit_code == 0
    assert run("eval", "report", torn, "--format", "md").exit_code == 0


def test_two_runs_differ_question_by_question(by_hand, run):
    old, new = by_hand("old", [0, 0, 0, 0]), by_hand("new", [1, 1, 0, 0])
    shown = run("eval", "diff", old, new)
    assert shown.exit_code == 0, shown.output
    assert "4 questions in common" in shown.output
    data = json.loads(run("eval", "diff", old, new, "--json").stdout)
    gaps = {
        (one["arm"], one["scorer"]): one["difference"]["value"]
        for one in data["sections"][0]["changes"]
    }
    assert gaps["λ=1", "venues_hallucination"] == 0.5
    assert gaps["λ=0", "venues_hallucination"] == 0


def test_a_gate_says_why_and_exits_by_it(by_hand, run):
    old, new = by_hand("old", [0, 0, 0, 0]), by_hand("new", [1, 1, 0, 0])
    passed = run("eval", "gate", old, "factuality>=-0.01, naturalness>=-0.02", "--baseline", old)
    assert passed.exit_code == 0
    assert "The gate passes." in passed.output
    failed = run("eval", "gate", new, "factuality>=-0.01", "--baseline", old)
    assert failed.exit_code == 1
    assert "below the margin" in failed.output
    at_0 = run("eval", "gate", new, "factuality>=-0.01", "--baseline", old, "--at", 0, "--json")
    assert at_0.exit_code == 0
    assert json.loads(at_0.stdout)["passed"] is True
    for wrong in ("factuality", "lenght>=0"):
        refused = run("eval", "gate", new, wrong, "--baseline", old)
        assert refused.exit_code == 2
        assert "hint" in refused.stderr
    assert run("eval", "gate", new, "factuality>=0", "--baseline", old / "x").exit_code == 2


def test_a_report_refuses_cards_that_are_not_there(by_hand, tmp_path, run):
    folder = by_hand("run", [1, 0, 0, 0])
    file, empty = tmp_path / "file", tmp_path / "empty"
    file.write_text("")
    empty.mkdir()
    for wrong, says in (
        (file, "is a file, not a folder of scorer cards"),
        (tmp_path / "nothing", "does not exist"),
        (empty, "holds no scorer card"),
    ):
        refused = run("eval", "report", folder, "--format", "md", "--cards", wrong)
        assert refused.exit_code == 2
        assert says in refused.stderr
        assert "validate-scorers" in refused.stderr


def test_without_the_extra_a_report_ends_at_once_with_what_to_install(
    by_hand, tmp_path, run, monkeypatch
):
    folder = by_hand("run", [1, 0, 0, 0])
    given = write_run(
        tmp_path / "given", [question("q", [answer_given(scored({"venues_hallucination": 0.0}))])],
        answers="given", scorers=AXES,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "statsmodels.stats.multitest", None)
    # Nothing may be resampled first: that takes minutes on a real run.
    monkeypatch.setattr("dera_rag.evaluation.report.summarising.summarise_section", None)
    monkeypatch.setattr("dera_rag.evaluation.report.differences.shared_sections", None)
    for verb in (("report", folder, "--format", "md"), ("diff", folder, folder)):
        refused = run("eval", *verb)
        assert refused.exit_code == 2, refused.output
        assert "Holm's method, which needs statsmodels" in refused.stderr
        assert "pip install 'dera-rag[eval]'" in refused.stderr
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "statsmodels.stats.multitest", None)
    # What compares nothing needs no extra, nor does a gate.
    assert run("eval", "report", given, "--format", "md").exit_code == 0
    assert run("eval", "gate", folder, "factuality>=-0.1", "--baseline", folder).exit_code == 0


def test_a_format_that_does_not_exist_is_answered_with_those_that_do(by_hand, run):
    refused = run("eval", "report", by_hand("run", [1]), "--format", "txt")
    assert refused.exit_code == 2
    assert "txt" in refused.stderr
    assert all(name in refused.stderr for name in ("html", "md", "csv", "json"))


def test_every_scorer_is_listed_for_people_and_programs(run):
    shown = run("eval", "scorers")
    assert shown.exit_code == 0, shown.output
    listed = json.loads(run("eval", "scorers", "--format", "json").stdout)
    assert [one["name"] for one in listed] == registry.names("scorers")
    for one in listed:
        assert f"\n{one['name']}  (" in shown.output
    assert "distinct_2_of_20" in shown.output
    assert "↓ lower is better, factuality" in shown.output
