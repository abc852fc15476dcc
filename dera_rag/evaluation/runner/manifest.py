"""`manifest.json`: what a run is, written before any model loads and enough to go on from."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dera_rag import __version__
from dera_rag.errors import RunFolderError
from dera_rag.evaluation.runner.plan import Plan, content_key
from dera_rag.evaluation.suites import Suite, read_suite
from dera_rag.files import write_atomic
from dera_rag.types import Json

NAME = "manifest.json"
_FORMAT = 1
_LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", "scipy")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A run.

    Attributes:
        suite: The suite's values, as its YAML has them.
        folder: Where the suite's file lies.
        limit: Most questions of each section; None for all.
        models: What identifies the weights.
        plan: The batches' keys and the tasks' cards, as `Plan.to_dict` gives them.
        scorers: Section → name → version, direction, range and options of its scorers.
        versions: Of this package, Python and the libraries beneath.
    """

    suite: Mapping[str, Json]
    folder: str
    limit: int | None
    models: Mapping[str, Json]
    plan: Mapping[str, Json]
    scorers: Mapping[str, Json]
    versions: Mapping[str, Json]

    @property
    def scoring(self) -> str:
        """Hash of the scorers: rows scored by others are made again."""
        return content_key({"scorers": dict(self.scorers)})[:12]

    def read_suite(self) -> Suite:
        """The suite, read again.

        Raises:
            DeraRagError: This package no longer understands it, or a file it names is gone.
        """
        return read_suite(self.suite, Path(self.folder), f"the suite in {NAME}")

    def with_scorers(self, values: Mapping[str, Json], suite: Suite) -> Manifest:
        """The same run with other scorers.

        Args:
            values: Of the suite that lists them.
            suite: That suite; paths are relative to its folder from now on.
        """
        folder = str(suite.folder)
        return replace(self, suite=dict(values), folder=folder, scorers=describe_scorers(suite))

    def save(self, folder: Path) -> None:
        """Write it into a run's folder, atomically.

        Raises:
            RunFolderError: It cannot be written, as on a full disk.
        """
        values: dict[str, Json] = {
            "format": _FORMAT,
            "suite": dict(self.suite),
            "folder": self.folder,
            "limit": self.limit,
            "models": dict(self.models),
            "scoring": self.scoring,
            "scorers": dict(self.scorers),
            "versions": dict(self.versions),
            "plan": dict(self.plan),
        }
        text = json.dumps(values, ensure_ascii=False, indent=1) + "\n"
        try:
            write_atomic(folder / NAME, text)
        except OSError as error:
            raise RunFolderError(
                f"cannot write {str(folder / NAME)!r}: {error.strerror or error}",
                hint="make room, then run again",
            ) from error

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read a run's manifest.

        Raises:
            RunFolderError: There is none, or it is of another format.
        """
        if not folder.is_dir():
            raise RunFolderError(f"no folder {str(folder)!r}", hint="check the path")
        file = folder / NAME
        if not file.is_file():
            raise RunFolderError(
                f"{str(folder)!r} holds no {NAME}: nothing was begun there",
                hint="start again with `dera-rag eval run SUITE --out DIR`",
            )
        try:
            values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            known = values.pop("format") == _FORMAT
            values.pop("scoring")
            made = cls(**values) if known else None
        except (ValueError, KeyError, TypeError, AttributeError):
            made = None
        if made is None:
            raise RunFolderError(
                f"cannot read {str(file)!r}: not a manifest of this version's format",
                hint="resume with the version of dera-rag that began the run, or run again",
            )
        return made


def describe_scorers(suite: Suite) -> dict[str, Json]:
    """Section → name → what its scorers promise."""
    described: dict[str, Json] = {}
    for section in suite.tasks:
        rows: dict[str, Json] = {}
        for named in section.scorers:
            made = named.scorer(suite.folder)
            ends: list[Json] = [None if abs(end) == float("inf") else end for end in made.range]
            needs: list[Json] = [*sorted(made.needs)]
            rows[made.name] = {
                "version": made.version,
                "direction": made.direction,
                "range": ends,
                "needs": needs,
                **named.to_dict(),
            }
        described[section.name] = rows
    return described


def make_manifest(
    values: Mapping[str, Json],
    suite: Suite,
    limit: int | None,
    models: Mapping[str, Json],
    plan: Plan,
) -> Manifest:
    """The manifest of a run that is about to begin."""
    libraries: dict[str, Json] = {name: _version(name) for name in _LIBRARIES}
    return Manifest(
        suite=dict(values),
        folder=str(suite.folder),
        limit=limit,
        models=dict(models),
        plan=plan.to_dict(),
        scorers=describe_scorers(suite),
        versions={"dera_rag": __version__, "python": platform.python_version(), **libraries},
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
