"""ScoredRetriever: every document brings its relevance, whatever it was found by."""

import asyncio
import math

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from letter_embedder import LetterEmbedder

from dera_rag.errors import InvalidValueError, ModelLoadError
from dera_rag.langchain import (
    CrossEncoderReranker,
    DeRaEmbeddings,
    DeRaVectorStore,
    ScoredRetriever,
)
from dera_rag.langchain.reranking import Reranker

HALF = 1 / math.sqrt(2)
TEXTS = ["a", "ab", "b"]


@pytest.fixture
def store():
    return DeRaVectorStore.from_texts(TEXTS, LetterEmbedder(), ids=["1", "2", "3"], corpus="c")


class Fixed(BaseRetriever):
    """Finds what it holds."""

    documents: list[Document]

    def _get_relevant_documents(self, query, *, run_manager, **settings):
        return self.documents


class Inverted(VectorStore):
    """A store with the scores of the sunset FAISS store: identical is 0."""

    def __init__(self, store):
        self.store = store

    @classmethod
    def from_texts(cls, *args, **settings):
        raise NotImplementedError

    def similarity_search(self, query, k=4, **settings):
        return self.store.similarity_search(query, k, **settings)

    def _similarity_search_with_relevance_scores(self, query, k=4, **settings):
        found = self.store.similarity_search_with_relevance_scores(query, k, **settings)
        return [(document, 1 - score) for document, score in found]


class ByLength(Reranker):
    """Longer is better."""

    def score(self, question, texts):
        return [len(text) / 10 for text in texts]


def scores(documents):
    return [document.metadata.get("relevance_score") for document in documents]


def ids(documents):
    return [document.id for document in documents]


def both(retriever, question, **settings):
    """The same by both doors."""
    found = retriever.invoke(question, **settings)
    assert asyncio.run(retriever.ainvoke(question, **settings)) == found
    return found


class TestSources:
    def test_our_store(self, store):
        found = both(ScoredRetriever(source=store, k=2), "a")
        assert ids(found) == ["1", "2"]
        assert scores(found) == pytest.approx([1, HALF])
        assert [d.metadata["corpus"] for d in found] == ["c", "c"]
        assert store.get_by_ids(["1"])[0].metadata == {}

    @pytest.mark.parametrize("kind", ["similarity", "mmr"])
    def test_a_stores_own_retriever_keeps_scores(self, store, kind):
        retriever = store.as_retriever(search_type=kind, search_kwargs={"k": 2})
        found = both(retriever, "a")
        assert len(found) == 2
        assert found[0].metadata["relevance_score"] == pytest.approx(1)
        assert both(ScoredRetriever(source=retriever), "a") == found
        assert len(both(ScoredRetriever(source=retriever, k=1), "a")) == 1

    def test_a_diverse_search_of_a_hybrid_store_scores_everything(self):
        store = DeRaVectorStore.embedded()
        retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 10, "fetch_k": 40})
        found = both(retriever, "a cheap pub by the riverside")
        assert len(found) == 10
        assert all(0 < score <= 1 for score in scores(found))

    def test_threshold(self, store):
        retriever = store.as_retriever(
            search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.5}
        )
        assert ids(both(retriever, "a")) == ["1", "2"]
        assert ids(both(ScoredRetriever(source=store, score_threshold=0.9), "a")) == ["1"]

    def test_a_store_without_scores_is_scored_by_its_embeddings(self):
        store = InMemoryVectorStore(DeRaEmbeddings(LetterEmbedder()))
        store.add_texts(TEXTS, ids=["1", "2", "3"])
        found = both(ScoredRetriever(source=store, k=2), "a")
        assert ids(found) == ["1", "2"]
        assert scores(found) == pytest.approx([1, HALF])
        diverse = store.as_retriever(search_type="mmr", search_kwargs={"k": 2})
        assert all(0 <= score <= 1 for score in scores(both(ScoredRetriever(source=diverse), "a")))

    def test_embeddings_replace_wrong_scores(self, store):
        wrong = both(ScoredRetriever(source=Inverted(store), k=3), "a")
        assert scores(wrong) == pytest.approx([0, 1 - HALF, 1])
        right = both(ScoredRetriever(source=Inverted(store), k=3, embeddings=store.embeddings), "a")
        assert ids(right) == ["1", "2", "3"]
        assert scores(right) == pytest.approx([1, HALF, 0])

    def test_another_retriever_keeps_the_scores_it_has(self):
        documents = [
            Document("a", metadata={"relevance_score": 0.25}),
            Document("b", metadata={"relevance_score": math.nan}),
            Document("c"),
        ]
        found = both(ScoredRetriever(source=Fixed(documents=documents)), "a")
        assert scores(found)[0] == 0.25
        assert math.isnan(scores(found)[1])
        assert scores(found)[2] is None

    def test_another_retriever_can_be_scored(self):
        documents = [Document(text, id=text) for text in ("b", "ab", "a")]
        retriever = ScoredRetriever(
            source=Fixed(documents=documents), embeddings=DeRaEmbeddings(LetterEmbedder()), k=2
        )
        # Of what was fetched: a retriever of its own kind decides what that is.
        assert ids(both(retriever, "a")) == ["ab", "b"]

    def test_settings_reach_the_store(self, store):
        retriever = ScoredRetriever(source=store, search_kwargs={"filter": lambda d: d.id == "3"})
        assert ids(both(retriever, "a")) == ["3"]

    def test_callbacks_see_the_inner_retriever(self):
        class Listener(BaseCallbackHandler):
            """Counts."""

            started = 0

            def on_retriever_start(self, *_, **__):
                self.started += 1

        listener = Listener()
        retriever = ScoredRetriever(source=Fixed(documents=[]))
        retriever.invoke("a", config={"callbacks": [listener]})
        assert listener.started == 2


