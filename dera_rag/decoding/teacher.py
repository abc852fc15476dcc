"""Traces of tokens that are known already: both models read prompts and answers once.

Shapes: `R` answers of a batch, `k` tokens of each at once, `V` token ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dera_rag.decoding.lines import flatten
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

# Positions whose logits are held at once: [32, V] of both models and of the mixture; as many more
# as make no more numbers than this (16 MB each).
_POSITIONS = 32
_NUMBERS = 2**22


class Cell(NamedTuple):
    """A token to be judged by the logits that it was drawn from.

    Attributes:
        token: Its id.
        lam: λ of the mixture.
        step: Index of the token in its answer.
        row: The caller's row number, for errors.
    """

    token: int
    lam: float
    step: int
    row: int


# A prompt and an answer to it; and λ of those readings that judge it, by their place.
_Answer = tuple[tuple[int, ...], tuple[int, ...]]
_Lams = Mapping[int, float]


class Reading(NamedTuple):
    """An answer to read, and the λ at which it is judged.

    Attributes:
        prompt: Token ids of the prompt.
        token_ids: The answer, T ≥ 1 tokens.
        lam: λ ≥ 0.
    """

    prompt: Sequence[int]
    token_ids: Sequence[int]
    lam: float


@dataclass(frozen=True)
class Teacher:
    """Reads answers it is given with both models.

    Attributes:
        pair: Where logits come from.
        mixer: Makes the mixture.
        afresh: Whether to reuse nothing of what was read before, and to read each answer alone.
        batch_size: Most answers read together, ≥ 1.
    """

    pair: PairBackend
    mixer: Mixer
    afresh: bool = False
    batch_size: int = 1

    @torch.inference_mode()
    def traces(self, readings: Sequence[Reading]) -> list[DecodeTrace]:
        """The traces that decodes at these λ would have recorded for these tokens.

        Args:
            readings: The answers; one that is judged at several λ is read once.

        Returns:
            All fields, length T, at λ=0 and λ=1 too; in the order of the readings.

        Raises:
            LogitsError: As `Mixer.mix`; it names the place of the reading.
        """
        asked: dict[_Answer, dict[int, float]] = {}
        for place, (prompt, token_ids, lam) in enumerate(readings):
            own = prompt if isinstance(prompt, tuple) else tuple(prompt)
            asked.setdefault((own, tuple(token_ids)), {})[place] = lam
        # Answers to one prompt beside each other: they share its keys and values.
        order = sorted(asked, key=lambda answer: (len(answer[0]), answer[0], len(answer[1])))
        size = 1 if self.afresh else self.batch_size
        steps: list[list[Sequence[float]]] = [[] for _ in readings]
        for start in range(0, len(order), size):
            part = order[start : start + size]
            for place, columns in self._read(part, [asked[answer] for answer in part]):
                steps[place] += columns
        return [
            build_trace([reading.lam] * len(own), own, Branches.BOTH)
            for reading, own in zip(readings, steps, strict=True)
        ]

    def _read(
        self, answers: Sequence[_Answer], lams: Sequence[_Lams]
    ) -> Iterator[tuple[int, list[Sequence[float]]]]:
        """A batch's trace columns, each reading's in pieces."""
        prompts, texts = [prompt for prompt, _ in answers], [text for _, text in answers]
        session = starter(self.pair, afresh=self.afresh)(prompts, [Branches.BOTH] * len(answers))
        # A position is judged as often as its answer is.
        most = max(map(len, lams))
        at, positions = 0, positions_held(self.pair) // most
        for rows, logits in _pieces(session, texts, positions):
            width = logits[0].shape[1]
            asked = [(i, row, place) for i, row in enumerate(rows) for place in lams[row]]
            behind = [i for i, *_ in asked]
            cells = [
                Cell(token, lams[row][place], at + j, place)
                for _, row, place in asked
                for j, token in enumerate(texts[row][at : at + width])
            ]
            # One λ each, as a rule: then nothing is copied.
            own = logits if len(behind) == len(rows) else [part[behind] for part in logits]
            columns = judged(self.mixer, flatten(LogitPair(*own)), cells)
            for i, (*_, place) in enumerate(asked):
                yield place, columns[i * width : (i + 1) * width]
            at += width


def judged(mixer: Mixer, logits: LogitPair, cells: Sequence[Cell]) -> list[Sequence[float]]:
    """Trace columns of each cell, in the order of `trace.COLUMNS`.

    Args:
        mixer: Makes the mixture.
        logits: `[P, V]` of both branches.
        cells: P tokens.

    Raises:
        LogitsError: As `Mixer.mix`.
    """
    rows = range(len(cells))
    # λ exactly, as in a decode.
    lam = torch.tensor([cell.lam for cell in cells], dtype=torch.float64)
    steps, names = [cell.step for cell in cells], [cell.row for cell in cells]
    mixture = mixer.mix(logits, Lines(lam, rows, rows, steps=steps, rows=names)).logits
    tokens = torch.tensor([cell.token for cell in cells], device=mixture.device)
    columns = measure(logits, mixture, tokens, rows, rows)
    return list(zip(*columns.tolist(), strict=True))


def positions_held(pair: PairBackend) -> int:
    """Most positions whose logits are held at once."""
    return max(_POSITIONS, _NUMBERS // pair.vocab_size)


def appended(
    session: PairSession, token_ids: Sequence[Sequence[int]], positions: int = _POSITIONS
) -> Iterator[LogitPair]:
    """Append tokens that are known already; logits `[R, k, V]` after each piece of k in turn.

    Args:
        session: A session whose prompts have been read.
        token_ids: For each row as many tokens as for the others; may be none.
        positions: Most positions of all rows whose logits are held at once; one a row at least.
    """
    if not isinstance(session, DraftingSession):
        for column in zip(*token_ids, strict=True):
            yield _widened(session.step(column))
        return
    piece = max(1, positions // len(token_ids))
    for start in range(0, len(token_ids[0]), piece):
        yield session.extend([ids[start : start + piece] for ids in token_ids])


def _pieces(
    session: PairSession, texts: Sequence[Sequence[int]], positions: int
) -> Iterator[tuple[list[int], tuple[Tensor, Tensor]]]:
    """The texts that go on, and logits `[R, k, V]` of both branches for their next k tokens."""
    rows, at = list(range(len(texts))), 1
    yield rows, both(_widened(session.prefill()))
    while going := [row for row in rows if len(texts[row]) > at]:
        if going != rows:
            session.select([rows.index(row) for row in going])
            rows = going
        # As far as the shortest goes: nothing is filled up, so no row runs out of positions. The
        # last token's own successor is not asked for.
        end = min(len(texts[row]) for row in rows)
        for logits in appended(session, [texts[row][at - 1 : end - 1] for row in rows], positions):
            yield rows, both(logits)
        at = end


def _widened(logits: LogitPair) -> LogitPair:
    """`[R, V]` as `[R, 1, V]`."""
    return LogitPair(*(None if part is None else part.unsqueeze(1) for part in logits))


def both(logits: LogitPair) -> tuple[Tensor, Tensor]:
    """The logits of both branches.

    Raises:
        LogitsError: A branch did not run.
    """
    if logits.reference is None or logits.aligned is None:
        raise LogitsError("a trace of both models needs the logits of both branches")
    return logits.reference, logits.aligned
