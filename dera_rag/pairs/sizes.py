"""How large a checkpoint is, from the headers of its files: no weight is read."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dera_rag.errors import MissingFileError, ModelLoadError

_LOG = logging.getLogger(__name__)
_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}
_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
# A header longer than this is no safetensors file (the format's own limit).
_LONGEST_HEADER = 100_000_000
_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What a checkpoint takes in memory.

    Attributes:
        parameters: Number of weights.
        stored: Bytes of the weights in the type they are stored in.
        dtype: That type, the most common one.
        kv_per_token: Bytes of key-value cache for each token of each row, in that type; 0 where
            the configuration does not tell.
        fixed: Bytes of what is no floating number and keeps its type.
    """

    parameters: int
    stored: int
    dtype: str
    kv_per_token: int = 0
    fixed: int = 0

    def loaded(self, itemsize: int | None = None, bits: int | None = None) -> int:
        """Bytes of the weights once loaded.

        Args:
            itemsize: Bytes of a floating weight; None keeps the stored type.
            bits: Bits of a quantized weight, for a lower bound; None without quantization.
        """
        if bits is not None:
            return self.parameters * bits // 8
        return self.stored if itemsize is None else self.parameters * itemsize + self.fixed


def measure(folder: str | Path) -> ModelSize:
    """Read the sizes of a checkpoint folder.

    Raises:
        MissingFileError: No such folder.
        ModelLoadError: No safetensors in it, or files that cannot be read as such.
    """
    path = Path(folder)
    if not path.is_dir():
        raise MissingFileError(f"no folder {str(folder)!r}", hint="sizes are read from a folder")
    try:
        size = _folder_size(path)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise ModelLoadError(
            f"cannot read the sizes in {str(folder)!r}: {error!r}", hint="download it again"
        ) from error
    if size is None:
        raise ModelLoadError(
            f"no model in {str(folder)!r}", hint="it needs config.json and *.safetensors"
        )
    return size


def size_of(source: str) -> ModelSize | None:
    """Size of a folder or of a hub repository; None where it cannot be told.

    A repository in the local cache is read there; of another one the headers are fetched, unless
    `HF_HUB_OFFLINE` forbids it.

    Args:
        source: A directory or hub id.
    """
    try:
        if Path(source).is_dir():
            return measure(source)
        cached = _cached_folder(source)
        return measure(cached) if cached is not None else _hub_size(source)
    # What cannot be measured is left to the loader, whose errors say more.
    except Exception as error:  # noqa: BLE001, RUF100
        _LOG.debug("no size of %s: %r", source, error)
        return None


def adapter_bytes(file: Path) -> int:
    """Bytes of the tensors of one safetensors file."""
    return sum(count * _BYTES.get(kind, 1) for kind, count in _values(file).items())


def _folder_size(path: Path) -> ModelSize | None:
    """Size of a checkpoint folder; None where it holds none."""
    files, config = _weight_files(path), path / "config.json"
    if not files or not config.is_file():
        return None
    counts: Counter[str] = Counter()
    for file in files:
        counts.update(_values(file))
    return _size(counts, json.loads(config.read_text(encoding="utf-8")))


def _cached_folder(source: str) -> Path | None:
    """Where the hub's cache holds a repository whose weights are all there."""
    from huggingface_hub import try_to_load_from_cache

    for name in (_INDEX, _SINGLE):
        found = try_to_load_from_cache(source, name)
        if isinstance(found, str):
            folder = Path(found).parent
            return folder if all(file.exists() for file in _weight_files(folder)) else None
    return None


def _hub_size(source: str) -> ModelSize | None:
    from huggingface_hub import constants, get_safetensors_metadata

    if constants.HF_HUB_OFFLINE:
        return None
    found = get_safetensors_metadata(source)
    counts: Counter[str] = Counter()
    for file in found.files_metadata.values():
        counts.update(file.parameter_count)
    return _size(counts, {})


def _weight_files(folder: Path) -> list[Path]:
    """The files transformers would load: some repositories hold the weights a second time."""
    if (folder / _SINGLE).is_file():
        return [folder / _SINGLE]
    if (folder / _INDEX).is_file():
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        return [folder / name for name in sorted(set(index["weight_map"].values()))]
    return sorted(folder.glob("*.safetensors"))


def _values(file: Path) -> Counter[str]:
    """Number of values of each type; a safetensors file opens with this as JSON."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"{file.name} is no safetensors file")
        header = json.loads(stream.read(length))
    counts: Counter[str] = Counter()
    for name, tensor in header.items():
        if name != "__metadata__":
            counts[tensor["dtype"]] += math.prod(tensor["shape"])
    return counts


def _size(counts: Mapping[str, int], config: Mapping[str, int | None]) -> ModelSize:
    main = max(counts, key=lambda kind: counts[kind])
    sizes = {kind: count * _BYTES.get(kind, 1) for kind, count in counts.items()}
    return ModelSize(
        parameters=sum(counts.values()),
        stored=sum(sizes.values()),
        dtype=_NAMES.get(main, main),
        kv_per_token=_cache_values(config) * _BYTES.get(main, 1),
        fixed=sum(size for kind, size in sizes.items() if kind not in _NAMES),
    )


def _cache_values(config: Mapping[str, int | None]) -> int:
    """Numbers kept per token: a key and a value for every layer and key-value head.

    In an encoder–decoder the decoder keeps as many for a token of the prompt as for one of the
    answer.
    """
    nested = config.get("text_config")
    found = nested if isinstance(nested, Mapping) else config

    def first(*names: str) -> int:
        return next((int(v) for name in names if (v := found.get(name))), 0)

    layers = first(
        "num_decoder_layers", "decoder_layers", "num_hidden_layers", "n_layer", "num_layers"
    )
    heads = first("decoder_attention_heads", "num_attention_heads", "n_head", "num_heads")
    width = first("head_dim", "d_kv") or first("hidden_size", "n_embd", "d_model") // max(1, heads)
    return 2 * layers * (first("num_key_value_heads") or heads) * width
