"""`LambdaPath`: every answer to one prompt over an interval of λ, with exact breakpoints."""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dera_rag.decoding.teacher import Reading, Teacher
from dera_rag.errors import InvalidValueError
from dera_rag.types import DecodeTrace, FinishReason, Generation, Json, Usage, check_lam

_NOT_ON_THE_PATH = "needs the whole distribution at this λ; path.trace(lam) computes it"


@dataclass(frozen=True, slots=True)
class BranchLogprobs:
    """What each model thought of a segment's tokens, in nats.

    Attributes:
        reference: log π_reference(token), length T, ≤ 0.
        aligned: log π_aligned(token), length T, ≤ 0.
    """

    reference: tuple[float, ...]
    aligned: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PathSegment:
    """One answer, and the interval of λ that gives it.

    Attributes:
        lo: Lower end; belongs to the segment.
        hi: Upper end; belongs to the next segment, if there is one.
        text: The answer, as `Generation.text`.
        token_ids: What was generated, as `Generation.token_ids`, length T.
        finish_reason: `stop` (EOS or a stop string) or `length`.
        exact: False where the budget ran out: then this is the decode at `lo`, and other λ of the
            segment may give other answers.
        logprobs: Both models' log-probabilities of the tokens.
        trace: The whole trace at the middle; None unless it was asked for.
    """

    lo: float
    hi: float
    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    exact: bool
    logprobs: BranchLogprobs
    trace: DecodeTrace | None = field(default=None, repr=False)

    @property
    def middle(self) -> float:
        """λ in the middle of the interval."""
        return (self.lo + self.hi) / 2

    def traced(self, lam: float) -> DecodeTrace | None:
        """The whole trace at λ, where it is known."""
        return self.trace if lam == self.middle else None

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {
            "lo": self.lo,
            "hi": self.hi,
            "text": self.text,
            "token_ids": list(self.token_ids),
            "finish_reason": self.finish_reason,
            "exact": self.exact,
            "logprobs": {
                "reference": list(self.logprobs.reference),
                "aligned": list(self.logprobs.aligned),
            },
        }


