"""Which weights a run used, told from files alone: before, and without, loading a model."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from dera_rag.evaluation.suites import PairSource
from dera_rag.types import Json

_ENDINGS = (".safetensors", ".json", ".model", ".jinja", ".txt")
# Gigabytes would take minutes: of a large file its ends and samples between them are read.
_WHOLE, _PIECE, _PIECES = 64 << 20, 1 << 16, 64


def identify(pair: PairSource, folder: Path) -> dict[str, Json]:
    """A hash for each model's folder; a hub id's cached revision, "" where it is not cached.

    Args:
        pair: Where the models come from.
        folder: Paths are relative to this, where they exist there.
    """
    if pair.embedded:
        base = Path(str(files("dera_rag") / "embedded" / "pair"))
        return {name: _hash(base / name) for name in ("reference", "aligned")}
    named = {"reference": pair.reference, "aligned": pair.aligned}
    return {name: _identity(source, folder) for name, source in named.items()}


def _identity(source: str, folder: Path) -> str:
    for path in (folder / source, Path(source)):
        if path.is_dir():
            return _hash(path)
    from huggingface_hub import try_to_load_from_cache

    for name in ("config.json", "adapter_config.json"):
        found = try_to_load_from_cache(source, name)
        if isinstance(found, str):
            # …/snapshots/<revision>/config.json
            return f"revision {Path(found).parent.name}"
    return ""


def _hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in _ENDINGS):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\n{size}\n".encode())
        with path.open("rb") as file:
            if size <= _WHOLE:
                digest.update(file.read())
                continue
            for piece in range(_PIECES):
                file.seek((size - _PIECE) * piece // (_PIECES - 1))
                digest.update(file.read(_PIECE))
    return digest.hexdigest()[:16]
