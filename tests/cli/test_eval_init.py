"""`dera-rag eval init`: what it writes is valid, runs, and never costs anybody a file."""

import json

import pytest
import yaml


def rows(path, *asked):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in asked), encoding="utf-8")
    return path


@pytest.fixture
def documents(tmp_path):
    folder = tmp_path / "data" / "my documents"
    folder.mkdir(parents=True)
    (folder / "warranty.md").write_text("# Warranty\n\nThe warranty lasts two years.\n")
    return folder


def suite_of(file):
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_an_empty_folder_becomes_a_suite_that_is_valid_and_runs(tmp_path, shipped, run):
    file = tmp_path / "first" / "mine.yaml"
    made = run("eval", "init", file)
    assert made.exit_code == 0, made.output
    assert f"wrote {file}" in made.output
    assert f"wrote {file.parent / 'questions.jsonl'}" in made.output
    valid = run("eval", "validate", file)
    assert valid.exit_code == 0, valid.output
    assert "2, of them 2 with a reference" in valid.output
    text = file.read_text("utf-8")
    assert "dera-rag eval run mine.yaml --out run-1" in text
    assert suite_of(file)["suite"] == "mine"
    # Comments are what a starter is for: every line of values says what else could stand there.
    assert text.count("#") > 12
    ran = run("eval", "run", file, "--out", tmp_path / "run", "--limit", 1, "--workers", 0)
    assert ran.exit_code == 0, ran.output


def test_own_questions_and_documents_stand_relative_to_the_suite(
    documents, tmp_path, run, monkeypatch
):
    rows(tmp_path / "data" / "asked.jsonl", {"user_input": "How long is the warranty?"})
    monkeypatch.chdir(tmp_path)
    made = run(
        "eval", "init", "suites/mine.yaml",
        "--questions", "data/asked.jsonl", "--corpus", "data/my documents",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    file = tmp_path / "suites" / "mine.yaml"
    task = suite_of(file)["tasks"]["mine"]
    assert task["questions"] == "../data/asked.jsonl"
    assert task["corpus"] == ["../data/my documents"]
    assert "token_f1" not in suite_of(file)["scorers"]  # nothing to compare with
    assert not (file.parent / "questions.jsonl").exists()
    monkeypatch.chdir("/")
    assert run("eval", "validate", file).exit_code == 0


def test_references_bring_the_scorers_that_read_them(tmp_path, run):
    row = {"user_input": "Open?", "retrieved_contexts": ["Until nine."], "reference": "Until nine."}
    asked = rows(tmp_path / "questions.jsonl", row)
    before = asked.read_bytes()
    assert run("eval", "init", tmp_path / "mine.yaml").exit_code == 0
    assert {"token_f1", "answer_recall", "copy_rate"} <= set(
        suite_of(tmp_path / "mine.yaml")["scorers"]
    )
    assert asked.read_bytes() == before
    valid = run("eval", "validate", tmp_path / "mine.yaml")
    assert "token_f1" in valid.output


def test_a_column_of_what_can_be_answered_brings_the_scorer_of_refusals(tmp_path, run):
    row = {"user_input": "Open?", "retrieved_contexts": ["Until nine."]}
    asked = rows(tmp_path / "questions.jsonl", row)
    file = tmp_path / "mine.yaml"
    assert run("eval", "init", file).exit_code == 0
    assert "abstained" not in suite_of(file)["scorers"]
    rows(asked, row | {"answerable": False})
    assert run("eval", "init", file, "--force").exit_code == 0
    assert suite_of(file)["scorers"][-1] == "abstained"


def test_a_suite_that_is_there_is_kept_unless_forced(tmp_path, run):
    file = tmp_path / "mine.yaml"
    file.write_text("mine")
    refused = run("eval", "init", file)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert file.read_text() == "mine"
    assert not (tmp_path / "questions.jsonl").exists()
    asked = rows(tmp_path / "questions.jsonl", {"user_input": "Open?", "retrieved_contexts": ["x"]})
    before = asked.read_bytes()
    assert run("eval", "init", file, "--force").exit_code == 0
    assert suite_of(file)["suite"] == "mine"
    assert asked.read_bytes() == before


def test_what_would_not_be_valid_is_not_written(documents, tmp_path, run):
    bare = rows(tmp_path / "bare.jsonl", {"user_input": "Open?"})
    wrong = rows(tmp_path / "wrong.jsonl", {"question": "Open?"})
    for arguments, says in (
        (("mine.yaml", "--questions", bare), "name a corpus to search"),
        (("mine.yaml", "--questions", wrong), "has no `user_input`"),
        (("mine.yaml", "--questions", tmp_path / "no.jsonl"), "no file or folder"),
        (("mine.yaml", "--questions", bare, "--corpus", tmp_path / "no"), "no file or folder"),
        (("mine.yaml", "--corpus", documents), "--questions names"),
        (("mine.txt",), "mine.txt.yaml"),
    ):
        refused = run("eval", "init", tmp_path / arguments[0], *arguments[1:])
        assert refused.exit_code == 2, arguments
        assert says in refused.stderr.replace("\n", " ")
        assert not (tmp_path / arguments[0]).exists()
        assert not (tmp_path / "questions.jsonl").exists()


def test_a_dataset_of_the_hub_is_named_and_not_fetched(tmp_path, run, monkeypatch):
    monkeypatch.setattr("dera_rag.evaluation.tasks.own.hub_rows", None)
    file = tmp_path / "mine.yaml"
    assert run("eval", "init", file, "--questions", "someone/questions").exit_code == 0
    assert suite_of(file)["tasks"]["mine"]["questions"] == "someone/questions"
