"""What a model's folder holds, as a short name: the same weights are the same wherever they lie."""

from __future__ import annotations

import hashlib
from pathlib import Path

_ENDINGS = (".safetensors", ".json", ".model", ".jinja", ".txt")
# Gigabytes would take minutes: of a large file its ends and samples between them are read.
_WHOLE, _PIECE, _PIECES = 64 << 20, 1 << 16, 64


def folder_digest(folder: Path) -> str:
    """16 hexadecimal digits of a model's weights, configuration and tokenizer.

    Args:
        folder: In Hugging Face form.
    """
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


def model_version(model: str) -> str:
    """A hub id as it is; of a folder its own name and its digest, wherever it lies.

    Args:
        model: A hub id or a folder.
    """
    folder = Path(model)
    return f"{folder.name} {folder_digest(folder)}" if folder.is_dir() else model
