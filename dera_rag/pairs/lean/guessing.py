"""Guesses of one row's next tokens by a cheap model that remembers what it has read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dera_rag.pairs.lean.model import LeanModel
from dera_rag.pairs.lean.reading import PIECE
from dera_rag.pairs.lean.solo import SoloStore


class LeanGuesser:
    """A `Guesser` over one prompt, which it reads at once.

    Args:
        model: What guesses.
        vocab_size: V; logits at and beyond it are cut.
        prompt: Token ids.
    """

    def __init__(self, model: LeanModel, vocab_size: int, prompt: Sequence[int]) -> None:
        self._model = model
        self._vocab_size = vocab_size
        self._prompt = list(prompt)
        self._read: list[int] = []
        self._store = SoloStore(
            model.windows,
            model.key_heads,
            model.head_dim,
            dtype=model.dtype,
            capacity=len(prompt),
        )
        self.read([])

    @torch.inference_mode()
    def read(self, token_ids: Sequence[int]) -> Tensor:
        """Read the prompt and an answer so far; `[1, V]` logits of the token after it.

        Args:
            token_ids: The answer; what an earlier call read of another one is forgotten.
        """
        text = [*self._prompt, *token_ids]
        known = 0
        for old, new in zip(self._read, text, strict=False):
            if old != new:
                break
            known += 1
        # The last token is read again where it was known, for its logits.
        self._store.length = known = min(known, len(text) - 1)
        logits = torch.empty(0)
        for start in range(known, len(text), PIECE):
            piece = torch.tensor(text[start : start + PIECE])
            positions = torch.arange(start, start + len(piece))
            self._store.begin(len(piece))
            last = torch.tensor([len(piece) - 1])
            logits = self._model.forward(piece, positions, self._store, last)
            self._store.end()
        self._read = text
        return logits[:, : self._vocab_size]

    def guess(
        self, token_ids: Sequence[int], count: int, draw: Callable[[Tensor, int], int]
    ) -> list[int]:
        """Tokens that may follow an answer.

        Args:
            token_ids: The answer so far.
            count: How many, ≥ 1.
            draw: `[1, V]` logits and the index of a token in the answer → the token.
        """
        answer = list(token_ids)
        for _ in range(count):
            answer.append(draw(self.read(answer), len(answer)))
        return answer[len(token_ids) :]
