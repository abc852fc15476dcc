"""The decode loop: one body for lists, streams, engines, plain steps and verified drafts.

Shapes: `B` rows of the session, `K` positions a row (1 unless a draft is verified), `V` token ids.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from dera_rag.decoding.alternatives import rank_lines
from dera_rag.decoding.drafts import Draft
from dera_rag.decoding.drawing import Drawer
from dera_rag.decoding.grammar import permitted, settle
from dera_rag.decoding.lines import agreed, flatten, lines_of, measure_lines, mix_lines
from dera_rag.decoding.mixer import LinearMixer, Mixer
from dera_rag.decoding.rows import Request, Row
from dera_rag.decoding.speculation import Speculator
from dera_rag.decoding.text import Detokenizer, Vocabulary
from dera_rag.decoding.trace import branches_for
from dera_rag.protocols import (
    Branches,
    DraftingSession,
    JoiningSession,
    LogitPair,
    PairBackend,
    PairSession,
    starter,
)

# Dropping finished rows copies the caches of the others: it pays once a quarter is idle.
_IDLE_SHARE = 4


class Decode:
    """Rows being decoded together; rows join and leave.

    Args:
        pair: Where logits come from.
        vocabulary: Of the pair's tokenizer.
        mixer: Makes the mixture; `LinearMixer()` by default.
        speculator: Drafts tokens and learns what that is worth; None never drafts.
        afresh: Whether to reuse nothing of earlier decodes.
    """

    def __init__(
        self,
        pair: PairBackend,
        vocabulary: Vocabulary,
        mixer: Mixer | None = None,
        speculator: Speculator | None = None,
        *,
        afresh: bool = False,
    ) -> None:
        self._pair = pair
        self._vocabulary = vocabulary
        self._mixer = LinearMixer() if mixer is None else mixer
        self._speculator = speculator
        self._start = starter(pair, afresh=afresh)
        self._session: PairSession | None = None
        self._drawer = Drawer()
        self._newcomers: list[Row] = []
        # The session's rows in its order; those that have ended stay until dropping them pays.
        self._rows: list[Row] = []

    @property
    def rows(self) -> list[Row]:
        """The rows that need more tokens, those whose prompt is yet to be read included."""
        return [row for row in (*self._rows, *self._newcomers) if row.live]

    @property
    def running(self) -> bool:
        """Whether a row is unfinished."""
        return bool(self.rows)

    @property
    def open(self) -> bool:
        """Whether more rows can join."""
        return self._session is None or isinstance(self._session, JoiningSession)

    def join(self, requests: Sequence[Request]) -> list[Row]:
        """Take requests in; the next `advance` reads their prompts.

        Args:
            requests: At least one; only while `open`.
        """
        rows = [self._row(request) for request in requests]
        self._newcomers += rows
        return rows

    @torch.inference_mode()
    def advance(self) -> None:
        """Give the newcomers their first token; without any, give every row one token or more."""
        self._newcomers = [row for row in self._newcomers if row.live]
        self._drop_idle(always=bool(self._newcomers))
        if self._newcomers:
            self._read_prompts()
        elif self._rows:
            self._step()
        self._drop_idle()

    def _row(self, request: Request) -> Row:
        words = Detokenizer(self._vocabulary, request.stops, self._pair.stop_ids)
        row = Row(request, words, branches_for(request.lam, request.trace, self._mixer))
        if request.grammar is not None:
            row.structure = request.grammar.start(row.room)
        return row

    def _read_prompts(self) -> None:
        newcomers, self._newcomers = self._newcomers, []
        prompts = [row.request.prompt for row in newcomers]
        branches = [row.branches for row in newcomers]
        if self._session is None:
            self._session = self._start(prompts, branches)
            logits = self._session.prefill()
        else:
            logits = cast(JoiningSession, self._session).join(prompts, branches)
        first = len(self._rows)
        like = cast(Tensor, logits.aligned if logits.reference is None else logits.reference)
        self._rows += newcomers
        self._drawer.join(newcomers, like)
        self._take(logits, range(first, len(self._rows)), [[]] * len(newcomers))

    def _step(self) -> None:
        session = cast(PairSession, self._session)
        rows = self._rows
        live = [i for i, row in enumerate(rows) if row.live]
        drafts = self._plan()
        started = time.perf_counter()
        width = 1 + max((len(draft.tokens) for draft in drafts), default=0)
        guesses = [[0] * (width - 1) for _ in rows]
        for guess, draft in zip(guesses, drafts, strict=bool(drafts)):
            # A shorter guess is filled up; what fills it is verified like the rest.
            guess[: len(draft.tokens)] = draft.tokens
        last = [row.token_ids[-1] for row in rows]
        if width == 1:
            logits = session.step(last)
        else:
            logits = cast(DraftingSession, session).extend(
                [[token, *guess] for token, guess in zip(last, guesses, strict=True)]
            )
        kept = self._take(logits, range(len(rows)), guesses)
        self._forget(width, kept)
        if self._speculator is not None:
            self._speculator.learn(
                [rows[i] for i in live],
                [drafts[i] for i in live] if drafts else [],
                [kept[i] for i in live],
                time.perf_counter() - started,
            )

    def _plan(self) -> list[Draft]:
        if self._speculator is None or not isinstance(self._session, DraftingSession):
            return []
        widest = sys.maxsize
        if self._pair.max_length is not None:
            widest = self._pair.max_length - max(map(self._length, self._rows))
        return self._speculator.plan(self._rows, widest)

    def _take(
        self, logits: LogitPair, places: Sequence[int], guesses: Sequence[Sequence[int]]
    ) -> list[int]:
        """Draw and append tokens.

        Args:
            logits: `[B, V]` or `[B, K, V]` of the rows at these places.
            places: Which of the session's rows they are.
            guesses: The K − 1 tokens each row read after its last one.

        Returns:
            How many tokens each row got.
        """
        rows = [self._rows[place] for place in places]
        width = 1 + len(guesses[0])
        logits, lines = flatten(logits), lines_of(rows, width)
        mixture, errors = mix_lines(self._mixer, logits, lines)
        allowed = permitted(mixture.logits, rows, width)
        drawn = settle(rows, self._drawer.draw(allowed, places, guesses), errors)
        given = agreed(rows, drawn, guesses)
        columns = measure_lines(rows, logits, mixture.logits, lines, given)
        ranked = rank_lines(rows, mixture.logits, given)
        lams = lines.lam.tolist() if mixture.lam is None else mixture.lam.tolist()
        before = [len(row.token_ids) for row in rows]
        for row in rows:
            row.passes += row.live
        for line, token in given.items():
            row = rows[line // width]
            if row.live:
                row.error = errors.get(line)
            if row.live:
                row.ranked += [ranked[line]] if line in ranked else []
                row.append(token, lams[line], columns.get(line, ()))
        counts = [len(row.token_ids) - first for row, first in zip(rows, before, strict=True)]
        new = [tokens[:count] for tokens, count in zip(drawn, counts, strict=True)]
        self._drawer.count(places, new)
        return counts

    def _forget(self, width: int, kept: Sequence[int]) -> None:
        """Take back what the session read of rejected guesses."""
        spare = [width - count for count, row in zip(kept, self._rows, strict=True) if row.live]
        most = max(spare, default=0)
        counts = [
            width - count if row.live else most for count, row in zip(kept, self._rows, strict=True)
        ]
        for row, count in zip(self._rows, counts, strict=True):
            row.idle += 0 if row.live else width - count
        if most:
            cast(DraftingSession, self._session).crop(counts)

    def _length(self, row: Row) -> int:
        return row.length(shared=not getattr(self._pair, "encoder_decoder", False))

    def _drop_idle(self, *, always: bool = False) -> None:
        """Let ended rows leave, once that pays or they could do harm."""
        live = [i for i, row in enumerate(self._rows) if row.live]
        if len(live) == len(self._rows):
            return
        if not live:
            self._rows, self._session, self._drawer = [], None, Drawer()
        elif always or self._pays(live):
            cast(PairSession, self._session).select(live)
            self._rows = [self._rows[i] for i in live]
            self._drawer.select(live)

    def _pays(self, live: Sequence[int]) -> bool:
        limit = self._pair.max_length
        ended = [row for row in self._rows if not row.live]
        # Bad logits would be met again at every step, and positions must not run out.
        if any(row.error or (limit is not None and self._length(row) >= limit) for row in ended):
            return True
        return any(
            _IDLE_SHARE * sum(branch in row.branches for row in ended)
            >= sum(branch in row.branches for row in self._rows)
            > 0
            for branch in (Branches.REFERENCE, Branches.ALIGNED)
        )
