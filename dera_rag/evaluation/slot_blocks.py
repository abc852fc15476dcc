"""Building blocks of the wordings: shared readings, and expressions around a level or a number.

Every expression is for folded text (lower case, without accents, plain apostrophes and hyphens).
"""

from __future__ import annotations

CHEAP = ("cheap", "less than £20")
MODERATE = ("moderate", "£20-25")
EXPENSIVE = ("high", "more than £30")
LOW = ("low", "1 out of 5")
AVERAGE = ("average", "3 out of 5")
HIGH = ("high", "5 out of 5")

# Function words (and masked names) that may stand between a noun and its level: "the prices here
# are rather high".
LINK = (
    r"(?:[:=\[( -]+(?:is|are|was|were|be|being|been|has|have|to|it|its|all|at|as|of|by|in|on|from|"
    r"for|the|a|an|very|quite|rather|fairly|pretty|just|only|side|listed|considered|set|also|here|"
    r"relatively|generally|somewhat|slightly|typically|usually|mostly|there|food|foods|menu|items|"
    r"dishes|meals?|around|overall|range[sd]?|ranging|category|rating|rated|customers?|users?|"
    r"guests?|diners?|with|stands|falls?|them|this|bit|little|that|which|kind|so|relative|place|\w+ly|z+)"
    r"(?=[:=\[( -])){0,4}[:=\[( -]+"
)
COST = r"(?:pric(?:e[sd]?|ing)|costs?)(?:[- ]*(?:range[sd]?|point|category|bracket|level))?"
MIDDLE = (
    r"reasonabl[ey]|average(?:ly)?|ok(?:ay)?|fair(?:ly)?|medium|moderate(?:ly)?|"
    r"mid(?:dle)?(?:[- ]*range)?"
)
POUND = r"(?:£|gbp|l)? ?"
POUNDS = r"(?: ?(?:pounds?|gbp|quid|euros?))?"


def priced(level: str) -> str:
    """A price level before or after its noun: "high price", "prices are high"."""
    return (
        rf"(?:{level})[- ]+price[sd]?|"
        rf"prices?(?:[- ]*range)?{LINK}(?:{level})(?![- ]+(?:customer|rat|review|quality))"
    )


def priced_else(level: str) -> str:
    """The same with more nouns and words between: "high food costs", "in the high bracket"."""
    return (
        rf"(?:{level})[- ]+(?:(?:in|of|the|food|menu|customer)[- ]+)?{COST}|"
        rf"{COST}{LINK}(?:{level})(?![- ]+(?:customer|rat|review|quality))"
    )


RATING = r"(?:rat(?:ings?|ed)|reviews?|standards?|quality)"
SCORE = r"(?:rat(?:ings?|e[sd]?)|review(?:s|ed)?|scores?|scored|feedback|recommend(?:ed|ations?))"
# Up to two words between a level and "rating", none of which changes the subject.
FILL = r"(?:[- ]+(?!pric|cost(?!umer)|and\b|but\b|with\b|or\b|family|kid|child)[\w']+){0,2}?[- ]+"


def rated(level: str) -> str:
    """A rating level before or after its noun: "high rating", "the rating is high"."""
    return (
        rf"(?:{level})(?:ly)?{FILL}{RATING}|"
        rf"(?:{RATING}|rates?){LINK}(?:{level})(?![- ]+(?:pric|cost))"
    )


def rated_else(level: str) -> str:
    """The same with more nouns: "top scores", "rated highly"."""
    return rf"(?:{level}){FILL}{SCORE}|{SCORE}{LINK}(?:{level})(?![- ]+(?:pric|cost))"


OVER = r"(?:above|higher than|better than|more than) (?:the )?average"
UNDER = r"(?:below|lower than|worse than|less than) (?:the )?average"


def unless(other: str) -> str:
    """Not where another level follows: "the average rating is low" calls nothing average."""
    return (
        rf"(?! (?:(?:by|from|for|of) (?:\w+ ){{1,3}}?)?(?:is|are|of) "
        rf"(?:an? |only |just |very |about )?(?:{other}))"
    )


def scored(number: str) -> str:
    """A rating as a number: "3 out of 5", "three stars"."""
    return rf"(?:{number})(?:(?:[- ]+out)?[- ]+of[- ]+(?:5|five)(?:[- ]+stars?)?|[- ]+stars?)"


def scored_else(number: str) -> str:
    """Rarer forms of the same: "3/5", "three stars out of five"."""
    return (
        rf"(?:{number}) ?/ ?5|(?:{number}) out 5|(?:{number})stars?|"
        rf"(?:{number})(?:[- ]*stars?)? out of (?:an? )?(?:possible )?(?:5|five)(?:[- ]+stars?)?"
    )


NOT = r"(?:isn't|not|non|no)"
KID = r"(?:kids?|child(?:ren)?|famil(?:y|ies))"
KIDS = rf"(?:(?:the|your|all|whole|entire|small|young|little|any)[- ]+){{0,3}}{KID}"
WELCOME = r"(?:welcomes?|allow(?:s|ed)?|accept(?:s|ed)?)"
FIT = r"(?:friendly|suitable|good|orient(?:at)?ed|open(?:ed)?)"
FITS = (
    r"(?:friendly|suit(?:able|ed)|good|great|perfect|ideal|appropriate|welcoming|open(?:ed)?|nice|"
    r"excellent|fun|orient(?:at)?ed|geared|aimed|cater(?:s|ing|ed)?|recommended)"
)
PLACE = (
    r"(?:establishments?|venues?|places?|restaurants?|pubs?|coffee shops?|environment|atmosphere|"
    r"setting|eatery|cafes?)"
)
FRIENDLY = rf"{KID}[- ]+(?:friendly|orient(?:at)?ed)"

OF_SUM = unless(r"low|high|cheap|less|more|under|over|£|\d")
OF_SCORE = unless(r"low|high|poor|(?:1|5|one|five)\b")
