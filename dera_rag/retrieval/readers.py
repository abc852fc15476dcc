"""Documents out of files: txt, md, jsonl, csv, pdf. Errors name the file and the line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from dera_rag.errors import InvalidValueError
from dera_rag.retrieval.documents import Document

_SCALARS = (str, int, float, bool)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to index.

    Attributes:
        path: Where it is.
        name: Its path below the folder that was named, or its file name; prefix of its documents'
            ids.
    """

    path: Path
    name: str


def _read_text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidValueError(
            f"{str(path)!r}, line {line}: not UTF-8 ({error.reason})",
            hint="convert the file to UTF-8",
        ) from error


def _load_text(file: SourceFile) -> Iterator[Document]:
    text = _read_text(file.path).strip()
    if text:
        yield Document(file.name, text, {"source": file.name})


def _load_markdown(file: SourceFile) -> Iterator[Document]:
    """The first heading becomes the title, so that every passage of a page knows its subject."""
    text = _read_text(file.path).strip()
    headings = (line.lstrip("#").strip() for line in text.splitlines() if line.startswith("# "))
    title = next(headings, "")
    if text:
        yield Document(file.name, text, {"source": file.name} | ({"title": title} if title else {}))


def _load_jsonl(file: SourceFile) -> Iterator[Document]:
    # str.splitlines would also split inside JSON strings that hold U+2028.
    for number, line in enumerate(_read_text(file.path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{str(file.path)!r}, line {number}"
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise InvalidValueError(
                f"{where}: not JSON ({error})", hint="one JSON object a line"
            ) from error
        if not isinstance(row, dict):
            raise InvalidValueError(
                f"{where}: expected an object, got {line.strip()!r:.80}",
                hint='{"id": …, "text": …, "metadata": {…}}',
            )
        extra = row.pop("metadata", None) or {}
        if not isinstance(extra, dict):
            raise InvalidValueError(
                f"{where}: metadata must be an object, got {extra!r:.80}", hint="or leave it out"
            )
        yield _row(file, number, row | extra)


def _load_csv(file: SourceFile) -> Iterator[Document]:
    lines = _read_text(file.path).splitlines(keepends=True)
    reader = csv.DictReader(lines, strict=True)
    where = repr(str(file.path))
    try:
        if lines and "text" not in (reader.fieldnames or ()):
            raise InvalidValueError(
                f"{where}, line 1: no column 'text' among {reader.fieldnames}",
                hint="name the column that holds the text 'text'",
            )
        for row in reader:
            if None in row or None in row.values():
                raise InvalidValueError(
                    f"{where}, line {reader.line_num}: the number of fields differs from the "
                    f"header's {len(reader.fieldnames or ())}",
                    hint="quote fields that hold commas",
                )
            yield _row(file, reader.line_num, row)
    except csv.Error as error:
        raise InvalidValueError(
            f"{where}, line {reader.reader.line_num}: {error}",
            hint="comma-separated, double quotes",
        ) from error


def _row(file: SourceFile, number: int, row: Mapping[str, object]) -> Document:
    """A document out of one row, errors naming the line."""
    where = f"{str(file.path)!r}, line {number}"
    text, document_id = row.get("text"), row.get("id")
    if not isinstance(text, str) or not text.strip():
        raise InvalidValueError(
            f"{where}: no text", hint="each row needs a 'text' that is not blank"
        )
    if document_id in (None, ""):
        document_id = f"{file.name}:{number}"
    if not isinstance(document_id, (str, int)):
        raise InvalidValueError(f"{where}: id is {document_id!r:.80}", hint="use text or a number")
    metadata = {"source": file.name}
    for key, value in row.items():
        if key in ("id", "text") or value is None:
            continue
        if not isinstance(value, _SCALARS):
            raise InvalidValueError(
                f"{where}: {key!r:.80} is {value!r:.80}", hint="metadata values are text or numbers"
            )
        metadata[str(key)] = str(value)
    try:
        return Document(str(document_id), text, metadata)
    except InvalidValueError as error:
        raise InvalidValueError(f"{where}: {error.message}", hint=error.hint) from error


def _load_pdf(file: SourceFile) -> Iterator[Document]:
    from pypdf import PdfReader

    try:
        with PdfReader(file.path) as reader:
            pages = [page.extract_text().strip() for page in reader.pages]
    except Exception as error:  # pypdf lets errors of many kinds through on broken files
        raise InvalidValueError(
            f"cannot read {str(file.path)!r} as PDF: {error}",
            hint="decrypt or repair it, or convert it to text",
        ) from error
    for number, text in enumerate(pages, start=1):
        if text:
            readable = text.encode("utf-8", "replace").decode()
            yield Document(
                f"{file.name}:{number}", readable, {"source": file.name, "page": str(number)}
            )


READERS: Mapping[str, Callable[[SourceFile], Iterator[Document]]] = MappingProxyType(
    {
        ".txt": _load_text,
        ".md": _load_markdown,
        ".jsonl": _load_jsonl,
        ".csv": _load_csv,
        ".pdf": _load_pdf,
    }
)
