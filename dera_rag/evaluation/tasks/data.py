"""Rows of public and private data: JSONL and CSV files, plain or gzipped, or a hub dataset."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dera_rag.errors import InvalidValueError, MissingDependencyError, MissingFileError

Row = Mapping[str, Any]
_T = TypeVar("_T")
_SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")
ENVIRONMENT = "DERA_RAG_DATA"
"""Environment variable that names a folder of datasets, each in a folder of its name."""


def local_folder(name: str, data: str | None) -> Path | None:
    """The folder of a dataset: the one named, or its place under `$DERA_RAG_DATA`.

    Args:
        name: The dataset's folder below `$DERA_RAG_DATA`.
        data: A folder of one's own; None for the environment's.

    Returns:
        The folder; None where neither is there, so that the hub is asked.
    """
    if data is not None:
        return Path(data) if Path(data).is_dir() else None
    base = os.environ.get(ENVIRONMENT)
    folder = Path(base, name) if base else None
    return folder if folder is not None and folder.is_dir() else None


def find_file(folder: Path, stem: str) -> Path:
    """The file of a stem in a folder, in any of the known forms.

    Raises:
        MissingFileError: None of them is there.
    """
    for suffix in _SUFFIXES:
        if (folder / f"{stem}{suffix}").is_file():
            return folder / f"{stem}{suffix}"
    raise MissingFileError(
        f"no {stem!r} in {str(folder)!r}",
        hint=f"expected {stem} with one of the endings {', '.join(_SUFFIXES)}",
    )


def read_rows(path: str | Path) -> Iterator[Row]:
    """The rows of a JSONL or CSV file.

    Raises:
        MissingFileError: No such file.
        InvalidValueError: Another ending, or a line that cannot be read; it is named.
    """
    file = Path(path)
    if not file.name.endswith(_SUFFIXES):
        raise InvalidValueError(
            f"cannot read rows of {str(path)!r}", hint=f"known endings: {', '.join(_SUFFIXES)}"
        )
    if not file.is_file():
        raise MissingFileError(f"no file {str(path)!r}", hint="check the path")
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"{str(path)!r} is not UTF-8", hint="convert it") from error
    yield from _csv(text, file) if ".csv" in file.suffixes else _jsonl(text, file)


def _csv(text: str, file: Path) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise InvalidValueError(
                    f"{str(file)!r}, line {reader.line_num}: the number of fields differs from "
                    f"the header's {len(reader.fieldnames or ())}",
                    hint="quote fields that hold commas",
                )
            yield row
    except csv.Error as error:
        raise InvalidValueError(f"{str(file)!r}, line {reader.line_num}: {error}") from error


def _jsonl(text: str, file: Path) -> Iterator[Row]:
    # str.splitlines would also split inside JSON strings that hold U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidValueError(
                f"{str(file)!r}, line {number}: not JSON ({error})", hint="one JSON object a line"
            ) from error
        if not isinstance(row, dict):
            raise InvalidValueError(f"{str(file)!r}, line {number}: expected an object")
        yield row


def hub_rows(name: str, split: str, config: str | None = None) -> list[Row]:
    """The rows of a dataset on the hub, through `datasets`.

    Raises:
        MissingDependencyError: `datasets` is not installed.
        MissingFileError: The hub, or the local cache of it, has no such dataset or split.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise MissingDependencyError(
            f"the dataset {name!r} needs `datasets`", hint='pip install "dera-rag[eval]"'
        ) from error
    try:
        return list(load_dataset(name, config, split=split))
    except Exception as error:  # it raises errors of many libraries
        raise MissingFileError(
            f"cannot load dataset {name!r}, split {split!r}: {error}",
            hint=f"name a local folder as `data`, or set {ENVIRONMENT}",
        ) from error


def chosen(examples: Sequence[_T], n: int | None, seed: int) -> list[_T]:
    """A random order that is the same for every n, and its first n."""
    order = list(examples)
    random.Random(f"examples {seed}").shuffle(order)
    return order[:n]


def digest(parts: Iterable[str | bytes]) -> str:
    """A short hash of parts, each with its length, so that no two lists share it."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(f"{len(data)}:".encode() + data)
    return found.hexdigest()[:16]


def check_count(name: str, n: object) -> None:
    """Refuse what is no number of examples.

    Raises:
        InvalidValueError: Neither None nor an integer ≥ 1.
    """
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
        raise InvalidValueError(f"{name} must be an integer ≥ 1, got {n!r}")


def check_choice(name: str, value: object, allowed: Sequence[str]) -> None:
    """Refuse what is not among the choices.

    Raises:
        InvalidValueError: It is not; the hint lists them.
    """
    if value not in allowed:
        raise InvalidValueError(f"unknown {name} {value!r}", hint=f"one of {list(allowed)}")
