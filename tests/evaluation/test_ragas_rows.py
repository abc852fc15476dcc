"""A run's answers as rows that ragas loads: each with its λ, its policy and its question."""

import json

import pytest
from evaluation_suites import read, tiny, write_suite
from report_runs import LOWER, chosen, given, question, scored, segments, write_run

from dera_rag.errors import InvalidValueError, MissingFileError, RunFolderError
from dera_rag.evaluation.interop import export_ragas, ragas_rows
from dera_rag.evaluation.runner import run

ONE = scored({"m": 0.0})


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A finished run over λ = 0, ½, 1 with one policy: five questions, two seeds."""
    base = tmp_path_factory.mktemp("grid")
    pair = tiny(base / "pair")
    run(write_suite(base, pair, seeds=[0, 1]), base / "run", workers=0)
    return base / "run"


@pytest.fixture
def path(tmp_path):
    """One question whose answer changes at λ=.5, and one that failed."""
    return write_run(
        tmp_path / "run",
        [
            question("a", [*segments((0, ONE), (0.5, ONE)), chosen("evidence", 0.7, ONE)]),
            question("b", "ValueError: too long"),
        ],
        scorers={"m": LOWER},
    )


def test_every_answer_of_a_run_stands_beside_its_question(grid, tmp_path):
    made = export_ragas(grid, tmp_path / "out.jsonl")
    rows = read(tmp_path, "out.jsonl")
    assert (made.rows, made.failed, made.out) == (len(rows), 0, tmp_path / "out.jsonl")
    assert rows == list(ragas_rows(grid))
    stored = read(grid, "generations.jsonl")
    answers = [(row, answer) for row in stored for answer in row["answers"]]
    assert len(rows) == len(answers) == 5 * 2 * 4
    for made_row, (row, answer) in zip(rows, answers, strict=True):
        assert made_row["user_input"] == row["question"]
        assert made_row["response"] == answer["text"]
        assert made_row["retrieved_contexts"] == [text for _, text in row["passages"]]
        assert made_row["reference"] == row["references"][0]
        assert (made_row["key"], made_row["seed"]) == (row["key"], row["seed"])
        assert made_row["lam"] == answer["lam"]
    assert [row["policy"] for row in rows[:4]] == [None, None, None, "middle"]


@pytest.mark.parametrize(
    ("at", "lam", "policy"), [("0.5", 0.5, None), (1, 1.0, None), ("middle", 0.75, "middle")]
)
def test_one_arm_of_a_run(grid, at, lam, policy):
    rows = list(ragas_rows(grid, at))
    assert [(row["lam"], row["policy"]) for row in rows] == [(lam, policy)] * 10
    chosen_rows = [r for r in ragas_rows(grid) if (r["lam"], r["policy"]) == (lam, policy)]
    assert rows == chosen_rows


def test_a_path_has_intervals_and_an_answer_at_every_lambda(path):
    whole = list(ragas_rows(path))
    ends = [(row.get("lam_low"), row.get("lam_high"), row["policy"]) for row in whole]
    assert ends == [(0, 0.5, None), (0.5, 2.0, None), (None, None, "evidence")]
    (row,) = ragas_rows(path, 1.9)
    assert row["lam"] == 1.9
    assert "lam_low" not in row


def test_questions_without_an_answer_are_counted(path, tmp_path):
    made = export_ragas(path, tmp_path / "out.jsonl", at=1.0)
    assert (made.rows, made.failed) == (1, 1)
    assert [row["key"] for row in read(tmp_path, "out.jsonl")] == ["a"]


def test_given_answers_have_no_arm(tmp_path):
    folder = write_run(
        tmp_path / "run", [question("a", [given(ONE)])], answers="given", scorers={"m": LOWER}
    )
    (row,) = ragas_rows(folder)
    assert (row["lam"], row["policy"], row["response"]) == (None, None, "so it is")
    assert "reference" not in row
    with pytest.raises(InvalidValueError, match="its answers were given"):
        list(ragas_rows(folder, 1.0))


def test_refusals(path, grid, tmp_path):
    with pytest.raises(InvalidValueError, match=r"λ=0\.7 was not run"):
        ragas_rows(grid, 0.7)
    with pytest.raises(InvalidValueError, match="middle"):
        ragas_rows(grid, "midle")
    with pytest.raises(MissingFileError):
        list(ragas_rows(tmp_path / "nowhere"))
    (path / "scores.jsonl").write_text("")
    with pytest.raises(RunFolderError, match="not a finished run"):
        export_ragas(path, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_run_without_any_answer(tmp_path):
    folder = write_run(tmp_path / "run", [question("a", "OSError: gone")], scorers={"m": LOWER})
    with pytest.raises(InvalidValueError, match="no answer to export"):
        export_ragas(folder, tmp_path / "out.jsonl")


def test_ragas_loads_it(grid, tmp_path):
    schema = pytest.importorskip("ragas.dataset_schema")
    export_ragas(grid, tmp_path / "out.jsonl", at=1.0)
    loaded = schema.EvaluationDataset.from_jsonl(tmp_path / "out.jsonl")
    rows = list(ragas_rows(grid, 1.0))
    assert len(loaded) == len(rows)
    for sample, row in zip(loaded, rows, strict=True):
        assert sample.user_input == row["user_input"]
        assert sample.response == row["response"]
        assert sample.retrieved_contexts == row["retrieved_contexts"]
        assert sample.reference == row["reference"]
    assert {"user_input", "response", "retrieved_contexts", "reference"} <= set(loaded.features())


def test_letters_survive_any_encoding_the_file_is_opened_in(grid, tmp_path):
    export_ragas(grid, tmp_path / "out.jsonl")
    data = (tmp_path / "out.jsonl").read_bytes()
    assert data.isascii()
    assert any("é" in json.loads(line)["user_input"] for line in data.splitlines())