@dataclass(frozen=True)
class LambdaPath:
    """Every answer to one prompt for λ in an interval.

    Attributes:
        segments: In order of λ, without gaps; neighbours differ in tokens or finish reason, unless
            one of them is not exact.
        prompt: Token ids of the prompt.
        seed: The row seed of the noise; None when greedy.
        teacher: Reads an answer again for `trace`.
    """

    segments: tuple[PathSegment, ...]
    prompt: tuple[int, ...] = field(repr=False)
    seed: int | None
    teacher: Teacher = field(repr=False, compare=False)

    @property
    def lo(self) -> float:
        """Lower end of the interval."""
        return self.segments[0].lo

    @property
    def hi(self) -> float:
        """Upper end of the interval; belongs to it."""
        return self.segments[-1].hi

    @functools.cached_property
    def breakpoints(self) -> tuple[float, ...]:
        """λ at which the answer changes, ascending: where each segment but the first begins."""
        return tuple(segment.lo for segment in self.segments[1:])

    @property
    def inexact_ranges(self) -> tuple[tuple[float, float], ...]:
        """Intervals the budget left to their lower end's decode; empty when all is exact."""
        ranges: list[tuple[float, float]] = []
        for segment in self.segments:
            if segment.exact:
                continue
            if ranges and ranges[-1][1] == segment.lo:
                ranges[-1] = (ranges[-1][0], segment.hi)
            else:
                ranges.append((segment.lo, segment.hi))
        return tuple(ranges)

    def segment(self, lam: float) -> PathSegment:
        """The segment that holds λ; at a breakpoint the right-hand one.

        Args:
            lam: λ in [lo, hi].

        Raises:
            InvalidValueError: λ outside the interval.
        """
        lam = check_lam(lam.tolist() if hasattr(lam, "tolist") else lam)
        if not self.lo <= lam <= self.hi:
            raise InvalidValueError(
                f"λ = {lam:g} is outside the path's [{self.lo:g}, {self.hi:g}]",
                hint="compute the path over a wider lam=(lo, hi)",
            )
        return self.segments[bisect.bisect_right(self.breakpoints, lam)]

    def at(self, lam: float) -> Generation:
        """The answer at λ, without decoding.

        Token ids, text, finish reason and usage are those of `DeraDecoder.generate` at this λ with
        the same sampling, unless λ is within 1e-5 of a breakpoint or the segment is not exact.

        Args:
            lam: λ in [lo, hi]; at a breakpoint the right-hand answer is given.

        Returns:
            The answer. Its trace knows both models' log-probabilities, and says of the other
            fields, which are NaN, what computes them; in the middle of a segment that has its
            whole trace, it is that.

        Raises:
            InvalidValueError: λ outside the interval.
        """
        segment = self.segment(lam)
        count = len(segment.token_ids)
        absent = (math.nan,) * count
        trace = DecodeTrace(
            lam=(float(lam),) * count,
            reference=segment.logprobs.reference,
            aligned=segment.logprobs.aligned,
            mixture=absent,
            kl=absent,
            entropy=absent,
            reasons=dict.fromkeys(("mixture", "kl", "entropy"), _NOT_ON_THE_PATH),
        )
        return Generation(
            text=segment.text,
            token_ids=list(segment.token_ids),
            finish_reason=segment.finish_reason,
            usage=Usage(len(self.prompt), count),
            trace=segment.traced(lam) or trace,
            lam=float(lam),
            seed=self.seed,
        )

    def trace(self, lam: float) -> DecodeTrace:
        """The whole trace at λ; unless it is known, by reading the answer with both models.

        Args:
            lam: λ in [lo, hi].

        Returns:
            What `DeraDecoder.generate(..., trace="full")` records at this λ.

        Raises:
            InvalidValueError: λ outside the interval.
            LogitsError: A model produced NaN, +inf or a −inf the other one does not share.
        """
        return traces([(self, lam)])[0]

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {
            "lo": self.lo,
            "hi": self.hi,
            "seed": self.seed,
            "prompt_tokens": len(self.prompt),
            "inexact_ranges": [list(ends) for ends in self.inexact_ranges],
            "segments": [segment.to_dict() for segment in self.segments],
        }


def traces(asked: Sequence[tuple[LambdaPath, float]]) -> list[DecodeTrace]:
    """What `LambdaPath.trace` gives for each of several paths and λ, in shared passes.

    Args:
        asked: Paths, and λ of their intervals; what came of one decoder is read together.

    Returns:
        One trace each, in order.

    Raises:
        InvalidValueError: λ outside its path's interval.
        LogitsError: As `LambdaPath.trace`.
    """
    teachers: list[Teacher] = []
    readings: list[list[tuple[int, Reading]]] = []
    found: dict[int, DecodeTrace] = {}
    for i, (path, lam) in enumerate(asked):
        segment = path.segment(lam)
        known = segment.traced(lam)
        if known is not None:
            found[i] = known
            continue
        reading = Reading(path.prompt, segment.token_ids, float(lam))
        if path.teacher not in teachers:
            teachers.append(path.teacher)
            readings.append([])
        readings[teachers.index(path.teacher)].append((i, reading))
    for teacher, own in zip(teachers, readings, strict=True):
        made = teacher.traces([reading for _, reading in own])
        found |= {i: trace for (i, _), trace in zip(own, made, strict=True)}
    return [found[i] for i in range(len(asked))]


def merged(segments: Sequence[PathSegment]) -> tuple[PathSegment, ...]:
    """Segments in order of λ, neighbours with equal token ids and finish reason made one.

    Different ids may decode to one text; they stay apart. So do an exact segment and one that is
    not: what is known to hold everywhere must not be lost.
    """
    ordered = sorted(segments, key=lambda segment: segment.lo)
    groups = itertools.groupby(
        ordered, key=lambda segment: (segment.token_ids, segment.finish_reason, segment.exact)
    )
    out = []
    for _, group in groups:
        first, *rest = group
        last = rest[-1] if rest else first
        out.append(replace(first, hi=last.hi))
    return tuple(out)
