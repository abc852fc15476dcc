"""What runs, tasks and scorers share: an item, a score, and what a scorer promises.

A scorer judges one answer at a time and knows no other; means, intervals and differences are the
work of `statistics`. Everything here is plain Python: importing it loads no library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args, runtime_checkable

from dera_rag.errors import InvalidValueError
from dera_rag.types import DecodeTrace, FinishReason, Json, Passage, UnsupportedSpan

Span = UnsupportedSpan
"""A marked stretch of the answer: first character, one past the last, text, reason."""

Direction = Literal["higher", "lower", "neither"]
"""Which way is better; `neither` for what is read beside others, like a length."""

Need = Literal["passages", "references", "signals", "record"]
"""A field of `Item` that a scorer cannot do without."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What the decode that made an answer left behind, T tokens.

    Attributes:
        tokens: Text of each generated token, length T; empty where only the trace was kept.
        trace: λ, both models' log-probabilities, KL(mixture ‖ reference) and entropy of each token
            in nats; NaN where it was not computed.
        finish_reason: `stop`, or `length` where the answer was cut.
    """

    tokens: tuple[str, ...]
    trace: DecodeTrace
    finish_reason: FinishReason


@dataclass(frozen=True, slots=True)
class Item:
    """One answer with everything a scorer may look at.

    Attributes:
        question: What was asked; ragas' `user_input`.
        passages: What was in the prompt, best first; ragas' `retrieved_contexts`.
        answer: What was said, stripped; ragas' `response`.
        references: Right answers by people, each of them enough; ragas' `reference` is the first.
        signals: Of the decode; None for an answer that was not generated here.
        record: What the task knows of the question, in JSON values; see below.
        key: The question's key, equal at every λ.
        source: What the question is about: questions of one source are not independent.
        lam: λ of the answer; None where there was none.
        policy: Registry name of what chose λ; "" for an answer that was not generated here.

    Keys of `record` with a common meaning, each where a task has it: `kind` (str, kind of
    question), `answerable` (bool, whether the passages hold an answer), `context_answers` (list of
    str, what the passages say), `memory_answers` (list of str, what is true outside them and the
    passages contradict), `slots` (attribute → value, the record a text is to convey),
    `human_spans` (list of {start, end, label}, what people marked in a given answer).
    """

    question: str
    passages: tuple[Passage, ...]
    answer: str
    references: tuple[str, ...] = ()
    signals: Signals | None = None
    record: Mapping[str, Json] = field(default_factory=dict)
    key: str = ""
    source: str = ""
    lam: float | None = None
    policy: str = ""

    @property
    def reference(self) -> str | None:
        """The first reference; None without one."""
        return self.references[0] if self.references else None


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says of one item.

    Attributes:
        value: Finite and in the scorer's range; None where the item cannot be scored.
        reason: Why it could not be scored, for people; None beside a value.
        spans: Where in the answer the score comes from, in order of their start.
        weight: Of the value in a mean, > 0 (default 1: the mean over answers). A ratio over a
            corpus, like a slot error rate, has its denominator here: Σ weight·value / Σ weight.

    Raises:
        InvalidValueError: A value that is not finite, a missing value without a reason, or a weight
            that is not above 0.
    """

    value: float | None
    reason: str | None = None
    spans: tuple[Span, ...] = ()
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what could slip into a mean unseen."""
        if self.value is None and not self.reason:
            raise InvalidValueError(
                "a score without a value has no reason", hint='Score(None, "no reference")'
            )
        if self.value is not None and not math.isfinite(self.value):
            raise InvalidValueError(
                f"a score must be finite, got {self.value}", hint="Score(None, reason) for no score"
            )
        if self.value is not None and self.reason:
            raise InvalidValueError(f"a score has the value {self.value} and a reason for none")
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise InvalidValueError(f"a weight must be finite and > 0, got {self.weight}")


@runtime_checkable
class Scorer(Protocol):
    """Scores answers one by one: a pure function of each item, whatever stands beside it.

    A class registered under the registry's `scorers`; its keyword arguments are what a suite may
    set. Constructing one must be cheap (no model is loaded): `validate` does it. Models are loaded
    at the first `score`. Options that name files are listed in the class attribute `paths`: a
    suite's are relative to its file.
    """

    @property
    def name(self) -> str:
        """Names the column; with options that change values, two of one class differ in it."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the value of some item changes: scores of another are made again."""
        ...

    @property
    def direction(self) -> Direction:
        """Which way is better."""
        ...

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value; ±inf where there is no limit."""
        ...

    @property
    def needs(self) -> frozenset[Need]:
        """Fields of an item without which there is no score; see `missing`."""
        ...

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item, in order.

        What an item lacks, or makes no sense for it, is `Score(None, reason)`: never 0, never an
        exception. An exception is a failure of all items of the call.

        Args:
            items: Any number, none included.
        """
        ...


def missing(item: Item, needs: frozenset[Need]) -> str | None:
    """Why an item cannot be scored: the first need it lacks, in words; None if it has them all.

    Args:
        item: The item.
        needs: A scorer's `needs`.
    """
    for need in get_args(Need):
        if need in needs and not getattr(item, need):
            return f"no {need}"
    return None
