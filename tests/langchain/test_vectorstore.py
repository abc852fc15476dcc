"""DeRaVectorStore on letters as axes, where cosines can be worked out by hand."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from letter_embedder import LetterEmbedder

from dera_rag import VectorIndex
from dera_rag.errors import IndexFormatError, InvalidValueError
from dera_rag.langchain import DeRaEmbeddings, DeRaVectorStore
from dera_rag.langchain.embeddings import LangChainEmbedder
from dera_rag.retrieval import Chunking
from dera_rag.retrieval import Document as IndexDocument

HALF = 1 / math.sqrt(2)


@pytest.fixture
def store():
    return DeRaVectorStore.from_texts(["a", "ab", "b"], LetterEmbedder(), ids=["1", "2", "3"])


class Signed(Embeddings):
    """Two axes; a minus sign turns a text's vector round."""

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text):
        sign = -1.0 if text.startswith("-") else 1.0
        return [3 * sign * text.count("a"), 3 * sign * text.count("b")]


class TestScores:
    def test_are_cosines(self, store):
        found = store.similarity_search_with_score("a", k=3)
        assert [document.id for document, _ in found] == ["1", "2", "3"]
        assert [score for _, score in found] == pytest.approx([1, HALF, 0])

    def test_relevance_is_right_way_round_and_within_bounds(self):
        """The sunset FAISS store gives identical texts 0 and opposite ones 1."""
        store = DeRaVectorStore.from_texts(["a", "b", "-a"], Signed())
        found = store.similarity_search_with_relevance_scores("a", k=3)
        assert [document.page_content for document, _ in found] == ["a", "b", "-a"]
        assert [score for _, score in found] == pytest.approx([1, 0, 0])
        assert all(0 <= score <= 1 for _, score in found)
        assert store.similarity_search_with_score("a", k=3)[2][1] == pytest.approx(-1)

    def test_threshold(self, store):
        found = store.similarity_search_with_relevance_scores("a", k=3, score_threshold=0.5)
        assert [document.id for document, _ in found] == ["1", "2"]

    def test_is_never_beyond_one_on_random_vectors(self, cases):
        texts = [f"text {i}" for i in range(cases(50, 500))]
        store = DeRaVectorStore.from_texts(texts, DeterministicFakeEmbedding(size=64))
        for text in texts[:20]:
            (best, score), *others = store.similarity_search_with_relevance_scores(text, k=5)
            assert best.page_content == text
            assert score == pytest.approx(1, abs=1e-5)
            assert all(0 <= s <= 1 for _, s in [(best, score), *others])

    @pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
    def test_modes_rank_and_leave_scores_cosines(self, mode):
        texts = ["red pub", "blue pub", "red red café"]
        store = DeRaVectorStore.from_texts(texts, LetterEmbedder(), mode=mode)
        expected = store.index.retrieve("a red pub", 3, mode)
        found = store.similarity_search_with_score("a red pub", k=3)
        assert [(d.page_content, s) for d, s in found] == [
            (p.text, p.scores["dense"]) for p in expected
        ]
        assert store.similarity_search("a red pub", k=1, mode="bm25")[0].page_content == "red pub"


