"""Keeping an index folder in step with files: what `dera-rag index` does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from dera_rag.errors import InvalidValueError
from dera_rag.protocols import Embedder
from dera_rag.retrieval.chunking import Chunking
from dera_rag.retrieval.documents import Document, refuse_duplicate
from dera_rag.retrieval.files import find_files, load_file
from dera_rag.retrieval.index import VectorIndex
from dera_rag.retrieval.readers import SourceFile
from dera_rag.retrieval.sealed import is_sealed, refuse_foreign
from dera_rag.retrieval.store import Source

# A save after every 512 new passages, later after every quarter of the index: what a kill can cost
# stays small, and all the saves of a run together write at most five times the final size.
_SAVE_SHARE, _SAVE_AT_LEAST = 0.25, 512


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far an indexing run has come.

    Attributes:
        file: The file at hand.
        files_done: Files finished, unchanged ones included.
        files_total: Files found.
        passages: Passages in the index now.
        embedded: Passages embedded in this run.
    """

    file: str
    files_done: int
    files_total: int
    passages: int
    embedded: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an indexing run did. Files are named by their path.

    Attributes:
        passages: Passages in the index.
        embedded: Passages embedded in this run.
        added: New files.
        changed: Files whose bytes changed, or that an interrupted run left unfinished.
        unchanged: Files that were skipped.
        deleted: Files that are gone, with their documents.
        empty: Files without any text (e.g. scanned pages).
    """

    passages: int
    embedded: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    deleted: tuple[str, ...]
    empty: tuple[str, ...]


def index_paths(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    embedder: Embedder | None = None,
    corpus: str | None = None,
    chunking: Chunking | None = None,
    progress: Callable[[IndexProgress], None] | None = None,
    prune: bool = True,
) -> IndexReport:
    """Build an index folder from files, or bring one up to date.

    Files with the bytes they had are skipped. In a changed file only passages whose text changed
    are embedded. Work is saved as it grows, so a run that was killed goes on where it stopped.

    Args:
        paths: Files and folders (txt, md, jsonl, csv, pdf); folders are searched through.
        out: The index folder; left out of the search if it lies within `paths`.
        embedder: None for the embedder that ships with the package.
        corpus: Name of the corpus; None keeps the one the index has ("" for a new one).
        chunking: How documents are cut; None keeps the sizes the index has (the defaults for a new
            one).
        progress: Called after every batch and every file.
        prune: Whether documents of files that are gone are deleted. Only files below the folders
            named in `paths` count as gone; what was indexed from elsewhere stays.

    Raises:
        MissingFileError: A path does not exist.
        InvalidValueError: Unknown suffix, unreadable file or row, ids used twice, or nothing to
            index.
        IndexFormatError: `out` holds something else than an index built with this embedder.
    """
    target = Path(out)
    files = find_files(paths, exclude=[target])
    index = _open(target, embedder, corpus, chunking)
    states = {_key(file): _state(file) for file in files}
    run = _Run(index, target, len(files), progress or (lambda _: None))
    if prune:
        run.forget(_gone(index, paths, states))
    pending = [file for file in files if index.sources.get(_key(file)) != states[_key(file)]]
    run.pending = {_key(file) for file in pending}
    for file in files:
        if _key(file) not in run.pending:
            run.skip(file)
    for file in pending:
        run.take(file, states[_key(file)])
    if not len(index):
        raise InvalidValueError(
            f"nothing to index in {[str(path) for path in paths]}",
            hint="name files or folders with txt, md, jsonl, csv or pdf files that hold text",
        )
    run.save(force=True)
    return run.report()


def _open(
    target: Path, embedder: Embedder | None, corpus: str | None, chunking: Chunking | None
) -> VectorIndex:
    """The index in the folder under its new settings, or a new one."""
    refuse_foreign(target)
    if not is_sealed(target):
        return VectorIndex(embedder, corpus or "", chunking)
    stored = VectorIndex.load(target, embedder)
    if chunking is not None and chunking != stored.chunking:
        # Every passage may be cut otherwise: start afresh, the old index stays until the first
        # save.
        return VectorIndex(embedder, stored.corpus if corpus is None else corpus, chunking)
    if corpus is not None:
        stored.rename(corpus)
    return stored


def _key(file: SourceFile) -> str:
    return file.path.resolve().as_posix()


def _state(file: SourceFile) -> Source:
    with file.path.open("rb") as handle:
        return Source(file.name, hashlib.file_digest(handle, "sha256").hexdigest())


def _gone(index: VectorIndex, paths: Iterable[str | Path], present: Container[str]) -> list[str]:
    """Files of the index that were below the given folders and are there no more."""
    roots = [Path(path).resolve() for path in paths if Path(path).is_dir()]
    return [
        key
        for key in index.sources
        if key not in present and any(Path(key).is_relative_to(root) for root in roots)
    ]


class _Run:
    """One indexing run: the index it changes and what it did so far.

    Attributes:
        pending: Keys of the files that have not had their turn.
    """

    def __init__(
        self,
        index: VectorIndex,
        target: Path,
        total: int,
        progress: Callable[[IndexProgress], None],
    ) -> None:
        self.pending: set[str] = set()
        self._index, self._target, self._total, self._progress = index, target, total, progress
        self._owners = {passage.document: passage.source for passage in index.chunks}
        self._embedded = self._unsaved = self._done = 0
        self._files: dict[str, list[str]] = {
            kind: [] for kind in ("added", "changed", "unchanged", "deleted", "empty")
        }

    def forget(self, keys: Iterable[str]) -> None:
        """Delete the documents of files that are gone."""
        for key in keys:
            self._drop(key, keep=())
            self._index.note_source(key, None)
            self._files["deleted"].append(key)

    def skip(self, file: SourceFile) -> None:
        """Count a file that did not change."""
        self._finish(file, "unchanged")

    def take(self, file: SourceFile, state: Source) -> None:
        """Bring one file's documents up to date, saving on the way."""
        key = _key(file)
        kind = "changed" if key in self._index.sources else "added"
        self._index.note_source(key, replace(state, complete=False))
        current: set[str] = set()

        def embedded(passages: int) -> None:
            self._embedded += passages
            self._unsaved += passages
            self._tell(file)

        documents = self._checked(file, key, current)
        while batch := list(islice(documents, self._stride())):
            self._index.replace(batch, source=key, progress=embedded)
            self._owners |= dict.fromkeys((document.id for document in batch), key)
            self.save()
        self._drop(key, keep=current)
        self._index.note_source(key, state)
        self.pending.discard(key)
        if not current:
            self._files["empty"].append(str(file.path))
        self._finish(file, kind)

    def save(self, force: bool = False) -> None:
        """Write the index if enough of it is new."""
        if force or self._unsaved >= self._stride():
            self._index.save(self._target)
            self._unsaved = 0

    def report(self) -> IndexReport:
        """What was done."""
        files = {kind: tuple(names) for kind, names in self._files.items()}
        return IndexReport(passages=len(self._index), embedded=self._embedded, **files)

    def _stride(self) -> int:
        return max(_SAVE_AT_LEAST, int(_SAVE_SHARE * len(self._index)))

    def _checked(self, file: SourceFile, key: str, current: set[str]) -> Iterator[Document]:
        """The file's documents, refused where a file that is up to date has the id.

        A document may move between files: from one that has not had its turn yet it is taken over.
        """
        for document in load_file(file):
            owner = self._owners.get(document.id)
            if document.id in current:
                refuse_duplicate(document.id, key, key)
            if owner not in (None, key) and owner not in self.pending:
                refuse_duplicate(document.id, owner or "the index", key)
            current.add(document.id)
            yield document

    def _drop(self, key: str, keep: Container[str]) -> None:
        """Delete what a file no longer holds."""
        gone = [d for d, owner in self._owners.items() if owner == key and d not in keep]
        self._index.delete(gone)
        for document in gone:
            del self._owners[document]

    def _finish(self, file: SourceFile, kind: str) -> None:
        self._files[kind].append(str(file.path))
        self._done += 1
        self._tell(file)

    def _tell(self, file: SourceFile) -> None:
        passages = len(self._index)
        self._progress(
            IndexProgress(str(file.path), self._done, self._total, passages, self._embedded)
        )
