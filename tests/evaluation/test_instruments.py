"""The exact instruments as scorers: numbers that can be checked by hand."""

import pytest

from dera_rag import registry
from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.contract import Item, Score, Scorer, missing
from dera_rag.evaluation.naturalness import NaturalnessModel
from dera_rag.evaluation.tasks.venues import VenuesTask
from dera_rag.types import Passage

SLOTS = {"name": "The Mill", "food": "Italian", "area": "riverside", "familyFriendly": "yes"}


def scored(name, *items, **options):
    return registry.resolve("scorers", name)(**options).score(list(items))


def said(answer, **more):
    return Item(
        question="Describe The Mill.",
        passages=(Passage("1", "The Mill is Italian."),),
        answer=answer,
        record={"slots": SLOTS},
        **more,
    )


@pytest.mark.parametrize("name", sorted(registry._BUILT_IN["scorers"]))
def test_every_registered_name_makes_a_scorer(name):
    make = registry.resolve("scorers", name)
    assert callable(make)


def test_slot_errors_by_hand():
    # Right: name, food. Wrong: area. Inserted: price range. Deleted: family friendliness.
    item = said("The Mill serves Italian food in the city centre and is cheap.")
    by_kind = {
        name: scored(f"slot_{name}", item)[0]
        for name in ("error_rate", "inserted", "wrong", "deleted", "hallucinated")
    }
    assert {name: score.value for name, score in by_kind.items()} == {
        "error_rate": 0.75,
        "inserted": 0.25,
        "wrong": 0.25,
        "deleted": 0.25,
        "hallucinated": 0.5,
    }
    assert {score.weight for score in by_kind.values()} == {4}
    assert [span.text for span in by_kind["hallucinated"].spans] == ["city centre", "cheap"]


def test_what_cannot_be_scored_has_a_reason():
    bare = Item(question="?", passages=(), answer="x")
    assert scored("slot_error_rate", bare) == [Score(None, "no record")]
    assert scored("slot_error_rate", Item("?", (), "x", record={"kind": "a"})) == [
        Score(None, "the record has no slots")
    ]
    assert scored("venues_hallucination", said("x"))[0].value is None
    assert scored("copy_rate", bare) == [Score(None, "no passages")]
    assert scored("copy_rate", said("…")) == [Score(None, "the answer has no words")]


def test_copying_by_hand():
    # Four of six words stand in a run of four.
    assert scored("copy_rate", said("The Mill is Italian and good")) == [Score(4 / 6)]


def test_venues_are_judged_against_their_records():
    example = next(
        e
        for e in VenuesTask(n=7, places=30).examples(given=False)
        if e.record["kind"] == "describe"
    )
    (record,) = example.record["venues"]["records"].values()
    right = Item(example.question, (), f"{record['name']} is there.", record=example.record)
    value = {"riverside": "city centre"}.get(record.get("area"), "riverside")
    wrong = Item(
        example.question,
        (Passage("1", "- name: " + record["name"]),),
        f"{record['name']} is in the {value} area.",
        record=example.record,
    )
    assert [s.value for s in scored("venues_hallucination", right, wrong)] == [0.0, 1.0]
    marked = scored("venues_hallucination", wrong)[0].spans
    assert [span.text for span in marked] == [value]
    coverage = scored("venues_coverage", right)[0]
    assert coverage == Score(0.0, weight=len(record) - 1)
    assert scored("venues_abstained", right)[0].value == 0.0


def test_naturalness_is_scored_item_by_item(monkeypatch):
    class Third:
        def log_likelihoods(self, texts):
            return [-float(len(text)) for text in texts]

        def distance(self, log_likelihood):
            return abs(log_likelihood + 4) / 2

    monkeypatch.setattr(NaturalnessModel, "embedded", classmethod(lambda cls: Third()))
    scorer = registry.resolve("scorers", "naturalness_distance")()
    assert isinstance(scorer, Scorer)
    assert scorer.score([]) == []
    assert scorer.score([said("abcdef"), said(" ")]) == [
        Score(1.0),
        Score(None, "the answer has no words"),
    ]


@pytest.mark.parametrize("values", [(None,), (float("nan"),), (1.0, "why"), (1.0, None, (), 0.0)])
def test_scores_that_could_spoil_a_mean_are_refused(values):
    with pytest.raises(InvalidValueError):
        Score(*values)


def test_what_an_item_lacks_is_said_in_a_fixed_order():
    bare = Item(question="?", passages=(), answer="x")
    assert missing(bare, frozenset({"signals", "passages"})) == "no passages"
    assert missing(said("x", references=("y",)), frozenset({"passages", "references"})) is None
