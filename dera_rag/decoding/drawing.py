"""The tokens of a step, each row under its own settings.

Shapes: `B` rows, `K` positions a row (1 unless a draft is verified), `V` token ids.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from dera_rag.decoding.rows import Row
from dera_rag.numerics import Sampling, choose


class Drawer:
    """Draws tokens for the rows of a batch and remembers what their penalties count."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._groups: dict[Sampling, list[int]] = {}
        self._seen: Tensor | None = None

    def select(self, kept: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        self._rows = [self._rows[i] for i in kept]
        self._group()
        if self._seen is not None:
            self._seen = self._seen[list(kept)]

    def join(self, rows: Sequence[Row], like: Tensor) -> None:
        """Take new rows behind the present ones.

        Args:
            rows: The new rows.
            like: Any `[·, V]` logits of the batch.
        """
        self._rows += rows
        self._group()
        if self._seen is None and all(row.request.sampling.repetition_penalty == 1 for row in rows):
            return
        seen = torch.zeros(len(self._rows), like.shape[-1], dtype=torch.bool, device=like.device)
        old = len(self._rows) - len(rows)
        if self._seen is not None:
            seen[:old] = self._seen
        for i, row in enumerate(self._rows):
            counted = list(row.token_ids) if i < old and self._seen is None else []
            if row.request.sampling.repetition_scope == "all":
                counted += row.request.prompt
            seen[i, counted] = True
        self._seen = seen

    def draw(
        self, mixture: Tensor, rows: Sequence[int], drafts: Sequence[Sequence[int]]
    ) -> list[list[int]]:
        """K tokens of each row: the j-th is what follows the answer and j drafted tokens.

        Args:
            mixture: `[len(rows)·K, V]` logits, a row's positions beside each other.
            rows: Places of the rows in the batch.
            drafts: K − 1 drafted tokens for each of them.
        """
        width = len(drafts[0]) + 1
        out = torch.empty(len(rows), width, dtype=torch.long, device=mixture.device)
        place = {row: i for i, row in enumerate(rows)}
        logits = mixture.view(len(rows), width, -1)
        for sampling, members in self._groups.items():
            own = [row for row in members if row in place]
            if not own:
                continue
            at = [place[row] for row in own]
            whole = len(own) == len(rows)
            seen = None
            if sampling.repetition_penalty != 1:
                seen = self._counted(own, [drafts[i] for i in at])
            chosen = choose(
                (logits if whole else logits[at]).flatten(0, 1),
                sampling,
                seeds=[self._rows[row].request.seed for row in own for _ in range(width)],
                indices=[len(self._rows[row].token_ids) + j for row in own for j in range(width)],
                seen=seen,
            )
            chosen = chosen.view(len(own), width)
            if whole:
                return cast(list[list[int]], chosen.tolist())
            out[at] = chosen
        tokens: list[list[int]] = out.tolist()
        return tokens

    def count(self, rows: Sequence[int], tokens: Sequence[Sequence[int]]) -> None:
        """Remember tokens that were appended to these rows."""
        if self._seen is not None:
            for row, new in zip(rows, tokens, strict=True):
                self._seen[row, list(new)] = True

    def _counted(self, rows: Sequence[int], drafts: Sequence[Sequence[int]]) -> Tensor | None:
        """`[len(rows)·K, V]` bool: what a penalty counts before each position."""
        if self._seen is None:
            return None
        width = len(drafts[0]) + 1
        seen = self._seen[list(rows)].unsqueeze(1).repeat(1, width, 1)
        for i, draft in enumerate(drafts):
            for j, token in enumerate(draft):
                seen[i, j + 1 :, token] = True
        return seen.flatten(0, 1)

    def _group(self) -> None:
        """Rows by the settings that a draw depends on."""
        self._groups = {}
        for i, row in enumerate(self._rows):
            settings = dataclasses.replace(row.request.sampling, seed=None, max_new_tokens=1)
            self._groups.setdefault(settings, []).append(i)
