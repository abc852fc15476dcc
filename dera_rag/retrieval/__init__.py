"""Loading, chunking, embedding and finding passages."""

from dera_rag.retrieval.chunking import Chunk, Chunking, chunk
from dera_rag.retrieval.documents import Document
from dera_rag.retrieval.embedders import SentenceTransformerEmbedder, StaticEmbedder
from dera_rag.retrieval.files import load_paths
from dera_rag.retrieval.fusion import reciprocal_rank_fusion
from dera_rag.retrieval.incremental import IndexProgress, IndexReport, index_paths
from dera_rag.retrieval.index import VectorIndex
from dera_rag.retrieval.lexical import BM25
from dera_rag.retrieval.snapshot import MODES, Mode

__all__ = [
    "BM25",
    "MODES",
    "Chunk",
    "Chunking",
    "Document",
    "IndexProgress",
    "IndexReport",
    "Mode",
    "SentenceTransformerEmbedder",
    "StaticEmbedder",
    "VectorIndex",
    "chunk",
    "index_paths",
    "load_paths",
    "reciprocal_rank_fusion",
]
