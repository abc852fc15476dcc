"""Drafts by a cheap model of the mixture, for an answer that is decoded alone."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from statistics import median

from torch import Tensor

from dera_rag.decoding.costs import CostModel
from dera_rag.decoding.drafts import Draft
from dera_rag.decoding.rows import Row
from dera_rag.numerics import choose
from dera_rag.protocols import GuessingBackend

# How well the average is believed to guess before it was seen to: the 5 stands for .8 (`costs`).
_SOURCE = "average 5"
# Share of a plain step that a guessed token is taken to cost before it was measured.
_HOPED_COST = 0.25
# Tokens of an answer before one was seen to end.
_USUAL_ANSWER = 32.0
_KEPT_TIMES = 15


class Guesses:
    """Decides whether a cheap model's drafts pay, and makes them.

    Unlike a look into texts a guess has a price before it brings anything: the model reads the
    prompt. So it is asked only where the rest of the answer is expected to save more than that.

    Args:
        pair: Has the cheap model.
        costs: What passes cost and how often guesses are right.
    """

    def __init__(self, pair: GuessingBackend, costs: CostModel) -> None:
        self._pair = pair
        self._costs = costs
        self._starts: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._each: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._started = False

    def offer(self, row: Row, longest: int, usual: float | None) -> tuple[int, float]:
        """How many positions to verify with a guess, and how many times as fast that is.

        Args:
            row: The only row.
            longest: Most tokens to guess.
            usual: Mean length of the answers so far; None before the first.

        Returns:
            Width 1 where guessing does not pay.
        """
        plain = self._costs.seconds(1, 1)
        each = median(self._each) if self._each else _HOPED_COST * plain
        width, rate = self._costs.best([(self._costs.acceptance(_SOURCE), longest)], each)
        if width > 1 and row.guesser is None and self._starts:
            left = min(row.room, (usual or _USUAL_ANSWER) - len(row.token_ids))
            if left * plain * (1 - 1 / rate) <= median(self._starts) * len(row.request.prompt):
                return 1, 1.0
        return width, rate

    def draft(self, row: Row, count: int) -> Draft:
        """Guess the next tokens of a row.

        Args:
            row: The row.
            count: How many, ≥ 1.
        """
        request = row.request
        if row.guesser is None:
            began = time.perf_counter()
            row.guesser = self._pair.guesser(request.prompt, request.lam)
            # The first one also pays for making the model.
            if self._started:
                self._starts.append((time.perf_counter() - began) / len(request.prompt))
            self._started = True
        settings = dataclasses.replace(
            request.sampling, seed=None, max_new_tokens=1, repetition_penalty=1.0
        )

        def draw(logits: Tensor, index: int) -> int:
            # The noise that plain decoding adds at this place: then a guess differs only where the
            # models do.
            return int(choose(logits, settings, seeds=[request.seed], indices=[index]))

        began = time.perf_counter()
        tokens = row.guesser.guess(row.token_ids, count, draw)
        seconds = time.perf_counter() - began
        self._each.append(seconds / count)
        self._costs.looked(seconds)
        return Draft(tokens, _SOURCE)
