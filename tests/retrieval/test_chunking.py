import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import InvalidValueError
from dera_rag.retrieval import Chunking, Document, chunk

RECORD = "- name: The Copper Kettle\n- type: pub\n- food: Italian\n- area: riverside"


def test_a_short_document_stays_whole_and_keeps_its_id():
    document = Document("the-copper-kettle", RECORD, {"source": "venues.jsonl"})
    (whole,) = chunk(document)
    assert (whole.id, whole.text) == ("the-copper-kettle", RECORD)
    assert whole.metadata == {"source": "venues.jsonl"}


def test_a_long_one_is_cut_at_sentences_and_numbered():
    text = "Alpha beta gamma. Delta epsilon zeta. Eta theta iota."
    cut = chunk(Document("greek", text), Chunking(size=20, overlap=0))
    assert [c.id for c in cut] == ["greek#0", "greek#1", "greek#2"]
    assert [c.text for c in cut] == ["Alpha beta gamma.", "Delta epsilon zeta.", "Eta theta iota."]
    assert {c.document for c in cut} == {"greek"}


@given(st.text(st.sampled_from("ab .\n"), min_size=1, max_size=200), st.integers(5, 40))
def test_no_passage_is_longer_than_asked_and_no_word_is_lost(text, size):
    if not text.strip():
        return
    cut = chunk(Document("d", text), Chunking(size=size, overlap=0))
    assert all(0 < len(c.text) <= size for c in cut)
    assert "".join("".join(c.text for c in cut).split()) == "".join(text.split())


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (10, 10), (10, -1)])
def test_impossible_sizes_are_refused(size, overlap):
    with pytest.raises(InvalidValueError, match="cannot cut"):
        Chunking(size=size, overlap=overlap)


def test_the_title_is_searched_with_the_text():
    (whole,) = chunk(Document("d", "body", {"title": "Deadpool 2"}))
    assert whole.searchable == "Deadpool 2\nbody"
    assert whole.text == "body"
