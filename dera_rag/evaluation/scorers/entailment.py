"""Any cross-encoder by id as a factuality scorer: does a passage entail each sentence.

Which output means "entailed" is read from the checkpoint's own labels and never guessed: models
differ in their order. Code that comes with a checkpoint is not run.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from dera_rag.errors import InvalidValueError, ModelLoadError
from dera_rag.evaluation.contract import Direction, Item, Need, Score, Span, missing
from dera_rag.evaluation.model_files import model_version
from dera_rag.evaluation.scorers.text import Sentence, sentences

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_SUPPORTS = re.compile(r"^(?:entailment|entails?|entailed|supported|consistent|factual)$", re.I)
_NO_WORDS = "the answer has no words"


class Entailment:
    """Probability that the passages entail the answer; higher is better.

    A sentence has the probability of the passage that supports it best, an answer that of its
    worst sentence (or their mean). Sentences below one half are marked.

    Works with natural-language-inference cross-encoders (labels with `entailment`) and with
    consistency models of a single output such as HHEM 1 (a probability after the sigmoid).

    Needs a model, which is downloaded where its id is named and it is not there.

    Args:
        model: Hub id, folder or a loaded `CrossEncoder`. Weights must be safetensors.
        label: Name of the output that means "supported"; None finds it among the labels.
        over: `min` (default) or `mean` of the sentences.
        batch_size: Pairs a forward pass.
        max_length: Tokens of a pair; longer passages are cut at the end. None for the model's own.

    Raises:
        InvalidValueError: `over` is neither.
    """

    direction: Direction = "higher"
    range = (0.0, 1.0)
    needs: frozenset[Need] = frozenset({"passages"})
    paths = ("model",)

    def __init__(
        self,
        *,
        model: str | Path | CrossEncoder,
        label: str | None = None,
        over: Literal["min", "mean"] = "min",
        batch_size: int = 16,
        max_length: int | None = None,
    ) -> None:
        if over not in {"min", "mean"}:
            raise InvalidValueError(f"unknown over={over!r}", hint="'min' or 'mean'")
        self._given, self._label, self._over = model, label, over
        self._batch_size, self._max_length = batch_size, max_length
        named = model if isinstance(model, str | Path) else type(model).__name__
        self._id = str(named)
        self.name = f"entailment_{Path(self._id).name}"

    @functools.cached_property
    def version(self) -> str:
        """Which model, and the settings that change values."""
        return f"1 {model_version(self._id)} {self._label} {self._over} {self._max_length}"

    @functools.cached_property
    def _model(self) -> CrossEncoder:
        if not isinstance(self._given, str | Path):
            return self._given
        from sentence_transformers import CrossEncoder

        try:
            return CrossEncoder(
                str(self._given),
                trust_remote_code=False,
                max_length=self._max_length,
                # A checkpoint in pickle form could run code when it is read.
                model_kwargs={"use_safetensors": True},
            )
        except Exception as error:  # hub, configuration and weight errors share no base class
            raise ModelLoadError(
                f"cannot load the cross-encoder {self._id!r}: {error}",
                hint="a hub id or folder of a sequence classifier in safetensors",
            ) from error

    @functools.cached_property
    def _index(self) -> int | None:
        """Which output is "supported"; None for a model with a single output."""
        config = self._model.config
        if config.num_labels == 1:
            return None
        labels = {int(i): str(name) for i, name in config.id2label.items()}
        wanted = _SUPPORTS if self._label is None else re.compile(re.escape(self._label) + "$")
        found = [i for i, name in labels.items() if wanted.match(name)]
        if len(found) != 1:
            raise InvalidValueError(
                f"cannot tell which output of {self._id!r} means supported: labels {labels}",
                hint="name it: label='…'",
            )
        return found[0]

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item; all pairs of the call share batches."""
        told = [[] if missing(i, self.needs) else sentences(i.answer) for i in items]
        pairs = [
            (passage.text, item.answer[s.start : s.end])
            for item, found in zip(items, told, strict=True)
            for s in found
            for passage in item.passages
        ]
        probabilities = iter(self.probabilities(pairs).tolist())
        scores = []
        for item, found in zip(items, told, strict=True):
            best = [max(next(probabilities) for _ in item.passages) for _ in found]
            scores.append(self._of(item, found, best))
        return scores

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """`[N]` probabilities that the first text of each pair supports the second."""
        import torch

        if not pairs:
            return np.zeros(0)
        index = self._index
        logits = self._model.predict(
            list(pairs),
            batch_size=self._batch_size,
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
            convert_to_tensor=True,
        ).double()
        chosen = logits.reshape(-1).sigmoid() if index is None else logits.softmax(-1)[:, index]
        return np.asarray(chosen.cpu().numpy())

    def _of(self, item: Item, found: Sequence[Sentence], best: Sequence[float]) -> Score:
        if not found:
            return Score(None, missing(item, self.needs) or _NO_WORDS)
        value = min(best) if self._over == "min" else sum(best) / len(best)
        spans = tuple(
            Span(s.start, s.end, item.answer[s.start : s.end], f"entailed with probability {p:.2f}")
            for s, p in zip(found, best, strict=True)
            if p < 0.5
        )
        return Score(value, spans=spans)
