"""Texts to unit vectors: the embedded static model, and any sentence-transformers model."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dera_rag.errors import MissingFileError, ModelLoadError

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import SentenceTransformer

EMBEDDED = Path(__file__).parent.parent / "embedded" / "embedder"
_WEIGHTS, _TOKENIZER = "model.safetensors", "tokenizer.json"


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows divided by their Euclidean norm, float32; a row of zeros stays zero.

    Args:
        rows: `[N, D]` of any float type.
    """
    import numpy as np

    values = np.asarray(rows, dtype=np.float32)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    unit: np.ndarray = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
    return unit


class StaticEmbedder:
    """A static embedding model: the mean of its tokens' vectors, normalised.

    Reads the on-disk form of sentence-transformers' StaticEmbedding, and answers like
    `SentenceTransformer(path).encode(texts, normalize_embeddings=True)` without importing that
    library or torch.

    Args:
        path: Folder with `model.safetensors` and `tokenizer.json`.
        label: First half of `name`; None for the folder's name.

    Raises:
        MissingFileError: A file is missing.
        ModelLoadError: The files do not hold a static embedding model.
    """

    def __init__(self, path: str | Path, label: str | None = None) -> None:
        from safetensors.numpy import load
        from tokenizers import Tokenizer

        folder = Path(path)
        for file in (_WEIGHTS, _TOKENIZER):
            if not (folder / file).is_file():
                raise MissingFileError(
                    f"no {file} in {str(folder)!r}", hint="name the folder of a static model"
                )
        weights, tokenizer = (folder / _WEIGHTS).read_bytes(), (folder / _TOKENIZER).read_bytes()
        try:
            tensors = load(weights)
            self._tokenizer = Tokenizer.from_str(tokenizer.decode())
        except Exception as error:  # tokenizers raises no narrower class
            raise ModelLoadError(
                f"{str(folder)!r} is not a static embedding model: {error}", hint="save it again"
            ) from error
        if "embedding.weight" not in tensors or tensors["embedding.weight"].ndim != 2:
            raise ModelLoadError(
                f"{str(folder)!r} holds {sorted(tensors)}, not a matrix 'embedding.weight'",
                hint="use SentenceTransformerEmbedder for other kinds of model",
            )
        self._vectors = tensors["embedding.weight"]
        if self._tokenizer.get_vocab_size() > len(self._vectors):
            raise ModelLoadError(
                f"{str(folder)!r}: {self._tokenizer.get_vocab_size()} tokens but only "
                f"{len(self._vectors)} vectors",
                hint="tokenizer and weights belong to different models",
            )
        self._tokenizer.no_padding()
        digest = hashlib.sha256(weights + tokenizer).hexdigest()[:16]
        self._name = f"{label or folder.resolve().name}@{digest}"

    @classmethod
    def embedded(cls) -> StaticEmbedder:
        """The model that ships with the package, loaded once per process."""
        return _embedded()

    @property
    def name(self) -> str:
        """`<label>@<hash of weights and tokenizer>`."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`[len(texts), dimension]` float32 rows of norm 1 (0 for a text without a token)."""
        import numpy as np

        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for row, encoding in zip(rows, encodings, strict=True):
            if encoding.ids:
                row[:] = self._vectors[encoding.ids].mean(axis=0, dtype=np.float32)
        return unit_rows(rows)


@functools.cache
def _embedded() -> StaticEmbedder:
    return StaticEmbedder(EMBEDDED, label="dera-rag-embedded")


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, by hub id or folder, or a loaded one.

    The model's own prompts for questions and documents are used where it has them. Code that comes
    with a checkpoint is not run (`trust_remote_code` stays off).

    Args:
        model: Hub id, folder, or a loaded SentenceTransformer.
        device: torch device; None lets the library choose.
        batch_size: Texts embedded at a time, ≥ 1.

    Raises:
        ModelLoadError: The model cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path | SentenceTransformer,
        device: str | None = None,
        batch_size: int = 32,
    ) -> None:
        if isinstance(model, (str, Path)):
            self._model = _load(str(model), device)
            label = Path(model).resolve().name if Path(model).exists() else str(model)
        else:
            self._model = model
            label = type(model).__name__
        self._batch_size = batch_size
        self._name = f"{label}@{_fingerprint(self._model)}"
        self._dimension = int(self._model.encode(["a"], show_progress_bar=False).shape[1])

    @property
    def name(self) -> str:
        """`<hub id or folder name>@<hash of weights and prompts>`."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`[len(texts), dimension]` float32 rows of norm 1, with the model's document prompt."""
        return self._unit(self._model.encode_document, texts)

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        """`[len(texts), dimension]` float32 rows of norm 1, with the model's question prompt."""
        return self._unit(self._model.encode_query, texts)

    def _unit(self, encode: Callable[..., object], texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        vectors = encode(list(texts), batch_size=self._batch_size, show_progress_bar=False)
        return unit_rows(np.asarray(vectors))


def _load(model: str, device: str | None) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(
            model,
            device=device,
            trust_remote_code=False,
            # A checkpoint in pickle form could run code when it is read.
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # hub, configuration and weight errors share no base class
        raise ModelLoadError(
            f"cannot load the sentence-transformers model {model!r}: {error}",
            hint="check the id or folder and that the checkpoint holds safetensors; offline, use "
            "a folder or StaticEmbedder.embedded()",
        ) from error


def _fingerprint(model: SentenceTransformer) -> str:
    """16 hex digits over the weights and the prompts: what decides the vectors."""
    import torch

    digest = hashlib.sha256(json.dumps(model.prompts, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(name.encode())
        digest.update(raw.numpy().tobytes())
    return digest.hexdigest()[:16]
