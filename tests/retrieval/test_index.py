import random
import string
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from letter_embedder import LetterEmbedder

from dera_rag.errors import InvalidValueError
from dera_rag.protocols import Retriever
from dera_rag.retrieval import MODES, Chunking, Document, VectorIndex


def some_documents(count, seed=0, words=12):
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices(string.ascii_lowercase, k=5)) for _ in range(60)]
    return [Document(f"d{n:03}", " ".join(rng.choices(vocabulary, k=words))) for n in range(count)]


def contents(index):
    """Passage id → (text, vector), whatever the order of the rows."""
    vectors = index._snapshot.vectors
    return {
        c.id: (c.text, tuple(vectors.reconstruct(row).tolist()))
        for row, c in enumerate(index.chunks)
    }


def same_answers(one, other, questions=("hello world", "a quick question")):
    for mode in MODES:
        for question in questions:
            found, expected = (i.retrieve(question, 5, mode) for i in (one, other))
            assert [(p.id, p.text, p.metadata) for p in found] == [
                (p.id, p.text, p.metadata) for p in expected
            ]
            assert [p.score for p in found] == pytest.approx([p.score for p in expected], abs=1e-6)


def test_cosines_of_three_letters(letters):
    index = VectorIndex.build([Document(t, t) for t in ("aa", "ab", "bc")], letters)
    found = index.retrieve("a", 3, "dense")
    assert [(p.id, p.score) for p in found] == [
        ("aa", pytest.approx(1)),
        ("ab", pytest.approx(0.5**0.5)),
        ("bc", 0.0),
    ]
    assert isinstance(index, Retriever)


def test_dense_equals_brute_force(letters, cases):
    documents = some_documents(120)
    index = VectorIndex.build(documents, letters)
    matrix = letters.embed([d.text for d in documents])
    for question in [d.text[::-1] for d in some_documents(cases(20, 120), seed=1)]:
        cosines = matrix @ letters.embed([question])[0]
        expected = sorted(zip(-cosines.round(6), [d.id for d in documents], strict=True))[:10]
        found = index.retrieve(question, 10, "dense")
        assert [p.id for p in found] == [name for _, name in expected]
        assert [p.score for p in found] == pytest.approx([-c for c, _ in expected], abs=2e-6)


def test_hybrid_fuses_both_rankings(letters):
    index = VectorIndex.build(
        [Document("x", "ab"), Document("y", "ba zz"), Document("z", "c")], letters
    )
    by_id = {p.id: p for p in index.retrieve("ba", 3)}
    # dense: x (1.0), y, z; BM25 knows only the word "ba": y alone.
    assert by_id["x"].scores["rrf"] == pytest.approx(1 / 61)
    assert by_id["y"].scores["rrf"] == pytest.approx(1 / 62 + 1 / 61)
    assert by_id["z"].scores["rrf"] == pytest.approx(1 / 63)
    assert by_id["x"].scores["bm25"] == 0.0 < by_id["y"].scores["bm25"]
    assert by_id["x"].score == pytest.approx(by_id["x"].scores["dense"])


def test_scores_hold_what_the_mode_computes(letters):
    index = VectorIndex.build(some_documents(5), letters)
    keys = {mode: set(index.retrieve("abc", 1, mode)[0].scores) for mode in MODES}
    assert keys == {
        "hybrid": {"dense", "bm25", "rrf"},
        "dense": {"dense"},
        "bm25": {"dense", "bm25"},
    }


def test_ties_go_by_id_wherever_the_rows_are(letters):
    documents = [Document(f"d{n:02}", "same text") for n in range(17)]
    random.Random(3).shuffle(documents)
    index = VectorIndex.build(documents, letters)
    for mode in MODES:
        assert [p.id for p in index.retrieve("same", 17, mode)] == sorted(d.id for d in documents)


def test_more_than_there_is_gives_all(letters):
    index = VectorIndex.build(some_documents(4), letters)
    for mode in MODES:
        assert len(index.retrieve("???", 99, mode)) == 4


@pytest.mark.parametrize("k", [0, -1, 2.0, True])
def test_k_must_be_a_count(letters, k):
    index = VectorIndex.build(some_documents(4), letters)
    with pytest.raises(InvalidValueError, match="k must be"):
        index.retrieve("abc", k)


