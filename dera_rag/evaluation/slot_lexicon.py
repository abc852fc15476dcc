"""How English words the attribute values of a venue record.

One table per attribute: a regular expression over folded text (lower case, without accents, plain
apostrophes and hyphens) and the *readings* of what it finds, the usual one first. A wording has
several readings where the two scales of the E2E scheme share it: "cheap" is how people word both
``cheap`` and ``less than £20``, "five stars" both ``5 out of 5`` and ``high``. Which one is meant
only the record can tell.

The closed lists are those of the E2E NLG scheme (Novikova, Dušek and Rieser 2017). Beyond them
:data:`OTHER_CUISINES` and ratings such as ``4 out of 5`` are read too, as values that no record
of the scheme holds: an invented cuisine must count against a text, not vanish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dera_rag.evaluation.slot_blocks import (
    AVERAGE,
    CHEAP,
    COST,
    EXPENSIVE,
    FILL,
    FIT,
    FITS,
    FRIENDLY,
    HIGH,
    KID,
    KIDS,
    LOW,
    MIDDLE,
    MODERATE,
    NOT,
    OF_SCORE,
    OF_SUM,
    OVER,
    PLACE,
    POUND,
    POUNDS,
    RATING,
    SCORE,
    UNDER,
    WELCOME,
    priced,
    priced_else,
    rated,
    rated_else,
    scored,
    scored_else,
)
from dera_rag.evaluation.slot_corpus import CORPUS_WORDINGS

ATTRIBUTES = (
    "name",
    "eatType",
    "food",
    "priceRange",
    "customer rating",
    "area",
    "familyFriendly",
    "near",
)
"""The attributes of the scheme, in the order of the E2E meaning representations."""

OTHER_CUISINES = (
    "African",
    "American",
    "Caribbean",
    "German",
    "Greek",
    "Korean",
    "Lebanese",
    "Mediterranean",
    "Mexican",
    "Moroccan",
    "Polish",
    "Portuguese",
    "Spanish",
    "Thai",
    "Turkish",
    "Vietnamese",
)
"""Cuisines outside the scheme that are recognised as an assertion of ``food``."""


@dataclass(frozen=True)
class Wording:
    """The ways to word one value.

    Attributes:
        readings: The values the wording can stand for, the usual one first.
        pattern: Regular expression over folded text, matched at word boundaries: the wordings that
            the published records of the corpus reflect.
        more: Further wordings of ordinary English that those records pass over.
    """

    readings: tuple[str, ...]
    pattern: str
    more: str = ""


WORDINGS: dict[str, tuple[Wording, ...]] = {
    "eatType": (
        Wording(("coffee shop",), r"coffee(?:[- ]*shop)?|cafe", r"coffeehouse"),
        Wording(("pub",), r"pub", r"public house|taverns?"),
        Wording(("restaurant",), r"restaurant"),
    ),
    "food": (
        Wording(("Chinese",), r"chinese"),
        Wording(("English",), r"english|british"),
        Wording(("Fast food",), r"fast food", r"fast[- ]*foods?"),
        Wording(("French",), r"french"),
        Wording(("Indian",), r"indian"),
        Wording(("Italian",), r"italian"),
        Wording(("Japanese",), r"japanese"),
        *(Wording((cuisine,), "", cuisine.lower()) for cuisine in OTHER_CUISINES),
    ),
    "priceRange": (
        Wording(
            ("less than £20",),
            r"(?:less than|under) £? ?20",
            rf"(?:less than|under|lower than|below|cheaper than|not more than|up to|<) ?{POUND}20"
            rf"{POUNDS}|{POUND}20{POUNDS} (?:or|and) (?:less|under|below)",
        ),
        Wording(
            ("£20-25",),
            r"£? ?20 ?(?:-*|to) ?25",
            rf"{POUND}20{POUNDS} ?(?:-+|to|and|through) ?{POUND}25{POUNDS}",
        ),
        Wording(
            ("more than £30",),
            r"(?:more than|over) £? ?30",
            rf"(?:more than|over|above|higher than|upwards? of|greater than|exceed(?:s|ing)?|>) ?"
            rf"{POUND}30{POUNDS}|{POUND}30{POUNDS} (?:or|and) (?:more|over|above|up)",
        ),
        Wording((*CHEAP, *MODERATE), r"affordabl[ey]"),
        Wording(
            CHEAP,
            rf"(?:inexpensive|cheap)(?:ly)?|{priced('low')}",
            rf"cheap(?:er|est)|{priced_else(f'{UNDER}|low(?:er|est|ly)?|cheap(?:ly)?|budget|bargain')}",
        ),
        Wording((*MODERATE, "less than £20"), "moderately priced"),
        Wording(
            MODERATE,
            rf"(?:{priced('moderate(?:ly)?|reasonable|ok|average(?:ly)?')}){OF_SUM}",
            rf"(?:{priced_else(MIDDLE)}|mean[- ]+{COST}){OF_SUM}",
        ),
        Wording(MODERATE[:1], priced("mid[- ]+range")),
        Wording(
            EXPENSIVE,
            rf"{priced('high')}|expensive",
            rf"{priced_else(f'{OVER}|high(?:er|est|ly)?|expensive')}|pricey|costly",
        ),
    ),
    "customer rating": (
        Wording(LOW[::-1], scored("1|one"), scored_else("1|one")),
        Wording(("2 out of 5",), "", rf"{scored('2|two')}|{scored_else('2|two')}"),
        Wording(AVERAGE[::-1], scored("3|three"), scored_else("3|three")),
        Wording(("4 out of 5",), "", rf"{scored('4|four')}|{scored_else('4|four')}"),
        Wording(HIGH[::-1], scored("5|five"), scored_else("5|five")),
        Wording(
            LOW,
            rf"{rated('low|bad|poor')}|"
            rf"(?:not|doesn't|isn't)(?: (?!only|but)\w+){{0,2}} (?:good|well){FILL}{RATING}",
            rf"(?:not|n't)(?: (?!only|but)\w+){{0,3}} (?:well|good|great|high)(?:ly)?"
            rf"{FILL}{SCORE}|"
            rf"{rated_else(f'{UNDER}|low(?:er|est|ly)?|bad(?:ly)?|poor(?:ly)?|terrible|awful')}",
        ),
        Wording(
            HIGH,
            rated("high|excellent|very good|great"),
            rated_else(
                f"{OVER}|high(?:er|est|ly)?|excellent|great|very (?:good|well)|outstanding|top"
            ),
        ),
        Wording(
            AVERAGE,
            rf"(?:{rated('average')}){OF_SCORE}",
            rf"(?:{rated_else('average|mediocre|decent|moderate(?:ly)?|fair(?:ly)?')}|"
            rf"mean{FILL}{SCORE}){OF_SCORE}",
        ),
        Wording((*AVERAGE, *HIGH), "", rated_else("good|well")),
        Wording(AVERAGE, rf"good{FILL}{RATING}"),
        Wording(("high", "average", "3 out of 5"), rf"well{FILL}{RATING}"),
    ),
    "area": (
        Wording(
            ("city centre",),
            r"(?:city|town) cent(?:re|er)|in the cent(?:re|er)|"
            r"cent(?:re|er) of (?:the )?(?:city|town)",
            r"(?:city|town)(?:'s)?[- ]*cent(?:re|er)|(?:heart|middle) of (?:the )?(?:city|town)|"
            r"(?:city|town)'s heart|downtown",
        ),
        Wording(
            ("riverside",),
            r"riverside|(?:near|by|at|close to|along|on|off|beside) the river",
            r"river[- ]+side|(?:near(?:by)?|close|alongside|next|adjacent|overlook(?:s|ing)|"
            r"bank of|banks of|side of) (?:to )?the river|(?:the )?(?:river )?thames",
        ),
    ),
    "familyFriendly": (
        Wording(
            ("no",),
            rf"{NOT}[- ]+(?:(?!only\b)\w+[- ]+){{0,2}}{FRIENDLY}|{KID}[- ]+unfriendly|"
            rf"{NOT} (?:{FIT} )?(?:(?:at|for|to|with) )?(?:the )?{KID}|"
            rf"{KID} (?:are|is)(?: not|n't) {WELCOME}|"
            rf"(?:does not|doesn't) {WELCOME} (?:\w+ ){{0,2}}{KID}|"
            r"adults?[- ]+only|only for adults|adults? (?:establishment|venue|place)",
            rf"{KID}[- ]*friendly ?[:=\[?(]+ ?no|un{KID}[- ]friendly|no {KIDS}|"
            rf"(?:only|just)(?: \w+){{0,2}} (?:for|to) adults|{KID}[- ]free|"
            rf"adults?[- ]+(?:oriented[- ]+)?{PLACE}|{KIDS} (?:are|is)(?: not|n't| never) "
            rf"(?:\w+ )?(?:{WELCOME}|welcomed|permitted|catered for)|"
            rf"{KIDS} (?:(?!not|never)\w+ ){{0,4}}(?:elsewhere|stay (?:away|at home)|avoid)|"
            rf"leave {KIDS} (?:at home|behind)|un(?:suit(?:able|ed)|friendly) (?:for|to) {KIDS}",
        ),
        Wording(
            ("yes",),
            rf"{FRIENDLY}|for {KID}(?![- ]free)|family place|"
            rf"{KID} (?:are|is) {WELCOME}|{WELCOME} (?:\w+ ){{0,2}}{KID}",
            rf"{KID}[- ]*friendly(?: ?[:=\[?(]+ ?yes)?|{KID}[- ]*welcoming|"
            rf"{FITS} (?:at|with|to|for|towards?) {KIDS}|for {KIDS}|"
            rf"family (?:restaurant|pub|coffee shop|venue|establishment)|"
            rf"{KIDS} (?:are|is) (?:(?!not|never)\w+ )?(?:{WELCOME}|welcomed|permitted)|"
            rf"(?:welcoming|permits) {KIDS}|"
            rf"(?:bring|take) {KIDS}",
        ),
    ),
}
"""The wordings of each closed attribute; earlier ones win where two match at one place."""


def compiled(
    attribute: str, *, published: bool
) -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    """Compile one attribute's wordings into one alternation.

    Args:
        attribute: A key of :data:`WORDINGS`.
        published: Whether to keep to what the published records reflect.

    Returns:
        The pattern, and the readings of each of its groups by group name.
    """
    groups: dict[str, tuple[str, ...]] = {}
    alternatives = []
    for i, (readings, source) in enumerate(_sources(attribute, published=published)):
        groups[f"w{i}"] = readings
        alternatives.append(f"(?P<w{i}>{source})")
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)"), groups


def _sources(attribute: str, *, published: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    if published:
        yield from CORPUS_WORDINGS.get(attribute, ())
    for wording in WORDINGS[attribute]:
        sources = [wording.pattern] if published else [wording.more, wording.pattern]
        if any(sources):
            yield wording.readings, "|".join(filter(None, sources))
