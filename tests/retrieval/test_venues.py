"""The shipped embedder and corpus at the job they are for."""

import pytest

from dera_rag.evaluation.venues import KINDS, make_places, make_questions
from dera_rag.retrieval import MODES, Document, VectorIndex

ANSWERABLE = tuple(kind for kind in KINDS if kind != "unknown_place")


def recall(index, questions, mode):
    found = index.retrieve_batch([question.text for question in questions], 3, mode)
    hits = [
        set(question.place_ids) <= {passage.id for passage in passages}
        for question, passages in zip(questions, found, strict=True)
    ]
    return sum(hits) / len(hits)


def test_recall_on_fresh_places_and_heldout_wordings(cases):
    for seed in range(cases(1, 5)):
        places = make_places(400, seed=7_000 + seed)
        index = VectorIndex.build(Document(place.id, place.text) for place in places)
        questions = make_questions(places, 600, seed, split="heldout", kinds=ANSWERABLE)
        # The dense half was trained on fewer openings than these questions have.
        least = {"hybrid": 0.98, "bm25": 0.98, "dense": 0.93}
        found = {mode: recall(index, questions, mode) for mode in MODES}
        assert all(found[mode] >= least[mode] for mode in MODES), found


@pytest.fixture(scope="module")
def embedded():
    return VectorIndex.embedded()


def test_the_embedded_index(embedded):
    assert embedded.corpus == "venues"
    assert len(embedded) >= 300
    (record, *_) = (c for c in embedded.chunks if c.text.startswith("- name: "))
    name = record.text.split("\n")[0].removeprefix("- name: ")
    best = embedded.retrieve(f"What is {name} like?", 1)[0]
    assert best.id == record.id
    assert 0 < best.score <= 1
