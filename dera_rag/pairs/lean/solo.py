"""Keys and values of one row, contiguous: what a single answer needs.

Shapes: `G` key-value heads, `D` numbers a head, `P` tokens so far, `k` new ones.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

# Head room for the answer; doubles when it is used up.
_SLACK = 128


class SoloStore:
    """One row.

    Args:
        windows: Sliding window of each layer, None for full attention.
        heads: G.
        dim: D.
        dtype: Of keys and values.
        capacity: Tokens to make room for.
    """

    def __init__(
        self,
        windows: Sequence[int | None],
        heads: int,
        dim: int,
        *,
        dtype: torch.dtype,
        capacity: int,
    ) -> None:
        self._windows = windows
        room = capacity + _SLACK
        self.keys = [torch.empty(1, heads, room, dim, dtype=dtype) for _ in windows]
        self.values = [torch.empty(1, heads, room, dim, dtype=dtype) for _ in windows]
        self.length = 0
        self._new = 0
        self._masks: dict[tuple[int, int | None], Tensor | None] = {}

    def load(self, keys: Sequence[Tensor], values: Sequence[Tensor], count: int) -> None:
        """Start from the first `count` tokens of another row's keys and values."""
        for mine, theirs in ((self.keys, keys), (self.values, values)):
            for own, other in zip(mine, theirs, strict=True):
                own[:, :, :count] = other[:, :, :count]
        self.length = count

    @property
    def bytes(self) -> int:
        """Size of the buffers."""
        return sum(x.numel() * x.element_size() for x in (*self.keys, *self.values))

    def snapshot(self) -> SoloStore:
        """The row as it is now; what is appended to this one later does not show."""
        twin = copy.copy(self)
        twin.keys, twin.values, twin._masks = list(self.keys), list(self.values), {}
        return twin

    def begin(self, count: int) -> None:
        """Make room for `count` tokens, which the next pass over the layers appends."""
        self._new = count
        self._masks.clear()
        needed = self.length + count
        room = self.keys[0].shape[2]
        if needed <= room:
            return
        for states in (self.keys, self.values):
            for i, old in enumerate(states):
                states[i] = old.new_empty(1, old.shape[1], needed + room, old.shape[3])
                states[i][:, :, : self.length] = old[:, :, : self.length]

    def end(self) -> None:
        """Count the tokens that the pass appended."""
        self.length += self._new

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Append `[k, G, D]`; `[Q, H·D]` for the queries `[Q, H, D]` of the last tokens."""
        start, stop = self.length, self.length + self._new
        keys, values = self.keys[layer], self.values[layer]
        keys[0, :, start:stop] = k.transpose(0, 1)
        values[0, :, start:stop] = v.transpose(0, 1)
        seen = keys[:, :, :stop], values[:, :, :stop]
        count, heads, dim = q.shape
        window = self._windows[layer]
        if count == 1 and (window is None or stop <= window):
            # Heads that share keys become rows of one product.
            out = functional.scaled_dot_product_attention(q.view(1, keys.shape[1], -1, dim), *seen)
            return out.view(1, heads * dim)
        mask = self._mask(count, stop, window)
        out = functional.scaled_dot_product_attention(
            q.transpose(0, 1).unsqueeze(0),
            *seen,
            attn_mask=mask,
            is_causal=mask is None,
            enable_gqa=True,
        )
        return out[0].transpose(0, 1).reshape(count, heads * dim)

    def _mask(self, count: int, stop: int, window: int | None) -> Tensor | None:
        """`[count, stop]` bool, what the last `count` tokens see; None where plainly causal."""
        window = None if window is None or stop <= window else window
        if count == stop and window is None:
            return None
        key = count, window
        if key not in self._masks:
            own = torch.arange(stop - count, stop).unsqueeze(1)
            column = torch.arange(stop)
            mask = column <= own
            self._masks[key] = mask if window is None else mask & (column > own - window)
        return self._masks[key]
