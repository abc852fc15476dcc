"""Reading prompts: long ones in pieces, short ones several at a time.

Shapes: `T` tokens of a pass, `H` query heads, `G` key-value heads, `D` numbers a head, `V` token
ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dera_rag.pairs.lean.model import LeanModel
from dera_rag.pairs.lean.solo import SoloStore
from dera_rag.pairs.prefixes import FEWEST, PrefixCache, common

# Most tokens of a pass, so that what is computed on the way stays bounded. Passes of 1,024 are no
# faster and take three times the memory (SmolLM2-135M shape, a prompt of 1,024).
PIECE = 256


@dataclass(frozen=True)
class ReadPrompt:
    """A prompt that was read.

    Attributes:
        store: Its keys and values.
        logits: `[1, V]`, of the first token behind it.
    """

    store: SoloStore
    logits: Tensor


class PromptReader:
    """Reads the prompts of one model.

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
        self._prefixes = prefixes

    def read(self, prompts: Sequence[tuple[int, ...]]) -> list[ReadPrompt]:
        """Different prompts, each as if it were read alone.

        What prompts have in common at their beginning is read once where prefixes are kept.
        """
        found: dict[tuple[int, ...], ReadPrompt] = {}
        waiting = list(prompts)
        while waiting:
            now, waiting = self._unlike(waiting)
            found |= self._read_unlike(now)
        return [found[prompt] for prompt in prompts]

    def _unlike(
        self, prompts: Sequence[tuple[int, ...]]
    ) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Prompts to read now, and those that can begin from one of them afterwards."""
        if self._prefixes is None:
            return list(prompts), []
        now: list[tuple[int, ...]] = []
        later: list[tuple[int, ...]] = []
        for prompt in prompts:
            shared = max((common(prompt, other) for other in now), default=0)
            # Looking through what is kept takes time, and most prompts share nothing.
            waits = shared >= FEWEST and shared - self._prefixes.longest(prompt) >= FEWEST
            (later if waits else now).append(prompt)
        return now, later

    def _read_unlike(
        self, prompts: Sequence[tuple[int, ...]]
    ) -> Iterator[tuple[tuple[int, ...], ReadPrompt]]:
        unread = []
        for prompt in prompts:
            store = self._empty_store(len(prompt))
            logits = self._prefixes.start(store, prompt) if self._prefixes is not None else None
            if logits is None:
                unread.append((prompt, store))
            else:
                yield prompt, ReadPrompt(store, logits)
        for group in _groups(unread):
            last = self._pass(group)
            for (prompt, store), logits in zip(group, last.split(1), strict=True):
                if self._prefixes is not None:
                    self._prefixes.keep(store, prompt, logits)
                yield prompt, ReadPrompt(store, logits)

    def _pass(self, group: Sequence[tuple[tuple[int, ...], SoloStore]]) -> Tensor:
        """`[prompts, V]` logits behind prompts that fit into a pass, or behind one in pieces."""
        logits = torch.empty(0)
        if len(group) > 1:
            logits = self._append([(store, prompt[store.length :]) for prompt, store in group])
        else:
            ((prompt, store),) = group
            for start in range(store.length, len(prompt), PIECE):
                logits = self._append([(store, prompt[start : start + PIECE])])
        return logits[:, : self._vocab_size]

    def _append(self, parts: Sequence[tuple[SoloStore, Sequence[int]]]) -> Tensor:
        """Read tokens behind those of each store; `[parts, V]` logits after them."""
        tokens = torch.tensor([token for _, part in parts for token in part])
        starts = [store.length for store, _ in parts]
        counts = [len(part) for _, part in parts]
        positions = [torch.arange(n, n + k) for n, k in zip(starts, counts, strict=True)]
        stores = [store for store, _ in parts]
        for store, count in zip(stores, counts, strict=True):
            store.begin(count)
        logits = self._model.forward(
            tokens,
            torch.cat(positions),
            stores[0] if len(stores) == 1 else _Apart(stores, counts),
            torch.tensor(counts).cumsum(0) - 1,
        )
        for store in stores:
            store.end()
        return logits

    def _empty_store(self, capacity: int) -> SoloStore:
        model = self._model
        return SoloStore(
            model.windows,
            model.key_heads,
            model.head_dim,
            dtype=model.dtype,
            capacity=capacity,
        )


class _Apart:
    """Attention of several prompts in one pass: each sees itself alone.

    Args:
        stores: One a prompt.
        counts: Tokens that the pass appends to each.
    """

    def __init__(self, stores: Sequence[SoloStore], counts: Sequence[int]) -> None:
        self._stores = stores
        self._counts = list(counts)

    def __call__(self, layer: int, q: Tensor, states: Tensor) -> Tensor:
        """`[Q, H·D]` for queries `[Q, H, D]` of all tokens or of each prompt's last one."""
        every = len(q) == len(states)
        queries = q.split(self._counts) if every else q.split(1)
        parts = zip(self._stores, queries, states.split(self._counts), strict=True)
        return torch.cat([store(layer, own, new) for store, own, new in parts])


def _groups(
    prompts: Sequence[tuple[tuple[int, ...], SoloStore]],
) -> Iterator[list[tuple[tuple[int, ...], SoloStore]]]:
    """Prompts, in order, as many together as fit into a pass."""
    group: list[tuple[tuple[int, ...], SoloStore]] = []
    total = 0
    for prompt, store in prompts:
        unread = len(prompt) - store.length
        if group and total + unread > PIECE:
            yield group
            group, total = [], 0
        group.append((prompt, store))
        total += unread
    if group:
        yield group