def test_nonsense_is_refused(letters):
    index = VectorIndex.build(some_documents(4), letters)
    with pytest.raises(InvalidValueError, match="blank"):
        index.retrieve(" \n")
    with pytest.raises(InvalidValueError, match="'fuzzy'"):
        index.retrieve("abc", mode="fuzzy")
    with pytest.raises(InvalidValueError, match="no documents"):
        VectorIndex.build([], letters)


def test_what_is_no_document_is_refused_and_nothing_changes(letters):
    index = VectorIndex.build([Document("a", "one")], letters)
    before = contents(index)
    for write in (index.add, index.replace):
        with pytest.raises(InvalidValueError, match="no Document: 'two'"):
            write([Document("b", "three"), "two"])
    with pytest.raises(InvalidValueError, match="no Document: 't'"):
        VectorIndex.build("text", letters)
    assert contents(index) == before


def test_an_embedder_that_returns_nonsense_is_named(letters):
    letters.embed = lambda texts: np.full((len(texts), 26), np.nan)
    with pytest.raises(InvalidValueError, match="'letters'"):
        VectorIndex.build(some_documents(2), letters)


def test_batch_equals_single(letters):
    index = VectorIndex.build(some_documents(50), letters)
    questions = [d.text for d in some_documents(30, seed=9, words=3)]
    for mode in MODES:
        batch = index.retrieve_batch(questions, 4, mode)
        assert batch == [index.retrieve(question, 4, mode) for question in questions]
    assert index.retrieve_batch([], 4) == []


def test_add_refuses_what_is_there_and_leaves_the_index(letters):
    index = VectorIndex.build([Document("a", "one")], letters)
    before = contents(index)
    for documents in ([Document("a", "two")], [Document("b", "x"), Document("b", "y")]):
        with pytest.raises(InvalidValueError, match="used twice"):
            index.add(documents)
    with pytest.raises(InvalidValueError, match="no document 'b'"):
        index.delete(["a", "b"])
    assert contents(index) == before


def test_a_document_named_like_a_passage_of_another_is_refused(letters):
    index = VectorIndex(letters, chunking=Chunking(size=10, overlap=0))
    index.add([Document("a", "long enough to be cut")])
    with pytest.raises(InvalidValueError, match="'a#1' is used twice"):
        index.add([Document("a#1", "short")])


def test_replacing_embeds_only_what_changed(letters):
    index = VectorIndex.build([Document("a", "one"), Document("b", "two")], letters)
    letters.seen.clear()
    index.replace(
        [Document("a", "one", {"new": "yes"}), Document("b", "three"), Document("c", "four")]
    )
    assert letters.seen == ["three", "four"]
    assert {c.id: c.metadata for c in index.chunks}["a"] == {"new": "yes"}


ids = st.sampled_from(["a", "é", "日本", "x/../y", "#0", "a\u2028b", '"', "🍵"])
texts = st.text(st.sampled_from("abc def"), min_size=1, max_size=40).filter(str.strip)
steps = st.lists(st.tuples(st.sampled_from(["replace", "delete"]), ids, texts), max_size=12)


@given(steps)
def test_any_history_equals_a_fresh_build(steps):
    cut = Chunking(size=10, overlap=2)
    index, expected = VectorIndex(LetterEmbedder(), chunking=cut), {}
    for action, name, text in steps:
        if action == "replace":
            index.replace([Document(name, text)])
            expected[name] = text
        elif name in expected:
            index.delete([name])
            del expected[name]
    fresh = VectorIndex(LetterEmbedder(), chunking=cut)
    fresh.add(Document(name, text) for name, text in expected.items())
    assert contents(index) == contents(fresh)
    same_answers(index, fresh, ["abc", "def fed"])


def test_readers_are_not_disturbed_by_a_writer(letters):
    index = VectorIndex.build(some_documents(40), letters)
    failures, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            found = index.retrieve("hello", 3)
            hits = [p for p in found if p.text.startswith("hello")]
            # The writer's document is there or not, with its own vector: never another one's.
            if len(found) != 3 or any(p.score < 0.9 or p.scores["bm25"] == 0 for p in hits):
                failures.append(found)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(30):
        index.replace([Document(f"new{n}", f"hello {n}")])
        index.delete([f"new{n}"])
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_question_prompts_are_used_where_an_embedder_has_them(letters):
    index = VectorIndex.build([Document("a", "a"), Document("b", "b")], letters)
    assert index.retrieve("a", 1, "dense")[0].id == "a"
    letters.embed_questions = lambda texts: letters.embed(["b" for _ in texts])
    assert index.retrieve("a", 1, "dense")[0].id == "b"
