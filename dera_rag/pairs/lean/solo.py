"""Keys and values of one row, contiguous: what a single answer needs.

Shapes: `G` key-value heads, `D` numbers a head, `P` tokens so far, `k` new ones.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dera_rag.pairs.lean.stacks import additive

# Head room for the answer; the buffer grows by half when it is used up.
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
        # For each layer keys, then values: one buffer, so that a pass takes its views at once.
        self._states = torch.empty(len(windows), 2, heads, capacity + _SLACK, dim, dtype=dtype)
        self.length = 0
        self._new = 0
        self._added: Sequence[Tensor] = ()
        self._seen: Sequence[Tensor] = ()
        self._masks: dict[tuple[int, int | None], Tensor | None] = {}

    def load(self, other: SoloStore, count: int) -> None:
        """Start from the first `count` tokens of another row."""
        self._states[..., :count, :] = other._states[..., :count, :]
        self.length = count

    @property
    def bytes(self) -> int:
        """Size of the buffer."""
        return self._states.nbytes

    def part(self, start: int, stop: int) -> tuple[list[Tensor], list[Tensor]]:
        """Keys and values of some tokens, for each layer a view `[1, G, stop − start, D]`."""
        views = self._states[..., start:stop, :].unsqueeze(2)
        return list(views[:, 0].unbind(0)), list(views[:, 1].unbind(0))

    def snapshot(self) -> SoloStore:
        """The row as it is now; what is appended to this one later does not show."""
        twin = copy.copy(self)
        twin._masks, twin._added, twin._seen = {}, (), ()
        return twin

    def begin(self, count: int) -> None:
        """Make room for `count` tokens, which the next pass over the layers appends."""
        self._new = count
        self._masks.clear()
        start, stop = self.length, self.length + count
        old = self._states
        room = old.shape[3]
        if stop > room:
            self._states = old.new_empty(*old.shape[:3], stop + room // 2, old.shape[4])
            self._states[..., :start, :] = old[..., :start, :]
        self._added = self._states[..., start:stop, :].flatten(1, 2).unbind(0)
        self._seen = self._states[..., :stop, :].flatten(0, 1).unsqueeze(1).unbind(0)

    def end(self) -> None:
        """Count the tokens that the pass appended."""
        self.length += self._new

    def __call__(self, layer: int, q: Tensor, states: Tensor) -> Tensor:
        """Append `[k, 2G, D]` keys and values; `[Q, H·D]` for the queries of the last tokens."""
        self._added[layer].copy_(states.transpose(0, 1))
        keys, values = self._seen[2 * layer], self._seen[2 * layer + 1]
        stop = self.length + self._new
        count, heads, dim = q.shape
        window = self._windows[layer]
        if count == 1 and (window is None or stop <= window):
            # Heads that share keys become rows of one product.
            return _one_token(q.view(1, keys.shape[1], -1, dim), keys, values).view(1, heads * dim)
        mask = self._mask(count, stop, window)
        out = functional.scaled_dot_product_attention(
            q.transpose(0, 1).unsqueeze(0),
            keys,
            values,
            attn_mask=mask,
            is_causal=mask is None,
            enable_gqa=True,
        )
        return out[0].transpose(0, 1).reshape(count, heads * dim)

    def _mask(self, count: int, stop: int, window: int | None) -> Tensor | None:
        """`[count, stop]`, added to scores of the last tokens; None where plainly causal."""
        window = None if window is None or stop <= window else window
        if count == stop and window is None:
            return None
        key = count, window
        if key not in self._masks:
            own = torch.arange(stop - count, stop).unsqueeze(1)
            column = torch.arange(stop)
            hidden = column > own
            if window is not None:
                hidden |= column <= own - window
            # Attention would make this of a bool mask, in every layer again.
            self._masks[key] = additive(hidden, self._states.dtype)
        return self._masks[key]


def _one_token(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """`[1, G, r, D]` of one token's queries; r of them share keys."""
    if q.dtype is torch.float32 or q.shape[2] > 1:
        return functional.scaled_dot_product_attention(q, keys, values)
    # For a single row in bfloat16 torch's kernel takes twice as long.
    scores = (q.float() * (1 / math.sqrt(q.shape[3]))) @ keys.float().transpose(-1, -2)
    return scores.softmax(-1).to(q.dtype) @ values
