"""Keys and values of earlier prompts, so that a shared beginning is read once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Protocol

import torch
from torch import Tensor

# A shorter beginning saves too little to be worth the copy; a choice, not a measured border.
FEWEST = 16


class Store(Protocol):
    """Keys and values of one row; the stores of one cache are all of one kind."""

    @property
    def bytes(self) -> int:
        """Size of what it holds."""
        ...

    def load(self, other: Any, count: int) -> None:
        """Start from the first `count` tokens of another row, which stays as it is."""
        ...

    def snapshot(self) -> Store:
        """The row as it is now; what is appended to this one later does not show."""
        ...


class PrefixCache:
    """Least recently used prompts of one model, bounded by the bytes of their keys and values.

    What is taken from it is exactly what was computed for the earlier prompt, so a prompt asked
    again has the very same logits. Safe to use from several threads: entries are never changed
    once they are in.

    Args:
        limit: Most bytes to hold, ≥ 0; a prompt that alone exceeds it is not kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[int, ...], tuple[Store, Tensor]] = OrderedDict()
        self._used = 0
        self.reused = 0

    @property
    def used(self) -> int:
        """Bytes held at present."""
        return self._used

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._used = 0

    def start(self, store: Store, prompt: tuple[int, ...]) -> Tensor | None:
        """Fill an empty store with the longest known beginning of a prompt.

        Returns:
            The logits after a prompt that is known as a whole; else None, and at least its last
            token is left to be read.
        """
        with self._lock:
            if prompt in self._entries:
                self._entries.move_to_end(prompt)
                self.reused += len(prompt)
                whole, logits = self._entries[prompt]
                store.load(whole, len(prompt))
                return logits.clone()
            key, best = self._nearest(prompt)
            if key is None:
                return None
            self._entries.move_to_end(key)
            found, _ = self._entries[key]
            self.reused += best
        store.load(found, best)
        return None

    def longest(self, prompt: tuple[int, ...]) -> int:
        """Tokens of a prompt that `start` would not leave to be read."""
        with self._lock:
            return len(prompt) if prompt in self._entries else self._nearest(prompt)[1]

    def keep(self, store: Store, prompt: tuple[int, ...], logits: Tensor) -> None:
        """Remember a prompt that has just been read; the store may grow on behind it."""
        size = store.bytes + logits.nbytes
        if size > self._limit:
            return
        entry = store.snapshot()
        with self._lock:
            old = self._entries.pop(prompt, None)
            if old is not None:
                self._used -= _bytes(old)
            self._entries[prompt] = entry, logits.clone()
            self._used += size
            while self._used > self._limit:
                _, gone = self._entries.popitem(last=False)
                self._used -= _bytes(gone)

    def _nearest(self, prompt: tuple[int, ...]) -> tuple[tuple[int, ...] | None, int]:
        """The prompt with the longest useful beginning in common, and its length."""
        key, best = None, FEWEST - 1
        for known in self._entries:
            shared = min(common(known, prompt), len(prompt) - 1)
            if shared > best:
                key, best = known, shared
        return key, 0 if key is None else best


def _bytes(entry: tuple[Store, Tensor]) -> int:
    return entry[0].bytes + entry[1].nbytes


def common(known: tuple[int, ...], prompt: tuple[int, ...]) -> int:
    """Tokens that two prompts have in common at their beginning."""
    size = min(len(known), len(prompt))
    if known[:size] == prompt[:size]:
        return size
    differ = torch.tensor(known[:size]) != torch.tensor(prompt[:size])
    return int(differ.nonzero()[0])
