"""Keys and values of several rows: each prompt stored once, each row's answer beside it.

Attention over a prompt is one product for all rows that share it; attention over a row's own answer
is another; one softmax runs over both. (Juravsky et al. 2024 call this Hydragen.)

Shapes: `R` rows, `k` tokens appended to each, `G` key-value heads, `r` query heads for each, `D`
numbers a head, `N` prompts of a stack, `n` rows of a prompt, `P` tokens of the longest prompt of a
stack, `S` tokens of the longest answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dera_rag.pairs.lean.stacks import (
    Plan,
    Stack,
    additive,
    arrange,
    merged,
    per_group,
    prompt_mask,
)

_SLACK = 64
# Prompts that nobody reads any more are dropped once they are this share of a stack.
_IDLE_SHARE = 0.25
# Stacks are merged beyond this many: each costs its own products in every layer.
_MOST_STACKS = 4


class SharedStore:
    """Rows that share their prompts' keys and values.

    Args:
        windows: Sliding window of each layer, None for full attention.
        stack: The prompts.
        owners: For each row, the prompt it reads.
    """

    def __init__(self, windows: Sequence[int | None], stack: Stack, owners: Sequence[int]) -> None:
        self._windows = windows
        self._stacks = [stack]
        # Of each row: its stack, and its prompt in there.
        self._owners = [(0, owner) for owner in owners]
        self.lengths = [0] * len(owners)
        self._keys, self._values = self._no_answers(stack, len(owners), 0)
        self._plans: list[Plan] | None = None
        self._new = 0
        self._places: tuple[Tensor, Tensor] | None = None
        self._own_masks: dict[int | None, Tensor | None] = {}

    @property
    def prompt_lengths(self) -> list[int]:
        """Tokens of each row's prompt."""
        return [self._stacks[stack].lengths[prompt] for stack, prompt in self._owners]

    def start_answers(self, keys: Sequence[Tensor], values: Sequence[Tensor], count: int) -> None:
        """Give the rows answers of `count` tokens, `[R, G, count, D]` a layer."""
        self._make_room(count)
        for mine, theirs in ((self._keys, keys), (self._values, values)):
            for own, other in zip(mine, theirs, strict=True):
                own[:, :, :count] = other
        self.lengths = [count] * len(self.lengths)

    def add(self, stack: Stack, owners: Sequence[int]) -> None:
        """New rows behind the present ones."""
        self._owners += [(len(self._stacks), owner) for owner in owners]
        self._stacks.append(stack)
        self.lengths += [0] * len(owners)
        room = self._keys[0].shape[2]
        keys, values = self._no_answers(stack, len(owners), room)
        self._keys = [torch.cat(parts) for parts in zip(self._keys, keys, strict=True)]
        self._values = [torch.cat(parts) for parts in zip(self._values, values, strict=True)]
        self._plans = None
        if len(self._stacks) > _MOST_STACKS:
            self._merge()

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; answers are copied, prompts are not."""
        index = torch.tensor(rows)
        self._keys = [states[index] for states in self._keys]
        self._values = [states[index] for states in self._values]
        self._owners = [self._owners[row] for row in rows]
        self.lengths = [self.lengths[row] for row in rows]
        self._plans = None
        self._drop_idle()

    def crop(self, counts: Sequence[int]) -> None:
        """Forget the last `counts[row]` tokens of each answer; nothing is moved."""
        self.lengths = [n - count for n, count in zip(self.lengths, counts, strict=True)]

    def begin(self, count: int) -> None:
        """Make room for `count` tokens a row, which the next pass over the layers appends."""
        self._new = count
        self._make_room(max(self.lengths) + count)
        if self._plans is None:
            self._plans = self._arranged()
        equal = len(set(self.lengths)) == 1
        rows = torch.arange(len(self.lengths)).unsqueeze(1)
        starts = torch.tensor(self.lengths).unsqueeze(1)
        columns = starts + torch.arange(count)
        self._places = None if equal else (rows, columns)
        prompts = torch.tensor(self.prompt_lengths).unsqueeze(1)
        for window in set(self._windows):
            self._own_masks[window] = self._own_mask(columns, equal, window)
            for plan in self._plans:
                plan.masks[window] = prompt_mask(plan, columns + prompts, window, self._dtype)

    def end(self) -> None:
        """Count the tokens that the pass appended."""
        self.lengths = [n + self._new for n in self.lengths]

    def __call__(self, layer: int, q: Tensor, states: Tensor) -> Tensor:
        """Append `[R·k, 2G, D]`; `[R·k, H·D]` for the queries `[R·k, H, D]`."""
        rows, count = len(self.lengths), self._new
        heads, dim = states.shape[1] // 2, states.shape[2]
        keys, values = self._append(layer, states[:, :heads], states[:, heads:])
        # Heads that share keys become rows of one product: m = r·k.
        q = q.view(rows, count, heads, -1, dim).permute(0, 2, 3, 1, 4)
        group = q.shape[2]
        q = (q * (1 / math.sqrt(dim))).reshape(rows, heads, group * count, dim)
        own = q @ keys.transpose(-1, -2)
        window = self._windows[layer]
        mask = self._own_masks[window]
        if mask is not None:
            own = own + mask.repeat(1, 1, group, 1)
        out, weights = self._over_prompts(layer, q, own, window)
        out = out + weights @ values
        out = out.view(rows, heads, group, count, dim).permute(0, 3, 1, 2, 4)
        return out.reshape(rows * count, heads * group * dim)

    def _over_prompts(
        self, layer: int, q: Tensor, own: Tensor, window: int | None
    ) -> tuple[Tensor, Tensor]:
        """What prompts contribute, `[R, G, m, D]`, and the weights of answers, `[R, G, m, S]`."""
        plans = self._plans or []
        parts = []
        for plan in plans:
            keys, values = plan.stack.keys[layer], plan.stack.values[layer]
            scores = plan.gather(q) @ keys.transpose(-1, -2)
            mask = plan.masks[window]
            if mask is not None:
                scores = scores + per_group(mask, q.shape[2], self._new)
            both = torch.cat([scores, plan.gather(own)], dim=-1)
            weights = functional.softmax(both, dim=-1, dtype=torch.float32).to(q.dtype)
            width = keys.shape[2]
            parts.append(
                (plan.scatter(weights[..., :width] @ values), plan.scatter(weights[..., width:]))
            )
        if len(plans) == 1:
            return parts[0]
        out, weights = torch.empty_like(q), torch.empty_like(own)
        for plan, (found, rest) in zip(plans, parts, strict=True):
            out[plan.rows], weights[plan.rows] = found, rest
        return out, weights

    def _append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store new keys and values; all of the answers', `[R, G, S, D]`."""
        rows, count = len(self.lengths), self._new
        stop = max(self.lengths) + count
        found = []
        for states, new in ((self._keys[layer], k), (self._values[layer], v)):
            parts = new.view(rows, count, *new.shape[1:])
            if self._places is None:
                states[:, :, stop - count : stop] = parts.transpose(1, 2)
            else:
                at, columns = self._places
                states[at, :, columns] = parts
            found.append(states[:, :, :stop])
        return found[0], found[1]

    @property
    def _dtype(self) -> torch.dtype:
        return self._keys[0].dtype

    def _own_mask(self, columns: Tensor, equal: bool, window: int | None) -> Tensor | None:
        """`[R, 1, k, S]`, added to the scores of answers; None where a token sees all of them."""
        stop = int(columns.max()) + 1
        limited = window is not None and stop > window
        if equal and columns.shape[1] == 1 and not limited:
            return None
        column = torch.arange(stop)
        hidden = column > columns.unsqueeze(-1)
        if window is not None:
            hidden |= column <= columns.unsqueeze(-1) - window
        return additive(hidden, self._dtype).unsqueeze(1)

    def _make_room(self, length: int) -> None:
        room = self._keys[0].shape[2]
        if length <= room:
            return
        used = max(self.lengths, default=0)
        for states in (self._keys, self._values):
            for i, old in enumerate(states):
                # Zeros: columns that a shorter row has not filled are multiplied by 0.
                states[i] = old.new_zeros(*old.shape[:2], length + max(room, _SLACK), old.shape[3])
                states[i][:, :, :used] = old[:, :, :used]

    def _arranged(self) -> list[Plan]:
        return [
            arrange(
                stack,
                [(row, prompt) for row, (at, prompt) in enumerate(self._owners) if at == index],
                len(self._owners),
            )
            for index, stack in enumerate(self._stacks)
        ]

    def _drop_idle(self) -> None:
        """Forget prompts that no row reads, where they are many enough to be worth the copy."""
        stacks: list[Stack] = []
        owners = list(self._owners)
        for index, stack in enumerate(self._stacks):
            read = sorted({prompt for at, prompt in self._owners if at == index})
            if not read:
                continue
            idle = len(stack.lengths) - len(read)
            if idle >= max(1, _IDLE_SHARE * len(stack.lengths)):
                stack = stack.keep(read)  # noqa: PLW2901
            else:
                read = list(range(len(stack.lengths)))
            for row, (at, prompt) in enumerate(self._owners):
                if at == index:
                    owners[row] = len(stacks), read.index(prompt)
            stacks.append(stack)
        self._stacks, self._owners = stacks, owners

    def _merge(self) -> None:
        starts = [0]
        for stack in self._stacks:
            starts.append(starts[-1] + len(stack.lengths))
        self._stacks = [merged(self._stacks)]
        self._owners = [(0, starts[at] + prompt) for at, prompt in self._owners]

    @staticmethod
    def _no_answers(stack: Stack, rows: int, room: int) -> tuple[list[Tensor], list[Tensor]]:
        def empty(states: Tensor) -> Tensor:
            return states.new_zeros(rows, states.shape[1], room, states.shape[3])

        return [empty(x) for x in stack.keys], [empty(x) for x in stack.values]
