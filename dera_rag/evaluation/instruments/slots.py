"""Slot errors of a text against its record, as scorers: all of them, and each kind.

Counted as the published script counts (Dušek, Howcroft and Rieser 2019): errors of all texts over
attributes of all records, so a score is weighted by its record's attributes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from dera_rag.evaluation.contract import Item, Need, Score, Span
from dera_rag.evaluation.instruments.base import Instrument
from dera_rag.evaluation.slots import SlotErrors, errors, unlicensed

_VERSION = "1"
_NO_SLOTS = "the record has no slots"


def error_rate() -> Instrument:
    """Inserted, deleted and wrong values per attribute of the record; lower is better.

    Needs the record's `slots` (attribute: value), as the task `e2e` has them.
    """
    return _instrument("slot_error_rate", lambda found: found.total)


def inserted() -> Instrument:
    """Values of attributes the record lacks, per attribute of the record; lower is better.

    Needs the record's `slots` (attribute: value), as the task `e2e` has them.
    """
    return _instrument("slot_inserted", lambda found: len(found.inserted))


def wrong() -> Instrument:
    """Values other than the record's, per attribute of the record; lower is better.

    Needs the record's `slots` (attribute: value), as the task `e2e` has them.
    """
    return _instrument("slot_wrong", lambda found: len(found.wrong))


def deleted() -> Instrument:
    """Attributes left out, per attribute of the record; lower is better.

    Needs the record's `slots` (attribute: value), as the task `e2e` has them.
    """
    return _instrument("slot_deleted", lambda found: len(found.deleted))


def hallucinated() -> Instrument:
    """Inserted and wrong values per attribute of the record; lower is better.

    Needs the record's `slots` (attribute: value), as the task `e2e` has them.
    """
    return _instrument("slot_hallucinated", lambda found: found.hallucinated, marked=True)


_Count = Callable[[SlotErrors], int]


def _instrument(name: str, count: _Count, *, marked: bool = False) -> Instrument:
    measure = functools.partial(_measure, count, marked)
    needs: frozenset[Need] = frozenset({"record"})
    return Instrument(name, _VERSION, "lower", (0.0, float("inf")), needs, measure)


def _measure(count: _Count, marked: bool, item: Item) -> Score:
    slots = item.record.get("slots")
    if not isinstance(slots, Mapping) or not slots:
        return Score(None, _NO_SLOTS)
    record = {str(name): str(value) for name, value in slots.items()}
    found = errors(item.answer, record, published=True)
    spans: tuple[Span, ...] = ()
    if marked and found.hallucinated:
        spans = tuple(
            Span(m.start, m.end, item.answer[m.start : m.end], _fault(m.attribute, record))
            for m in unlicensed(item.answer, record)
        )
    return Score(count(found) / found.slots, spans=spans, weight=found.slots)


def _fault(attribute: str, record: Mapping[str, str]) -> str:
    value = record.get(attribute)
    return f"{attribute}: " + (f"the record says {value}" if value else "not in the record")
