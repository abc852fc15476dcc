"""Decoding-time realignment for retrieval-augmented generation.

Names are imported on first use, so that `import dera_rag` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dera_rag.decoding import DeraDecoder as DeraDecoder
    from dera_rag.decoding import LambdaPath as LambdaPath
    from dera_rag.decoding import PathSegment as PathSegment
    from dera_rag.decoding.huggingface import DeraForCausalLM as DeraForCausalLM
    from dera_rag.decoding.huggingface import DeraForSeq2SeqLM as DeraForSeq2SeqLM
    from dera_rag.numerics import Sampling as Sampling
    from dera_rag.pairs import ModelPair as ModelPair
    from dera_rag.rag import RagPath as RagPath
    from dera_rag.rag import RagPipeline as RagPipeline
    from dera_rag.retrieval import VectorIndex as VectorIndex
    from dera_rag.types import Generation as Generation
    from dera_rag.types import RagAnswer as RagAnswer

__version__ = "0.1.0"

_LAZY = {
    "DeraDecoder": "dera_rag.decoding",
    "DeraForCausalLM": "dera_rag.decoding.huggingface",
    "DeraForSeq2SeqLM": "dera_rag.decoding.huggingface",
    "Generation": "dera_rag.types",
    "LambdaPath": "dera_rag.decoding",
    "ModelPair": "dera_rag.pairs",
    "PathSegment": "dera_rag.decoding",
    "RagAnswer": "dera_rag.types",
    "RagPath": "dera_rag.rag",
    "RagPipeline": "dera_rag.rag",
    "Sampling": "dera_rag.numerics",
    "VectorIndex": "dera_rag.retrieval",
}

__all__ = [*sorted(_LAZY), "__version__"]  # noqa: PLE0604 - strings, computed from one list


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'dera_rag' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, loaded or not."""
    return sorted({*globals(), *_LAZY})
