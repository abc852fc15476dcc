"""Runs in this process: what rows hold, and that they are what the pipeline answers."""

import itertools
import json

import pytest
from evaluation_suites import read, suite_values, tiny, write_questions, write_suite

from dera_rag import registry
from dera_rag.evaluation.curve import row_seed
from dera_rag.evaluation.runner import run
from dera_rag.evaluation.runner.passages import GivenPassages
from dera_rag.evaluation.runner.plan import make_plan, split_of
from dera_rag.evaluation.runner.scoring import read_item
from dera_rag.evaluation.suites import read_suite
from dera_rag.numerics import Sampling
from dera_rag.policies import ConstantPolicy
from dera_rag.rag import RagPipeline
from dera_rag.types import Passage


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def made(pair, tmp_path_factory):
    """`made("grid")` and `made("path")`: folders of finished runs, two seeds, one policy."""
    found = {}

    def folder(answers):
        if answers not in found:
            base = tmp_path_factory.mktemp(answers)
            lam = [0, 2] if answers == "path" else [0, 0.5, 1]
            suite = write_suite(
                base, pair, answers=answers, lam=lam, seeds=[0, 1], signals="full", tuning=0.4
            )
            run(suite, base / "run", workers=0)
            found[answers] = base / "run"
        return found[answers]

    return folder


@pytest.fixture(scope="module")
def ask(pair):
    """`ask(row, λ)`: what the pipeline answers to a row's question at its seed."""
    loaded = pair.load()

    def answer(row, lam, policy=None):
        passages = GivenPassages(None)
        pipeline = RagPipeline(
            loaded,
            passages,
            policy=policy,
            sampling=Sampling(max_new_tokens=5, seed=0),
            trace="full",
            speculation="off",
        )
        shown = tuple(Passage(name, text) for name, text in row["passages"])
        with passages.handing_out([shown]):
            return pipeline.ask(row["question"], lam, seed=row["row_seed"])

    return answer


def test_a_grid_holds_what_the_pipeline_answers(made, ask):
    for row in read(made("grid"), "generations.jsonl"):
        assert [a["arm"] for a in row["answers"]] == ["lam"] * 3 + ["policy"]
        for answer in row["answers"]:
            expected = ask(row, answer["lam"])
            assert answer["text"] == expected.text
            assert answer["finish"] == expected.generation.finish_reason
            assert answer["trace"]["kl"] == pytest.approx(expected.generation.trace.kl, abs=1e-5)
            assert len(answer["tokens"]) == answer["token_count"]


def test_a_path_holds_every_answer_without_gaps(made, ask):
    for row in read(made("path"), "generations.jsonl"):
        segments = [a for a in row["answers"] if a["arm"] == "path"]
        assert (segments[0]["lo"], segments[-1]["hi"]) == (0, 2)
        for one, other in itertools.pairwise(segments):
            assert one["hi"] == other["lo"]
        for segment in segments:
            assert segment["lam"] == pytest.approx((segment["lo"] + segment["hi"]) / 2, abs=1e-6)
            # A narrower one could end where its middle is rounded to.
            if segment["hi"] - segment["lo"] > 1e-4:
                assert segment["text"] == ask(row, segment["lam"]).text


def test_a_path_has_whole_traces(made, ask):
    for row in read(made("path"), "generations.jsonl"):
        for answer in row["answers"]:
            expected = ask(row, answer["lam"]).generation.trace
            for name in ("reference", "aligned", "mixture", "kl", "entropy"):
                assert answer["trace"][name] == pytest.approx(getattr(expected, name), abs=1e-4)


def test_rows_do_not_depend_on_who_shares_their_batch(pair, tmp_path):
    """One policy reads its answers off the path, the other is beyond its end."""
    policies = [
        {"policy": "constant", "lam": 0.75, "label": "on"},
        {"policy": "constant", "lam": 2.5, "label": "beyond"},
    ]
    found = {}
    for size in (1, 5):
        changes = {"answers": "path", "lam": [0, 2], "seeds": [0, 1], "signals": "full"}
        suite = write_suite(tmp_path, pair, batch=size, policies=policies, **changes)
        run(suite, tmp_path / f"run-{size}", workers=0)
        found[size] = read(tmp_path / f"run-{size}", "generations.jsonl")
    for alone, together in zip(found[1], found[5], strict=True):
        assert alone["key"] == together["key"]
        assert len(alone["answers"]) == len(together["answers"])
        for one, other in zip(alone["answers"], together["answers"], strict=True):
            assert one.keys() == other.keys()
            for name in one.keys() - {"lam", "lo", "hi", "trace"}:
                assert one[name] == other[name]
            for name in one.keys() & {"lam", "lo", "hi"}:
                assert one[name] == pytest.approx(other[name], abs=1e-5)
            for name, column in one["trace"].items():
                assert column == pytest.approx(other["trace"][name], abs=1e-3)


