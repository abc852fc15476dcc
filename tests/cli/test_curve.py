"""`dera-rag curve` and `dera-rag demo` on a tiny pair: tables, files, and the same output twice."""

import json

from dera_rag.evaluation.curve_records import Curve

SMALL = ("curve", "--n", 7, "--lam", "0,1")


def test_table_files_and_json(run, shipped, tmp_path):
    out = tmp_path / "curve"
    result = run(*SMALL, "--out", out)
    assert result.exit_code == 0, result.output
    for word in (
        "hallucinated",
        "coverage",
        "copied",
        "distance",
        "7 questions",
        "nearly the same name",
    ):
        assert word in result.stdout
    files = {path.name for path in out.iterdir()}
    assert files == {"settings.json", "answers", "curve.json", "curve.png", "curve.svg"}
    again = run(*SMALL, "--out", out, "--json")  # finished: read, not measured
    assert again.stdout.startswith("{")
    assert json.loads(again.stdout) == json.loads((out / "curve.json").read_text())
    assert Curve.from_json(again.stdout).row(1.0).metrics["hallucination"].n == 7


def test_other_settings_need_another_folder(run, shipped, tmp_path):
    run(*SMALL, "--out", tmp_path)
    result = run(*SMALL, "--seed", 1, "--out", tmp_path)
    assert result.exit_code == 2
    assert "other settings: seed" in result.stderr


def test_demo_prints_the_same_twice(run, shipped, tmp_path):
    first = run("demo", "--n", 7, "--out", tmp_path / "a")
    assert first.exit_code == 0, first.output
    for part in ("passages in index/", "λ=0, reference", "λ=2, beyond", "Faithfulness"):
        assert part in first.stdout
    assert str(tmp_path) not in first.stdout
    assert first.stderr == ""
    names = ("curve.json", "curve.png", "curve.svg", "answers/lam-auto.jsonl")
    files = [(tmp_path / "a" / "curve" / name).read_bytes() for name in names]
    again = run("demo", "--n", 7, "--out", tmp_path / "a")
    assert again.stdout == first.stdout
    assert [(tmp_path / "a" / "curve" / name).read_bytes() for name in names] == files


def test_demo_deletes_nothing_of_yours(run, shipped, tmp_path):
    (tmp_path / "curve").mkdir()
    (tmp_path / "curve" / "thesis.tex").write_text("years of work")
    result = run("demo", "--n", 7, "--out", tmp_path)
    assert result.exit_code == 2
    assert "in the way" in result.stderr
    assert (tmp_path / "curve" / "thesis.tex").exists()
