"""Which weights a run used, told from files alone: before, and without, loading a model."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from dera_rag.evaluation.model_files import folder_digest
from dera_rag.evaluation.suites import PairSource
from dera_rag.types import Json


def identify(pair: PairSource, folder: Path) -> dict[str, Json]:
    """A hash for each model's folder; a hub id's cached revision, "" where it is not cached.

    Args:
        pair: Where the models come from.
        folder: Paths are relative to this, where they exist there.
    """
    if pair.embedded:
        base = Path(str(files("dera_rag") / "embedded" / "pair"))
        return {name: folder_digest(base / name) for name in ("reference", "aligned")}
    named = {"reference": pair.reference, "aligned": pair.aligned}
    return {name: _identity(source, folder) for name, source in named.items()}


def _identity(source: str, folder: Path) -> str:
    for path in (folder / source, Path(source)):
        if path.is_dir():
            return folder_digest(path)
    from huggingface_hub import try_to_load_from_cache

    for name in ("config.json", "adapter_config.json"):
        found = try_to_load_from_cache(source, name)
        if isinstance(found, str):
            # …/snapshots/<revision>/config.json
            return f"revision {Path(found).parent.name}"
    return ""
