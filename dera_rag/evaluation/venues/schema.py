"""Venue records and questions about them: the attribute scheme and its text form.

The attributes and their values are those of the E2E NLG scheme (Novikova, Dušek and Rieser 2017);
the text form is one bullet per attribute, which is what a passage of the corpus holds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.slot_lexicon import ATTRIBUTES

LABELS: Mapping[str, str] = MappingProxyType(
    {attribute: attribute for attribute in ATTRIBUTES}
    | {"eatType": "type", "priceRange": "price range", "familyFriendly": "family friendly"}
)
"""Attribute → the label of its bullet; also its name in messages."""

VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "eatType": ("coffee shop", "pub", "restaurant"),
        "food": ("Chinese", "English", "Fast food", "French", "Indian", "Italian", "Japanese"),
        "priceRange": (
            "cheap",
            "moderate",
            "high",
            "less than £20",
            "£20-25",
            "more than £30",
        ),
        "customer rating": ("low", "average", "high", "1 out of 5", "3 out of 5", "5 out of 5"),
        "area": ("city centre", "riverside"),
        "familyFriendly": ("yes", "no"),
    }
)
"""The closed attributes' values; `name` and `near` are open."""

KINDS = (
    "describe",
    "one_attribute",
    "several_attributes",
    "missing_attribute",
    "unknown_place",
    "near_duplicate",
    "compare",
)
"""Question kinds; from the fourth on the right behaviour is more than reading off a value."""

SPLITS = ("train", "heldout")
"""Wordings a model may be trained or tuned on, and wordings nothing has seen."""

_BULLET = re.compile(r"- ([a-z ]+): (\S.*)")
_ATTRIBUTE_OF = {label: attribute for attribute, label in LABELS.items()}


def fold(text: str) -> str:
    """Lower case without accents, with plain apostrophes: how names are compared."""
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()


def slug(name: str) -> str:
    """An id made of a name: "Casa Imelda" → "casa-imelda"."""
    return re.sub(r"[^a-z0-9]+", "-", fold(name).replace("'", "")).strip("-")


def render_record(record: Mapping[str, str]) -> str:
    """The text of a record.

    Args:
        record: Attribute → value; attributes it lacks are left out of the text.

    Returns:
        One line `- label: value` per attribute in the scheme's order, without a final newline.

    Raises:
        InvalidValueError: The record has no name, or an attribute outside the scheme.
    """
    unknown = sorted(set(record) - set(ATTRIBUTES))
    if unknown or not record.get("name"):
        raise InvalidValueError(
            f"not a venue record: {dict(record)!r}", hint=f"a name, and others of {ATTRIBUTES}"
        )
    present = (attribute for attribute in ATTRIBUTES if attribute in record)
    return "\n".join(f"- {LABELS[attribute]}: {record[attribute]}" for attribute in present)


def read_record(text: str) -> dict[str, str] | None:
    """Read a record back from its text.

    Args:
        text: A passage; the inverse of `render_record`, surrounding white space ignored.

    Returns:
        Attribute → value, or None where the text is anything but a record (prose, say).
    """
    record: dict[str, str] = {}
    for line in text.strip().split("\n"):
        bullet = _BULLET.fullmatch(line.strip())
        attribute = _ATTRIBUTE_OF.get(bullet[1]) if bullet else None
        if bullet is None or attribute is None or attribute in record:
            return None
        record[attribute] = bullet[2]
    return record if "name" in record else None


@dataclass(frozen=True)
class Place:
    """One invented venue.

    Attributes:
        record: Attribute → value, `name` always among them.
        twin: Name of a place in the same corpus that is easily taken for this one; "" without one.
    """

    record: Mapping[str, str]
    twin: str = ""

    @property
    def name(self) -> str:
        """The venue's name."""
        return self.record["name"]

    @property
    def id(self) -> str:
        """Document id; unique within a corpus."""
        return slug(self.name)

    @property
    def text(self) -> str:
        """The document: one bullet per attribute."""
        return render_record(self.record)


@dataclass(frozen=True)
class Question:
    """One question with what a judge needs to know about it.

    Attributes:
        key: Unique within its set.
        kind: One of `KINDS`.
        text: The question.
        names: Names asked about: two for `compare`, else one; no record's for `unknown_place`.
        attributes: Attributes asked for; empty asks for all (`describe`, some `unknown_place`).
        place_ids: Ids of the records that answer it, ordered as `names`; none for `unknown_place`.
        split: `train` or `heldout`.
        wording: The template behind `text`.
    """

    key: str
    kind: str
    text: str
    names: tuple[str, ...]
    attributes: tuple[str, ...]
    place_ids: tuple[str, ...]
    split: str
    wording: str
