"""A trace of tokens that are known already: both models read prompt and answer once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dera_rag.decoding.mixer import Lines, Mixer
from dera_rag.decoding.trace import build_trace, measure
from dera_rag.errors import LogitsError
from dera_rag.protocols import (
    Branches,
    DraftingSession,
    LogitPair,
    PairBackend,
    PairSession,
    starter,
)
from dera_rag.types import DecodeTrace

# Positions whose logits are held at once: [32, V] of both models and of the mixture.
_POSITIONS = 32


@dataclass(frozen=True)
class Teacher:
    """Reads answers it is given with both models.

    Attributes:
        pair: Where logits come from.
        mixer: Makes the mixture.
        afresh: Whether to reuse nothing of what was read before.
    """

    pair: PairBackend
    mixer: Mixer
    afresh: bool = False

    @torch.inference_mode()
    def trace(self, prompt: Sequence[int], token_ids: Sequence[int], lam: float) -> DecodeTrace:
        """The trace a decode at λ would have recorded for these tokens.

        Args:
            prompt: Token ids of the prompt.
            token_ids: The answer, T tokens.
            lam: λ ≥ 0.

        Returns:
            All fields, length T; at λ=0 and λ=1 too.

        Raises:
            LogitsError: As `Mixer.mix`.
        """
        session = starter(self.pair, afresh=self.afresh)([prompt], [Branches.BOTH])
        steps: list[Sequence[float]] = []
        for logits in _logits(session, token_ids):
            at = len(steps)
            tokens = torch.tensor(token_ids[at : at + len(logits[0])], device=logits[0].device)
            rows = range(len(tokens))
            weights = torch.full((len(tokens),), lam)
            lines = Lines(weights, rows, rows, [at + row for row in rows], [0] * len(tokens))
            pair = LogitPair(*logits)
            columns = measure(pair, self.mixer.mix(pair, lines).logits, tokens, rows, rows)
            steps += zip(*columns.tolist(), strict=True)
        return build_trace([lam] * len(steps), steps, Branches.BOTH)


def appended(session: PairSession, token_ids: Sequence[Sequence[int]]) -> Iterator[LogitPair]:
    """Append tokens that are known already; logits `[R, k, V]` after each piece of k in turn.

    Args:
        session: A session whose prompts have been read.
        token_ids: For each row as many tokens as for the others; may be none.
    """
    if not isinstance(session, DraftingSession):
        for column in zip(*token_ids, strict=True):
            logits = session.step(column)
            yield LogitPair(*(None if part is None else part.unsqueeze(1) for part in logits))
        return
    piece = max(1, _POSITIONS // len(token_ids))
    for start in range(0, len(token_ids[0]), piece):
        yield session.extend([ids[start : start + piece] for ids in token_ids])


def _logits(session: PairSession, token_ids: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits of both branches for each token in turn, `[k, V]` at a time."""
    yield _both(session.prefill())
    # The last token's own successor is not asked for.
    for logits in appended(session, [token_ids[:-1]]):
        reference, aligned = _both(logits)
        yield reference[0], aligned[0]


def _both(logits: LogitPair) -> tuple[Tensor, Tensor]:
    if logits.reference is None or logits.aligned is None:
        raise LogitsError("a trace of both models needs the logits of both branches")
    return logits.reference, logits.aligned
