"""`DeRaVectorStore`: a `VectorIndex` as a LangChain vector store, with scores that mean something.

Vectors are normalised and compared by inner product, so a score is the cosine and the relevance is
the cosine clipped to [0, 1]: identical is 1, orthogonal or opposite 0. On disk it is the index's
own form (`index.faiss`, `documents.jsonl`, `manifest.json`); no pickle is involved.
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.embeddings import as_embedder, as_embeddings
from dera_rag.langchain.records import Filter, as_document, pack, suits, unpack
from dera_rag.protocols import Embedder
from dera_rag.retrieval import MODES, Chunking, Mode, VectorIndex
from dera_rag.retrieval import Document as IndexDocument

if TYPE_CHECKING:
    import numpy as np

# Texts come as their owner cut them.
_WHOLE = Chunking(size=2**31, overlap=0)


class DeRaVectorStore(VectorStore):
    """A FAISS store with correct relevance scores, which several threads may use.

    Args:
        embedding: LangChain embeddings or a `protocols.Embedder`; None (default) for the embedder
            that ships with the package.
        corpus: Name that λ policies fitted to a corpus know it by; "" (default) for none.
        mode: How `similarity_search` ranks: "dense" (default) by cosine, "bm25" by shared words,
            "hybrid" by both. Scores are cosines in every mode.
        index: An index to serve in place of an empty one; it brings its embedder and corpus.

    Attributes:
        relevance_is_cosine: True: relevance is the cosine of this store's embeddings, clipped.

    Raises:
        InvalidValueError: An unknown mode, or an index together with an embedding or a corpus.
    """

    relevance_is_cosine = True

    def __init__(
        self,
        embedding: Embeddings | Embedder | None = None,
        *,
        corpus: str = "",
        mode: Mode = "dense",
        index: VectorIndex | None = None,
    ) -> None:
        if mode not in MODES:
            raise InvalidValueError(f"unknown mode {mode!r}", hint=f"one of {', '.join(MODES)}")
        if index is not None and (embedding is not None or corpus):
            raise InvalidValueError(
                "an index brings its own embedder and corpus", hint="give the index alone"
            )
        self._index = index or VectorIndex(as_embedder(embedding), corpus, _WHOLE)
        self._mode: Mode = mode
        # An index bears one writer at a time; readers need no lock.
        self._writing = threading.Lock()

    @classmethod
    def embedded(cls, mode: Mode = "hybrid") -> Self:
        """The venues corpus that ships with the package, ranked as the pipeline ranks it."""
        return cls(index=VectorIndex.embedded(), mode=mode)

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | Embedder | None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        corpus: str = "",
        mode: Mode = "dense",
        **kwargs: Any,
    ) -> Self:
        """A store over texts.

        Args:
            texts: None of them blank.
            embedding: As for the class.
            metadatas: One for each text; values must be JSON.
            ids: One for each text; made up where None.
            corpus: As for the class.
            mode: As for the class.
            **kwargs: None are known.

        Raises:
            InvalidValueError: As `add_texts`.
        """
        _refuse(kwargs)
        store = cls(embedding, corpus=corpus, mode=mode)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @classmethod
    def load(
        cls,
        folder: str | Path,
        embedding: Embeddings | Embedder | None = None,
        *,
        mode: Mode = "dense",
    ) -> Self:
        """Read what `save`, `VectorIndex.save` or `dera-rag index` wrote.

        Args:
            folder: Where it is.
            embedding: What it was built with; None for the embedder that ships with the package.
            mode: As for the class.

        Raises:
            MissingFileError: No such folder.
            IndexFormatError: Corrupted, foreign, or built with another embedder.
        """
        return cls(index=VectorIndex.load(folder, as_embedder(embedding)), mode=mode)

    def save(self, folder: str | Path) -> None:
        """Write the store; replaces an index in the folder atomically.

        Raises:
            IndexFormatError: The folder holds something else.
        """
        self._index.save(folder)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A store that is written apart; the states of an index never change, so they are shared.

        Args:
            memo: What is copied already, by its id.
        """
        twin = copy.copy(self)
        twin._index, twin._writing = copy.copy(self._index), threading.Lock()
        return twin

    @property
    def index(self) -> VectorIndex:
        """The index behind the store."""
        return self._index

    @property
    def corpus(self) -> str:
        """Name of the corpus; "" for none."""
        return self._index.corpus

    @property
    def embeddings(self) -> Embeddings:
        """What makes the vectors."""
        return as_embeddings(self._index.embedder)

    def __len__(self) -> int:
        """Number of documents."""
        return len(self._index)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, in place of those with the same ids.

        Args:
            texts: None of them blank.
            metadatas: One for each text; values must be JSON.
            ids: One for each text; made up where None.
            **kwargs: None are known.

        Returns:
            The ids.

        Raises:
            InvalidValueError: A blank text, an id given twice, metadata that is not JSON, another
                number of metadata or ids than of texts, or a text that the index would cut;
                nothing is added then.
        """
        _refuse(kwargs)
        contents = list(texts)
        for name, given in (("metadatas", metadatas), ("ids", ids)):
            if given is not None and len(given) != len(contents):
                raise InvalidValueError(
                    f"{len(given)} {name} for {len(contents)} texts", hint="one for each text"
                )
        names = [given or str(uuid.uuid4()) for given in ids or [None] * len(contents)]
        new = [
            IndexDocument(name, text, pack(metadata))
            for name, text, metadata in zip(
                names, contents, metadatas or [{}] * len(contents), strict=True
            )
        ]
        longest = max((len(document.text) for document in new), default=0)
        if longest > self._index.chunking.size:
            raise InvalidValueError(
                f"a text has {longest} characters, this index cuts at {self._index.chunking.size}",
                hint="split it first, or add it with the index's own add()",
            )
        with self._writing:
            self._index.replace(new)
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Remove documents; ids that are not there are no error.

        Args:
            ids: Which; None for all of them.
            **kwargs: None are known.

        Returns:
            Whether every id was there.

        Raises:
            InvalidValueError: An id is that of a part of a longer document.
        """
        _refuse(kwargs)
        with self._writing:
            state = self._index.snapshot
            wanted = set(state.documents) if ids is None else set(ids)
            known = wanted & state.documents.keys()
            parts = sorted((wanted - known) & state.rows.keys())
            if parts:
                raise InvalidValueError(
                    f"{parts[0]!r:.80} is a part of a document", hint="delete the whole document"
                )
            self._index.delete(known)
        return known == wanted

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids, in their order; unknown ids are left out."""
        state = self._index.snapshot
        return [as_document(state.chunks[state.rows[id_]]) for id_ in ids if id_ in state.rows]

    def similarity_search(
        self,
        query: str,
        k: int = 4,
        filter: Filter | None = None,  # noqa: A002 - LangChain's name
        **kwargs: Any,
    ) -> list[Document]:
        """The documents that suit a question best; see `similarity_search_with_score`."""
        found = self.similarity_search_with_score(query, k, filter=filter, **kwargs)
        return [document for document, _ in found]

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: Filter | None = None,  # noqa: A002
        mode: Mode | None = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """The documents that suit a question best, each with its cosine.

        Args:
            query: Not blank.
            k: How many, ≥ 1.
            filter: Metadata that documents must have, or a function that says which may stay; None
                keeps all.
            mode: As for the class; None for the store's.
            **kwargs: None are known.

        Returns:
            Best first; the cosine is in [−1, 1], higher is better.

        Raises:
            InvalidValueError: A blank question, k < 1 or an unknown mode.
        """
        _refuse(kwargs)
        depth = k if filter is None else max(k, len(self))
        passages = self._index.retrieve(query, depth, mode or self._mode)
        made = (
            (Document(p.text, id=p.id, metadata=unpack(p.metadata)), p.scores["dense"])
            for p in passages
        )
        return [pair for pair in made if suits(pair[0], filter)][:k]

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        filter: Filter | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[Document]:
        """The documents nearest to a vector by cosine.

        Args:
            embedding: Need not be normalised.
            k: How many, ≥ 1.
            filter: As in `similarity_search_with_score`.
            **kwargs: None are known.

        Raises:
            InvalidValueError: A vector of another length.
        """
        _refuse(kwargs)
        return [document for document, _ in self._nearest(embedding, k, filter)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """Documents that suit a question and differ from one another.

        Args:
            query: The question.
            k: How many.
            fetch_k: From how many of the nearest they are chosen.
            lambda_mult: From 0, most diverse, to 1, most relevant.
            **kwargs: `filter`, as in `similarity_search_with_score`.
        """
        vector = self.embeddings.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(
            vector, k, fetch_k, lambda_mult, **kwargs
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[Document]:
        """`max_marginal_relevance_search` by a vector."""
        import numpy as np
        from langchain_core.vectorstores.utils import maximal_marginal_relevance

        _refuse(kwargs)
        found = self._nearest(embedding, max(k, fetch_k), filter)
        if not found:
            return []
        candidates = [vector.tolist() for _, vector in found]
        query = np.asarray(embedding, dtype=np.float32)
        chosen = maximal_marginal_relevance(query, candidates, lambda_mult, k)
        return [found[position][0] for position in chosen]

    def as_retriever(self, **kwargs: Any) -> VectorStoreRetriever:
        """A retriever that keeps each document's score in `metadata["relevance_score"]`.

        Args:
            **kwargs: As LangChain's `VectorStore.as_retriever` takes them.
        """
        from dera_rag.langchain.retriever import ScoringVectorStoreRetriever

        tags = kwargs.pop("tags", None) or self._get_retriever_tags()
        return ScoringVectorStoreRetriever(vectorstore=self, tags=tags, **kwargs)

    def _nearest(
        self, embedding: list[float], k: int, filter_: Filter | None
    ) -> list[tuple[Document, np.ndarray]]:
        """The k nearest documents with their unit vectors `[D]`."""
        import numpy as np

        from dera_rag.retrieval.embedders import unit_rows

        state = self._index.snapshot
        vector = unit_rows(np.asarray([embedding]))
        if vector.shape != (1, state.vectors.d):
            raise InvalidValueError(
                f"a vector of {vector.shape[-1]} numbers, the store's have {state.vectors.d}",
                hint="embed the question with the store's embeddings",
            )
        depth = k if filter_ is None else len(state.chunks)
        rows = state.nearest(vector, depth) if state.chunks else {}
        made = ((as_document(state.chunks[row]), row) for row in rows)
        kept = [pair for pair in made if suits(pair[0], filter_)][:k]
        return [(document, np.asarray(state.vectors.reconstruct(row))) for document, row in kept]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return _relevance


def _relevance(cosine: float) -> float:
    """A cosine as relevance in [0, 1]."""
    return min(1.0, max(0.0, cosine))


def _refuse(settings: Mapping[str, object]) -> None:
    if settings:
        raise InvalidValueError(f"unknown settings {sorted(settings)}")
