"""Cache layers whose rows share what was read before they were copied: a prompt is stored once.

Shapes: `N` rows before they were copied, `P` columns they had, `R` rows now, `S` columns since.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dera_rag.pairs.cache import GrowingLayer


class ForkedLayer(GrowingLayer):
    """A full-attention layer of copied rows: a trunk of old columns, and own new ones for each row.

    Both are put together while the layer attends, one layer at a time. Copying a row copies its
    new columns alone. Rows can be selected and extended; for all else there is `merged`.

    Args:
        trunk: The rows before they are copied; left as it is.
    """

    def __init__(self, trunk: GrowingLayer) -> None:
        super().__init__()
        self.lazy_initialization(trunk.keys, trunk.values)
        # `[N, heads, P, dim]`.
        self._trunk = trunk.keys, trunk.values
        self._owners = torch.arange(len(trunk.keys), device=trunk.keys.device)
        self.keys, self.values = trunk.keys[..., :0, :], trunk.values[..., :0, :]

    @property
    def shared(self) -> bool:
        """Whether rows share a row of the trunk."""
        return len(self._owners.unique()) < len(self._owners)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append `[R, heads, k, dim]` states; returns all, `[R, heads, P + S + k, dim]`."""
        super().update(key_states, value_states, *args, **kwargs)
        return self._together()

    def get_seq_length(self) -> int:
        """P + S."""
        return int(self._trunk[0].shape[-2]) + self.stored

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows, in this order; rows may be copied."""
        self.keys, self.values = self.keys[indices], self.values[indices]
        owners = self._owners[indices]
        read = owners.unique()
        # A copy of the trunk pays where it frees half of it.
        if 2 * len(read) <= len(self._trunk[0]):
            self._trunk = self._trunk[0][read], self._trunk[1][read]
            owners = torch.searchsorted(read, owners)
        self._owners = owners

    def merged(self) -> GrowingLayer:
        """An ordinary layer with all columns of every row."""
        layer = GrowingLayer()
        layer.lazy_initialization(self.keys, self.values)
        layer.keys, layer.values = self._together()
        return layer

    def _together(self) -> tuple[Tensor, Tensor]:
        trunk = self._trunk
        if len(trunk[0]) == 1:
            old = [x.expand(len(self._owners), -1, -1, -1) for x in trunk]
        else:
            old = [x[self._owners] for x in trunk]
        return torch.cat([old[0], self.keys], dim=-2), torch.cat([old[1], self.values], dim=-2)


def fork(layers: list[Any]) -> list[Any]:
    """Layers whose rows are about to be copied; those with a window have little to share."""
    return [ForkedLayer(layer) if type(layer) is GrowingLayer else layer for layer in layers]


def merge(layers: list[Any]) -> list[Any]:
    """Ordinary layers for forked ones."""
    return [layer.merged() if isinstance(layer, ForkedLayer) else layer for layer in layers]