class TestSearches:
    def test_by_vector(self, store):
        vector = [0.0] * 26
        vector[1] = 7.0
        assert [d.id for d in store.similarity_search_by_vector(vector, k=2)] == ["3", "2"]
        with pytest.raises(InvalidValueError, match="2 numbers"):
            store.similarity_search_by_vector([1.0, 0.0])

    def test_mmr_prefers_the_other_kind(self):
        texts = ["aaab", "aaaab", "ac"]
        store = DeRaVectorStore.from_texts(texts, LetterEmbedder(), ids=["1", "2", "3"])
        alike = store.max_marginal_relevance_search("a", k=2, lambda_mult=1.0)
        diverse = store.max_marginal_relevance_search("a", k=2, lambda_mult=0.3)
        assert [d.id for d in alike] == ["2", "1"]
        assert [d.id for d in diverse] == ["2", "3"]
        near = store.max_marginal_relevance_search("a", k=2, fetch_k=2, lambda_mult=0.3)
        assert [d.id for d in near] == ["2", "1"]
        vector = store.embeddings.embed_query("a")
        by_vector = store.max_marginal_relevance_search_by_vector(vector, k=2, lambda_mult=0.3)
        assert by_vector == diverse

    @pytest.mark.parametrize("kind", ["similarity", "mmr", "similarity_score_threshold"])
    def test_search_by_kind(self, store, kind):
        assert store.search("a", kind, k=1)[0].id == "1"
        assert DeRaVectorStore(LetterEmbedder()).search("a", kind, k=1) == []

    def test_filters_look_at_everything(self):
        metadatas = [{"n": n, "even": n % 2 == 0} for n in range(20)]
        texts = ["a" * 20 + "b" * n for n in range(20)]
        store = DeRaVectorStore.from_texts(texts, LetterEmbedder(), metadatas)
        found = store.similarity_search("a", k=2, filter={"even": False})
        assert [d.metadata["n"] for d in found] == [1, 3]
        found = store.similarity_search("a", k=2, filter=lambda d: d.metadata["n"] > 17)
        assert [d.metadata["n"] for d in found] == [18, 19]
        vector = store.embeddings.embed_query("a")
        found = store.similarity_search_by_vector(vector, k=1, filter={"n": 12})
        assert [d.metadata["n"] for d in found] == [12]
        assert store.similarity_search("a", filter={"absent": None}) == []
        diverse = store.max_marginal_relevance_search("a", k=1, filter={"n": 5})
        assert [d.metadata["n"] for d in diverse] == [5]

    @pytest.mark.parametrize("wanted", [{"n": {"$in": [1, 2]}}, {"$and": [{"n": 1}]}])
    def test_operators_of_other_stores_are_refused(self, store, wanted):
        """They would be equal to nothing, and an empty answer looks like one."""
        with pytest.raises(InvalidValueError, match="no operators"):
            store.similarity_search("a", filter=wanted)

    def test_async_equals_sync(self, store):
        async def ask():
            return (
                await store.asimilarity_search("ab", k=2),
                await store.asimilarity_search_with_relevance_scores("ab", k=2),
                await store.amax_marginal_relevance_search("ab", k=2),
                await store.asearch("ab", "similarity", k=2),
            )

        plain, scored, diverse, searched = asyncio.run(ask())
        assert plain == searched == store.similarity_search("ab", k=2)
        assert scored == store.similarity_search_with_relevance_scores("ab", k=2)
        assert diverse == store.max_marginal_relevance_search("ab", k=2)


class TestWriting:
    def test_metadata_of_any_json_comes_back(self, tmp_path):
        metadata = {
            "title": "T",
            "n": 1,
            "list": [1, "x", None],
            "langchain": "mine",
            "é": {"a": 2},
        }
        store = DeRaVectorStore(LetterEmbedder())
        (id_,) = store.add_documents([Document("a", metadata=metadata)])
        assert store.get_by_ids([id_]) == [Document("a", id=id_, metadata=metadata)]
        store.save(tmp_path / "index")
        copy = DeRaVectorStore.load(tmp_path / "index", LetterEmbedder())
        assert copy.get_by_ids([id_, "no such"]) == store.get_by_ids([id_])
        assert store.index.chunks[0].metadata["title"] == "T"

    def test_ids_replace(self, store):
        store.add_texts(["c"], ids=["1"])
        assert [d.page_content for d in store.get_by_ids(["3", "1"])] == ["b", "c"]
        assert len(store) == 3

    def test_delete(self, store):
        assert store.delete(["1"]) is True
        assert store.delete(["1", "2"]) is False
        assert [d.id for d in store.similarity_search("a")] == ["3"]
        assert store.delete() is True
        assert len(store) == 0

    @pytest.mark.parametrize(
        ("texts", "more", "match"),
        [
            (["a", " "], {}, "blank"),
            (["a", "b"], {"ids": ["1"]}, "1 ids for 2"),
            (["a"], {"metadatas": [{}, {}]}, "2 metadatas for 1"),
            (["a", "b"], {"ids": ["x", "x"]}, "twice"),
            (["a"], {"metadatas": [{"o": object()}]}, "not JSON"),
            (["a"], {"batch": 3}, "unknown settings"),
        ],
    )
    def test_refusals_add_nothing(self, store, texts, more, match):
        with pytest.raises(InvalidValueError, match=match):
            store.add_texts(texts, **more)
        assert len(store) == 3

    def test_writers_from_several_threads(self):
        store = DeRaVectorStore(LetterEmbedder())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.add_texts(["a" * (n + 1)], ids=[str(n)]), range(40)))
            searches = pool.map(lambda n: store.similarity_search("a", k=3), range(10))
        assert all(len(found) == 3 for found in searches)
        assert len(store) == 40


