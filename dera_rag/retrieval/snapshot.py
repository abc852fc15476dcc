"""One state of an index, and the search in it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast

from dera_rag.retrieval.chunking import Chunk
from dera_rag.retrieval.fusion import reciprocal_rank_fusion
from dera_rag.retrieval.lexical import BM25
from dera_rag.types import Passage

if TYPE_CHECKING:
    import faiss
    import numpy as np

Mode = Literal["hybrid", "dense", "bm25"]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "bm25")
# Fusion looks this deep into both rankings: an item ranked lower in one of them gains at most
# 1/(60+200) there, a fourth of what a first place is worth.
DEPTH = 200
# Scores are compared at this many decimals: float32 sums differ beyond it with the row's position.
_DECIMALS = 6


class Snapshot:
    """One immutable state of an index: what a reader holds while a writer prepares the next.

    Args:
        chunks: The passages.
        vectors: One row per passage.
    """

    def __init__(self, chunks: tuple[Chunk, ...], vectors: faiss.IndexFlatIP) -> None:
        self.chunks = chunks
        self.vectors = vectors
        self.rows = {passage.id: row for row, passage in enumerate(chunks)}
        self.documents = {passage.document: passage.source for passage in chunks}
        self._bm25: BM25 | None = None
        self._lock = threading.Lock()

    def without(self, documents: set[str]) -> Snapshot:
        """The state without the passages of some documents."""
        import faiss
        import numpy as np

        if documents.isdisjoint(self.documents):
            return self
        gone = [row for row, passage in enumerate(self.chunks) if passage.document in documents]
        vectors = cast("faiss.IndexFlatIP", faiss.clone_index(self.vectors))
        vectors.remove_ids(faiss.IDSelectorBatch(np.asarray(gone, dtype=np.int64)))
        kept = (passage for passage in self.chunks if passage.document not in documents)
        return Snapshot(tuple(kept), vectors)

    def plus(self, new: list[Chunk], rows: np.ndarray) -> Snapshot:
        """The state with passages appended; `rows` is `[len(new), D]` of unit vectors."""
        import faiss

        if not new:
            return self
        vectors = cast("faiss.IndexFlatIP", faiss.clone_index(self.vectors))
        vectors.add(rows)
        return Snapshot((*self.chunks, *new), vectors)

    @property
    def bm25(self) -> BM25:
        """Built at the first question that needs it; never stored."""
        with self._lock:
            if self._bm25 is None:
                self._bm25 = BM25([passage.searchable for passage in self.chunks])
            return self._bm25

    def ranked(self, rows: np.ndarray, scores: np.ndarray, depth: int) -> list[int]:
        """The rows with the highest scores, ties by id; `rows` and `scores` are `[N]`."""
        import numpy as np

        rounded = np.round(scores.astype(np.float64), _DECIMALS)
        if len(rows) > depth:
            kept = rounded >= np.partition(rounded, -depth)[-depth]
            rows, rounded = rows[kept], rounded[kept]
        pairs = zip(rows.tolist(), rounded.tolist(), strict=True)
        order = sorted(pairs, key=lambda pair: (-pair[1], self.chunks[pair[0]].id))
        return [row for row, _ in order[:depth]]

    def nearest(self, vector: np.ndarray, depth: int) -> dict[int, float]:
        """Row → cosine of the best rows by cosine, best first, ties by id; `vector` is `[1, D]`."""
        found, rows = self.vectors.search(vector, min(depth, len(self.chunks)))
        cosines = dict(zip(rows[0].tolist(), found[0].tolist(), strict=True))
        return {row: cosines[row] for row in self.ranked(rows[0], found[0], depth)}

    def cosine(self, row: int, vector: np.ndarray) -> float:
        """Cosine of one row."""
        return float(self.vectors.reconstruct(row) @ vector[0])


def search(state: Snapshot, question: str, vector: np.ndarray, k: int, mode: Mode) -> list[Passage]:
    """One question against one state; `vector` is `[1, D]` float32."""
    import numpy as np

    depth = max(DEPTH, 4 * k)
    cosines = {} if mode == "bm25" else state.nearest(vector, depth)
    words = None if mode == "dense" else state.bm25.scores(question)
    fused: Mapping[int, float] = {}
    if words is None:
        best = list(cosines)[:k]
    elif mode == "bm25":
        best = state.ranked(np.arange(len(words)), words, k)
    else:
        shared = np.flatnonzero(words > 0)
        by_words = state.ranked(shared, words[shared], depth)
        fused = reciprocal_rank_fusion([list(cosines), by_words])
        best = sorted(fused, key=lambda row: (-fused[row], state.chunks[row].id))[:k]
    found = []
    for row in best:
        scores = {"dense": cosines[row] if row in cosines else state.cosine(row, vector)}
        if words is not None:
            scores["bm25"] = float(words[row])
        if row in fused:
            scores["rrf"] = fused[row]
        passage = state.chunks[row]
        score = min(1.0, max(0.0, scores["dense"]))
        found.append(Passage(passage.id, passage.text, score, scores, passage.metadata))
    return found
