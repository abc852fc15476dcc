"""langchain's own suites for embeddings, vector stores and retrievers."""

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests
from letter_embedder import LetterEmbedder

from dera_rag.langchain import DeRaEmbeddings, DeRaVectorStore, ScoredRetriever

TEXTS = ["a quiet pub", "a busy café", "a cheap bakery", "an old harbour"]


class TestEmbeddingsUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self):
        return DeRaEmbeddings


class TestEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self):
        return DeRaEmbeddings


class TestEmbeddingsOfAnotherEmbedder(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self):
        return DeRaEmbeddings

    @property
    def embedding_model_params(self):
        return {"embedder": LetterEmbedder()}


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self):
        return DeRaVectorStore(self.get_embeddings())


class TestHybridVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self):
        return DeRaVectorStore(self.get_embeddings(), mode="hybrid")


class _Retrievers(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self):
        return ScoredRetriever

    @property
    def retriever_query_example(self):
        return "a pub"


class TestRetrieverOverOurStore(_Retrievers):
    @property
    def retriever_constructor_params(self):
        return {"source": DeRaVectorStore.from_texts(TEXTS, LetterEmbedder())}


class TestRetrieverOverAnyStore(_Retrievers):
    @property
    def retriever_constructor_params(self):
        store = InMemoryVectorStore(DeRaEmbeddings(LetterEmbedder()))
        store.add_documents([Document(text) for text in TEXTS])
        return {"source": store, "embeddings": store.embeddings}


class TestRetrieverOverARetriever(_Retrievers):
    @property
    def retriever_constructor_params(self):
        store = DeRaVectorStore.from_texts(TEXTS, LetterEmbedder())
        return {"source": store.as_retriever(search_type="mmr")}


del _Retrievers
