"""What a decoder attends to in its prompts, stored once for all rows of a prompt.

Shapes: `R` rows, `P` distinct prompts, `S` prompt tokens including right padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer


class SharedLayer(DynamicLayer):
    """One layer's cross-attention states `[P, heads, S, dim]`, as the rows of a batch see them.

    Args:
        keys: Keys of every prompt.
        values: Values of every prompt.
        prompt_of: `[R]`, the prompt each row reads; None where row i reads prompt i.
    """

    def __init__(self, keys: Tensor, values: Tensor, prompt_of: Tensor | None) -> None:
        # The base class would set the attributes that are computed here.
        self.is_initialized = True
        self._stored = keys, values
        self._prompt_of = prompt_of

    @property
    def keys(self) -> Tensor:  # type: ignore[override]
        """`[R, heads, S, dim]`; a copy lives only while its layer attends."""
        return _read(self._stored[0], self._prompt_of)

    @property
    def values(self) -> Tensor:  # type: ignore[override]
        """`[R, heads, S, dim]`."""
        return _read(self._stored[1], self._prompt_of)

    def get_seq_length(self) -> int:
        """S."""
        return int(self._stored[0].shape[-2])


@dataclass
class PromptStates:
    """What the decoder attends to: keys and values of every layer, each `[P, heads, S, dim]`.

    Attributes:
        layers: Keys and values by layer.
        mask: `[P, S]`, 0 at padding.
    """

    layers: list[tuple[Tensor, Tensor]]
    mask: Tensor

    def add(self, other: PromptStates) -> PromptStates:
        """These and other prompts behind them, padded on the right to one width."""
        width = max(self.mask.shape[1], other.mask.shape[1])
        pairs = zip(self.layers, other.layers, strict=True)
        layers = [
            (
                torch.cat([_widened(mine[0], width), _widened(theirs[0], width)]),
                torch.cat([_widened(mine[1], width), _widened(theirs[1], width)]),
            )
            for mine, theirs in pairs
        ]
        masks = [x.mask.new_zeros(len(x.mask), width) for x in (self, other)]
        for mask, own in zip(masks, (self.mask, other.mask), strict=True):
            mask[:, : own.shape[1]] = own
        return PromptStates(layers, torch.cat(masks))

    def take(self, prompts: Sequence[int]) -> PromptStates:
        """These prompts alone, in this order, without columns that pad them all."""
        index = torch.tensor(prompts, device=self.mask.device)
        width = int(self.mask[index].sum(-1).max())
        return PromptStates(
            [(k[index, :, :width], v[index, :, :width]) for k, v in self.layers],
            self.mask[index, :width],
        )


def _read(stored: Tensor, prompt_of: Tensor | None) -> Tensor:
    if prompt_of is None:
        return stored
    if len(stored) == 1:
        return stored.expand(len(prompt_of), -1, -1, -1)
    return stored[prompt_of]


def _widened(states: Tensor, width: int) -> Tensor:
    """Zeros behind, finite because masking multiplies them by 0."""
    return torch.nn.functional.pad(states, (0, 0, 0, width - states.shape[-2]))
