"""The venues judge as scorers: invented values, conveyed ones, and refusals."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from dera_rag.evaluation.contract import Direction, Item, Score, Span
from dera_rag.evaluation.instruments.base import Instrument
from dera_rag.evaluation.tasks.venues import read_question
from dera_rag.evaluation.venues import VenuesMeter, Verdict, judge

_VERSION = "1"
_NO_VENUE = "the record has no question about venues"


def hallucination() -> Instrument:
    """Whether the answer holds an inserted or wrong value, 0 or 1; lower is better.

    Needs the record's `venues`, which the task `venues` alone has.
    """
    return _instrument("venues_hallucination", "lower", _hallucination)


def coverage() -> Instrument:
    """Conveyed of what was asked for, in [0, 1], weighted by it; higher is better.

    Needs the record's `venues`, which the task `venues` alone has.
    """
    return _instrument("venues_coverage", "higher", _coverage)


def abstained() -> Instrument:
    """Whether the answer says that something is not listed, 0 or 1; judge it by kind.

    Needs the record's `venues`, which the task `venues` alone has.
    """
    return _instrument("venues_abstained", "neither", _abstained)


_Reading = Callable[[Item, Verdict], Score]


def _instrument(name: str, direction: Direction, read: _Reading) -> Instrument:
    return Instrument(
        name, _VERSION, direction, (0.0, 1.0), frozenset({"record"}), functools.partial(_read, read)
    )


def _read(read: _Reading, item: Item) -> Score:
    asked = item.record.get("venues")
    if not isinstance(asked, dict):
        return Score(None, _NO_VENUE)
    return read(item, _judged(json.dumps(asked, sort_keys=True), item.answer))


@functools.lru_cache(maxsize=256)
def _judged(asked: str, answer: str) -> Verdict:
    """One verdict for the three scorers that read it."""
    values: dict[str, Any] = json.loads(asked)
    return judge(read_question(values["question"]), values["records"], answer)


def _hallucination(item: Item, verdict: Verdict) -> Score:
    # The judge counts and the meter locates; spans without a fault would contradict the score.
    spans: tuple[Span, ...] = ()
    if verdict.hallucinated:
        spans = tuple(VenuesMeter().unsupported(item.question, item.passages, item.answer))
    return Score(float(verdict.hallucinated), spans=spans)


def _coverage(item: Item, verdict: Verdict) -> Score:
    if not verdict.expected:
        return Score(None, "nothing was asked for")
    return Score(verdict.covered / verdict.expected, weight=verdict.expected)


def _abstained(item: Item, verdict: Verdict) -> Score:
    return Score(float(verdict.abstained))
