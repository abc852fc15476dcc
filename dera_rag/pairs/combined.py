"""One decode over several backends whose branches are summed: sessions inside a session.

Shapes: `R` rows, `k` tokens appended at once, `V` token ids.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast, runtime_checkable

import torch
from torch import Tensor

from dera_rag.numerics import WeightedRows, weighted_sum
from dera_rag.protocols import (
    Branches,
    DraftingSession,
    JoiningSession,
    LogitPair,
    PairBackend,
    PairSession,
    starter,
)

_T = TypeVar("_T")
_NOTHING = LogitPair(None, None)


@runtime_checkable
class _DraftsAndJoins(DraftingSession, JoiningSession, Protocol):
    """What a combination needs of every part before it can draft and join itself."""


@dataclass(frozen=True)
class PartRow:
    """What one row is in one part.

    Attributes:
        prompt: Token ids the part reads for this row.
        weights: Weight ≠ 0 of each of the part's branches that this row runs; empty where the part
            does not serve the row.
    """

    prompt: Sequence[int]
    weights: Mapping[Branches, float]

    @property
    def branches(self) -> Branches:
        """The part's branches that this row runs."""
        return functools.reduce(operator.or_, self.weights)


@dataclass(frozen=True)
class Part:
    """A backend that contributes to a combination.

    Attributes:
        pair: The backend.
        into: For each of its branches that is used, the combination's branch it is added to.
        row: From a prompt and the combination's branches to the row in this part.
    """

    pair: PairBackend
    into: Mapping[Branches, Branches]
    row: Callable[[Sequence[int], Branches], PartRow]


def start_combined(
    parts: Sequence[Part],
    prompts: Sequence[Sequence[int]],
    branches: Sequence[Branches],
    *,
    afresh: bool = False,
) -> CombinedSession:
    """A session over token-id prompts.

    Args:
        parts: What is summed.
        prompts: Non-empty token ids of each row.
        branches: Which branches of the combination each row runs.
        afresh: Whether no part may reuse what it decoded before.

    Returns:
        A `DraftingSession` and `JoiningSession` if those of all parts are.
    """
    running = [_RunningPart(part, prompts, branches, afresh=afresh) for part in parts]
    sessions = [part.session for part in running if part.session is not None]
    able = all(isinstance(session, _DraftsAndJoins) for session in sessions)
    return (DraftingCombinedSession if able else CombinedSession)(running, branches)


class _RunningPart:
    """A part in a session: a session of its own over the rows that it serves."""

    def __init__(
        self,
        part: Part,
        prompts: Sequence[Sequence[int]],
        branches: Sequence[Branches],
        *,
        afresh: bool,
    ) -> None:
        self.part = part
        self._start = starter(part.pair, afresh=afresh)
        self.rows = self._made(prompts, branches)
        own = [row for row in self.rows if row.weights]
        self.session = self._started(own) if own else None

    def prefill(self) -> LogitPair:
        return _NOTHING if self.session is None else self.session.prefill()

    def step(self, token_ids: Sequence[int]) -> LogitPair:
        return _NOTHING if self.session is None else self.session.step(self.own(token_ids))

    def select(self, rows: Sequence[int]) -> None:
        place = {row: i for i, row in enumerate(self.own(range(len(self.rows))))}
        kept = [place[row] for row in rows if row in place]
        self.rows = [self.rows[row] for row in rows]
        if not kept:
            self.session = None
        if self.session is not None:
            self.session.select(kept)

    def extend(self, token_ids: Sequence[Sequence[int]]) -> LogitPair:
        if self.session is None:
            return _NOTHING
        return cast(DraftingSession, self.session).extend(self.own(token_ids))

    def crop(self, counts: Sequence[int]) -> None:
        if self.session is not None:
            cast(DraftingSession, self.session).crop(self.own(counts))

    def join(self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]) -> LogitPair:
        rows = self._made(prompts, branches)
        self.rows += rows
        own = [row for row in rows if row.weights]
        if not own:
            return _NOTHING
        if self.session is None:
            self.session = self._started(own)
            return self.session.prefill()
        return cast(JoiningSession, self.session).join(
            [row.prompt for row in own], [row.branches for row in own]
        )

    def own(self, values: Sequence[_T]) -> list[_T]:
        """Of one value per row of the batch, those of the rows this part serves."""
        return [value for value, row in zip(values, self.rows, strict=True) if row.weights]

    def _made(
        self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]
    ) -> list[PartRow]:
        return [self.part.row(*row) for row in zip(prompts, branches, strict=True)]

    def _started(self, rows: Sequence[PartRow]) -> PairSession:
        return self._start([row.prompt for row in rows], [row.branches for row in rows])


