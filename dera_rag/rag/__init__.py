"""One question: retrieve, choose λ, decode, and an answer with everything it rests on."""

from dera_rag.rag.path import RagPath
from dera_rag.rag.pipeline import RagPipeline
from dera_rag.rag.stream import RagStream

__all__ = ["RagPath", "RagPipeline", "RagStream"]