def test_answers_off_the_path_are_decoded_together(pair, tmp_path, ask, monkeypatch):
    asked = []
    ask_batch = RagPipeline.ask_batch

    def noted(self, questions, *args, **settings):
        asked.append(len(questions))
        return ask_batch(self, questions, *args, **settings)

    monkeypatch.setattr(RagPipeline, "ask_batch", noted)
    beyond = {"policy": "constant", "lam": 2.5, "label": "beyond"}
    suite = write_suite(
        tmp_path, pair, answers="path", lam=[0, 2], batch=3, policies=[beyond], signals="full"
    )
    run(suite, tmp_path / "run", workers=0)
    assert asked == [3, 2]
    for row in read(tmp_path / "run", "generations.jsonl"):
        (answer,) = [a for a in row["answers"] if a["arm"] == "policy"]
        expected = ask(row, 2.5)
        assert answer["text"] == expected.text
        assert answer["lam"] == 2.5
        assert answer["trace"]["kl"] == pytest.approx(expected.generation.trace.kl, abs=1e-4)


@pytest.mark.parametrize("answers", ["grid", "path"])
def test_a_policy_answers_as_the_pipeline_lets_it(answers, made, ask):
    for row in read(made(answers), "generations.jsonl"):
        (answer,) = [a for a in row["answers"] if a["arm"] == "policy"]
        expected = ask(row, "auto", ConstantPolicy(0.75))
        assert answer["policy"] == "middle"
        assert answer["lam"] == 0.75
        assert answer["reason"] == expected.decision.reason
        assert answer["text"] == expected.text


def test_noise_is_common_to_all_lambda_and_independent_between_questions(made):
    rows = read(made("grid"), "generations.jsonl")
    assert [(r["key"], r["seed"]) for r in rows[:4]] == [
        (rows[0]["key"], 0),
        (rows[0]["key"], 1),
        (rows[2]["key"], 0),
        (rows[2]["key"], 1),
    ]
    for row in rows:
        assert row["row_seed"] == row_seed(row["seed"], row["key"])
    assert len({row["row_seed"] for row in rows}) == len(rows) == 10


def test_equal_questions_keep_their_own_passages(made):
    rows = {r["key"]: r for r in read(made("grid"), "generations.jsonl")}
    assert rows["q3"]["question"] == rows["q4"]["question"]
    assert rows["q3"]["passages"] != rows["q4"]["passages"]


def test_every_answer_has_a_row_of_scores(made):
    folder = made("path")
    answers = [
        (row["key"], row["seed"], i)
        for row in read(folder, "generations.jsonl")
        for i in range(len(row["answers"]))
    ]
    scores = read(folder)
    assert [(s["key"], s["seed"], s["answer"]) for s in scores] == answers
    for row in scores:
        assert "copy_rate" in row.get("unscored", {}) or 0 <= row["scores"]["copy_rate"] <= 1


def test_questions_of_one_source_are_on_one_side_of_the_split(made):
    sides = {}
    for row in read(made("grid")):
        assert sides.setdefault(row["source"], row["split"]) == row["split"]
        assert row["split"] == split_of(row["source"], 0.4)
    many = [split_of(str(i), 0.3) for i in range(2000)]
    # Binomial: sd .0102.
    assert abs(many.count("tune") / 2000 - 0.3) < 0.04


def test_times_are_apart_from_what_must_repeat(made):
    timings = read(made("grid"), "timings.jsonl")
    assert [t["questions"] for t in timings] == [2, 2, 1]
    assert all(t["generate_s"] > 0 and t["tokens"] > 0 for t in timings)
    for name in ("generations.jsonl", "scores.jsonl"):
        assert not any("generate_s" in row for row in read(made("grid"), name))


def test_the_manifest_says_what_the_run_is(made):
    manifest = json.loads((made("grid") / "manifest.json").read_text("utf-8"))
    assert manifest["suite"]["suite"] == "tiny"
    assert manifest["scorers"]["mine"]["copy_rate"]["direction"] == "lower"
    assert manifest["plan"]["cards"]["mine"]["licence"] == "not stated"
    assert set(manifest["models"]) == {"reference", "aligned"}
    assert manifest["versions"]["torch"]


def test_items_have_the_decode_behind_them(made):
    row = read(made("grid"), "generations.jsonl")[0]
    item = read_item(row, 1)
    trace = item.signals.trace
    assert item.lam == 0.5
    assert item.reference == row["references"][0]
    assert len(trace.kl) == len(trace.reference) == len(item.signals.tokens) > 0
    assert read_item(row, 3).policy == "middle"


