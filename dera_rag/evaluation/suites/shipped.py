"""Suites that ship with the package, found by name."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

from dera_rag.errors import MissingFileError, UnknownNameError


def shipped_names() -> list[str]:
    """Names of the shipped suites, sorted."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def find_suite(name: str | Path) -> Path:
    """The file of a suite: a path, or the name of a shipped one.

    Raises:
        MissingFileError: A path to a file that does not exist.
        UnknownNameError: No shipped suite of this name; the hint suggests the nearest.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        raise MissingFileError(
            f"no suite file {str(name)!r}", hint=f"shipped are {', '.join(shipped_names())}"
        )
    known = shipped_names()
    if str(name) not in known:
        near = difflib.get_close_matches(str(name), known, n=3) or known
        raise UnknownNameError(f"no suite named {str(name)!r}", hint=f"did you mean {near}?")
    return _folder() / f"{name}.yaml"


def _folder() -> Path:
    return Path(str(files("dera_rag.evaluation.suites") / "shipped"))
