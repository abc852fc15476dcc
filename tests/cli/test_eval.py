"""`dera-rag eval`, as typed."""

import json

import pytest
from evaluation_suites import write_suite


@pytest.fixture
def suite(tiny_pair, tmp_path):
    return write_suite(tmp_path, tiny_pair)


def test_run_resume_and_rescore(suite, tmp_path, run):
    folder = tmp_path / "run"
    made = run("eval", "run", suite, "--out", folder, "--limit", 3, "--workers", 0)
    assert made.exit_code == 0, made.output
    assert "questions" in made.output
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
