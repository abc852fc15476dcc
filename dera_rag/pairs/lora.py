"""A linear layer whose low-rank part can be told for which rows of a forward it is on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class RowSwitch:
    """For which rows of the running forward the adapter is on; each thread has its own answer."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def rows(self) -> slice | Tensor | None:
        """Rows that are on, as an index; None for all."""
        return getattr(self._local, "index", None)

    @contextmanager
    def on(self, rows: Sequence[int], count: int) -> Iterator[None]:
        """Turn the adapter on for some rows of a forward.

        Args:
            rows: Which, ascending.
            count: Rows of the forward.
        """
        before = self.rows, getattr(self._local, "on", None)
        self._local.on = frozenset(rows)
        if len(rows) == count:
            self._local.index = None
        elif list(rows) == list(range(len(rows))):
            self._local.index = slice(0, len(rows))
        else:
            self._local.index = torch.tensor(rows)
        try:
            yield
        finally:
            self._local.index, self._local.on = before

    @contextmanager
    def narrowed(self, rows: Sequence[int]) -> Iterator[None]:
        """For a forward over some of the rows that `on` was told of.

        Args:
            rows: Which of them, in the forward's order.
        """
        chosen: frozenset[int] = self._local.on
        with self.on([i for i, row in enumerate(rows) if row in chosen], len(rows)):
            yield


class LoraLinear(nn.Module):
    """W·x + s·B·A·x on the rows that are on, W·x on the others (Hu et al. 2021, eq. 3).

    The low-rank part is computed in float32, as PEFT does with an unmerged adapter.

    Args:
        base: The layer of the base model, shared with it.
        down: A, `[rank, in]`.
        up: B, `[out, rank]`.
        bias: `[out]`, added to B·A·x before scaling; None without.
        scaling: s.
        switch: Which rows are on.
    """

    def __init__(
        self,
        base: nn.Module,
        down: Tensor,
        up: Tensor,
        *,
        bias: Tensor | None,
        scaling: float,
        switch: RowSwitch,
    ) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(down, requires_grad=False)
        self.up = nn.Parameter(up, requires_grad=False)
        self.bias_up = None if bias is None else nn.Parameter(bias, requires_grad=False)
        self.scaling = scaling
        self._switch = switch

    def __getattr__(self, name: str) -> Any:
        """What models ask of their linear layers (`weight`, `in_features`) is the base's."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base"), name)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, …, in]` to `[B, …, out]`, in the base layer's type."""
        out: Tensor = self.base(x)
        rows = self._switch.rows
        if rows is None:
            return (out + self._added(x)).to(out.dtype)
        if isinstance(rows, slice) and not rows.stop:
            return out
        out[rows] = (out[rows] + self._added(x[rows])).to(out.dtype)
        return out

    def _added(self, x: Tensor) -> Tensor:
        down, up = self.down.float(), self.up.float()
        bias = None if self.bias_up is None else self.bias_up.float()
        return functional.linear(functional.linear(x.float(), down), up, bias) * self.scaling
