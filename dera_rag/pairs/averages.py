"""The weight averages of a pair that guess for it, made when they are first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from transformers import PreTrainedModel

from dera_rag.errors import InvalidValueError
from dera_rag.pairs.lean import LeanGuesser, LeanModel, averaged, packed

# Averages are made for steps of λ: nearby strengths guess alike, and each takes memory.
_STEP = 0.5
_HIGHEST = 2.0
_HELD = 2


class WeightAverages:
    """8-bit weight averages of two packed models; the latest two strengths are held.

    Each takes about a quarter of a float32 model's memory. Safe to use from several threads.

    Args:
        reference: The model at λ=0, on the lean engine.
        aligned: The model at λ=1, likewise.
        vocab_size: V.

    Raises:
        InvalidValueError: The models differ in shape.
    """

    def __init__(
        self, reference: PreTrainedModel, aligned: PreTrainedModel, vocab_size: int
    ) -> None:
        self._ends = packed(reference), packed(aligned)
        if self._ends[0].shape != self._ends[1].shape:
            shapes = " and ".join(str(end.shape) for end in self._ends)
            raise InvalidValueError(
                f"the models differ in shape, so their weights have no average: {shapes}",
                hint="decode without int8_drafts",
            )
        self._vocab_size = vocab_size
        self._lock = threading.Lock()
        self._made: OrderedDict[float, LeanModel] = OrderedDict()

    def guesser(self, prompt: Sequence[int], lam: float) -> LeanGuesser:
        """What guesses for a row.

        Args:
            prompt: Token ids.
            lam: λ of the row; the average of the nearest half-step in [0, 2] guesses.
        """
        strength = min(round(lam / _STEP) * _STEP, _HIGHEST)
        with self._lock:
            model = self._made.pop(strength, None)
            if model is None:
                model = averaged(*self._ends, strength)
            self._made[strength] = model
            while len(self._made) > _HELD:
                self._made.popitem(last=False)
        return LeanGuesser(model, self._vocab_size, prompt)
