"""Exact speculation: tokens are guessed, read at once by both models, and settled by the mixture.

A drafted token is kept only where it is the very token plain decoding draws there, with the noise,
penalty and stop strings of its position; so the answer is the same whatever was drafted, greedy or
sampled. What a draft costs and brings only decides how often one is made.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dera_rag.decoding.costs import WIDTHS, CostModel
from dera_rag.decoding.drafts import Draft, Drafter
from dera_rag.decoding.guesses import Guesses
from dera_rag.decoding.rows import Row
from dera_rag.errors import InvalidValueError
from dera_rag.protocols import GuessingBackend, PairBackend

SpeculationMode = Literal["auto", "off", "always"]
_NOTHING = Draft((), "none 0")
# Answers that are remembered as drafts for the same prompt at another λ.
_ANSWERS = 64


def check_speculation(speculation: str) -> SpeculationMode:
    """A known mode, else an error.

    Raises:
        InvalidValueError: Another value.
    """
    for mode in get_args(SpeculationMode):
        if speculation == mode:
            return mode  # type: ignore[no-any-return]
    raise InvalidValueError(
        f"unknown speculation {speculation!r}",
        hint="'auto' (default: drafts while they pay), 'off' or 'always'",
    )


def check_guessing(pair: PairBackend) -> GuessingBackend:
    """A pair that has a cheap model of its mixture, else an error.

    Raises:
        InvalidValueError: It has none.
    """
    if not isinstance(pair, GuessingBackend):
        raise InvalidValueError(
            f"pair {pair.name!r} has no 8-bit average to draft with",
            hint="int8_drafts takes a ModelPair on the lean engine",
        )
    pair.check_guessing()
    return pair


@dataclass
class DecodingStatistics:
    """What decoding took.

    Attributes:
        answers: Answers that ended.
        tokens: Their tokens.
        passes: Passes of the models over them, the prompts' included.
        drafted: Tokens that were drafted.
        accepted: Drafted tokens that were kept.
    """

    answers: int = 0
    tokens: int = 0
    passes: int = 0
    drafted: int = 0
    accepted: int = 0

    @property
    def tokens_per_step(self) -> float:
        """Tokens a pass gave a row, ≥ 1; 1 without drafts, NaN before the first answer."""
        return self.tokens / self.passes if self.passes else float("nan")


class Speculator:
    """Decides what to draft, and learns from what became of it; one per decoder.

    Args:
        mode: "auto" drafts while it pays; "always" whenever there is a guess; "off" never, and
            only counts.
        guessing: A pair whose cheap model also drafts, for rows that are decoded alone; None
            (default) looks into texts only.
    """

    def __init__(
        self, mode: SpeculationMode = "auto", guessing: GuessingBackend | None = None
    ) -> None:
        self._mode = mode
        self._costs = CostModel()
        self._guesses = None if guessing is None else Guesses(guessing, self._costs)
        self._answers: OrderedDict[tuple[int, ...], tuple[int, ...]] = OrderedDict()
        self.statistics = DecodingStatistics()

    def plan(self, rows: Sequence[Row], widest: int) -> list[Draft]:
        """A draft for every row, some empty; an empty list for a plain step.

        Args:
            rows: The rows of the pass, ended ones included.
            widest: Most positions that fit.
        """
        longest = min(widest, WIDTHS[-1]) - 1
        if longest < 1 or not self._drafting:
            return []
        started = time.perf_counter()
        drafts = [self._look(row, longest) for row in rows]
        width, rate = self._width(rows, drafts)
        self._costs.looked(time.perf_counter() - started)
        if len(rows) == 1 and (guess := self._guess(rows[0], longest, rate)) is not None:
            return [guess]
        if width < 2:
            return []
        return [Draft(draft.tokens[: width - 1], draft.source) for draft in drafts]

    def _guess(self, row: Row, longest: int, rate: float) -> Draft | None:
        """What the cheap model guesses, where that beats what texts offer."""
        count = min(longest, row.room - 1)
        if self._guesses is None or not row.live or count < 1 or row.structure is not None:
            return None
        if self._mode == "always":
            return self._guesses.draft(row, count) if rate <= 1 else None
        done = self.statistics
        usual = done.tokens / done.answers if done.answers else None
        width, faster = self._guesses.offer(row, count, usual)
        return self._guesses.draft(row, width - 1) if width > 1 and faster > rate else None

    def learn(
        self,
        rows: Sequence[Row],
        drafts: Sequence[Draft],
        kept: Sequence[int],
        seconds: float,
    ) -> None:
        """Learn from a pass.

        Args:
            rows: The rows that were live in it.
            drafts: Their drafts; an empty list for a plain step.
            kept: How many tokens each got; 0 where it failed.
            seconds: How long the pass took.
        """
        width = 1 + max((len(draft.tokens) for draft in drafts), default=0)
        self._costs.passed(len(rows), width, seconds, sum(kept) / len(kept))
        for row, draft, count in zip(rows, drafts, kept, strict=bool(drafts)):
            drafted = len(draft.tokens)
            accepted = max(min(count - 1, drafted), 0)
            self.statistics.drafted += drafted
            self.statistics.accepted += accepted
            if drafted:
                # An answer's end rejects nothing.
                self._costs.judged(draft.source, accepted, drafted if row.live else accepted)

    def recall(self, prompt: tuple[int, ...]) -> tuple[int, ...]:
        """The latest answer to a prompt, at whatever λ; empty if there is none."""
        return self._answers.get(prompt, ())

    def ended(self, row: Row) -> None:
        """Remember an answer, and count what it took."""
        if row.finish_reason is None:
            return
        self.statistics.answers += 1
        self.statistics.tokens += len(row.token_ids)
        self.statistics.passes += row.passes
        self._answers[row.request.prompt] = tuple(row.token_ids)
        self._answers.move_to_end(row.request.prompt)
        while len(self._answers) > _ANSWERS:
            self._answers.popitem(last=False)

    @property
    def _drafting(self) -> bool:
        return self._mode == "always" or (self._mode == "auto" and self._costs.solvent)

    def _look(self, row: Row, longest: int) -> Draft:
        """The likeliest draft found in texts; an empty one where there is none or no use for it."""
        count = min(longest, row.room - 1)
        if not row.live or count < 1 or row.structure is not None:
            return _NOTHING
        if row.drafter is None:
            request = row.request
            row.drafter = Drafter(request.prompt, request.draft or self.recall(request.prompt))
        drafts = row.drafter.propose(row.token_ids, count)
        return max(drafts, key=lambda draft: self._costs.acceptance(draft.source), default=_NOTHING)

    def _width(self, rows: Sequence[Row], drafts: Sequence[Draft]) -> tuple[int, float]:
        """Positions to verify, and how many times as fast as plain decoding that is."""
        if self._mode == "always":
            width = 1 + max(len(draft.tokens) for draft in drafts)
            return width, float(width)
        chances = [
            (self._costs.acceptance(draft.source), len(draft.tokens))
            for row, draft in zip(rows, drafts, strict=True)
            if row.live
        ]
        return self._costs.best(chances)
