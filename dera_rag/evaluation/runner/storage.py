"""The files of a run: only whole lines, only by one process, and on disk before work goes on."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dera_rag.errors import RunFolderError
from dera_rag.files import writing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

GENERATIONS, SCORES, TIMINGS = "generations.jsonl", "scores.jsonl", "timings.jsonl"
_LOCK = ".lock"
_LOG = logging.getLogger(__name__)

Row = dict[str, Any]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder; the system lets go of it when the process ends, however it ends.

    Args:
        folder: Made where it is missing.

    Yields:
        Nothing.

    Raises:
        RunFolderError: Another process holds it, or its file system has no locks.
        OutputError: It cannot be made, or nothing can be written into it.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if fcntl is not None:
            _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunFolderError(
            f"another run holds {str(folder)!r}", hint="wait for it, or stop it"
        ) from error
    except OSError as error:
        raise RunFolderError(
            f"cannot lock {str(folder)!r}: {error.strerror or error}",
            hint="name a folder on a file system that has locks, such as a local disk",
        ) from error


class Appender:
    """Appends lines to a file, each call's on disk when it returns.

    Args:
        path: The file; made where it is missing.
        size: Bytes that stay; what stands behind them is cut off.

    Raises:
        OutputError: It cannot be opened for writing.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        with writing(path):
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self._size = size
        before = os.fstat(self._handle).st_size
        if before > size:
            _LOG.warning("%s: cut %d bytes of unfinished work", path.name, before - size)
            os.ftruncate(self._handle, size)
            os.fsync(self._handle)

    def append(self, lines: Sequence[str]) -> None:
        """Add lines.

        Raises:
            RunFolderError: They could not be written, as on a full disk; the file is as before, so
                far as the disk lets it.
        """
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
        written = 0
        try:
            while written < len(data):
                at = self._size + written
                written += os.pwrite(self._handle, data[written : written + (1 << 20)], at)
            os.fsync(self._handle)
        except OSError as error:
            self._take_back()
            raise RunFolderError(
                f"cannot write {str(self._path)!r}: {error.strerror or error}",
                hint="make room, then `dera-rag eval resume` goes on where this stopped",
            ) from error
        self._size += len(data)

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._handle, self._size)
        except OSError:
            # The next resume cuts it.
            _LOG.warning("%s: an unfinished line stays behind", self._path.name)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)


class Stored:
    """The lines of a file, read from its beginning as long as they are whole.

    Args:
        path: The file; may be missing.
    """

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes() if path.is_file() else b""
        self._at = 0
        self.size = 0

    def take(self, count: int, fits: Callable[[int, Row], bool]) -> list[str] | None:
        """The next lines, if they are all there and are the ones expected.

        Args:
            count: How many.
            fits: Whether the row at a position is what should stand there.

        Returns:
            The lines without their ends; None, for good, where one is missing, torn or foreign.
            `size` is the number of bytes up to the last line taken.
        """
        lines: list[str] = []
        at = self._at
        for position in range(count):
            end = self._data.find(b"\n", at)
            row = None if end < 0 else _parsed(self._data[at:end])
            if row is None or not fits(position, row):
                self._data = b""
                return None
            lines.append(self._data[at:end].decode("utf-8", "surrogatepass"))
            at = end + 1
        self._at = self.size = at
        return lines


def whole_lines(path: Path) -> int:
    """Bytes up to the end of the last line that is whole and parses."""
    stored = Stored(path)
    while stored.take(1, lambda position, row: True) is not None:
        pass
    return stored.size


def _parsed(line: bytes) -> Row | None:
    try:
        row = json.loads(line.decode("utf-8", "surrogatepass"))
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def dumped(row: Row) -> str:
    """A row as one line of JSON: numbers to 6 digits, NaN and infinities as null."""
    return json.dumps(_rounded(row), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        # −0.0 and 0.0 would be two texts for one number.
        return round(value, 6) + 0.0 if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value
