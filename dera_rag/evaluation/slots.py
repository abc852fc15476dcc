"""Which attribute values of a venue record a text asserts, and which of them it should not.

An exact instrument for bullets-to-text generation in the E2E NLG scheme. Pure functions on
strings, no model, and two ways of reading:

* The *full reading* reads as a person does: :func:`mentions` lists every asserted value,
  :func:`errors` judges a text against a record by all of them, :func:`unlicensed` points at those
  without support. Build a reward or a meter on these.
* :func:`parse` reads one value per attribute by the *conventions of the published corpus*, so that
  a reference is read like its cleaned record; :func:`compare` sets such a reading against a record.

The full reading:

* A wording asserts its value wherever it stands, in a sentence, a question or a bare list of
  keywords, so that fluent or not, no text can hide a value.
* A value that is denied ("not cheap", "isn't in the city centre") or said to be unknown ("the
  guide does not say whether …", "no price range is listed") is not asserted. "Not
  family-friendly", "adults only" and "no children" assert ``familyFriendly = no``.
* Where one wording serves two values ("cheap": ``cheap`` and ``less than £20``), either is
  licensed by a record that holds it.
* Names are found first and masked, so "The Riverside Cheap Pub" asserts no area, price or type.

The corpus' conventions are those of the script that cleaned it (Dušek, Howcroft and Rieser 2019),
which reads more narrowly than a person: "£20-£25", "next to the river" and "customer rating: low"
escape it, "not cheap" is ``high``, "prices above average" are ``moderate``, no other value can be
denied. See :mod:`dera_rag.evaluation.slot_corpus`.

How well that can go. The script took the value from the original record wherever the wording
allowed it, so the text alone does not tell ``cheap`` from ``less than £20`` or ``high`` from ``5
out of 5``. Of the 38,188 prices and ratings in the training rows without a repeated attribute,
83.2 % have a wording that stands for two values or more, and 12.1 % do not have the value which
their wording has most often. Whoever knew the most frequent value of each of the 432 wordings,
fitted on the very rows it is scored on, would read 86.3 % of these rows exactly. Measured, names
given, in percent of the rows that read exactly like the cleaned record:

=====================================  ==============  ============
reading                                train (32,082)  dev (4,073)
=====================================  ==============  ============
text only                              86.0            89.6
text only, the two scales merged       99.1            99.2
with the original record               99.5            99.5
=====================================  ==============  ============

Without the names, merged: 91.8 and 92.2 ("The Strada" may be the place "Strada"). Of the rows that
list an attribute twice (1,443 and 226), which no reading with one value per attribute can match
throughout, 44.3 and 41.6 agree (merged). Rules were fitted on train only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dera_rag.evaluation.slot_corpus import settled_value, usual_value
from dera_rag.evaluation.slot_errors import SlotErrors, slot_error_rate
from dera_rag.evaluation.slot_lexicon import ATTRIBUTES
from dera_rag.evaluation.slot_mentions import Mention, mentions
from dera_rag.evaluation.slot_text import fold

__all__ = [
    "ATTRIBUTES",
    "Mention",
    "SlotErrors",
    "compare",
    "errors",
    "mentions",
    "parse",
    "slot_error_rate",
    "unlicensed",
]


def parse(
    text: str,
    name: str | None = None,
    near: str | None = None,
    *,
    record: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Read one value per attribute from a text, by the conventions of the published E2E records.

    Where a text asserts several values of an attribute, the first in the text counts; use
    :func:`errors` to hold a text to all of them, and to everything that a person would read.

    Args:
        text: Any text.
        name: The place's name, if known; see :func:`mentions`. With either name known, unknown
            names are not looked for.
        near: The nearby place, if known.
        record: Settles wordings that serve several values: "five stars" is ``high`` for a record
            that says so. It never adds a value that the text does not assert. Without one, such a
            wording has the value that the training records most often hold for it, ``5 out of 5``.

    Returns:
        Values by attribute, in the scheme's order, in the data's normal forms.

    Raises:
        InvalidValueError: The text or a name is no string.
    """
    first: dict[str, Mention] = {}
    for mention in mentions(text, name, near, published=True):
        first.setdefault(mention.attribute, mention)
    return {a: _value(first[a], text, record) for a in ATTRIBUTES if a in first}


