"""The grammar's answers mean what they are meant to mean, and its faults come at their stated
rates."""

import random
import re

import pytest

from dera_rag.alignment import answers
from dera_rag.alignment.context import Context, Shown
from dera_rag.alignment.examples import prompt_of
from dera_rag.alignment.human_rows import HumanRow, parse_record, rename
from dera_rag.evaluation.venues import KINDS, judge, make_places, make_questions


def _answers(kind: str, n: int, seed: int = 3):
    """Questions of a kind with the grammar's answers, and the gold records."""
    rng = random.Random(seed)
    places = make_places(200, seed=seed, near_duplicates=0.3)
    context = Context(places)
    for question in make_questions(places, n, seed, "train", (kind,)):
        gold = context.gold(question)
        others = [p.record for p in context.fill(question.names, gold, rng).places if p not in gold]
        if not gold:
            text = answers.unknown(question.names[0], question.attributes, others, rng)
        elif len(gold) == 2:
            pair = [(p.name, p.record) for p in gold]
            text = answers.compare(pair, question.attributes, rng)
        else:
            text = answers.answer(gold[0].name, gold[0].record, question.attributes, others, rng)
        yield question, {p.name: p.record for p in gold}, text


@pytest.mark.parametrize("kind", KINDS)
def test_without_faults_an_answer_is_faithful_and_complete(kind, monkeypatch, cases):
    for fault in answers.FAULT_RATE:
        monkeypatch.setitem(answers.FAULT_RATE, fault, 0.0)
    verdicts = [judge(q, records, text) for q, records, text in _answers(kind, cases(150, 1500))]
    perfect = [not v.hallucinated and v.covered == v.expected for v in verdicts]
    # The judge reads "…does not say what it is near and prices are cheap" as one denial.
    assert sum(perfect) / len(perfect) >= 0.98


@pytest.mark.parametrize("kind", KINDS)
def test_with_faults_about_as_many_answers_hallucinate_as_people_write(kind, cases):
    verdicts = [judge(q, records, text) for q, records, text in _answers(kind, cases(300, 1500))]
    rate = sum(v.hallucinated for v in verdicts) / len(verdicts)
    assert 0.15 <= rate <= 0.6


@pytest.mark.parametrize("fault", ["insert", "wrong", "delete"])
def test_each_fault_alone_shows_as_that_error(fault, monkeypatch):
    for name in answers.FAULT_RATE:
        monkeypatch.setitem(answers.FAULT_RATE, name, float(name == fault))
    shown = {"insert": "inserted", "wrong": "wrong", "delete": "deleted"}[fault]
    seen = []
    for question, records, text in _answers("several_attributes", 60):
        record = records[question.names[0]]
        complete = all(a in record for a in answers.VALUES)
        names_only = all(a not in answers.VALUES for a in question.attributes)
        if (fault == "insert" and complete) or (fault == "wrong" and names_only):
            continue
        seen.append(bool(getattr(judge(question, records, text), shown)))
    # A "wrong" value may say the same in other words: a rating of 1 out of 5 for a low one.
    assert sum(seen) / len(seen) >= (0.7 if fault == "wrong" else 1.0)


def test_a_renamed_row_keeps_its_meaning_and_loses_its_names():
    row = HumanRow(
        parse_record("name[The Old Anchor], food[Thai], near[Green Gate]"),
        "The Old Anchor, by Green Gate, cooks Thai food.",
    )
    known = re.compile("The Old Anchor|Green Gate", re.IGNORECASE)
    fresh = {"name": "Casa Imelda", "near": "Wex Bridge"}
    renamed = rename(row, fresh, known)
    assert renamed == HumanRow(
        {"name": "Casa Imelda", "food": "Thai", "near": "Wex Bridge"},
        "Casa Imelda, by Wex Bridge, cooks Thai food.",
    )


def test_a_row_that_spells_its_name_otherwise_is_left_out():
    row = HumanRow({"name": "The Old Anchor"}, "The Olde Anchor is nice.")
    assert rename(row, {"name": "Casa Imelda"}, re.compile("The Old Anchor")) is None


def test_the_prompt_holds_gold_first_in_most_cases_and_never_a_second_copy(cases):
    rng = random.Random(1)
    places = make_places(100, seed=1, near_duplicates=0.3)
    context = Context(places, prose=["A pub by the river, they say."])
    first, prose, plain = 0, 0, 0
    questions = make_questions(places, cases(100, 500), 1, "train", ("near_duplicate",))
    for question in questions:
        gold = context.gold(question)
        shown = context.fill(question.names, gold, rng)
        assert gold[0] in shown.places
        assert len(set(shown.texts)) == len(shown.passages) <= 5
        first += shown.passages[0] is gold[0]
        prose += len(shown.places) < len(shown.passages)
        plain += not shown.numbered
    assert 0.5 < first / len(questions) < 0.95
    assert 0 < prose / len(questions) < 0.2
    assert 0 < plain / len(questions) < 0.25


def test_the_training_prompt_is_the_pipelines_plain_prompt():
    first, second = make_places(2, seed=0)
    question = "Where is it?"
    assert (
        prompt_of(question, Shown((first, second)))
        == f"[1]\n{first.text}\n\n[2]\n{second.text}\n\nQuestion: Where is it?\nAnswer:"
    )
    assert (
        prompt_of(question, Shown((first, "Prose."), numbered=False))
        == f"{first.text}\n\nProse.\n\nQuestion: Where is it?\nAnswer:"
    )
