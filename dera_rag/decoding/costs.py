"""Whether drafting pays: measured times, learnt acceptance, and a bound on what it may lose.

A forward pass over one row and K positions costs t(K). A draft whose tokens are each accepted with
probability p gives 1 + p + … + p^(K−1) tokens a pass (Leviathan et al. 2023, equation 1), plain
decoding gives 1 in t(1). Nothing here changes a token: only how many are verified at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

WIDTHS = (2, 3, 4, 6, 8)
# An unmeasured pass of K positions is taken to cost this share more per position: low enough to
# be tried, after which the measured time counts.
_HOPED_SLOPE = 0.05
# Share of plain decoding's time that drafts may lose in all before they are left out.
_LOSS = 0.015
# Savings count as credit up to this many plain steps, so that a change of text is noticed.
_CREDIT = 4
_KEPT_TIMES = 15
# What drafts must promise to be made, in times as fast: less is within what is not known.
_WORTH = 1.02
# Weight in drafted tokens of what is believed before anything was seen, and most that is kept.
_BELIEF = 4.0
_MEMORY = 120.0


@dataclass
class _Acceptance:
    """Accepted and tried tokens of one source, the older ones fading."""

    accepted: float
    tried: float

    def add(self, accepted: int, tried: int) -> None:
        fade = min(1.0, _MEMORY / (self.tried + tried))
        self.accepted = fade * (self.accepted + accepted)
        self.tried = fade * (self.tried + tried)

    @property
    def share(self) -> float:
        return self.accepted / self.tried


@dataclass
class CostModel:
    """What passes cost and drafts bring, learnt while decoding."""

    _times: dict[tuple[int, int], deque[float]] = field(default_factory=dict)
    _warm: set[tuple[int, int]] = field(default_factory=set)
    _sources: dict[str, _Acceptance] = field(default_factory=dict)
    _saved: float = 0.0
    _spent: float = 0.0

    def acceptance(self, source: str) -> float:
        """Probability that a drafted token of a source is accepted, given those before it."""
        return self._source(source).share

    @property
    def solvent(self) -> bool:
        """Whether drafts have lost no more than they may."""
        return self._saved >= -_LOSS * self._spent

    def seconds(self, rows: int, width: int) -> float:
        """Time of a pass, measured or guessed; NaN before a plain step was measured."""
        size = rows.bit_length()
        measured = [k for k in (1, *WIDTHS) if k <= width and self._times.get((size, k))]
        if not measured or measured[0] != 1:
            return math.nan
        plain, nearest = median(self._times[size, 1]), measured[-1]
        dearer = median(self._times[size, nearest]) - plain
        if nearest == width:
            return plain + dearer
        slope = max(_HOPED_SLOPE * plain, dearer / (nearest - 1) if nearest > 1 else 0.0)
        return plain + slope * (width - 1)

    def best_width(self, chances: Sequence[tuple[float, int]]) -> int:
        """How many positions to verify at once; 1 is plain decoding.

        Args:
            chances: As `best`.
        """
        return self.best(chances)[0]

    def best(self, chances: Sequence[tuple[float, int]], each: float = 0.0) -> tuple[int, float]:
        """How many positions to verify at once, and how many times as fast that is; 1 is plain.

        Args:
            chances: For each row, the acceptance of its draft and the draft's length.
            each: Seconds that a drafted token takes to make.
        """
        rows = len(chances)
        plain = self.seconds(rows, 1)
        best, gain = 1, _WORTH
        for width in WIDTHS:
            tokens = sum(_expected(p, min(length, width - 1)) for p, length in chances)
            taken = self.seconds(rows, width) + each * (width - 1)
            rate = tokens / rows * plain / taken
            if rate > gain:
                best, gain = width, rate
        return best, gain

    def looked(self, seconds: float) -> None:
        """Count the time it took to find drafts."""
        self._saved -= seconds

    def passed(self, rows: int, width: int, seconds: float, tokens: float) -> None:
        """Learn from a pass.

        Args:
            rows: Rows in it.
            width: Positions of each row.
            seconds: How long it took, from its start to tokens in hand.
            tokens: Mean number of tokens a row got.
        """
        key = rows.bit_length(), width
        if key in self._warm:
            self._times.setdefault(key, deque(maxlen=_KEPT_TIMES)).append(seconds)
        # The first pass of a shape also pays for memory and kernels.
        self._warm.add(key)
        plain, usual = self.seconds(rows, 1), self.seconds(rows, width)
        if math.isnan(plain) or math.isnan(usual):
            return
        # Usual times, so that a pause of the machine is not held against drafts.
        self._spent += tokens * plain
        self._saved = min(self._saved + tokens * plain - usual, _CREDIT * plain)

    def judged(self, source: str, accepted: int, drafted: int) -> None:
        """Learn how many tokens of a draft were accepted; the first rejected one counts too."""
        self._source(source).add(accepted, min(accepted + 1, drafted))

    def _source(self, source: str) -> _Acceptance:
        if source not in self._sources:
            length = int(source.rsplit(maxsplit=1)[-1])
            first = 0.3 + 0.1 * length
            self._sources[source] = _Acceptance(first * _BELIEF, _BELIEF)
        return self._sources[source]


def _expected(acceptance: float, drafted: int) -> float:
    """Tokens a pass gives: 1 + p + … + p^k."""
    if acceptance >= 1:
        return drafted + 1.0
    return (1 - acceptance ** (drafted + 1)) / (1 - acceptance)
