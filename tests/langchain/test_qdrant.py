"""Qdrant through langchain-qdrant, in its embedded mode: no server is reached from tests."""

import asyncio
import math

import pytest
from langchain_core.documents import Document
from langchain_qdrant import QdrantVectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests
from letter_embedder import LetterEmbedder
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams
from recording_model import Recording

from dera_rag.langchain import DeRaEmbeddings, ScoredRetriever, create_dera_rag_chain

HALF = 1 / math.sqrt(2)


def make_store():
    client = QdrantClient(":memory:")
    client.create_collection("c", VectorParams(size=26, distance=Distance.COSINE))
    store = QdrantVectorStore(client, "c", DeRaEmbeddings(LetterEmbedder()))
    texts = {"anchor": "a", "lantern": "ab", "zz": "b"}
    store.add_documents([Document(t, metadata={"id": i, "corpus": "c"}) for i, t in texts.items()])
    return store


@pytest.fixture
def store():
    return make_store()


def test_its_own_relevance_is_on_another_scale(store):
    found = ScoredRetriever(source=store, k=3).invoke("a")
    scores = [document.metadata["relevance_score"] for document in found]
    assert scores == pytest.approx([1, (1 + HALF) / 2, 0.5])


def test_embeddings_make_it_the_cosine(store):
    retriever = ScoredRetriever(source=store, k=3, embeddings=store.embeddings)
    found = retriever.invoke("a")
    scores = [document.metadata["relevance_score"] for document in found]
    assert scores == pytest.approx([1, HALF, 0])
    assert asyncio.run(retriever.ainvoke("a")) == found


@pytest.mark.parametrize("kind", ["similarity", "mmr"])
def test_its_retriever_in_a_chain(store, kind):
    model = Recording.plain("It is [2].")
    source = store.as_retriever(search_type=kind, search_kwargs={"k": 2})
    out = create_dera_rag_chain(source, model).invoke("ab")
    evidence = model.calls[0][1]["dera_evidence"]
    assert evidence[0]["id"] == "lantern"
    assert all(0 <= item["relevance_score"] <= 1 for item in evidence)
    assert {item["corpus"] for item in evidence} == {"c"}
    assert out["citations"] == [evidence[1]["id"]]


class TestRetrieverOverQdrant(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self):
        return ScoredRetriever

    @property
    def retriever_constructor_params(self):
        return {"source": make_store()}

    @property
    def retriever_query_example(self):
        return "a"
