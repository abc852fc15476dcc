"""What is asked: hand-written rows in each data's own form, and counts on the public files."""

import gzip
import json
import sys
from types import SimpleNamespace

import pytest
from e2e_rows import write_e2e
from evaluation_suites import QUESTIONS, write_questions

from dera_rag import registry
from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.evaluation.tasks import Task
from dera_rag.evaluation.tasks.conflicts import answer_type, mentions_any, swapped
from dera_rag.evaluation.tasks.data import chosen, read_rows
from dera_rag.evaluation.tasks.e2e import E2ETask
from dera_rag.evaluation.tasks.nq import NQTask
from dera_rag.evaluation.tasks.own import OwnTask
from dera_rag.evaluation.tasks.ragtruth import RAGTruthTask
from dera_rag.evaluation.tasks.venues import VenuesTask

CAPITALS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Norway": "Oslo"}


@pytest.fixture
def nq(tmp_path):
    """`nq(variant=…)` over four questions in lost-in-the-middle's form, one without its answer."""
    rows = [
        {
            "question": f"what is the capital of {country}",
            "answers": [city],
            "ctxs": [
                {
                    "title": country,
                    "text": f"{city} is a city. {city} is the capital of {country}.",
                    "isgold": True,
                }
            ],
        }
        for country, city in CAPITALS.items()
    ]
    rows.append(
        {
            "question": "who wrote it",
            "answers": ["the person who had owned it before"],
            "ctxs": [{"title": "It", "text": "Nobody is named here.", "isgold": True}],
        }
    )
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "nq_open_dev.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    return lambda **options: NQTask(data=str(tmp_path), **options)


def test_every_task_is_one():
    for name in registry.names("tasks"):
        assert registry.resolve("tasks", name).__name__.endswith("Task")
    assert isinstance(VenuesTask(), Task)


def test_a_larger_n_begins_with_the_smaller():
    assert chosen(range(50), 10, 3) == chosen(range(50), 20, 3)[:10]
    assert chosen(range(50), 10, 3) != chosen(range(50), 10, 4)
    assert sorted(chosen(range(50), None, 3)) == list(range(50))


def test_venues_know_what_judges_them():
    task = VenuesTask(n=14, places=30)
    examples = task.examples(given=False)
    assert len({e.key for e in examples}) == 14
    assert {e.record["kind"] for e in examples} >= {"describe", "unknown_place"}
    assert [e.record["answerable"] for e in examples if e.record["kind"] == "unknown_place"] == [
        False,
        False,
    ]
    described = next(e for e in examples if e.record["kind"] == "describe")
    assert task.retriever().retrieve(described.question, 3)
    assert task.fingerprint() != VenuesTask(n=14, places=30, seed=1).fingerprint()
    json.dumps([e.to_dict() for e in examples])


def test_e2e_asks_once_for_each_record(tmp_path):
    task = E2ETask(version="original", data=str(write_e2e(tmp_path)))
    examples = task.examples(given=False)
    rows = list(read_rows(tmp_path / "original_dev.csv"))
    assert len(examples) == len({row["mr"] for row in rows}) < len(rows)
    example = next(e for e in examples if e.record["slots"]["name"] == "Bella Luna")
    assert example.question == "Describe Bella Luna."
    assert example.passages[0].text.startswith("- name: Bella Luna\n- type: ")
    assert set(example.references) <= {row["ref"] for row in rows}


def test_e2e_leaves_out_records_that_list_an_attribute_twice(tmp_path):
    (tmp_path / "cleaned_dev.csv").write_text(
        'mr,ref\n"name[A], food[French], food[Thai]",x\n"name[B], area[riverside]",y\n'
    )
    (example,) = E2ETask(data=str(tmp_path)).examples(given=False)
    assert example.record["slots"] == {"name": "B", "area": "riverside"}


def test_e2e_asks_about_a_record_whose_name_the_cleaning_took(tmp_path):
    (tmp_path / "cleaned_dev.csv").write_text('mr,ref\n"eatType[pub], food[Thai]",x\n')
    (example,) = E2ETask(data=str(tmp_path)).examples(given=False)
    assert example.question == "Describe this place."
    assert example.passages[0].text == "- type: pub\n- food: Thai"


