"""One decode over two causal models: a KV cache per branch, each over the rows that need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from dera_rag.errors import InvalidValueError
from dera_rag.pairs.rows import BranchRows
from dera_rag.protocols import Branches, LogitPair

_BRANCHES = Branches.REFERENCE, Branches.ALIGNED


class CausalSession:
    """A `PairSession` over two causal models.

    Args:
        new_rows: For each branch, a function that gives empty rows.
        prompts: Token ids of each row.
        branches: Which models each row runs.
    """

    def __init__(
        self,
        new_rows: Mapping[Branches, Callable[[], BranchRows]],
        prompts: Sequence[Sequence[int]],
        branches: Sequence[Branches],
    ) -> None:
        self._new_rows = new_rows
        self._prompts = prompts
        self._branches = list(branches)
        self._rows: dict[Branches, BranchRows] = {}

    @torch.inference_mode()
    def prefill(self) -> LogitPair:
        """Read the prompts; logits of each row's first token."""
        return self._read(self._prompts, self._branches)

    @torch.inference_mode()
    def step(self, token_ids: Sequence[int]) -> LogitPair:
        """Append one token to every row; logits of the token after it."""
        reference, aligned = self._extend([[token] for token in token_ids])
        return LogitPair(
            None if reference is None else reference[:, 0],
            None if aligned is None else aligned[:, 0],
        )

    @torch.inference_mode()
    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows of the batch, in this order; a row may leave or be copied."""
        for branch in _BRANCHES:
            place = {row: i for i, row in enumerate(self._running(branch))}
            kept = [place[row] for row in rows if row in place]
            if kept:
                if kept != list(range(len(place))):
                    self._rows[branch].select(kept)
            else:
                self._rows.pop(branch, None)
        self._branches = [self._branches[row] for row in rows]

    def _read(self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]) -> LogitPair:
        """Prompts as new rows of the branches that they run."""
        logits: list[Tensor | None] = []
        for branch in _BRANCHES:
            own = [list(prompts[i]) for i, needs in enumerate(branches) if branch in needs]
            if own and branch not in self._rows:
                self._rows[branch] = self._new_rows[branch]()
            logits.append(self._rows[branch].join(own) if own else None)
        return LogitPair(*logits)

    def _extend(self, token_ids: Sequence[Sequence[int]]) -> LogitPair:
        return LogitPair(
            *(
                self._rows[branch].extend([token_ids[row] for row in self._running(branch)])
                if branch in self._rows
                else None
                for branch in _BRANCHES
            )
        )

    def _running(self, branch: Branches) -> list[int]:
        return [row for row, needs in enumerate(self._branches) if branch in needs]


class DraftingCausalSession(CausalSession):
    """A `DraftingSession` and `JoiningSession` over two causal models."""

    @torch.inference_mode()
    def extend(self, token_ids: Sequence[Sequence[int]]) -> LogitPair:
        """Append k tokens to every row; `[R, k, V]` logits after each of them.

        Args:
            token_ids: k ≥ 1 tokens for each row, the same k for all.

        Raises:
            InvalidValueError: Rows of different length, or another number of rows.
        """
        if len(token_ids) != len(self._branches) or len({len(ids) for ids in token_ids}) != 1:
            raise InvalidValueError(
                f"extend got lengths {[len(ids) for ids in token_ids]} for "
                f"{len(self._branches)} rows",
                hint="the same number of tokens for every row; crop what is too much",
            )
        return self._extend(token_ids)

    @torch.inference_mode()
    def crop(self, counts: Sequence[int]) -> None:
        """Forget the last tokens of every row.

        Args:
            counts: How many tokens each row forgets, ≥ 0.

        Raises:
            InvalidValueError: A negative count, another number of rows, or more than a sliding
                window can give back.
        """
        if len(counts) != len(self._branches) or min(counts, default=0) < 0:
            raise InvalidValueError(
                f"crop got {list(counts)} for {len(self._branches)} rows",
                hint="one count ≥ 0 per row",
            )
        if any(counts):
            self._crop(counts)

    @torch.inference_mode()
    def join(self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]) -> LogitPair:
        """Read new prompts as rows behind the present ones; logits of their first tokens.

        Args:
            prompts: Token ids of each new row.
            branches: Which models each new row runs.
        """
        logits = self._read(prompts, branches)
        self._branches += branches
        return logits

    def _crop(self, counts: Sequence[int]) -> None:
        for branch, rows in self._rows.items():
            own = [counts[row] for row in self._running(branch)]
            if any(own):
                rows.crop(own)
