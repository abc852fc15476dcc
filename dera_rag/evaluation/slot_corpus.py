"""The conventions of the published E2E records, where they differ from plain reading.

The cleaned records come from a script (Dušek, Howcroft and Rieser 2019) that went over the texts
with the original records in hand. Everything here was learnt from the disagreements of a plain
reading with the cleaned *training* records; the development records were only scored.
"""

from __future__ import annotations

import re

from dera_rag.evaluation.slot_blocks import EXPENSIVE, MODERATE

CORPUS_WORDINGS = {
    "food": ((("Chinese",), "chines"),),
    "priceRange": (
        (EXPENSIVE, "not cheap"),
        # The script saw only "average" in "prices are above average".
        (
            MODERATE,
            r"(?:above|below) average price[sd]?|price[sd]?(?:[- ]range)? (?:is|are) (?:\w+ )?"
            r"(?:above|below|(?:higher|lower|more|less) th[ae]n) (?:the )?average",
        ),
    ),
}
"""Readings and expressions of wordings that only the published records know."""

PASSED_OVER = re.compile(
    # A second blank or a sign inside a phrase.
    r"(?:out|of|price|rated|rating|is) {2}|[:=\[(]|range - |\d-out|"
    # A masked name, or another phrase, between the noun and its level.
    r"zz|'s? rat| (?:by|from) \w+ (?:is|are|was) | of it |food (?:there )?is |"
    r" rang(?:es?|ing) \w+ly|mid-range$|"
    # Denials of "yes" in rarer words.
    r"^(?:non family|not the family|not? kid|not child)$|"
    r"^(?:not open to|isn't friendly (?:to|with)) "
)
"""What the published records leave unread, as it occurs inside a wording."""

_USUAL = tuple(
    (attribute, re.compile(pattern), value)
    for attribute, pattern, value in (
        ("priceRange", r"\blow|affordabl", "less than £20"),
        ("priceRange", r"(?<!above )(?<!below )(?<!th[ae]n )(?<!the )average(?! prices)", "£20-25"),
        ("customer rating", r"^(?:1|one)[- ]stars?$", "low"),
        ("customer rating", r"^(?:3|three)[- ]stars?$", "average"),
        ("customer rating", r"excellent|great|high quality", "5 out of 5"),
        ("customer rating", r"good", "3 out of 5"),
        ("customer rating", r"\bpoor\b", "1 out of 5"),
    )
)
_SETTLED = {
    "priceRange": ("cheap", "less than £20", "more than £30", "high", "moderate", "£20-25"),
    "customer rating": ("1 out of 5", "3 out of 5", "5 out of 5", "high", "average", "low"),
}


def usual_value(attribute: str, wording: str, readings: tuple[str, ...]) -> str:
    """Choose among the values that a wording can stand for, without a record.

    Args:
        attribute: Key of the scheme.
        wording: The words, folded to lower case.
        readings: The values to choose from, the usual one of plain English first.

    Returns:
        The value which the cleaned training records most often have where a text says so: "low
        price" is ``less than £20`` in 576 of 992 texts, "cheap" is ``cheap`` in 2,705 of 3,321.
    """
    for key, pattern, value in _USUAL:
        if key == attribute and value in readings and pattern.search(wording):
            return value
    return readings[0]


def settled_value(attribute: str, readings: tuple[str, ...]) -> str:
    """Choose as the published script did where the original record supports no reading.

    Args:
        attribute: Key of the scheme.
        readings: The values to choose from, the usual one of plain English first.

    Returns:
        The first of the script's order that is among the readings, else the usual one.
    """
    order = _SETTLED.get(attribute, ())
    return next((value for value in order if value in readings), readings[0])
