"""The committed cards: of the scorers that ship, their tables made from them, their aims met."""

from pathlib import Path

import pytest

from dera_rag.evaluation.scorers.cards import Card
from dera_rag.evaluation.scorers.grounded.scorer import Grounded

CARDS = Path(__file__).parents[2] / "evals" / "results" / "scorers"


def read(name):
    return Card.from_json((CARDS / f"{name}.json").read_text(encoding="utf-8"))


def test_every_card_has_its_table():
    files = sorted(CARDS.glob("*.json"))
    assert {file.stem for file in files} == {"grounded", "learned_naturalness", "signals"}
    for file in files:
        table = file.with_suffix(".md").read_text(encoding="utf-8")
        assert table == read(file.stem).to_markdown()


def test_the_card_is_of_the_weights_that_ship():
    assert read("grounded").version == Grounded().version


def test_grounded_beats_the_lexical_floor_on_the_rows_of_its_card():
    gains = [
        row.gains["floor"].value
        for row in read("grounded").agreements
        if row.data.endswith("fitted per set")
    ]
    assert len(gains) == 4
    assert sum(gains) / 4 >= 0.02
    assert min(gains) >= -0.01


@pytest.mark.parametrize(
    ("data", "least"), [("record unseen", 0.45), ("record and worker unseen", 0.30)]
)
def test_learned_naturalness_orders_texts_as_people_do(data, least):
    (row,) = [
        one
        for one in read("learned_naturalness").agreements
        if one.data.startswith(f"{data}, standardised")
    ]
    assert row.scorer.value >= least


def test_signals_add_to_the_scorer_on_a_pairs_own_answers():
    rows = [row for row in read("signals").agreements if row.data.endswith("grounded + signals")]
    assert len(rows) == 3
    assert all(row.gains["lexical"].low > 0 for row in rows)