def test_e2e_by_the_names_of_the_hub(monkeypatch, tmp_path):
    asked = []

    def load_dataset(name, config, split):
        asked.append((name, split))
        return [{"meaning_representation": "name[B], food[Thai]", "target": "B is Thai."}]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    monkeypatch.delenv("DERA_RAG_DATA", raising=False)
    (example,) = E2ETask().examples(given=False)
    assert example.references == ("B is Thai.",)
    assert asked == [("GEM/e2e_nlg", "validation")]


def test_data_that_is_nowhere_says_where_it_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("DERA_RAG_DATA", str(tmp_path))
    with pytest.raises(MissingFileError, match=r"DERA_RAG_DATA|nq_open"):
        NQTask().examples(given=False)
    with pytest.raises(MissingFileError, match="expected original_dev with one of"):
        E2ETask(version="original", data=str(tmp_path)).examples(given=False)


def test_answerable_questions_have_their_passage(nq):
    example = next(e for e in nq().examples(given=False) if "France" in e.question)
    assert example.question == "What is the capital of France?"
    assert example.references == ("Paris",)
    assert "Paris" in example.passages[0].text
    assert example.record["context_answers"] == ["Paris"]
    assert example.record["memory_answers"] == []


def test_conflicts_hold_another_answer_of_the_same_type(nq):
    examples = nq(variant="conflict").examples(given=False)
    # The question whose answer its passage lacks has nothing to swap.
    assert len(examples) == 4
    for example in examples:
        (memory,) = example.record["memory_answers"]
        (context,) = example.record["context_answers"]
        assert context in CAPITALS.values()
        assert context != memory
        assert example.passages[0].text.count(context) == 2
        assert not mentions_any(example.passages[0].text, [memory])
        assert example.references == (context,)


def test_unanswerable_questions_have_no_answer_in_sight(nq):
    for passages in ("gold", "retrieved"):
        task = nq(variant="unanswerable", passages=passages)
        finder = task.retriever()
        for example in task.examples(given=False):
            shown = example.passages or finder.retrieve(example.question, 3)
            assert shown
            answers = example.record["memory_answers"]
            assert not any(mentions_any(passage.text, answers) for passage in shown)
            assert example.record["answerable"] is False
            assert example.references == ()


def test_retrieval_searches_the_variants_own_passages(nq):
    task = nq(variant="conflict", passages="retrieved")
    example = next(e for e in task.examples(given=False) if "Norway" in e.question)
    assert example.passages is None
    texts = [passage.text for passage in task.retriever().retrieve(example.question, 4)]
    assert any(example.record["context_answers"][0] in t and "Norway" in t for t in texts)
    assert task.fingerprint() != nq(passages="retrieved").fingerprint() != ""


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("1987", "year"),
        ("May 18, 2018", "date"),
        ("18 May 2018", "date"),
        ("about 40 percent", "number"),
        ("3,000", "number"),
        ("Albert Einstein", "name"),
        ("Bank of England", "name"),
        ("the left ventricle", "phrase"),
    ],
)
def test_types_of_answers(answer, kind):
    assert answer_type(answer) == kind


def test_swapping_replaces_every_wording_and_whole_words_only():
    text = "Rome  was built. The rome of Romeo, Rome."
    assert swapped(text, ["Rome"], "Oslo") == "Oslo  was built. The Oslo of Romeo, Oslo."
    assert swapped("New\nYork City", ["New York", "New York City"], "Oslo") == "Oslo"
    assert swapped("Romeo", ["Rome"], "Oslo") is None
    # What stands there instead must not bring the answer back.
    assert swapped("in Rome", ["Rome"], "Rome, Georgia") is None


@pytest.fixture
def ragtruth(tmp_path):
    rows = [
        {
            "id": f"7-{system}",
            "source_id": 7,
            "task": "summary",
            "question": "",
            "context": "A long story.",
            "response": f"Told by {system}.",
            "model": system,
            "labels": [{"start": 0, "end": 4, "label_type": "Evident Conflict"}],
        }
        for system in ("one", "two")
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "ragtruth_dev.jsonl").write_text(text)
    return lambda **options: RAGTruthTask(data=str(tmp_path), **options)


