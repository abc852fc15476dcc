"""Retrievers that keep relevance scores, which an adaptive λ is chosen by.

LangChain's `VectorStoreRetriever` and its rerankers drop the scores they were given. Here every
document carries its own in `metadata["relevance_score"]`, in [0, 1], higher is better, and where
the store names its corpus, the name in `metadata["corpus"]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, cast

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever
from pydantic import ConfigDict, Field

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.documents import rank, relevance
from dera_rag.langchain.reranking import Reranker
from dera_rag.langchain.scoring import (
    above,
    asearch_scored,
    by_cosine,
    corpus_of,
    search_scored,
    stamped,
)

RETRIEVAL_SCORE = "retrieval_score"
"""Metadata key of the first score where a reranker gave another."""

_FETCH_K = 20


class ScoredRetriever(BaseRetriever):
    """Wraps a vector store or a retriever and keeps, or makes, relevance scores.

    ```python
    retriever = ScoredRetriever(source=store, k=3)
    retriever.invoke("Is there a pub by the river?")[0].metadata["relevance_score"]
    ```

    A vector store, and the retriever of one, gives its own relevance scores. Those of another
    retriever stand where its documents carry `relevance_score`; else there are none, unless
    `embeddings` or a reranker makes them.

    Attributes:
        source: A `VectorStore`, or any `BaseRetriever`.
        k: Most documents returned, ≥ 1, also per call: `retriever.invoke(question, k=1)`. A
            retriever as source is asked as it is set up, so it may give fewer.
        search_kwargs: What a vector store's search takes beside the question and k (`filter`, …).
        embeddings: Where set, relevance is the cosine of question and document by these, clipped to
            [0, 1], and replaces the source's scores; for stores that give none, wrong ones, or
            ones on another scale than a policy was fitted to (Qdrant's is (1 + cosine) / 2).
        reranker: Where set, `fetch_k` documents are fetched and the k best by its scores kept; the
            score before it is in `metadata["retrieval_score"]`.
        fetch_k: Documents fetched for a reranker, at least k; 20 by default.
        score_threshold: Least relevance of a document, in [0, 1]; 0 (default) keeps all.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    source: VectorStore | BaseRetriever
    k: int = Field(default=4, ge=1)
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    embeddings: Embeddings | None = None
    reranker: Reranker | None = None
    fetch_k: int = Field(default=_FETCH_K, ge=1)
    score_threshold: float = Field(default=0.0, ge=0, le=1)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A retriever of its own that shares the models.

        Args:
            memo: What is copied already, by its id.
        """
        memo = {} if memo is None else memo
        memo |= {id(item): item for item in (self.embeddings, self.reranker)}
        return super().__deepcopy__(memo)

    @property
    def corpus(self) -> str:
        """Name of the source's corpus; "" if it has none."""
        return corpus_of(self.source)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
    ) -> list[Document]:
        count, depth = self._depth(k)
        retriever = _retriever(self.source)
        if isinstance(retriever, VectorStoreRetriever):
            settings = self.search_kwargs | {"k": depth}
            found = search_scored(retriever, query, settings, self.embeddings)
        else:
            config = {"callbacks": run_manager.get_child()}
            found = retriever.invoke(query, cast(Any, config), **self.search_kwargs)[:depth]
        return self._finish(query, found, count)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
    ) -> list[Document]:
        count, depth = self._depth(k)
        retriever = _retriever(self.source)
        if isinstance(retriever, VectorStoreRetriever):
            settings = self.search_kwargs | {"k": depth}
            found = await asearch_scored(retriever, query, settings, self.embeddings)
        else:
            config = {"callbacks": run_manager.get_child()}
            asked = retriever.ainvoke(query, cast(Any, config), **self.search_kwargs)
            found = (await asked)[:depth]
        # Embedding and reranking compute.
        return await run_in_executor(None, self._finish, query, found, count)

    def _depth(self, k: int | None) -> tuple[int, int]:
        """How many documents to return, and how many to fetch."""
        count = self._own_k() if k is None else k
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InvalidValueError(f"k must be a whole number ≥ 1, got {count!r}", hint="e.g. 3")
        return count, max(count, self.fetch_k) if self.reranker else count

    def _own_k(self) -> int:
        """The field, or what a wrapped store's retriever was set up with."""
        if isinstance(self.source, VectorStoreRetriever) and "k" not in self.model_fields_set:
            return int(self.source.search_kwargs.get("k", self.k))
        return self.k

    def _finish(self, query: str, found: Sequence[Document], k: int) -> list[Document]:
        documents = stamped(found, [relevance(document) for document in found], self.corpus)
        if self.embeddings is not None and not isinstance(
            _retriever(self.source), VectorStoreRetriever
        ):
            documents = sorted(by_cosine(self.embeddings, query, documents), key=rank)
        if self.reranker is not None and documents:
            before = [relevance(document) for document in documents]
            texts = [document.page_content for document in documents]
            documents = stamped(documents, self.reranker.score(query, texts))
            for document, score in zip(documents, before, strict=True):
                if score is not None:
                    document.metadata[RETRIEVAL_SCORE] = score
            documents.sort(key=rank)
        if self.score_threshold:
            documents = above(self.score_threshold, documents)
        return documents[:k]


class ScoringVectorStoreRetriever(VectorStoreRetriever):
    """LangChain's retriever of a vector store, keeping the scores."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        return search_scored(self, query, kwargs)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        return await asearch_scored(self, query, kwargs)


def _retriever(source: VectorStore | BaseRetriever) -> BaseRetriever:
    if isinstance(source, VectorStore):
        return VectorStoreRetriever(vectorstore=source)
    return source
