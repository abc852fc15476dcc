"""Folders of files under a manifest that seals them: replaced as one, checked before use.

A save writes every file beside its place as `*.new`, renames the manifest, then the others. The
manifest holds the SHA-256 of the others, so a reader knows which of `x` and `x.new` belongs to it:
whenever a save dies, the folder reads as before (manifest not yet renamed) or as after it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dera_rag.errors import IndexFormatError, MissingFileError
from dera_rag.files import writing
from dera_rag.types import Json

MANIFEST = "manifest.json"
_REBUILD = "delete the folder and build the index again from its documents"
_BUILD = "build one with `dera-rag index PATH… --out DIR`"
# A reader that meets a save between its renames sees a mismatch that the next look resolves.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Form:
    """Which folders are ours to read.

    Attributes:
        name: Value of `format` in the manifest.
        version: Value of `version` in the manifest.
        files: The sealed files.
    """

    name: str
    version: int
    files: Sequence[str]


def is_sealed(folder: Path) -> bool:
    """Whether there is a manifest, of whatever origin and health."""
    return (folder / MANIFEST).is_file()


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds files but no manifest; `*.new` is what a first save left behind.

    Raises:
        IndexFormatError: It is such a folder.
    """
    if is_sealed(folder) or not folder.is_dir():
        return
    foreign = sorted(p.name for p in folder.iterdir() if not p.name.endswith(".new"))
    if foreign:
        raise IndexFormatError(
            f"{str(folder)!r} is no index but holds {foreign[:3]}",
            hint="name a new or empty folder",
        )


def write(
    folder: Path, form: Form, manifest: Mapping[str, Json], contents: Mapping[str, bytes]
) -> None:
    """Replace what the folder holds, or make it.

    Args:
        folder: Where.
        form: Its form; `contents` holds exactly its files.
        manifest: Further entries of the manifest.
        contents: File name → bytes.

    Raises:
        IndexFormatError: The folder holds something that is not of this form.
        OutputError: It cannot be written; what was there can still be read.
    """
    refuse_foreign(folder)
    seals: dict[str, Json] = {name: _seal(content) for name, content in contents.items()}
    head: dict[str, Json] = {"format": form.name, "version": form.version}
    text = json.dumps({**head, **manifest, "files": seals}, ensure_ascii=False, indent=1) + "\n"
    with writing(folder):
        if is_sealed(folder):
            _settle(folder, form)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in {**contents, MANIFEST: text.encode()}.items():
            with (folder / f"{name}.new").open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name in (MANIFEST, *form.files):
            (folder / f"{name}.new").replace(folder / name)
        _sync(folder)


def read(folder: Path, form: Form) -> tuple[dict[str, Json], dict[str, bytes]]:
    """The manifest and the files it seals.

    Raises:
        MissingFileError: No such folder.
        IndexFormatError: No manifest, another form or version, or files that do not match it.
    """
    if not folder.is_dir():
        raise MissingFileError(f"no index folder {str(folder)!r}", hint=_BUILD)
    for _ in range(_ATTEMPTS):
        manifest = _manifest(folder, form)
        contents = {name: _sealed(folder, name, manifest) for name in form.files}
        bad = sorted(name for name, content in contents.items() if content is None)
        if not bad:
            return manifest, {
                name: content for name, content in contents.items() if content is not None
            }
    raise IndexFormatError(
        f"{str(folder / bad[0])!r} is missing or corrupted: it does not match the manifest",
        hint=_REBUILD,
    )


def _manifest(folder: Path, form: Form) -> dict[str, Json]:
    """The manifest, if it is of this form.

    Raises:
        IndexFormatError: It is not.
    """
    if not is_sealed(folder):
        raise IndexFormatError(
            f"{str(folder)!r} is not an index: it has no {MANIFEST}", hint=_BUILD
        )
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (ValueError, RecursionError) as error:
        raise IndexFormatError(
            f"{str(folder / MANIFEST)!r} is corrupted: {error}", hint=_REBUILD
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != form.name:
        raise IndexFormatError(
            f"{str(folder)!r} was not made by this package", hint="name another folder"
        )
    if manifest.get("version") != form.version:
        raise IndexFormatError(
            f"{str(folder)!r} has format version {manifest.get('version')!r}, this release reads "
            f"version {form.version}",
            hint=_REBUILD,
        )
    return manifest


def _sealed(folder: Path, name: str, manifest: Mapping[str, Json]) -> bytes | None:
    """The bytes of a file, or of its `.new` twin, that match the manifest."""
    for path in (folder / name, folder / f"{name}.new"):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        if _seal(content) == _seal_of(name, manifest):
            return content
    return None


def _settle(folder: Path, form: Form) -> None:
    """Finish the renames of a save that died after its manifest was in place."""
    manifest = _manifest(folder, form)
    for name in form.files:
        pending = folder / f"{name}.new"
        if pending.is_file() and _seal(pending.read_bytes()) == _seal_of(name, manifest):
            pending.replace(folder / name)


def _seal_of(name: str, manifest: Mapping[str, Json]) -> Json:
    seals = manifest.get("files")
    return seals.get(name) if isinstance(seals, dict) else None


def _seal(content: bytes) -> dict[str, Json]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _sync(folder: Path) -> None:
    """Make the renames durable, where folders can be synced at all (not on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