class TestIndexes:
    def test_serves_an_index_that_cuts(self):
        index = VectorIndex(LetterEmbedder(), "notes", Chunking(size=4, overlap=0))
        index.add([IndexDocument("long", "aaaa bbbb"), IndexDocument("short", "c")])
        store = DeRaVectorStore(index=index)
        assert store.corpus == "notes"
        assert [d.id for d in store.similarity_search("b", k=1)] == ["long#1"]
        assert [d.page_content.strip() for d in store.get_by_ids(["long#0"])] == ["aaaa"]
        with pytest.raises(InvalidValueError, match="part of a document"):
            store.delete(["long#0"])
        with pytest.raises(InvalidValueError, match="cuts at 4"):
            store.add_texts(["aaaaa"])
        assert store.delete(["long"]) is True
        assert len(store) == 1

    def test_texts_are_never_cut_otherwise(self):
        store = DeRaVectorStore.from_texts(["word " * 1000], LetterEmbedder())
        assert len(store) == 1

    def test_an_index_brings_its_own(self, store):
        with pytest.raises(InvalidValueError, match="its own"):
            DeRaVectorStore(LetterEmbedder(), index=store.index)
        with pytest.raises(InvalidValueError, match="unknown mode"):
            DeRaVectorStore(LetterEmbedder(), mode="sparse")

    def test_saved_stores_are_indexes_and_refuse_another_embedder(self, store, tmp_path):
        store.save(tmp_path / "index")
        names = {"index.faiss", "documents.jsonl", "manifest.json"}
        assert {path.name for path in (tmp_path / "index").iterdir()} == names
        index = VectorIndex.load(tmp_path / "index", LetterEmbedder())
        assert index.retrieve("a", 1)[0].id == "1"
        with pytest.raises(IndexFormatError, match="built with"):
            DeRaVectorStore.load(tmp_path / "index", Signed())

    def test_the_shipped_corpus_ranks_as_the_pipeline_does(self):
        store, index = DeRaVectorStore.embedded(), VectorIndex.embedded()
        question = "a cheap pub by the riverside"
        expected = index.retrieve(question, 3)
        found = store.similarity_search_with_relevance_scores(question, k=3)
        assert [d.id for d, _ in found] == [p.id for p in expected]
        assert [score for _, score in found] == [p.score for p in expected]
        assert store.corpus == "venues"


class TestEmbeddings:
    def test_ours_for_langchain(self):
        embeddings = DeRaEmbeddings(LetterEmbedder())
        assert embeddings.embed_documents([]) == []
        assert embeddings.embed_query("ab")[:2] == pytest.approx([HALF, HALF])
        assert np.linalg.norm(DeRaEmbeddings().embed_query("a pub")) == pytest.approx(1)

    def test_questions_are_embedded_as_questions(self):
        class Asks(LetterEmbedder):
            def embed_questions(self, texts):
                return self.embed([f"z{text}" for text in texts])

        assert DeRaEmbeddings(Asks()).embed_query("")[25] == 1
        index = VectorIndex(LangChainEmbedder(DeRaEmbeddings(Asks())))
        index.add([IndexDocument("1", "az"), IndexDocument("2", "a")])
        assert index.retrieve("a", 1, "dense")[0].score == pytest.approx(1)

    def test_langchains_for_ours(self):
        embedder = LangChainEmbedder(Signed())
        assert (embedder.name, embedder.dimension) == ("langchain:Signed", 2)
        assert embedder.embed([]).shape == (0, 2)
        assert embedder.embed(["ab"])[0] == pytest.approx([HALF, HALF])
        named = Signed()
        named.model = "model-1"
        assert LangChainEmbedder(named).name == "langchain:Signed:model-1"
        assert LangChainEmbedder(named, name="mine").name == "mine"

    def test_a_store_gives_back_what_it_was_given(self):
        given = Signed()
        assert DeRaVectorStore(given).embeddings is given
        letters = LetterEmbedder()
        assert DeRaVectorStore(DeRaEmbeddings(letters)).index.embedder is letters
        assert isinstance(DeRaVectorStore().embeddings, DeRaEmbeddings)
