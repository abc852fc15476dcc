"""`dera-rag eval validate-scorers`, from files of judged answers to cards."""

import json

import pytest

from dera_rag.evaluation.scorers.cards import Card
from dera_rag.evaluation.scorers.grounded.model import GroundedModel
from dera_rag.evaluation.scorers.ratings_model import RatingsModel


def write_rows(path, rows):
    path.parent.mkdir()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def data(tmp_path):
    """Twenty inns: a faithful and an inventing answer about each, and claims about them."""
    answers, claims, ratings = [], [], []
    for i in range(20):
        context = f"Inn {i} is in Oslo. It opened in {1900 + i}. It has a garden and a cellar."
        good, bad = f"Inn {i} is in Oslo.", f"Karl Meier bought it in {1950 + i}."
        for task in ("qa", "summary"):
            for name, text, spans in (
                ("good", f"{good} It has a garden.", []),
                ("bad", f"{good} {bad}", [{"start": len(good) + 1, "end": len(good + bad) + 1}]),
            ):
                answers.append({
                    "id": f"{i}-{name}-{task}", "source_id": f"{i} {task}", "task": task,
                    "context": context, "response": text, "labels": spans,
                })  # fmt: skip
        for claim, label in ((good, "attributable"), (bad, "not attributable")):
            claims.append({
                "id": f"{i} {label}", "question": f"What of inn {i}?", "claim": claim,
                "references": [context], "attribution_label": label,
            })  # fmt: skip
        for worker in range(8):
            for system, text in (("a", f"Inn {i} is is old."), ("b", f"Inn {i} is old.")):
                ratings.append({
                    "kind": "naturalness", "text": text, "mr": f"r{i}", "system": system,
                    "worker": f"w{worker}", "score": 50 + worker + 20 * (system == "b"),
                })  # fmt: skip
    write_rows(tmp_path / "ragtruth" / "ragtruth_dev.jsonl", answers)
    write_rows(tmp_path / "attributionbench" / "dev.jsonl", claims)
    for one in ratings:  # five systems, so that some can be kept apart
        one["system"] += str(int(one["mr"][1:]) % 5)
    write_rows(tmp_path / "e2e_human" / "e2e_challenge_ratings_long.jsonl", ratings)
    return tmp_path


def test_cards_and_weights_are_written(data, tmp_path, run):
    pytest.importorskip("sklearn")
    made = run(
        "eval", "validate-scorers", "--data", data, "--out", tmp_path / "cards",
        "--resamples", 100, "--fit-grounded", tmp_path / "weights.json",
        "--fit-naturalness", tmp_path / "natural.safetensors",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    grounded, natural = (
        Card.from_json((tmp_path / "cards" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("grounded", "learned_naturalness")
    )
    assert {row.data.split(",")[0] for row in grounded.agreements} == {
        "ragtruth_qa", "ragtruth_summary", "attributionbench",
    }  # fmt: skip
    assert all(row.scorer.value == 1 for row in grounded.agreements)
    assert natural.agreements[0].scorer.value > 0.8
    for card in (grounded, natural):
        table = (tmp_path / "cards" / f"{card.scorer}.md").read_text(encoding="utf-8")
        assert table == card.to_markdown()
        assert table in made.output
    assert "80 answers" in GroundedModel.load(tmp_path / "weights.json").fitted_on
    assert len(RatingsModel.load(tmp_path / "natural.safetensors").weights)


def test_one_part_needs_its_own_data_alone(data, tmp_path, run):
    pytest.importorskip("sklearn")
    (data / "ragtruth" / "ragtruth_dev.jsonl").unlink()
    options = ("--data", data, "--out", tmp_path / "cards", "--resamples", 100)
    assert run("eval", "validate-scorers", "--only", "naturalness", *options).exit_code == 0
    assert not (tmp_path / "cards" / "grounded.json").exists()
    failed = run("eval", "validate-scorers", *options)
    assert failed.exit_code == 2
    assert "ragtruth_dev" in failed.stderr


def test_a_place_that_cannot_hold_cards_is_refused_before_any_work(tmp_path, run, monkeypatch):
    monkeypatch.setattr("dera_rag.evaluation.scorers.labels.data_folder", None)
    file = tmp_path / "cards"
    file.write_text("mine")
    for wrong in (file, file / "below"):
        refused = run("eval", "validate-scorers", "--out", wrong)
        assert refused.exit_code == 2, refused.output
        assert str(wrong) in refused.stderr
        assert "hint" in refused.stderr
    refused = run(
        "eval", "validate-scorers", "--out", tmp_path / "new", "--fit-grounded", file / "w.json"
    )
    assert refused.exit_code == 2
    assert f"{str(file)!r} is a file, not a folder" in refused.stderr
    assert file.read_text() == "mine"


def test_a_scorer_that_needs_an_option_is_refused_with_it(data, tmp_path, run):
    for name, says in (("minicheck", "the option 'model' is missing"), ("copy_rat", "copy_rate")):
        refused = run(
            "eval", "validate-scorers", "--data", data, "--out", tmp_path / "c", "--scorer", name
        )
        assert refused.exit_code == 2
        assert says in refused.stderr
