"""Searches in any vector store that bring each document with its relevance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.documents import CORPUS, SCORE, relevance

# LangChain's default depth of a diverse search.
_FETCH_K = 20


def search_scored(
    retriever: VectorStoreRetriever,
    query: str,
    settings: dict[str, Any],
    embeddings: Embeddings | None = None,
) -> list[Document]:
    """What a store's retriever finds, with scores.

    Args:
        retriever: Names the store, the kind of search and its settings.
        query: The question.
        settings: Settings of this call; they win.
        embeddings: Make the scores in place of the store's own. A store that has none is scored by
            the embeddings it searches with.

    Raises:
        InvalidValueError: A store without scores and without embeddings.
    """
    store, arguments = retriever.vectorstore, retriever.search_kwargs | settings
    threshold = arguments.pop("score_threshold", 0.0)
    diverse = retriever.search_type == "mmr"
    embeddings = embeddings or _scorer(store, diverse)
    # The public method warns of scores that rounding put beyond 1; here they are clipped.
    search = store._similarity_search_with_relevance_scores
    if not diverse and embeddings is None:
        return above(threshold, _paired(store, search(query, **arguments)))
    if diverse:
        chosen = store.max_marginal_relevance_search(query, **arguments)
    else:
        chosen = store.similarity_search(query, **arguments)
    if embeddings is not None:
        return above(threshold, by_cosine(embeddings, query, chosen, corpus_of(store)))
    scored = _paired(store, search(query, **_candidates(arguments)))
    return _in_order(chosen, scored)


async def asearch_scored(
    retriever: VectorStoreRetriever,
    query: str,
    settings: dict[str, Any],
    embeddings: Embeddings | None = None,
) -> list[Document]:
    """`search_scored` for event loops.

    Args:
        retriever: As there.
        query: As there.
        settings: As there.
        embeddings: As there.

    Raises:
        InvalidValueError: As there.
    """
    store, arguments = retriever.vectorstore, retriever.search_kwargs | settings
    threshold = arguments.pop("score_threshold", 0.0)
    diverse = retriever.search_type == "mmr"
    embeddings = embeddings or _scorer(store, diverse)
    if embeddings is None and not _scores_async(store):
        return await run_in_executor(None, search_scored, retriever, query, settings)
    search = store._asimilarity_search_with_relevance_scores
    if not diverse and embeddings is None:
        return above(threshold, _paired(store, await search(query, **arguments)))
    if diverse:
        chosen = await store.amax_marginal_relevance_search(query, **arguments)
    else:
        chosen = await store.asimilarity_search(query, **arguments)
    if embeddings is not None:
        made = await run_in_executor(None, by_cosine, embeddings, query, chosen, corpus_of(store))
        return above(threshold, made)
    scored = _paired(store, await search(query, **_candidates(arguments)))
    return _in_order(chosen, scored)


def by_cosine(
    embeddings: Embeddings, query: str, documents: Sequence[Document], corpus: str = ""
) -> list[Document]:
    """Copies of documents, in their order, scored by their cosine with the question, ≥ 0.

    Args:
        embeddings: Need not give unit vectors.
        query: The question.
        documents: What was found.
        corpus: As in `stamped`.
    """
    import numpy as np

    from dera_rag.retrieval.embedders import unit_rows

    if not documents:
        return []
    question = unit_rows(np.asarray([embeddings.embed_query(query)]))[0]
    rows = embeddings.embed_documents([document.page_content for document in documents])
    cosines = np.clip(unit_rows(np.asarray(rows)) @ question, 0.0, 1.0)
    return stamped(documents, cosines.tolist(), corpus)


def stamped(
    documents: Sequence[Document], scores: Iterable[float | None], corpus: str = ""
) -> list[Document]:
    """Copies of documents with their scores, and their corpus where it has a name.

    Args:
        documents: What was found.
        scores: One for each; None where there is none.
        corpus: Name of the corpus; "" for none.

    Raises:
        InvalidValueError: A score outside [0, 1].
    """
    made = []
    for document, score in zip(documents, scores, strict=True):
        metadata = dict(document.metadata)
        if score is not None:
            # Sums of float32 products reach a little beyond 1.
            if not -1e-3 <= score <= 1 + 1e-3:
                raise InvalidValueError(
                    f"relevance must be in [0, 1], got {score!r}",
                    hint="the store's scores are on another scale: give `embeddings` to make new",
                )
            metadata[SCORE] = min(1.0, max(0.0, float(score)))
        if corpus:
            metadata[CORPUS] = corpus
        made.append(document.model_copy(update={"metadata": metadata}))
    return made


def _paired(store: VectorStore, found: Sequence[tuple[Document, float]]) -> list[Document]:
    return stamped([d for d, _ in found], [score for _, score in found], corpus_of(store))


def _candidates(arguments: dict[str, Any]) -> dict[str, Any]:
    """Settings that score everything a diverse search chose from."""
    settings = {k: v for k, v in arguments.items() if k not in {"fetch_k", "lambda_mult", "k"}}
    return settings | {"k": max(arguments.get("fetch_k", _FETCH_K), arguments.get("k", 4))}


def _in_order(chosen: Sequence[Document], scored: Sequence[Document]) -> list[Document]:
    """The scored documents in the order of the chosen ones."""
    by_key = {(document.id, document.page_content): document for document in scored}
    return [by_key.get((document.id, document.page_content), document) for document in chosen]


def _scorer(store: VectorStore, diverse: bool) -> Embeddings | None:
    """The embeddings of a store that gives no relevance of its own; None if it does.

    Raises:
        InvalidValueError: It has neither.
    """
    gives = _has_own(store, "_select_relevance_score_fn") or _has_own(
        store, "_similarity_search_with_relevance_scores"
    )
    # What a diverse search chose may lie beyond what a scored one of the same depth finds.
    if gives and not (diverse and getattr(store, "relevance_is_cosine", False)):
        return None
    if store.embeddings is None:
        raise InvalidValueError(
            f"{type(store).__name__} gives no relevance scores and names no embeddings",
            hint="give ScoredRetriever `embeddings`",
        )
    return store.embeddings


def _scores_async(store: VectorStore) -> bool:
    """Whether a store's asynchronous search gives relevance too."""
    return _has_own(store, "_select_relevance_score_fn") or _has_own(
        store, "_asimilarity_search_with_relevance_scores"
    )


def _has_own(store: VectorStore, method: str) -> bool:
    return getattr(type(store), method) is not getattr(VectorStore, method)


def above(threshold: float, documents: Sequence[Document]) -> list[Document]:
    """Documents whose relevance reaches a threshold; none counts as 0."""
    return [document for document in documents if (relevance(document) or 0.0) >= threshold]


def corpus_of(source: VectorStore | BaseRetriever) -> str:
    """Name of the corpus behind a store or a store's retriever; "" if it has none."""
    store = source.vectorstore if isinstance(source, VectorStoreRetriever) else source
    name = getattr(store, "corpus", "")
    return name if isinstance(name, str) else ""
