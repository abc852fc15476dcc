"""One decode over one base with an adapter: both branches are rows of one forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from dera_rag.pairs.lora import RowSwitch
from dera_rag.pairs.prefixes import PrefixCache
from dera_rag.pairs.rows import BranchRows, ModelRows
from dera_rag.pairs.session import DraftingCausalSession
from dera_rag.protocols import Branches, LogitPair

# Rows with the adapter come first, so that it is on for a slice.
_ORDER = Branches.ALIGNED, Branches.REFERENCE


class AdapterSession(DraftingCausalSession):
    """A `DraftingSession` and `JoiningSession` whose steps take one forward, of up to 2B rows.

    Args:
        new_rows: Gives empty rows over the model with the adapter.
        switch: Which rows run it.
        prompts: Token ids of each row.
        branches: Which models each row runs.
        prefixes: What each branch remembers of earlier prompts.
    """

    def __init__(
        self,
        new_rows: Callable[[], BranchRows],
        switch: RowSwitch,
        prompts: Sequence[Sequence[int]],
        branches: Sequence[Branches],
        prefixes: Mapping[Branches, PrefixCache],
    ) -> None:
        super().__init__({}, prompts, branches)
        self._all = new_rows()
        self._prefixes = prefixes
        self._switch = switch
        # What each row of the forward is: a row of the batch, under one branch.
        self._lines: list[tuple[int, Branches]] = []

    @torch.inference_mode()
    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows of the batch, in this order; a row may leave or be copied."""
        place = {line: i for i, line in enumerate(self._lines)}
        lines = [
            (new, branch)
            for branch in _ORDER
            for new, old in enumerate(rows)
            if (old, branch) in place
        ]
        kept = [place[rows[new], branch] for new, branch in lines]
        if kept != list(range(len(self._lines))):
            self._all.select(kept)
        self._lines = lines
        self._branches = [self._branches[row] for row in rows]

    def _read(self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]) -> LogitPair:
        """Prompts as new lines, in one forward for each branch: reading is bound by arithmetic."""
        first = len({row for row, _ in self._lines})
        logits: dict[Branches, Tensor] = {}
        for branch in _ORDER:
            own = [i for i, needs in enumerate(branches) if branch in needs]
            if not own:
                continue
            on = range(len(own)) if branch is Branches.ALIGNED else ()
            if isinstance(self._all, ModelRows):
                # With and without the adapter a prompt has other keys and values.
                self._all.prefixes = self._prefixes.get(branch)
            with self._switch.on(on, len(own)):
                logits[branch] = self._all.join([list(prompts[i]) for i in own])
            self._lines += [(first + i, branch) for i in own]
        return LogitPair(logits.get(Branches.REFERENCE), logits.get(Branches.ALIGNED))

    def _extend(self, token_ids: Sequence[Sequence[int]]) -> LogitPair:
        on = [i for i, (_, branch) in enumerate(self._lines) if branch is Branches.ALIGNED]
        with self._switch.on(on, len(self._lines)):
            logits = self._all.extend([token_ids[row] for row, _ in self._lines])
        own = {
            branch: [i for i, (_, kind) in enumerate(self._lines) if kind is branch]
            for branch in _ORDER
        }
        return LogitPair(
            *(logits[own[branch]] if own[branch] else None for branch in reversed(_ORDER))
        )

    def _crop(self, counts: Sequence[int]) -> None:
        self._all.crop([counts[row] for row, _ in self._lines])