def test_batch_keys_change_with_all_they_depend_on(pair, tmp_path):
    write_questions(tmp_path)

    def keys(models=None, **changes):
        suite = read_suite(suite_values(pair, **changes), tmp_path)
        return {b.key for b in make_plan(suite, None, models or {"reference": "a"}).batches}

    base = keys()
    assert len(base) == 3
    assert keys() == base
    assert keys(scorers=[]) == base
    for other in (
        keys(models={"reference": "b"}),
        keys(seeds=[1]),
        keys(lam=[0, 1]),
        keys(policies=None),
        keys(sampling={"temperature": 0.5}),
        keys(prompt="{passages} {question}"),
        keys(top_k=2),
    ):
        assert not other & base


def test_a_limit_takes_the_first_of_each_section(pair, tmp_path):
    write_questions(tmp_path)
    suite = read_suite(suite_values(pair), tmp_path)
    whole = [e.key for b in make_plan(suite, None, {}).batches for e in b.examples]
    some = [e.key for b in make_plan(suite, 3, {}).batches for e in b.examples]
    assert some == whole[:3]


@pytest.mark.parametrize("answers", ["grid", "path"])
def test_a_question_that_cannot_be_answered_is_a_row(answers, pair, tmp_path):
    lam = [0, 2] if answers == "path" else [0, 0.5, 1]
    suite = write_suite(tmp_path, pair, answers=answers, lam=lam)
    rows = (tmp_path / "questions.jsonl").read_text("utf-8").splitlines()
    long = json.loads(rows[1]) | {"id": "long", "user_input": "why " * 600}
    (tmp_path / "questions.jsonl").write_text("\n".join([*rows, json.dumps(long)]) + "\n")
    summary = run(suite, tmp_path / "run", workers=0)
    assert summary.failures == 1
    (failed,) = [r for r in read(tmp_path / "run", "generations.jsonl") if "error" in r]
    assert failed["key"] == "long"
    assert failed["error"].startswith("PromptError: the question alone takes")
    (score,) = [r for r in read(tmp_path / "run") if r["arm"] == "failed"]
    assert score["scores"] == {"copy_rate": None}
    assert "no answer: PromptError" in score["failed"]["copy_rate"]
    others = [r for r in read(tmp_path / "run", "generations.jsonl") if "error" not in r]
    assert sorted(row["key"] for row in others) == ["q0", "q1", "q2", "q3", "q4"]
    assert len(read(tmp_path / "run")) == 1 + sum(len(row["answers"]) for row in others)
    if answers == "grid":
        assert all(len(row["answers"]) == 4 for row in others)


def test_a_scorer_that_fails_is_in_its_rows(pair, tmp_path, monkeypatch):
    monkeypatch.setitem(registry._BUILT_IN["scorers"], "failing", "evaluation_suites:Failing")
    suite = write_suite(tmp_path, pair, scorers=["copy_rate", "failing"], policies=None)
    run(suite, tmp_path / "run", workers=0)
    rows = read(tmp_path / "run")
    failed = {row["key"] for row in rows if "failing" in row.get("failed", {})}
    assert "q2" in failed
    assert len(failed) <= 2
    for row in rows:
        assert (row["scores"]["failing"] is None) == (row["key"] in failed)
        assert row["scores"]["copy_rate"] is not None or "copy_rate" in row["unscored"]


def test_answers_that_are_there_are_scored_as_they_stand(tmp_path):
    write_questions(tmp_path, response="A small pub near the river is cheap and friendly.")

    class Models:
        reference, aligned = "nowhere", "nowhere"

    suite = write_suite(
        tmp_path, Models, answers="given", lam=None, policies=None, pair=None, sampling=None
    )
    summary = run(suite, tmp_path / "run", workers=0)
    assert (summary.tokens, summary.questions) == (0, 5)
    scores = {row["key"]: row for row in read(tmp_path / "run")}
    assert scores["q0"]["scores"]["copy_rate"] == 1.0
    assert scores["q1"]["scores"]["copy_rate"] == 0.0
    assert {row["arm"] for row in scores.values()} == {"given"}


def test_progress_ends_at_the_whole(pair, tmp_path):
    seen = []
    run(write_suite(tmp_path, pair), tmp_path / "run", workers=0, progress=seen.append)
    assert [(state.done, state.total) for state in seen] == [(0, 5), (2, 5), (4, 5), (5, 5)]
    assert seen[0].eta is None
    assert seen[-1].eta == 0
    assert seen[-1].tokens > 0
