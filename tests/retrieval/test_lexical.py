import math

import pytest

from dera_rag.retrieval import BM25
from dera_rag.retrieval.lexical import normalise, tokenize


def test_scores_are_those_of_the_formula():
    # Lucene's BM25, k1 = 1.5, b = 0.75; mean length (2 + 4) / 2 = 3.
    engine = BM25(["red fox", "red dog red cat"])
    idf_red = math.log(1 + (2 - 2 + 0.5) / (2 + 0.5))
    idf_fox = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    first = 1 / (1 + 1.5 * (0.25 + 0.75 * 2 / 3))
    second = 2 / (2 + 1.5 * (0.25 + 0.75 * 4 / 3))
    assert engine.scores("red") == pytest.approx([idf_red * first, idf_red * second], rel=1e-5)
    assert engine.scores("fox") == pytest.approx([idf_fox * first, 0.0], rel=1e-5)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("what is O'Malley's like", "O’Malley’s"),
        ("the area of cafe adriatic", "Café Adriatic"),
        ("What is The Copper Kettle's food?", "The Copper Kettle"),
        ("CRÈME BRÛLÉE", "creme brulee"),
        ("STRASSE", "straße"),
    ],
)
def test_names_meet_however_they_are_spelled(question, name):
    assert set(tokenize([name])[0]) <= set(tokenize([question])[0])
    scores = BM25([f"- name: {name}", "- name: Harbour Books", "- name: Elsewhere"]).scores(
        question
    )
    assert scores[0] > 0 == scores[1] == scores[2]


def test_normalise():
    assert normalise("O’Malley's Café") == "omalley cafe"


def test_no_shared_word_scores_zero():
    assert BM25(["red fox"]).scores("???").tolist() == [0.0]
    assert BM25(["red fox"]).scores("blue").tolist() == [0.0]
    assert BM25(["the", "…"]).scores("the").tolist() == [0.0, 0.0]
