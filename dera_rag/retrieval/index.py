"""The index: FAISS for meaning, BM25 for words, both fused, scores kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dera_rag.errors import IndexFormatError, InvalidValueError
from dera_rag.protocols import Embedder, QuestionEmbedder
from dera_rag.retrieval import store
from dera_rag.retrieval.chunking import Chunk, Chunking, chunk
from dera_rag.retrieval.documents import Document, checked, refuse_duplicate
from dera_rag.retrieval.embedders import StaticEmbedder, unit_rows
from dera_rag.retrieval.files import load_paths
from dera_rag.retrieval.snapshot import MODES, Mode, Snapshot, search
from dera_rag.types import Passage

if TYPE_CHECKING:
    import numpy as np

EMBEDDED_CORPUS = Path(__file__).parent.parent / "embedded" / "corpus" / "venues.jsonl"
# Passages embedded between two reports of progress.
_EMBED_BATCH = 256


class VectorIndex:
    """Passages that can be searched by meaning and by words.

    Reading (`retrieve`, `save`) is safe from many threads, also while another thread writes: a
    reader keeps the state it began with. Writers must not run at the same time.

    Args:
        embedder: Turns texts into vectors; None for the one that ships with the package.
        corpus: Name that policies fitted to a corpus know it by; "" for none.
        chunking: How documents are cut; None for the default sizes.
    """

    def __init__(
        self, embedder: Embedder | None = None, corpus: str = "", chunking: Chunking | None = None
    ) -> None:
        import faiss

        self._embedder = embedder or StaticEmbedder.embedded()
        self._corpus = corpus
        self._chunking = chunking or Chunking()
        self._sources: dict[str, store.Source] = {}
        self._snapshot = Snapshot((), faiss.IndexFlatIP(self._embedder.dimension))

    @classmethod
    def build(
        cls,
        documents: Iterable[Document],
        embedder: Embedder | None = None,
        corpus: str = "",
        chunking: Chunking | None = None,
    ) -> VectorIndex:
        """An index over documents, in memory.

        Raises:
            InvalidValueError: No document, or two of one id.
        """
        index = cls(embedder, corpus, chunking)
        index.add(documents)
        if not len(index):
            raise InvalidValueError("no documents to index", hint="give at least one document")
        return index

    @classmethod
    def embedded(cls) -> VectorIndex:
        """The venues corpus that ships with the package, corpus name `venues`."""
        return cls.build(load_paths([EMBEDDED_CORPUS]), corpus="venues")

    @classmethod
    def load(cls, folder: str | Path, embedder: Embedder | None = None) -> VectorIndex:
        """Read an index that `save` or `dera-rag index` wrote.

        Args:
            folder: Where it is.
            embedder: The embedder it was built with; None for the one that ships with the package.
                It is never chosen by what the folder says, since the folder may come from somebody
                else.

        Raises:
            MissingFileError: No such folder.
            IndexFormatError: Corrupted, foreign or outdated, or built with another embedder.
        """
        stored = store.read(Path(folder))
        index = cls(embedder, stored.corpus, stored.chunking)
        used = index._embedder
        if (stored.embedder, stored.vectors.d) != (used.name, used.dimension):
            raise IndexFormatError(
                f"{str(folder)!r} was built with the embedder {stored.embedder!r} "
                f"({stored.vectors.d} dimensions), not {used.name!r} ({used.dimension})",
                hint="pass that embedder, or build the index again",
            )
        index._sources = dict(stored.sources)
        index._snapshot = Snapshot(stored.chunks, stored.vectors)
        return index

    def save(self, folder: str | Path) -> None:
        """Write `index.faiss`, `documents.jsonl` and `manifest.json`; replaces an index atomically.

        Raises:
            IndexFormatError: The folder holds something else.
            OutputError: The folder cannot be written.
        """
        state = self._snapshot
        name = self._embedder.name
        stored = store.Stored(
            state.chunks, state.vectors, self._corpus, name, self._chunking, self._sources
        )
        store.write(Path(folder), stored)

    def __len__(self) -> int:
        """Number of passages."""
        return len(self._snapshot.chunks)

    @property
    def corpus(self) -> str:
        """Name of the corpus; policies fitted to a corpus recognise it by this."""
        return self._corpus

    @property
    def embedder(self) -> Embedder:
        """What makes the vectors."""
        return self._embedder

    @property
    def chunking(self) -> Chunking:
        """How documents are cut."""
        return self._chunking

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The passages as stored."""
        return self._snapshot.chunks

    @property
    def snapshot(self) -> Snapshot:
        """The present state; later writes leave it as it is."""
        return self._snapshot

    @property
    def sources(self) -> Mapping[str, store.Source]:
        """Resolved path → file the index was built from; empty for documents from memory."""
        return dict(self._sources)

    def rename(self, corpus: str) -> None:
        """Give the corpus another name."""
        self._corpus = corpus

    def add(self, documents: Iterable[Document]) -> None:
        """Add documents.

        Raises:
            InvalidValueError: An id is in the index already, or given twice, or an item is no
                `Document`; nothing is added then.
        """
        new = [checked(document) for document in documents]
        for document in new:
            owner = self._snapshot.documents.get(document.id)
            refuse_duplicate(document.id, owner if owner is None else owner or "the index", "add()")
        self.replace(new)

    def replace(
        self,
        documents: Iterable[Document],
        source: str = "",
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Put documents in place of those with the same ids; new ids are added.

        Passages whose text the index holds under the same id are not embedded again.

        Args:
            documents: The documents as they are now.
            source: Key of the file they come from; "" for memory.
            progress: Called with the number of passages embedded, after each batch of them.

        Raises:
            InvalidValueError: An id is given twice, or an item is no `Document`; nothing is
                replaced then.
        """
        new: dict[str, list[Chunk]] = {}
        for document in map(checked, documents):
            if document.id in new:
                refuse_duplicate(document.id, source or "this call", source or "this call")
            new[document.id] = chunk(document, self._chunking, source)
        passages = [passage for cut in new.values() for passage in cut]
        state = self._snapshot
        kept = state.without(set(new))
        owners = dict.fromkeys(kept.rows, "a document of the index")
        for passage in passages:
            # A document may bear the name that a passage of another one was given, "a#0".
            owner = f"document {passage.document!r}"
            refuse_duplicate(passage.id, owners.get(passage.id), owner)
            owners[passage.id] = owner
        self._snapshot = kept.plus(passages, self._vectors_for(state, passages, progress))

    def delete(self, ids: Iterable[str]) -> None:
        """Remove documents with all their passages.

        Raises:
            InvalidValueError: An id is not in the index; nothing is removed then.
        """
        doomed = set(ids)
        unknown = sorted(doomed - self._snapshot.documents.keys())
        if unknown:
            raise InvalidValueError(
                f"no document {unknown[0]!r:.80} in the index", hint="ids are those of documents"
            )
        self._snapshot = self._snapshot.without(doomed)

    def note_source(self, path: str, source: store.Source | None) -> None:
        """Remember the state of a file, or forget it (None)."""
        sources = {key: value for key, value in self._sources.items() if key != path}
        self._sources = sources if source is None else sources | {path: source}

    def _vectors_for(
        self, state: Snapshot, new: list[Chunk], progress: Callable[[int], None] | None
    ) -> np.ndarray:
        """`[len(new), D]`, reusing what the state holds."""
        import numpy as np

        vectors = np.zeros((len(new), self._embedder.dimension), dtype=np.float32)
        fresh = []
        for position, passage in enumerate(new):
            row = state.rows.get(passage.id)
            if row is not None and state.chunks[row].searchable == passage.searchable:
                vectors[position] = state.vectors.reconstruct(row)
            else:
                fresh.append(position)
        for start in range(0, len(fresh), _EMBED_BATCH):
            batch = fresh[start : start + _EMBED_BATCH]
            texts = [new[position].searchable for position in batch]
            vectors[batch] = self._embed(self._embedder.embed, texts)
            if progress is not None:
                progress(len(batch))
        return vectors

    def _embed(
        self, embed: Callable[[Sequence[str]], np.ndarray], texts: Sequence[str]
    ) -> np.ndarray:
        """Unit vectors `[len(texts), D]`, whatever the embedder made of the texts."""
        import numpy as np

        vectors = np.asarray(embed(texts))
        if (
            vectors.shape != (len(texts), self._embedder.dimension)
            or not np.isfinite(vectors).all()
        ):
            raise InvalidValueError(
                f"embedder {self._embedder.name!r} gave vectors of shape {vectors.shape} for "
                f"{len(texts)} texts, or numbers that are not finite",
                hint=f"expected finite rows of length {self._embedder.dimension}",
            )
        return unit_rows(vectors)

    def retrieve(self, question: str, k: int = 3, mode: Mode = "hybrid") -> list[Passage]:
        """The passages that suit a question best.

        Args:
            question: What is asked; not blank.
            k: How many passages, ≥ 1; a smaller index gives all it has.
            mode: `dense` ranks by cosine, `bm25` by shared words, `hybrid` fuses both by reciprocal
                rank.

        Returns:
            Best first, ties by id. `score` is the cosine clipped to [0, 1] in every mode; `scores`
            holds `dense` (cosine), and where the mode computes them `bm25` and `rrf`.

        Raises:
            InvalidValueError: Blank question, k < 1 or an unknown mode.
        """
        return self.retrieve_batch([question], k, mode)[0]

    def retrieve_batch(
        self, questions: Sequence[str], k: int = 3, mode: Mode = "hybrid"
    ) -> list[list[Passage]]:
        """`retrieve` for several questions, embedded together.

        Raises:
            InvalidValueError: Blank question, k < 1 or an unknown mode.
        """
        for question in questions:
            if not isinstance(question, str) or not question.strip():
                raise InvalidValueError(
                    f"the question is blank: {question!r:.80}", hint="ask something"
                )
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InvalidValueError(f"k must be a whole number ≥ 1, got {k!r}", hint="e.g. 3")
        if mode not in MODES:
            raise InvalidValueError(f"unknown mode {mode!r}", hint=f"one of {', '.join(MODES)}")
        state = self._snapshot
        if not state.chunks or not questions:
            return [[] for _ in questions]
        embed = (
            self._embedder.embed_questions
            if isinstance(self._embedder, QuestionEmbedder)
            else self._embedder.embed
        )
        vectors = self._embed(embed, questions)
        return [
            search(state, question, vectors[row : row + 1], k, mode)
            for row, question in enumerate(questions)
        ]