class CombinedSession:
    """A `PairSession` whose branches are weighted sums of its parts' branches.

    Args:
        parts: What is summed, started.
        branches: Which branches of the combination each row runs.
    """

    def __init__(self, parts: Sequence[_RunningPart], branches: Sequence[Branches]) -> None:
        self._parts = parts
        self._branches = list(branches)

    @torch.inference_mode()
    def prefill(self) -> LogitPair:
        """Read the prompts; logits of each row's first token."""
        return self._combined([part.prefill() for part in self._parts])

    @torch.inference_mode()
    def step(self, token_ids: Sequence[int]) -> LogitPair:
        """Append one token to every row; logits of the token after it."""
        return self._combined([part.step(token_ids) for part in self._parts])

    @torch.inference_mode()
    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows of the batch, in this order; a row may leave or be copied."""
        for part in self._parts:
            part.select(rows)
        self._branches = [self._branches[row] for row in rows]

    def _combined(self, logits: Sequence[LogitPair], first: int = 0) -> LogitPair:
        """Both branches of the rows from `first` on, from what each part gave for them."""
        sums: list[Tensor | None] = []
        for branch in (Branches.REFERENCE, Branches.ALIGNED):
            running = [row for row in range(first, len(self._branches)) if self._runs(row, branch)]
            place = {row: i for i, row in enumerate(running)}
            terms = [
                term
                for part, given in zip(self._parts, logits, strict=True)
                for term in _terms(part, given, branch, place, first)
            ]
            sums.append(weighted_sum(terms, len(running)) if running else None)
        return LogitPair(*sums)

    def _runs(self, row: int, branch: Branches) -> bool:
        return branch in self._branches[row]


class DraftingCombinedSession(CombinedSession):
    """A `DraftingSession` and `JoiningSession`, where those of all parts are."""

    @torch.inference_mode()
    def extend(self, token_ids: Sequence[Sequence[int]]) -> LogitPair:
        """Append k tokens to every row; `[R, k, V]` logits after each of them."""
        return self._combined([part.extend(token_ids) for part in self._parts])

    @torch.inference_mode()
    def crop(self, counts: Sequence[int]) -> None:
        """Forget the last `counts[row]` tokens of every row."""
        for part in self._parts:
            part.crop(counts)

    @torch.inference_mode()
    def join(self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]) -> LogitPair:
        """Read new prompts as rows behind the present ones; logits of their first tokens."""
        first = len(self._branches)
        self._branches += branches
        return self._combined([part.join(prompts, branches) for part in self._parts], first)


def _terms(
    part: _RunningPart,
    given: LogitPair,
    branch: Branches,
    place: Mapping[int, int],
    first: int,
) -> Iterator[WeightedRows]:
    """What a part adds to a branch of the combination, whose rows stand at `place`."""
    own = {Branches.REFERENCE: given.reference, Branches.ALIGNED: given.aligned}
    for source, target in part.part.into.items():
        logits = own[source]
        if target is branch and logits is not None:
            served = [
                (place[first + i], row.weights[source])
                for i, row in enumerate(part.rows[first:])
                if source in row.weights
            ]
            rows, weights = zip(*served, strict=True)
            yield WeightedRows(logits, rows, weights)
