"""Reranking: a slower model reads each passage together with the question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dera_rag.errors import ModelLoadError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


@runtime_checkable
class Reranker(Protocol):
    """Scores passages against a question."""

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """Relevance of each text in [0, 1], higher is better.

        Args:
            question: The question.
            texts: The passages.
        """
        ...


class CrossEncoderReranker:
    """A sentence-transformers cross-encoder; its scores pass through a sigmoid into [0, 1].

    Code that comes with a checkpoint is not run, and weights are read from safetensors only.

    Args:
        model: Hub id, folder, or a loaded CrossEncoder with one label.
        device: torch device; None lets the library choose.
        batch_size: Passages scored at a time, ≥ 1.

    Raises:
        ModelLoadError: The model cannot be loaded, or has several labels.
    """

    def __init__(
        self, model: str | Path | CrossEncoder, device: str | None = None, batch_size: int = 32
    ) -> None:
        self._model = _load(str(model), device) if isinstance(model, (str, Path)) else model
        self._batch_size = batch_size
        if self._model.num_labels != 1:
            raise ModelLoadError(
                f"a reranker gives one score, this cross-encoder {self._model.num_labels}",
                hint="use a model trained for ranking",
            )

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """Relevance of each text in [0, 1].

        Args:
            question: The question.
            texts: The passages.
        """
        import torch

        if not texts:
            return []
        scores = self._model.predict(
            [(question, text) for text in texts],
            batch_size=self._batch_size,
            # Some models bring an identity, whose logits are no relevance in [0, 1].
            activation_fn=torch.nn.Sigmoid(),
            show_progress_bar=False,
        )
        return [float(score) for score in scores]


def _load(model: str, device: str | None) -> CrossEncoder:
    from sentence_transformers import CrossEncoder

    try:
        return CrossEncoder(
            model,
            device=device,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # hub, configuration and weight errors share no base class
        raise ModelLoadError(
            f"cannot load the cross-encoder {model!r}: {error}",
            hint="check the id or folder and that the checkpoint holds safetensors",
        ) from error
