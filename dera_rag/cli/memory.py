"""How much memory a pair needs, from the headers of its files: nothing is loaded."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dera_rag.errors import MissingFileError, ModelLoadError

_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}
_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
# A header longer than this is no safetensors file (the format's own limit).
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What a checkpoint takes in memory.

    Attributes:
        parameters: Number of weights.
        stored: Bytes of the weights in the type they are stored in.
        dtype: That type, the most common one.
        kv_per_token: Bytes of key-value cache for each token of each row, in that type.
    """

    parameters: int
    stored: int
    dtype: str
    kv_per_token: int


def measure(folder: str | Path) -> ModelSize:
    """Read the sizes of a checkpoint folder.

    Raises:
        MissingFileError: No such folder.
        ModelLoadError: No safetensors in it, or files that cannot be read as such.
    """
    path = Path(folder)
    if not path.is_dir():
        raise MissingFileError(f"no folder {str(folder)!r}", hint="sizes are read from a folder")
    files = sorted(path.glob("*.safetensors"))
    if not files or not (path / "config.json").is_file():
        raise ModelLoadError(
            f"no model in {str(folder)!r}", hint="it needs config.json and *.safetensors"
        )
    counts: dict[str, int] = {}
    try:
        for file in files:
            for kind, count in _tensors(file):
                counts[kind] = counts.get(kind, 0) + count
        main = max(counts, key=lambda kind: counts[kind])
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        cache = _cache_values(config) * _BYTES.get(main, 1)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelLoadError(
            f"cannot read the sizes in {str(folder)!r}: {error!r}", hint="download it again"
        ) from error
    stored = sum(count * _BYTES.get(kind, 1) for kind, count in counts.items())
    return ModelSize(sum(counts.values()), stored, _NAMES.get(main, main), cache)


def _tensors(file: Path) -> list[tuple[str, int]]:
    """Type and number of values of every tensor; a safetensors file opens with this as JSON."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"{file.name} is no safetensors file")
        header = json.loads(stream.read(length))
    return [
        (tensor["dtype"], math.prod(tensor["shape"]))
        for name, tensor in header.items()
        if name != "__metadata__"
    ]


def _cache_values(config: Mapping[str, int | None]) -> int:
    """Numbers kept per token: a key and a value for every layer and key-value head."""

    def first(*names: str) -> int:
        return next((int(v) for name in names if (v := config.get(name))), 0)

    layers, heads = first("num_hidden_layers", "n_layer"), first("num_attention_heads", "n_head")
    width = first("head_dim") or first("hidden_size", "n_embd") // max(1, heads)
    return 2 * layers * first("num_key_value_heads", "num_attention_heads", "n_head") * width


def free_memory() -> int | None:
    """Bytes of main memory this process may still take; None where the system does not tell."""
    free = _available()
    if free is not None and (limit := _group_room()) is not None:
        return min(free, limit)
    return free


def _available() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
        line = next(line for line in text.splitlines() if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_room() -> int | None:
    """What the container leaves, where there is one with a limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text(encoding="utf-8"))
        return limit - int((group / "memory.current").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
