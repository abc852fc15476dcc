"""Adapters for LangChain: drop-in models whose λ is set per call, and what surrounds them.

Retrieval keeps its scores; chains, nodes and middleware hand them on, so that λ can be chosen from
what was found. Names are imported on first use: middleware and node need the extra `agents`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dera_rag.langchain.chains import create_dera_rag_chain as create_dera_rag_chain
    from dera_rag.langchain.chains import (
        create_history_aware_dera_rag_chain as create_history_aware_dera_rag_chain,
    )
    from dera_rag.langchain.chat import ChatDeRa as ChatDeRa
    from dera_rag.langchain.embeddings import DeRaEmbeddings as DeRaEmbeddings
    from dera_rag.langchain.llm import DeRaLLM as DeRaLLM
    from dera_rag.langchain.middleware import DeRaMiddleware as DeRaMiddleware
    from dera_rag.langchain.node import DeRaGraphState as DeRaGraphState
    from dera_rag.langchain.node import create_dera_node as create_dera_node
    from dera_rag.langchain.reranking import CrossEncoderReranker as CrossEncoderReranker
    from dera_rag.langchain.retriever import ScoredRetriever as ScoredRetriever
    from dera_rag.langchain.runnables import create_dera_answer as create_dera_answer
    from dera_rag.langchain.vectorstore import DeRaVectorStore as DeRaVectorStore

_LAZY = {
    "ChatDeRa": "dera_rag.langchain.chat",
    "CrossEncoderReranker": "dera_rag.langchain.reranking",
    "DeRaEmbeddings": "dera_rag.langchain.embeddings",
    "DeRaGraphState": "dera_rag.langchain.node",
    "DeRaLLM": "dera_rag.langchain.llm",
    "DeRaMiddleware": "dera_rag.langchain.middleware",
    "DeRaVectorStore": "dera_rag.langchain.vectorstore",
    "ScoredRetriever": "dera_rag.langchain.retriever",
    "create_dera_answer": "dera_rag.langchain.runnables",
    "create_dera_node": "dera_rag.langchain.node",
    "create_dera_rag_chain": "dera_rag.langchain.chains",
    "create_history_aware_dera_rag_chain": "dera_rag.langchain.chains",
}

__all__ = sorted(_LAZY)  # noqa: PLE0605 - strings, computed from one list


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'dera_rag.langchain' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, loaded or not."""
    return sorted({*globals(), *_LAZY})
