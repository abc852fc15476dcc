"""The decode loop: one body for lists of prompts and for streams.

Shapes: `B` rows still in the batch, `V` token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dera_rag.decoding.text import Detokenizer
from dera_rag.decoding.trace import TraceMode, branches_for, build_trace, measure
from dera_rag.numerics import Sampling, choose, mix_rows
from dera_rag.protocols import Branches, LogitPair, PairBackend
from dera_rag.types import FinishReason, Generation, Usage


@dataclass(frozen=True)
class Request:
    """One row to decode.

    Attributes:
        row: The caller's row number; errors name it.
        prompt: Token ids.
        lam: λ of the row.
        seed: Row seed of the noise; None when greedy.
    """

    row: int
    prompt: tuple[int, ...]
    lam: float
    seed: int | None


@dataclass
class _Row:
    """A row in progress."""

    request: Request
    branches: Branches
    token_ids: list[int] = field(default_factory=list)
    steps: list[Sequence[float]] = field(default_factory=list)
    text: str = ""
    finish_reason: FinishReason | None = None

    def generation(self) -> Generation:
        """The finished answer."""
        return Generation(
            text=self.text,
            token_ids=self.token_ids,
            finish_reason=self.finish_reason or "length",
            usage=Usage(len(self.request.prompt), len(self.token_ids)),
            trace=build_trace(self.request.lam, self.steps, self.branches),
            lam=self.request.lam,
            seed=self.request.seed,
        )


class Decode:
    """A batch of requests being decoded together; finished rows leave.

    Args:
        pair: Where logits come from.
        requests: The rows, at least one.
        sampling: Settings of every row.
        detokenizer: Decodes text and knows what stops an answer.
        trace: What to record.
    """

    def __init__(
        self,
        pair: PairBackend,
        requests: Sequence[Request],
        sampling: Sampling,
        detokenizer: Detokenizer,
        trace: TraceMode,
    ) -> None:
        self._sampling = sampling
        self._detokenizer = detokenizer
        self._trace = trace
        self._step = 0
        self.rows = [_Row(request, branches_for(request.lam, trace)) for request in requests]
        self._active = self.rows
        self._session = pair.start(
            [request.prompt for request in requests], [row.branches for row in self.rows]
        )
        self._seen: Tensor | None = None
        self._settle_rows()

    @property
    def running(self) -> bool:
        """Whether a row is unfinished."""
        return bool(self._active)

    @torch.inference_mode()
    def advance(self) -> None:
        """Generate one token for every unfinished row."""
        if self._step:
            logits = self._session.step([row.token_ids[-1] for row in self._active])
        else:
            logits = self._session.prefill()
        mixture = mix_rows(
            logits.reference,
            logits.aligned,
            self._reference_rows,
            self._aligned_rows,
            self._lam,
            step=self._step,
            rows=[row.request.row for row in self._active],
        )
        if not self._step:
            self._seen = self._prompt_tokens(mixture)
        count = len(self._active)
        tokens = choose(
            mixture,
            self._sampling,
            seeds=[row.request.seed for row in self._active],
            indices=[self._step] * count,
            seen=self._seen,
        )
        if self._seen is not None:
            self._seen.scatter_(1, tokens.unsqueeze(1), True)
        self._step += 1
        for row, token, values in zip(
            self._active, *self._read(logits, mixture, tokens), strict=True
        ):
            self._append(row, token, values)
        self._drop_finished()

    def _read(
        self, logits: LogitPair, mixture: Tensor, tokens: Tensor
    ) -> tuple[list[int], list[Sequence[float]]]:
        """Tokens and trace columns as Python numbers."""
        ids: list[int] = tokens.tolist()
        if self._trace == "off":
            return ids, [()] * len(ids)
        columns = measure(logits, mixture, tokens, self._reference_rows, self._aligned_rows)
        return ids, list(zip(*columns.tolist(), strict=True))

    def _append(self, row: _Row, token: int, values: Sequence[float]) -> None:
        """Give a row its token, and finish it if that ends the answer."""
        row.token_ids.append(token)
        row.steps.append(values)
        words = self._detokenizer
        cut = None
        if words.stops and token not in words.stop_ids:
            cut = words.cut(words.decode(row.token_ids))
        if token in words.stop_ids or cut is not None:
            row.finish_reason = "stop"
        elif len(row.token_ids) == self._sampling.max_new_tokens:
            row.finish_reason = "length"
        if row.finish_reason is not None:
            row.text = words.decode(row.token_ids)[:cut]

    def _drop_finished(self) -> None:
        kept = [i for i, row in enumerate(self._active) if row.finish_reason is None]
        if len(kept) == len(self._active):
            return
        self._active = [self._active[i] for i in kept]
        if not kept:
            return
        self._session.select(kept)
        if self._seen is not None:
            self._seen = self._seen[kept]
        self._settle_rows()

    def _settle_rows(self) -> None:
        """What the numerics need to know of the rows that are left."""
        self._lam = torch.tensor([row.request.lam for row in self._active])
        self._reference_rows = self._running(Branches.REFERENCE)
        self._aligned_rows = self._running(Branches.ALIGNED)

    def _running(self, branch: Branches) -> list[int]:
        return [i for i, row in enumerate(self._active) if branch in row.branches]

    def _prompt_tokens(self, mixture: Tensor) -> Tensor | None:
        """`[B, V]` bool, the tokens a repetition penalty starts with; None without a penalty."""
        if self._sampling.repetition_penalty == 1:
            return None
        seen = torch.zeros_like(mixture, dtype=torch.bool)
        if self._sampling.repetition_scope == "all":
            for i, row in enumerate(self.rows):
                seen[i, list(row.request.prompt)] = True
        return seen
