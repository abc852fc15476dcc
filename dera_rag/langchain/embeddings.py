"""Embedders of this package as LangChain embeddings, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from dera_rag.protocols import Embedder, QuestionEmbedder

if TYPE_CHECKING:
    import numpy as np


class DeRaEmbeddings(Embeddings):
    """An embedder of this package for LangChain: unit vectors, so inner product is cosine.

    Args:
        embedder: None (default) for the static embedder that ships with the package, the hub id or
            folder of a sentence-transformers model, or any `protocols.Embedder`.

    Raises:
        ModelLoadError: The named model cannot be loaded.
    """

    def __init__(self, embedder: Embedder | str | None = None) -> None:
        from dera_rag.retrieval import SentenceTransformerEmbedder, StaticEmbedder

        if embedder is None:
            self.embedder: Embedder = StaticEmbedder.embedded()
        elif isinstance(embedder, str):
            self.embedder = SentenceTransformerEmbedder(embedder)
        else:
            self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A unit vector for each text; zeros for a text without a known token."""
        rows: list[list[float]] = self.embedder.embed(texts).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """The unit vector of a question, with the embedder's treatment of questions if it has one.

        Args:
            text: The question.
        """
        made = self.embedder
        embed = made.embed_questions if isinstance(made, QuestionEmbedder) else made.embed
        row: list[float] = embed([text])[0].tolist()
        return row


class LangChainEmbedder:
    """Any LangChain embeddings as a `protocols.QuestionEmbedder`.

    Args:
        embeddings: What makes the vectors; they need not be normalised.
        name: Identifies the weights: an index is refused by an embedder of another name. By default
            the class with its `model` or `model_name`, so two models that a class does not name
            apart need a name here.
    """

    def __init__(self, embeddings: Embeddings, name: str | None = None) -> None:
        self.embeddings = embeddings
        model = getattr(embeddings, "model", None) or getattr(embeddings, "model_name", None)
        suffix = f":{model}" if isinstance(model, str) else ""
        self._name = name or f"langchain:{type(embeddings).__name__}{suffix}"
        self._dimension: int | None = None

    @property
    def name(self) -> str:
        """Identifies the weights."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length of a vector, found by embedding one letter."""
        if self._dimension is None:
            self._dimension = len(self.embeddings.embed_query("a"))
        return self._dimension

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`[len(texts), dimension]` float32 rows of norm 1, embedded as documents."""
        return self._rows(self.embeddings.embed_documents(list(texts)) if texts else [])

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        """`[len(texts), dimension]` float32 rows of norm 1, embedded as questions."""
        return self._rows([self.embeddings.embed_query(text) for text in texts])

    def _rows(self, vectors: list[list[float]]) -> np.ndarray:
        import numpy as np

        from dera_rag.retrieval.embedders import unit_rows

        if not vectors:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return unit_rows(np.asarray(vectors, dtype=np.float32))


def as_embedder(embeddings: Embeddings | Embedder | None) -> Embedder:
    """What an index takes, from what LangChain code holds; None for the shipped embedder."""
    if isinstance(embeddings, DeRaEmbeddings):
        return embeddings.embedder
    if isinstance(embeddings, Embeddings):
        return LangChainEmbedder(embeddings)
    return embeddings if embeddings is not None else DeRaEmbeddings().embedder


def as_embeddings(embedder: Embedder) -> Embeddings:
    """What LangChain code takes, from what an index holds."""
    if isinstance(embedder, LangChainEmbedder):
        return embedder.embeddings
    return DeRaEmbeddings(embedder)
