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
from dataclasses import dataclass

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
            the published scripts' records of the corpus reflect.
        more: Further wordings of ordinary English that those records pass over.
    """

    readings: tuple[str, ...]
    pattern: str
    more: str = ""


CHEAP = ("cheap", "less than £20")
MODERATE = ("moderate", "£20-25")
EXPENSIVE = ("high", "more than £30")
LOW = ("low", "1 out of 5")
AVERAGE = ("average", "3 out of 5")
HIGH = ("high", "5 out of 5")

# Function words (and masked names) that may stand between a noun and its level: "the prices here
# are rather high".
_LINK = (
    r"(?:[:=\[( -]+(?:is|are|was|were|be|being|been|has|have|to|it|its|all|at|as|of|by|in|on|from|"
    r"for|the|a|an|very|quite|rather|fairly|pretty|just|only|side|listed|considered|set|also|here|"
    r"relatively|generally|somewhat|slightly|typically|usually|mostly|there|food|foods|menu|items|"
    r"dishes|meals?|around|overall|range[sd]?|ranging|category|rating|rated|customers?|users?|"
    r"guests?|diners?|with|stands|falls?|them|this|bit|little|that|which|kind|so|relative|place|\w+ly|z+)"
    r"(?=[:=\[( -])){0,4}[:=\[( -]+"
)
_COST = r"(?:pric(?:e[sd]?|ing)|costs?)(?:[- ]*(?:range[sd]?|point|category|bracket|level))?"
_MIDDLE = (
    r"reasonabl[ey]|average(?:ly)?|ok(?:ay)?|fair(?:ly)?|medium|moderate(?:ly)?|"
    r"mid(?:dle)?(?:[- ]*range)?"
)
_POUND = r"(?:£|gbp|l)? ?"
_POUNDS = r"(?: ?(?:pounds?|gbp|quid|euros?))?"


def _priced(level: str) -> str:
    """A price level before or after its noun: "high price", "prices are high"."""
    return (
        rf"(?:{level})[- ]+price[sd]?|"
        rf"prices?(?:[- ]*range)?{_LINK}(?:{level})(?![- ]+(?:customer|rat|review|quality))"
    )


def _priced_else(level: str) -> str:
    """The same with more nouns and words between: "high food costs", "in the high bracket"."""
    return (
        rf"(?:{level})[- ]+(?:(?:in|of|the|food|menu|customer)[- ]+)?{_COST}|"
        rf"{_COST}{_LINK}(?:{level})(?![- ]+(?:customer|rat|review|quality))"
    )


_RATING = r"(?:rat(?:ings?|ed)|reviews?|standards?|quality)"
_SCORE = r"(?:rat(?:ings?|e[sd]?)|review(?:s|ed)?|scores?|scored|feedback|recommend(?:ed|ations?))"
# Up to two words between a level and "rating", none of which changes the subject.
_FILL = r"(?:[- ]+(?!pric|cost(?!umer)|and\b|but\b|with\b|or\b|family|kid|child)[\w']+){0,2}?[- ]+"


def _rated(level: str) -> str:
    """A rating level before or after its noun: "high rating", "the rating is high"."""
    return (
        rf"(?:{level})(?:ly)?{_FILL}{_RATING}|"
        rf"(?:{_RATING}|rates?){_LINK}(?:{level})(?![- ]+(?:pric|cost))"
    )


def _rated_else(level: str) -> str:
    """The same with more nouns: "top scores", "rated highly"."""
    return rf"(?:{level}){_FILL}{_SCORE}|{_SCORE}{_LINK}(?:{level})(?![- ]+(?:pric|cost))"


_OVER = r"(?:above|higher than|better than|more than) (?:the )?average"
_UNDER = r"(?:below|lower than|worse than|less than) (?:the )?average"


def _unless(other: str) -> str:
    """Not where another level follows: "the average rating is low" calls nothing average."""
    return (
        rf"(?! (?:(?:by|from|for|of) (?:\w+ ){{1,3}}?)?(?:is|are|of) "
        rf"(?:an? |only |just |very |about )?(?:{other}))"
    )


def _scored(number: str) -> str:
    """A rating as a number: "3 out of 5", "three stars"."""
    return rf"(?:{number})(?:(?:[- ]+out)?[- ]+of[- ]+(?:5|five)(?:[- ]+stars?)?|[- ]+stars?)"


def _scored_else(number: str) -> str:
    """Rarer forms of the same: "3/5", "three stars out of five"."""
    return (
        rf"(?:{number}) ?/ ?5|(?:{number}) out 5|(?:{number})stars?|"
        rf"(?:{number})(?:[- ]*stars?)? out of (?:an? )?(?:possible )?(?:5|five)(?:[- ]+stars?)?"
    )


_NOT = r"(?:isn't|not|non|no)"
_KID = r"(?:kids?|child(?:ren)?|famil(?:y|ies))"
_KIDS = rf"(?:(?:the|your|all|whole|entire|small|young|little|any)[- ]+){{0,3}}{_KID}"
_WELCOME = r"(?:welcomes?|allow(?:s|ed)?|accept(?:s|ed)?)"
_FIT = r"(?:friendly|suitable|good|orient(?:at)?ed|open(?:ed)?)"
_FITS = (
    r"(?:friendly|suit(?:able|ed)|good|great|perfect|ideal|appropriate|welcoming|open(?:ed)?|nice|"
    r"excellent|fun|orient(?:at)?ed|geared|aimed|cater(?:s|ing|ed)?|recommended)"
)
_PLACE = (
    r"(?:establishments?|venues?|places?|restaurants?|pubs?|coffee shops?|environment|atmosphere|"
    r"setting|eatery|cafes?)"
)
_FRIENDLY = rf"{_KID}[- ]+(?:friendly|orient(?:at)?ed)"

_OF_SUM = _unless(r"low|high|cheap|less|more|under|over|£|\d")
_OF_SCORE = _unless(r"low|high|poor|(?:1|5|one|five)\b")

WORDINGS: dict[str, tuple[Wording, ...]] = {
    "eatType": (
        Wording(("coffee shop",), r"coffee(?:[- ]*shop)?|cafe", r"coffeehouse"),
        Wording(("pub",), r"pub", r"public house"),
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
            rf"(?:less than|under|lower than|below|cheaper than|not more than|up to|<) ?{_POUND}20"
            rf"{_POUNDS}|{_POUND}20{_POUNDS} (?:or|and) (?:less|under|below)",
        ),
        Wording(
            ("£20-25",),
            r"£? ?20 ?(?:-*|to) ?25",
            rf"{_POUND}20{_POUNDS} ?(?:-+|to|and|through) ?{_POUND}25{_POUNDS}",
        ),
        Wording(
            ("more than £30",),
            r"(?:more than|over) £? ?30",
            rf"(?:more than|over|above|higher than|upwards? of|greater than|exceed(?:s|ing)?|>) ?"
            rf"{_POUND}30{_POUNDS}|{_POUND}30{_POUNDS} (?:or|and) (?:more|over|above|up)",
        ),
        Wording((*CHEAP, *MODERATE), r"affordabl[ey]"),
        Wording(
            CHEAP,
            rf"(?:inexpensive|cheap)(?:ly)?|{_priced('low')}",
            rf"cheap(?:er|est)|{_priced_else(f'{_UNDER}|low(?:er|est|ly)?|cheap(?:ly)?|budget|bargain')}",
        ),
        Wording((*MODERATE, "less than £20"), "moderately priced"),
        Wording(
            MODERATE,
            rf"(?:{_priced('moderate(?:ly)?|reasonable|ok|average(?:ly)?')}){_OF_SUM}",
            rf"(?:{_priced_else(_MIDDLE)}){_OF_SUM}",
        ),
        Wording(MODERATE[:1], _priced("mid[- ]+range")),
        Wording(
            EXPENSIVE,
            rf"{_priced('high')}|expensive",
            rf"{_priced_else(f'{_OVER}|high(?:er|est|ly)?|expensive')}|pricey|costly",
        ),
    ),
    "customer rating": (
        Wording(LOW[::-1], _scored("1|one"), _scored_else("1|one")),
        Wording(("2 out of 5",), "", rf"{_scored('2|two')}|{_scored_else('2|two')}"),
        Wording(AVERAGE[::-1], _scored("3|three"), _scored_else("3|three")),
        Wording(("4 out of 5",), "", rf"{_scored('4|four')}|{_scored_else('4|four')}"),
        Wording(HIGH[::-1], _scored("5|five"), _scored_else("5|five")),
        Wording(
            LOW,
            rf"{_rated('low|bad|poor')}|"
            rf"(?:not|doesn't|isn't)(?: (?!only|but)\w+){{0,2}} (?:good|well){_FILL}{_RATING}",
            rf"(?:not|n't)(?: (?!only|but)\w+){{0,3}} (?:well|good|great|high)(?:ly)?"
            rf"{_FILL}{_SCORE}|"
            rf"{_rated_else(f'{_UNDER}|low(?:er|est|ly)?|bad(?:ly)?|poor(?:ly)?|terrible|awful')}",
        ),
        Wording(
            HIGH,
            _rated("high|excellent|very good|great"),
            _rated_else(
                f"{_OVER}|high(?:er|est|ly)?|excellent|great|very (?:good|well)|outstanding|top"
            ),
        ),
        Wording(
            AVERAGE,
            rf"(?:{_rated('average')}){_OF_SCORE}",
            rf"(?:{_rated_else('average|mediocre|decent|moderate(?:ly)?|fair(?:ly)?')}){_OF_SCORE}",
        ),
        Wording((*AVERAGE, *HIGH), "", _rated_else("good|well")),
        Wording(AVERAGE, rf"good{_FILL}{_RATING}"),
        Wording(("high", "average", "3 out of 5"), rf"well{_FILL}{_RATING}"),
    ),
    "area": (
        Wording(
            ("city centre",),
            r"(?:city|town) cent(?:re|er)|in the cent(?:re|er)|"
            r"cent(?:re|er) of (?:the )?(?:city|town)",
            r"(?:city|town)(?:'s)?[- ]*cent(?:re|er)",
        ),
        Wording(
            ("riverside",),
            r"riverside|(?:near|by|at|close to|along|on|off|beside) the river",
            r"river[- ]+side|(?:near(?:by)?|close|alongside|next|adjacent|overlook(?:s|ing)|"
            r"bank of|banks of|side of) (?:to )?the river",
        ),
    ),
    "familyFriendly": (
        Wording(
            ("no",),
            rf"{_NOT}[- ]+(?:(?!only\b)\w+[- ]+){{0,2}}{_FRIENDLY}|{_KID}[- ]+unfriendly|"
            rf"{_NOT} (?:{_FIT} )?(?:(?:at|for|to|with) )?(?:the )?{_KID}|"
            rf"{_KID} (?:are|is)(?: not|n't) {_WELCOME}|"
            rf"(?:does not|doesn't) {_WELCOME} (?:\w+ ){{0,2}}{_KID}|"
            r"adults?[- ]+only|only for adults|adults? (?:establishment|venue|place)",
            rf"{_KID}[- ]*friendly ?[:=\[?(]+ ?no|un{_KID}[- ]friendly|no {_KIDS}|"
            rf"(?:only|just)(?: \w+){{0,2}} (?:for|to) adults|{_KID}[- ]free|"
            rf"adults?[- ]+(?:oriented[- ]+)?{_PLACE}|{_KIDS} (?:are|is)(?: not|n't| never) "
            rf"(?:\w+ )?(?:{_WELCOME}|welcomed|permitted)",
        ),
        Wording(
            ("yes",),
            rf"{_FRIENDLY}|for {_KID}(?![- ]free)|family place|"
            rf"{_KID} (?:are|is) {_WELCOME}|{_WELCOME} (?:\w+ ){{0,2}}{_KID}",
            rf"{_KID}[- ]*friendly(?: ?[:=\[?(]+ ?yes)?|{_KID}[- ]*welcoming|"
            rf"{_FITS} (?:at|with|to|for|towards?) {_KIDS}|for {_KIDS}|"
            rf"family (?:restaurant|pub|coffee shop|venue|establishment)|"
            rf"{_KIDS} (?:are|is) (?:(?!not|never)\w+ )?(?:{_WELCOME}|welcomed|permitted)|"
            rf"(?:welcoming|permits) {_KIDS}|"
            rf"(?:bring|take) {_KIDS}",
        ),
    ),
}
"""The wordings of each closed attribute; earlier ones win where two match at one place."""

PUBLISHED_ORDER = {
    "priceRange": ("cheap", "less than £20", "more than £30", "high", "moderate", "£20-25"),
    "customer rating": ("1 out of 5", "3 out of 5", "5 out of 5", "high", "average", "low"),
}
"""Which reading the published records hold where the original record settles nothing."""


def compiled(
    attribute: str, *, published: bool
) -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    """Compile one attribute's wordings into one alternation.

    Args:
        attribute: A key of :data:`WORDINGS`.
        published: Whether to leave out what the published records pass over.

    Returns:
        The pattern, and the readings of each of its groups by group name.
    """
    groups: dict[str, tuple[str, ...]] = {}
    alternatives = []
    for i, wording in enumerate(WORDINGS[attribute]):
        sources = [wording.pattern] if published else [wording.more, wording.pattern]
        source = "|".join(filter(None, sources))
        if source:
            groups[f"w{i}"] = wording.readings
            alternatives.append(f"(?P<w{i}>{source})")
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)"), groups
