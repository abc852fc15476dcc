"""What retrieved documents carry: an id that citations use, relevance, the name of their corpus."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from dera_rag.types import Json, Passage

SCORE = "relevance_score"
"""Metadata key of a document's relevance in [0, 1]."""

CORPUS = "corpus"
"""Metadata key of the name of a document's corpus."""


def document_id(document: Document, position: int) -> str:
    """What citations call a document.

    Args:
        document: Its `id`, or the `id` or `_id` (Qdrant's) of its metadata.
        position: Its place from 1; the name of a document without an id.
    """
    for named in (document.id, document.metadata.get("id"), document.metadata.get("_id")):
        if named is not None:
            return str(named)
    return str(position)


def relevance(document: Document) -> float | None:
    """The score in a document's metadata; None where there is none, or it is no number."""
    value = document.metadata.get(SCORE)
    # numpy's numbers are `Real` too.
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)


def rank(document: Document) -> float:
    """Sorts documents, best first; those without a score last."""
    return -(relevance(document) or 0.0)


def as_evidence(documents: Sequence[Document]) -> list[dict[str, Json]]:
    """Documents in the form of `dera_evidence`, best first.

    Args:
        documents: As a retriever found them.

    Returns:
        `id`, `text` and `relevance_score` of each, None where it has no score; and `corpus` where
        its metadata names one.
    """
    made: list[dict[str, Json]] = []
    for position, document in enumerate(documents, start=1):
        item: dict[str, Json] = {
            "id": document_id(document, position),
            "text": document.page_content,
            SCORE: relevance(document),
        }
        if isinstance(document.metadata.get(CORPUS), str):
            item[CORPUS] = document.metadata[CORPUS]
        made.append(item)
    return made


def as_passages(documents: Sequence[Document]) -> list[Passage]:
    """Documents as passages, with the titles that citations look for.

    Args:
        documents: As a retriever found them.
    """
    return [
        Passage(
            document_id(document, position),
            document.page_content,
            math.nan if (score := relevance(document)) is None else score,
            metadata={k: v for k, v in document.metadata.items() if isinstance(v, str)},
        )
        for position, document in enumerate(documents, start=1)
    ]


def retrieved_documents(messages: Iterable[BaseMessage]) -> list[Document]:
    """The documents that tools brought since the last human message, each once, best first.

    Args:
        messages: A conversation; its tool messages hold documents as artifacts where the tool was
            made with `response_format="content_and_artifact"`.
    """
    found: dict[str, Document] = {}
    for message in messages:
        if isinstance(message, HumanMessage):
            found = {}
        elif isinstance(message, ToolMessage) and isinstance(message.artifact, (list, tuple)):
            documents = [item for item in message.artifact if isinstance(item, Document)]
            for position, document in enumerate(documents, start=len(found) + 1):
                found.setdefault(document_id(document, position), document)
    return sorted(found.values(), key=rank)
