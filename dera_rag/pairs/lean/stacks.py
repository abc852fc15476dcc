"""Prompts of several rows in one tensor per layer, and how rows are arranged to attend over them.

Shapes: `R` rows, `k` tokens appended to each, `G` key-value heads, `m` queries of a row that share
keys, `N` prompts of a stack, `n` rows of a prompt, `P` tokens of the longest prompt, `D` numbers a
head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Stack:
    """Prompts whose keys and values lie in one tensor per layer, padded on the right.

    Attributes:
        keys: For each layer `[N, G, P, D]`.
        values: Likewise.
        lengths: Tokens of each prompt, length N.
    """

    keys: list[Tensor]
    values: list[Tensor]
    lengths: list[int]

    @property
    def width(self) -> int:
        """P."""
        return self.keys[0].shape[2]

    def keep(self, prompts: Sequence[int]) -> Stack:
        """These prompts alone."""
        index = torch.tensor(prompts)
        lengths = [self.lengths[prompt] for prompt in prompts]
        cut = max(lengths)
        keys = [states[index, :, :cut] for states in self.keys]
        return Stack(keys, [states[index, :, :cut] for states in self.values], lengths)


def merged(stacks: Sequence[Stack]) -> Stack:
    """One stack of all prompts, in order."""
    width = max(stack.width for stack in stacks)

    def together(tensors: Sequence[Tensor]) -> Tensor:
        first = tensors[0]
        count = sum(len(tensor) for tensor in tensors)
        # Zeros, not whatever lies in memory: masked columns are multiplied by 0.
        out = first.new_zeros(count, first.shape[1], width, first.shape[3])
        row = 0
        for tensor in tensors:
            out[row : row + len(tensor), :, : tensor.shape[2]] = tensor
            row += len(tensor)
        return out

    layers = range(len(stacks[0].keys))
    return Stack(
        [together([stack.keys[i] for stack in stacks]) for i in layers],
        [together([stack.values[i] for stack in stacks]) for i in layers],
        [length for stack in stacks for length in stack.lengths],
    )


@dataclass
class Plan:
    """How the rows of one stack are arranged for its product.

    Attributes:
        stack: Keys and values.
        grid: `[N, n]` rows of each prompt, short ones filled up by repeating; None where all rows
            read one prompt, in order, or every row has its own.
        shape: N and n.
        rows: Rows of this stack, ascending; None for all.
        slots: Place of each of them in the flattened grid.
        masks: For each window, what is added to the scores; filled for each pass.
    """

    stack: Stack
    grid: Tensor | None
    shape: tuple[int, int]
    rows: Tensor | None
    slots: Tensor
    grid_rows: Tensor
    masks: dict[int | None, Tensor | None] = field(default_factory=dict)

    def gather(self, x: Tensor) -> Tensor:
        """`[N, G, n·m, E]` of `[R, G, m, E]`."""
        count, each = self.shape
        if self.grid is not None:
            x = x[self.grid]
        _, heads, depth, size = x.shape
        x = x.view(count, each, heads, depth, size).transpose(1, 2)
        return x.reshape(count, heads, each * depth, size)

    def scatter(self, y: Tensor) -> Tensor:
        """`[rows, G, m, E]` of `[N, G, n·m, E]`."""
        count, each = self.shape
        _, heads, depth, size = y.shape
        y = y.view(count, heads, each, depth // each, size).transpose(1, 2)
        y = y.reshape(count * each, heads, depth // each, size)
        return y if self.grid is None else y[self.slots]


def arrange(stack: Stack, readers: Sequence[tuple[int, int]], total: int) -> Plan:
    """The grid of rows (second: their prompt) over a stack's prompts."""
    of_prompt: list[list[int]] = [[] for _ in stack.lengths]
    for row, prompt in readers:
        of_prompt[prompt].append(row)
    each = max(len(rows) for rows in of_prompt)
    # A prompt without rows gets those of another; the result is not read.
    spare = readers[0][0]
    grid = [[*rows, *[rows[0] if rows else spare] * (each - len(rows))] for rows in of_prompt]
    place = {
        row: prompt * each + slot
        for prompt, rows in enumerate(of_prompt)
        for slot, row in enumerate(rows)
    }
    rows = [row for row, _ in readers]
    flat = [row for line in grid for row in line]
    return Plan(
        stack,
        grid=None if flat == list(range(total)) else torch.tensor(flat),
        shape=(len(grid), each),
        rows=torch.tensor(rows),
        slots=torch.tensor([place[row] for row in rows]),
        grid_rows=torch.tensor(flat),
    )


def prompt_mask(
    plan: Plan, positions: Tensor, window: int | None, dtype: torch.dtype
) -> Tensor | None:
    """`[N, n, k, P]`, added to the scores of prompts; None where all is seen."""
    stack, width = plan.stack, plan.stack.width
    ragged = min(stack.lengths) < width
    limited = window is not None and int(positions.max()) >= window
    if not ragged and not limited:
        return None
    column = torch.arange(width)
    count, each = plan.shape
    hidden = (column >= torch.tensor(stack.lengths).view(-1, 1, 1, 1)).expand(
        count, each, positions.shape[1], width
    )
    if window is not None and limited:
        own = positions[plan.grid_rows].view(count, each, -1, 1)
        hidden = hidden | (column <= own - window)
    return additive(hidden, dtype)


def per_group(mask: Tensor, depth: int, new: int) -> Tensor:
    """`[N, 1, n·m, P]` of `[N, n, k, P]`: the heads of a group see the same."""
    count, each, _, width = mask.shape
    group = depth // new
    mask = mask.unsqueeze(2).expand(count, each, group, new, width)
    return mask.reshape(count, 1, each * depth, width)


def additive(hidden: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to scores: −inf where hidden, else 0."""
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill(hidden, -math.inf)
