"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dera_rag.errors import OutputError


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Around whatever makes a file or folder: what the system refuses is said with its place.

    Args:
        path: What is written.

    Yields:
        Nothing.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {str(path)!r}: {error.strerror or error}",
            hint="name a place that can be written, or make room there",
        ) from error


def write_atomic(path: str | Path, content: str | bytes) -> Path:
    """Write a file so that a reader, or a crash at any moment, sees the old or the new content.

    Args:
        path: Where to; missing folders are made.
        content: Text is written as UTF-8.

    Returns:
        The path.

    Raises:
        OutputError: It cannot be written; what was there stays.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that only the owner can read; give it what a plain open would.
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return path


@contextmanager
def replace_directory(path: str | Path) -> Iterator[Path]:
    """A fresh folder to fill; it takes the path's place when the block ends without an error.

    Args:
        path: The folder to make or replace; its parent must exist.

    Yields:
        The folder to write into.

    Raises:
        OutputError: It cannot be made there, or cannot take the path's place.
    """
    path = Path(path)
    with writing(path):
        fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        fresh.chmod(0o777 & ~_umask())
        yield fresh
        with writing(path):
            if path.exists():
                old = fresh.with_name(f"{fresh.name}.old")
                path.replace(old)
                fresh.replace(path)
                shutil.rmtree(old)
            else:
                fresh.replace(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