def _value(mention: Mention, text: str, record: Mapping[str, str] | None) -> str:
    if record is None:
        wording = fold(text[mention.start : mention.end]).lower
        return usual_value(mention.attribute, wording, mention.readings)
    if _licenses(record, mention):
        return record[mention.attribute]
    return settled_value(mention.attribute, mention.readings)


def _licenses(record: Mapping[str, str], mention: Mention) -> bool:
    value = record.get(mention.attribute)
    if value is None:
        return False
    return value in mention.readings or any(_same(value, r) for r in mention.readings)


def _same(one: str, other: str) -> bool:
    return fold(one).lower.split() == fold(other).lower.split()


def compare(record: Mapping[str, str], asserted: Mapping[str, str]) -> SlotErrors:
    """Set one reading against a record, attribute by attribute.

    Args:
        record: What is true: values by attribute.
        asserted: What a text says, as from :func:`parse`; pass that the record, so that wordings
            which serve two values are not counted as wrong.

    Returns:
        Inserted, deleted and wrong attributes.
    """
    shared = [a for a in record if a in asserted]
    return SlotErrors(
        inserted=tuple(a for a in asserted if a not in record),
        deleted=tuple(a for a in record if a not in asserted),
        wrong=tuple(a for a in shared if not _same(record[a], asserted[a])),
        slots=len(record),
    )


def unlicensed(
    text: str, record: Mapping[str, str], name: str | None = None, near: str | None = None
) -> list[Mention]:
    """Find the asserted values that a record does not support, to mark or to count them.

    Args:
        text: Any text.
        record: What is true: values by attribute.
        name: The place's name; the record's by default.
        near: The nearby place; the record's by default.

    Returns:
        The first mention of every unsupported value, in the order of the text. Two wordings that
        can stand for the same value count as one ("a low rating of 1 out of 5").
    """
    found = mentions(text, name or record.get("name"), near or record.get("near"))
    return _unlicensed(found, record)


def _unlicensed(found: Iterable[Mention], record: Mapping[str, str]) -> list[Mention]:
    kept: list[Mention] = []
    for mention in found:
        if not _licenses(record, mention) and not any(_agree(mention, other) for other in kept):
            kept.append(mention)
    return kept


def _agree(one: Mention, other: Mention) -> bool:
    if one.attribute != other.attribute:
        return False
    return bool(set(one.readings) & set(other.readings)) or _same(one.value, other.value)


def errors(
    text: str,
    record: Mapping[str, str],
    name: str | None = None,
    near: str | None = None,
    *,
    published: bool = False,
) -> SlotErrors:
    """Judge a text against a record by every value it asserts.

    Unlike ``compare(record, parse(text))`` this leaves nowhere to hide: of two values of one
    attribute, each unsupported one counts, be it first or second, as wrong where the record has
    the attribute and as inserted where it has not.

    Args:
        text: Any text.
        record: What is true: values by attribute.
        name: The place's name; the record's by default.
        near: The nearby place; the record's by default.
        published: Read as :func:`parse` does and count as the published script did: what is
            asserted beside the record's value counts as inserted, as does a second wrong value.

    Returns:
        Inserted and wrong attributes once per unsupported value; deleted attributes are those
        that the text does not mention with any value.
    """
    name, near = name or record.get("name"), near or record.get("near")
    found = mentions(text, name, near, published=published)
    inserted: list[str] = []
    wrong: list[str] = []
    right = {m.attribute for m in found if _licenses(record, m)} if published else set()
    for attribute in (mention.attribute for mention in _unlicensed(found, record)):
        extra = attribute in right or (published and attribute in wrong)
        (inserted if extra or attribute not in record else wrong).append(attribute)
    mentioned = {mention.attribute for mention in found}
    deleted = tuple(attribute for attribute in record if attribute not in mentioned)
    return SlotErrors(tuple(inserted), deleted, tuple(wrong), slots=len(record))
