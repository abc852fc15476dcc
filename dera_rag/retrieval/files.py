"""Finding the files under paths, and the documents in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.retrieval.documents import Document, refuse_duplicate
from dera_rag.retrieval.readers import READERS, SourceFile
from dera_rag.retrieval.store import DOCUMENTS, VECTORS


def find_files(paths: Iterable[str | Path], exclude: Sequence[Path] = ()) -> list[SourceFile]:
    """Every file under the given paths whose suffix is known; a file reached twice counts once.

    Args:
        paths: Files, and folders that are searched through (hidden entries and indexes left out).
        exclude: Folders that are not entered.

    Raises:
        MissingFileError: A path does not exist.
        InvalidValueError: A file named outright has an unknown suffix.
    """
    barred = [folder.resolve() for folder in exclude]
    found: dict[Path, SourceFile] = {}
    for given in paths:
        root = Path(given)
        if root.is_dir():
            entries = sorted(p for p in root.rglob("*") if p.suffix.lower() in READERS)
            named = [(p, p.relative_to(root)) for p in entries if p.is_file() and not _indexed(p)]
            files = [
                SourceFile(path, relative.as_posix())
                for path, relative in named
                if not any(part.startswith(".") for part in relative.parts)
            ]
        elif root.is_file():
            if root.suffix.lower() not in READERS:
                raise InvalidValueError(
                    f"cannot read {str(root)!r}: unknown suffix {root.suffix!r}",
                    hint=f"known are {', '.join(sorted(READERS))}",
                )
            files = [SourceFile(root, root.name)]
        else:
            raise MissingFileError(f"no file or folder {str(root)!r}", hint="check the path")
        for file in files:
            resolved = file.path.resolve()
            if not any(resolved.is_relative_to(folder) for folder in barred):
                found.setdefault(resolved, file)
    return list(found.values())


def _indexed(path: Path) -> bool:
    """Whether a file is an index's copy of what it was built from."""
    return path.name == DOCUMENTS and path.with_name(VECTORS).is_file()


def load_paths(paths: Iterable[str | Path]) -> Iterator[Document]:
    """Documents of every file under the given paths, in order.

    txt and md give one document a file, pdf one a page that has text, jsonl and csv one a row. Rows
    need a `text`; `id` is optional and defaults to `<file>:<line>`, every other column becomes
    metadata.

    Raises:
        MissingFileError: A path does not exist.
        InvalidValueError: Unknown suffix, a row or file that cannot be read (file and line are
            named), or two documents of one id.
    """
    seen: dict[str, str] = {}
    for file in find_files(paths):
        for document in load_file(file):
            refuse_duplicate(document.id, seen.get(document.id), str(file.path))
            seen[document.id] = str(file.path)
            yield document


def load_file(file: SourceFile) -> Iterator[Document]:
    """Documents of one file; a text file without text gives none.

    Raises:
        InvalidValueError: A row or the file cannot be read; file and line are named.
    """
    return READERS[file.path.suffix.lower()](file)
