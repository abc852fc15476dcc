"""The rows of one branch on the lean engine.

Shapes: `R` rows, `k` tokens appended at once, `V` token ids.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dera_rag.pairs.lean.model import LeanModel
from dera_rag.pairs.lean.reading import PromptReader
from dera_rag.pairs.lean.shared import SharedStore
from dera_rag.pairs.lean.solo import SoloStore
from dera_rag.pairs.lean.stacks import Stack, merged
from dera_rag.pairs.prefixes import PrefixCache


class LeanRows:
    """`BranchRows` over a `LeanModel`: prompts are never padded, and stored once each.

    Args:
        model: The packed model.
        vocab_size: V; logits at and beyond it are cut.
        prefixes: Keys and values of earlier prompts; None reads every prompt anew.
    """

    def __init__(
        self, model: LeanModel, vocab_size: int, prefixes: PrefixCache | None = None
    ) -> None:
        self._model = model
        self._vocab_size = vocab_size
        self._reader = PromptReader(model, vocab_size, prefixes)
        self._store: SoloStore | SharedStore | None = None
        self._prompt_length = 0

    def join(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read prompts as new rows behind the present ones; `[new rows, V]` first logits."""
        place = {tuple(prompt): i for i, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
        copies = [place[tuple(prompt)] for prompt in prompts]
        read = self._reader.read(list(place))
        if self._store is None and len(prompts) == 1:
            self._store, self._prompt_length = read[0].store, len(prompts[0])
            return read[0].logits
        parts = [
            _prompt_of(one.store, len(prompt)) for one, prompt in zip(read, place, strict=True)
        ]
        stack = parts[0] if len(parts) == 1 else merged(parts)
        if self._store is None:
            self._store = SharedStore(self._model.windows, stack, copies)
        else:
            self._shared([0]).add(stack, copies)
        return torch.cat([one.logits for one in read])[copies]

    def extend(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """Append k tokens to every row; `[R, k, V]` logits after each of them."""
        store = self._present()
        rows, count = len(token_ids), len(token_ids[0])
        if isinstance(store, SoloStore):
            starts = [store.length]
        else:
            starts = [p + n for p, n in zip(store.prompt_lengths, store.lengths, strict=True)]
        tokens = [token for row in token_ids for token in row]
        positions = [start + j for start in starts for j in range(count)]
        store.begin(count)
        logits = self._model.forward(torch.tensor(tokens), torch.tensor(positions), store)
        store.end()
        return logits.view(rows, count, -1)[..., : self._vocab_size]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        if isinstance(self._present(), SoloStore):
            self._shared(rows)
        else:
            self._shared([0]).select(rows)

    def crop(self, counts: Sequence[int]) -> None:
        """Forget the last `counts[row]` tokens of each row."""
        store = self._present()
        if isinstance(store, SoloStore):
            store.length -= counts[0]
        else:
            store.crop(counts)

    def _shared(self, rows: Sequence[int]) -> SharedStore:
        """The store as one that can hold several rows; a single row becomes `rows` copies."""
        store = self._present()
        if isinstance(store, SoloStore):
            first, last = self._prompt_length, store.length
            shared = SharedStore(self._model.windows, _prompt_of(store, first), [0] * len(rows))
            if last > first:
                shared.start_answers(*store.part(first, last), last - first)
            self._store = store = shared
        return store

    def _present(self) -> SoloStore | SharedStore:
        if self._store is None:
            msg = "join comes before all else"
            raise RuntimeError(msg)
        return self._store


def _prompt_of(store: SoloStore, length: int) -> Stack:
    """A stack of one prompt, without a copy."""
    return Stack(*store.part(0, length), [length])
