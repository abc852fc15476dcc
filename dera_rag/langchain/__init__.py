"""Adapters for LangChain: a drop-in chat model whose λ is set per call."""

from dera_rag.langchain.chat import ChatDeRa

__all__ = ["ChatDeRa"]
