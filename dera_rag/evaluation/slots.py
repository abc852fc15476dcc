"""Which attribute values of a venue record a text asserts, and which of them it should not.

An exact instrument for bullets-to-text generation in the E2E NLG scheme. :func:`mentions` finds
the wordings, :func:`parse` decides on one value per attribute, :func:`compare` sets such a reading
against a record, and :func:`errors` judges a text against a record by every value it asserts:
build a reward on that one. Pure functions on strings, no model.

How texts are read:

* A wording asserts its value wherever it stands, in a sentence, a question or a bare list of
  keywords, so that fluent or not, no text can hide a value.
* A value that is denied ("not cheap", "isn't in the city centre") or said to be unknown ("the
  guide does not say whether …", "no price range is listed") is not asserted. "Not
  family-friendly", "adults only" and "no children" assert ``familyFriendly = no``.
* Where one wording serves two values ("cheap": ``cheap`` and ``less than £20``), the record
  decides if there is one, else the usual value is taken.
* Names are found first and masked, so "The Riverside Cheap Pub" asserts no area, price or type.

The public E2E references were cleaned by a published script (Dušek, Howcroft and Rieser 2019)
that reads more narrowly than a person does: "£20-£25", "next to the river" or "isn't
child-friendly" escape it. ``published=True`` keeps to its conventions (no denial beyond
``familyFriendly``, no unknown names beside known ones, :data:`Wording.more` left out) and is there
to reproduce its figures; everything else should use the full reading.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dera_rag.evaluation.slot_lexicon import ATTRIBUTES, PUBLISHED_ORDER
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


@dataclass(frozen=True)
class SlotErrors:
    """What a text gets wrong about a record; every count is better when lower.

    Attributes:
        inserted: Attributes the record lacks and the text asserts, once per asserted value.
        deleted: Attributes of the record that the text leaves out.
        wrong: Attributes asserted with a value other than the record's, once per such value.
        slots: Number of attributes in the record.
    """

    inserted: tuple[str, ...]
    deleted: tuple[str, ...]
    wrong: tuple[str, ...]
    slots: int

    @property
    def hallucinated(self) -> int:
        """Values without support: inserted and wrong."""
        return len(self.inserted) + len(self.wrong)

    @property
    def total(self) -> int:
        """All errors: inserted, deleted and wrong."""
        return self.hallucinated + len(self.deleted)

    @property
    def slot_error_rate(self) -> float:
        """Errors per attribute of the record; NaN where the record has none."""
        return self.total / self.slots if self.slots else math.nan


def slot_error_rate(results: Iterable[SlotErrors]) -> float:
    """Slot error rate of a corpus: (inserted + deleted + wrong) / attributes of all records.

    The definition of Dušek, Howcroft and Rieser (2019, "Semantic noise matters for neural NLG"),
    pooled over the texts, the name counted among the attributes.

    Args:
        results: One comparison per text.

    Returns:
        The rate, from 0, possibly above 1; lower is better. NaN where no record has attributes.
    """
    total = slots = 0
    for result in results:
        total += result.total
        slots += result.slots
    return total / slots if slots else math.nan


def parse(
    text: str,
    name: str | None = None,
    near: str | None = None,
    *,
    record: Mapping[str, str] | None = None,
    published: bool = False,
) -> dict[str, str]:
    """Read one value per attribute from a text.

    Where a text asserts several values of an attribute, the first in the text counts; use
    :func:`errors` to hold a text to all of them.

    Args:
        text: Any text.
        name: The place's name, if known; see :func:`mentions`.
        near: The nearby place, if known.
        record: Settles wordings that serve several values: "five stars" is ``high`` for a record
            that says so, else ``5 out of 5``. It never adds a value that the text does not assert.
        published: Keep to the published script's conventions (see the module's text).

    Returns:
        Values by attribute, in the scheme's order, in the data's normal forms.
    """
    first: dict[str, Mention] = {}
    for mention in mentions(text, name, near, published=published):
        first.setdefault(mention.attribute, mention)
    settle = published and record is not None
    return {
        attribute: _settled(first[attribute], record or {}, published=settle)
        for attribute in ATTRIBUTES
        if attribute in first
    }


def _settled(mention: Mention, record: Mapping[str, str], *, published: bool) -> str:
    if _licenses(record, mention):
        return record[mention.attribute]
    order = PUBLISHED_ORDER.get(mention.attribute, ()) if published else ()
    return next((value for value in order if value in mention.readings), mention.value)


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
        asserted: What a text says, as from :func:`parse`; pass it the record, so that wordings
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
        published: Read and count by the published script's conventions: what is asserted beside
            the record's value counts as inserted, and so does a second wrong value.

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