class TestReranking:
    def test_orders_by_the_reranker_and_keeps_both_scores(self, store):
        retriever = ScoredRetriever(source=store, k=2, reranker=ByLength())
        found = both(retriever, "a")
        assert ids(found) == ["2", "1"]
        assert scores(found) == [0.2, 0.1]
        before = [document.metadata["retrieval_score"] for document in found]
        assert before == pytest.approx([HALF, 1])

    def test_fetches_more_than_it_returns(self, store):
        store.add_texts(["bbbbb"], ids=["4"])
        assert ids(ScoredRetriever(source=store, k=1, reranker=ByLength()).invoke("a")) == ["4"]
        narrow = ScoredRetriever(source=store, k=1, reranker=ByLength(), fetch_k=2)
        assert ids(narrow.invoke("a")) == ["2"]

    def test_nothing_to_rerank(self):
        retriever = ScoredRetriever(source=DeRaVectorStore(LetterEmbedder()), reranker=ByLength())
        assert retriever.invoke("a") == []


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory):
    """A tiny random one on disk, with an identity as its activation, as ranking models have."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("cross")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        initializer_range=2.0,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    model = CrossEncoder(str(folder / "model"), activation_fn=torch.nn.Identity(), device="cpu")
    model.save_pretrained(str(folder / "saved"))
    return folder / "saved"


class TestCrossEncoder:
    def test_scores_are_the_sigmoid_of_the_logit(self, cross_encoder):
        import torch
        from sentence_transformers import CrossEncoder

        texts = ["b c", "a a a", "h"]
        loaded = CrossEncoder(str(cross_encoder), device="cpu")
        logits = loaded.predict(
            [("a b", text) for text in texts], activation_fn=torch.nn.Identity()
        )
        expected = [1 / (1 + math.exp(-float(logit))) for logit in logits]
        reranker = CrossEncoderReranker(cross_encoder, device="cpu")
        assert reranker.score("a b", texts) == pytest.approx(expected, abs=1e-5)
        assert CrossEncoderReranker(loaded).score("a b", []) == []
        assert min(logits) < 0 or max(logits) > 1

    def test_in_a_retriever(self, store, cross_encoder):
        reranker = CrossEncoderReranker(cross_encoder, device="cpu")
        found = both(ScoredRetriever(source=store, k=3, reranker=reranker), "a")
        assert scores(found) == sorted(scores(found), reverse=True)

    def test_no_such_model(self, tmp_path):
        with pytest.raises(ModelLoadError, match="no-such"):
            CrossEncoderReranker(tmp_path / "no-such")


class TestRefusals:
    @pytest.mark.parametrize("k", [0, -1, True, 1.5])
    def test_k(self, store, k):
        with pytest.raises(InvalidValueError, match="k must be"):
            ScoredRetriever(source=store).invoke("a", k=k)

    def test_scores_on_another_scale(self, store):
        class Loud(ByLength):
            def score(self, question, texts):
                return [7.0 for _ in texts]

        with pytest.raises(InvalidValueError, match=r"\[0, 1\]"):
            ScoredRetriever(source=store, reranker=Loud()).invoke("a")

    def test_a_store_that_nothing_can_score(self):
        class Silent(InMemoryVectorStore):
            embeddings = None

        store = Silent(DeRaEmbeddings(LetterEmbedder()))
        with pytest.raises(InvalidValueError, match="Silent gives no relevance"):
            ScoredRetriever(source=store).invoke("a")