def test_ragtruth_gives_responses_or_asks_once(ragtruth):
    given = ragtruth().examples(given=True)
    assert {e.answer for e in given} == {"Told by one.", "Told by two."}
    assert given[0].record["human_spans"] == [{"start": 0, "end": 4, "label": "Evident Conflict"}]
    assert given[0].source == given[1].source
    (asked,) = ragtruth().examples(given=False)
    assert asked.answer is None
    assert asked.question == "Summarize the passage."
    assert ragtruth(kinds=["qa"]).examples(given=False) == []


def test_own_questions_from_jsonl_and_csv_are_the_same(tmp_path):
    write_questions(tmp_path, topic="pubs")
    text = (tmp_path / "questions.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    lines = ["id,user_input,retrieved_contexts,reference,source,topic"]
    for row in rows:
        contexts = json.dumps(row["retrieved_contexts"], ensure_ascii=False).replace('"', '""')
        lines.append(
            f'{row["id"]},"{row["user_input"]}","{contexts}","{row["reference"]}",'
            f"{row['source']},pubs"
        )
    (tmp_path / "questions.csv").write_text("\n".join(lines), encoding="utf-8")
    made = [
        OwnTask(questions=str(tmp_path / f"questions.{end}")).examples(given=False)
        for end in ("jsonl", "csv")
    ]
    assert made[0] == made[1]
    example = next(e for e in made[0] if e.key == "q0")
    assert example.passages[0].text == QUESTIONS[0][1]
    assert example.references == (QUESTIONS[0][1],)
    assert example.record == {"topic": "pubs"}


def test_own_questions_over_a_corpus(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"user_input": "What does the café serve?"}\n')
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "a.txt").write_text("The café serves soup.")
    task = OwnTask(questions=str(tmp_path / "q.jsonl"), corpus=[str(documents)])
    (example,) = task.examples(given=False)
    assert example.passages is None
    assert task.retriever().retrieve(example.question, 1)[0].text == "The café serves soup."
    before = task.fingerprint()
    (documents / "a.txt").write_text("The café serves bread.")
    assert task.fingerprint() != before


@pytest.mark.parametrize(
    ("row", "given", "message"),
    [
        ('{"question": "x"}', False, r"row 1 .*no `user_input`.*found \['question'\]"),
        ('{"user_input": "x"}', False, "no `retrieved_contexts`"),
        ('{"user_input": "x", "retrieved_contexts": ["y"]}', True, "no `response`"),
        ('{"user_input": "x", "retrieved_contexts": 3}', False, "expected a list of texts"),
        ("[1]", False, "line 1: expected an object"),
        ("{", False, "line 1: not JSON"),
    ],
)
def test_rows_that_cannot_be_asked_are_named(row, given, message, tmp_path):
    (tmp_path / "q.jsonl").write_text(row + "\n")
    with pytest.raises(InvalidValueError, match=message):
        OwnTask(questions=str(tmp_path / "q.jsonl")).examples(given=given)


def test_two_rows_of_one_id_are_refused(tmp_path):
    row = '{"id": 1, "user_input": "x", "retrieved_contexts": ["y"]}\n'
    (tmp_path / "q.jsonl").write_text(row * 2)
    with pytest.raises(InvalidValueError, match=r"one id: \['1'\]"):
        OwnTask(questions=str(tmp_path / "q.jsonl")).examples(given=False)


def test_the_public_files_hold_what_their_cards_say(data_dir):
    folder = str(data_dir / "e2e")
    assert len(E2ETask(version="original", data=folder).examples(given=False)) == 547
    folder = str(data_dir / "nq_open")
    assert len(NQTask(data=folder).examples(given=False)) == 1292
    conflicts = NQTask(variant="conflict", data=folder).examples(given=False)
    assert len(conflicts) > 900
    folder = str(data_dir / "ragtruth")
    assert len(RAGTruthTask(data=folder).examples(given=True)) == 2065
