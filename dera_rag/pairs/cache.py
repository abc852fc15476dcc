"""KV caches that grow in place, and whose rows can be cut, shifted and joined.

The dynamic layers of transformers concatenate, which copies the whole past of every row at every
token, and their sliding-window layer refuses to give tokens back once its window is full.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

# Tokens of head room at each growth: one copy of the past in 128 steps.
_SLACK = 128
# Tokens beyond a sliding window that stay readable, so that rows can be cropped into them.
HISTORY = 256


class GrowingLayer(DynamicLayer):
    """A full-attention layer whose keys and values are views of a larger buffer.

    Whatever replaces `keys` and `values` (selecting rows, shifting them) works as in the base
    class: the next update finds views that are not its own and starts a new buffer from them.
    """

    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._buffers: tuple[Tensor, Tensor] | None = None
        self._views: tuple[Tensor, Tensor] | None = None

    @property
    def stored(self) -> int:
        """Columns kept here; a sliding window has seen more."""
        return self.keys.shape[-2] if self.is_initialized and self.keys.numel() else 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append `[B, heads, S, dim]` states; returns all of them, `[B, heads, past + S, dim]`."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        past = self.stored
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
        return self._show(0, length)

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last columns of every row.

        Args:
            tokens_to_remove: ≤ 0, as transformers counts it.
        """
        if not tokens_to_remove or not self.is_initialized:
            return
        own = self._views is not None and self.keys is self._views[0]
        super().crop(tokens_to_remove)
        if own:
            self._views = self.keys, self.values

    def begin_with(self, other: GrowingLayer, columns: int) -> None:
        """Start an empty layer from the first columns of another, without a copy."""
        keys, values = other.keys[..., :columns, :], other.values[..., :columns, :]
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def shift_rows(self, counts: Tensor) -> None:
        """Move each row `counts[row]` columns to the right; what falls off is forgotten.

        The columns that open on the left repeat the first one and have to be masked.
        """
        if not self.stored:
            return
        columns = torch.arange(self.stored, device=self.keys.device)
        source = (columns - counts.to(self.keys.device).unsqueeze(1)).clamp_min(0)
        index = source[:, None, :, None]
        self.keys = self.keys.gather(2, index.expand_as(self.keys))
        self.values = self.values.gather(2, index.expand_as(self.values))

    def drop_left(self, columns: int) -> None:
        """Forget the first columns, which hold padding in every row."""
        if self.stored:
            self.keys = self.keys[..., columns:, :]
            self.values = self.values[..., columns:, :]

    def append_rows(self, other: GrowingLayer) -> None:
        """Put another layer's rows behind this one's, aligned at their last columns."""
        if not other.stored:
            return
        width = max(self.stored, other.stored)
        self.keys = torch.cat([_widened(self.keys, width), _widened(other.keys, width)])
        self.values = torch.cat([_widened(self.values, width), _widened(other.values, width)])

    def _show(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Make a range of the buffers' columns the layer's keys and values."""
        if self._buffers is None:
            return self.keys, self.values
        keys, values = self._buffers
        self._views = keys[..., start:stop, :], values[..., start:stop, :]
        self.keys, self.values = self._views
        return self._views

    def _has_room(self, buffers: tuple[Tensor, Tensor], length: int) -> bool:
        """Whether the buffers still hold the present past, and can take `length` tokens."""
        current = self._views is not None and self.keys is self._views[0]
        return current and length <= buffers[0].shape[-2]


class GrowingWindowLayer(GrowingLayer):
    """A sliding-window layer that keeps `HISTORY` columns more than attention needs.

    Args:
        sliding_window: Columns that a token sees, itself included.
    """

    is_sliding = True

    def __init__(self, sliding_window: int) -> None:
        super().__init__()
        self.sliding_window = sliding_window
        self.cumulative_length = 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append states; returns those that the new tokens see."""
        new = key_states.shape[-2]
        seen = min(self.cumulative_length, self.sliding_window - 1)
        self.cumulative_length += new
        if self.stored >= self.sliding_window + 2 * HISTORY:
            # A copy in HISTORY steps: rows take new buffers from what is left.
            keep = self.sliding_window + HISTORY
            self.keys, self.values = self.keys[..., -keep:, :], self.values[..., -keep:, :]
        keys, values = super().update(key_states, value_states)
        return keys[..., -(seen + new) :, :], values[..., -(seen + new) :, :]

    def begin_with(self, other: GrowingLayer, columns: int) -> None:
        """Start an empty layer from the first columns of another that has forgotten none."""
        super().begin_with(other, columns)
        self.cumulative_length = columns

    def get_seq_length(self) -> int:
        """Columns seen so far."""
        return self.cumulative_length

    def get_max_length(self) -> int:
        """The window."""
        return self.sliding_window

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the columns that the next `query_length` tokens attend over."""
        seen = min(self.cumulative_length, self.sliding_window - 1)
        return seen + query_length, self.cumulative_length - seen

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last columns of every row, at most `HISTORY`."""
        super().crop(tokens_to_remove)
        self.cumulative_length -= abs(tokens_to_remove)

    def drop_left(self, columns: int) -> None:
        """Forget the first columns; some have left the window already."""
        gone = self.cumulative_length - self.stored
        super().drop_left(max(columns - gone, 0))
        self.cumulative_length -= columns

    def append_rows(self, other: GrowingLayer) -> None:
        """Put another layer's rows behind this one's, aligned at their last columns."""
        super().append_rows(other)
        self.cumulative_length = max(self.cumulative_length, other.get_seq_length())


def _grown(old: Tensor | None, new: Tensor, past: int, capacity: int) -> Tensor:
    """A buffer `[B, heads, capacity, dim]` that starts with the past."""
    buffer = new.new_empty((*new.shape[:-2], capacity, new.shape[-1]))
    if past and old is not None:
        buffer[..., :past, :] = old
    return buffer


def _widened(states: Tensor, width: int) -> Tensor:
    """`[B, heads, width, dim]`: zeros in front, finite because masking multiplies them by 0."""
    return torch.nn.functional.pad(states, (0, 0, width - states.shape[-2], 0))


def new_cache(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache for a model; layers of other kinds (recurrent states) stay as they are."""
    cache = DynamicCache(config=config)
    cache.layers = [_growing(layer) for layer in cache.layers]
    return cache


def _growing(layer: Any) -> Any:
    if type(layer) is DynamicLayer:
        return GrowingLayer()
    if type(layer) is DynamicSlidingWindowLayer:
        return GrowingWindowLayer(layer.sliding_window)
    return layer


def growing_layers(cache: DynamicCache) -> list[GrowingLayer] | None:
    """The layers of a cache whose rows can be cropped and joined; None where one cannot."""
    layers = [layer for layer in cache.layers if isinstance(layer, GrowingLayer)]
    return layers if layers and len(layers) == len(cache.layers) else None


class CachedRow:
    """The one row of a cache, as a `PrefixCache` keeps it.

    Args:
        cache: Its layers are all growing ones, and hold one row or nothing.
    """

    def __init__(self, cache: DynamicCache) -> None:
        self._layers = cast(list[GrowingLayer], cache.layers)

    @property
    def whole(self) -> bool:
        """Whether no layer has forgotten a token behind its window."""
        return all(layer.stored == layer.get_seq_length() for layer in self._layers)

    @property
    def bytes(self) -> int:
        """Size of keys and values, their buffers' head room included."""
        states = [x for layer in self._layers for x in (layer.keys, layer.values)]
        return sum(x.untyped_storage().nbytes() for x in states)

    def load(self, other: CachedRow, count: int) -> None:
        """Start from the first `count` tokens of another row."""
        for mine, theirs in zip(self._layers, other._layers, strict=True):
            mine.begin_with(theirs, count)

    def snapshot(self) -> CachedRow:
        """The row as it is; what this one appends later lies behind it."""
        twin = copy.copy(self)
        twin._layers = [copy.copy(layer) for layer in self._layers]
        return twin
