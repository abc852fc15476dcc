"""A KV cache that grows in place.

The dynamic layer of transformers concatenates, which copies the whole past of every row at every
token.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

# Tokens of head room at each growth: one copy of the past in 128 steps.
_SLACK = 128


class GrowingLayer(DynamicLayer):
    """A full-attention layer whose keys and values are views of a larger buffer.

    Whatever replaces `keys` and `values` (selecting rows, cropping) works as in the base class:
    the next update finds views that are not its own and starts a new buffer from them.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._buffers: tuple[Tensor, Tensor] | None = None
        self._views: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append `[B, heads, S, dim]` states; returns all of them, `[B, heads, past + S, dim]`."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        past = self.get_seq_length()
        length = past + key_states.shape[-2]
        buffers = self._buffers
        if buffers is None or not self._has_room(buffers, length):
            buffers = (
                _grown(self.keys, key_states, past, length + _SLACK),
                _grown(self.values, value_states, past, length + _SLACK),
            )
        buffers[0][..., past:length, :] = key_states
        buffers[1][..., past:length, :] = value_states
        self._buffers = buffers
        self._views = buffers[0][..., :length, :], buffers[1][..., :length, :]
        self.keys, self.values = self._views
        return self._views

    def _has_room(self, buffers: tuple[Tensor, Tensor], length: int) -> bool:
        """Whether the buffers still hold the present past, and can take `length` tokens."""
        current = self._views is not None and self.keys is self._views[0]
        return current and length <= buffers[0].shape[-2]


def _grown(old: Tensor | None, new: Tensor, past: int, capacity: int) -> Tensor:
    """A buffer `[B, heads, capacity, dim]` that starts with the past."""
    buffer = new.new_empty((*new.shape[:-2], capacity, new.shape[-1]))
    if past and old is not None:
        buffer[..., :past, :] = old
    return buffer


def new_cache(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache for a model; sliding-window and other special layers stay as they are."""
    cache = DynamicCache(config=config)
    cache.layers = [
        GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache
