"""Reading names that are not known, by their capitals and by what stands around them."""

from __future__ import annotations

import re

from dera_rag.evaluation.slot_lexicon import OTHER_CUISINES
from dera_rag.evaluation.slot_text import Span

_CAPITAL = r"[A-Z0-9][\w&]*(?:'[\w]+)?"
_LINKING = r"(?:of|the|by|de|la|le|du|del|&|n|and(?! [Tt]he\b))"
_PHRASE = rf"{_CAPITAL}(?:[ -](?:{_LINKING} )?{_CAPITAL})*"
_NEARNESS = (
    r"(?i:near(?:by|est)?(?: to| by)?|clos(?:e|est)(?: by)? to|close by|next(?: door)?(?: to)?|"
    r"beside|opposite|adjacent to|across from|across the (?:street|road) from|"
    r"around the corner from|alongside|vicinity of|walk from|minutes from|not far from|just off|"
    r"neighbou?r(?:ing|s)|proximity to|behind|"
    r"(?<!served )(?<!offered )(?<!provided )(?<!made )(?<!owned )(?<!run )(?<!food )"
    r"(?<!cuisine )by)"
)
_NEAR = re.compile(rf"\b{_NEARNESS} (?:[Tt]he )?({_PHRASE})")
_NEAR_ARTICLE = re.compile(rf"\b{_NEARNESS} (?:the )?({_PHRASE})")
_CALLED = re.compile(rf"\b(?i:called|named|name is|name of|known as) [\"']?({_PHRASE})")
_ANY = re.compile(rf"(?<!\w){_PHRASE}")
_JUST_NEAR = re.compile(rf"\b{_NEARNESS} (?:the )?$")
_ACTS = re.compile(
    r"'s\b|,| (?:is|was|has|serves|offers|provides|sells|can|does|pub|restaurant|coffee)\b"
)

# Capitalised words that begin a sentence and no name.
_OPENERS = frozenset(
    """a an this that these those there here it its they their he she we you your our i if in on
    at by for from with near nearby close next located situated found set and but or so as to of
    is are was do does try come visit enjoy looking want need serving serves offering offers
    providing provides rated priced called named when where while although though however not no
    over under about around between yes within along beside just right very also what who have
    has had above below don customer customers price prices""".split()  # noqa: SIM905 - a word list reads better
)
# The scheme's own words: part of a name, but none by themselves.
_SCHEME = frozenset(
    """the moderate moderately cheap low high highly average inexpensive expensive affordable
    family families kid kids child children adult adults friendly non food foods fast rating
    ratings range out one two three four five star stars area place venue establishment eatery
    cuisine great good delicious local popular city centre center town river riverside thames
    restaurant pub coffee shop cafe
    chinese english british french indian italian japanese""".split()  # noqa: SIM905
) | {cuisine.lower() for cuisine in OTHER_CUISINES}
_TAILS = _SCHEME - {"the", "cafe", "cuisine", "shop", "one", "two", "three", "four", "five"}


def _trim(text: str, start: int, end: int) -> Span | None:
    """Cut what is no name off both ends of a capitalised phrase; None where nothing remains."""
    found = re.finditer(r"[^\s-]+", text[start:end])
    words = [(m.group().lower().split("'")[0], m.start(), m.end()) for m in found]
    while words and words[0][0] in _OPENERS:
        words.pop(0)
    while words and words[-1][0] in _TAILS:
        words.pop()
    telling = [word for word, _, _ in words if word not in _SCHEME and not word.isdigit()]
    if not any(c.isalpha() for word in telling for c in word):
        return None
    return start + words[0][1], start + words[-1][2]


def read_near(cased: str, *, article: bool = False) -> list[Span]:
    """Find capitalised phrases that a text says something is near to.

    With ``article`` a capitalised "The" belongs to the name, as in the E2E records.
    """
    pattern = _NEAR_ARTICLE if article else _NEAR
    spans = [_trim(cased, *m.span(1)) for m in pattern.finditer(cased)]
    return [span for span in spans if span]


def is_near(lower: str, start: int) -> bool:
    """Whether what begins at ``start`` is said to be near."""
    return _JUST_NEAR.search(lower, max(0, start - 40), start) is not None


def read_name(cased: str, *, called_only: bool = False) -> Span | None:
    """Find the phrase that a text most likely uses as the place's name.

    What follows "called" or "named" first, else (unless ``called_only``) the first capitalised
    phrase that is more than a sentence's opening or a word of the scheme.
    """
    called = [_trim(cased, *m.span(1)) for m in _CALLED.finditer(cased)]
    loose = [] if called_only else [_trim(cased, *m.span()) for m in _ANY.finditer(cased)]
    spans = [span for span in (*called, *loose) if span]
    # A single capitalised word that begins a sentence may be any word.
    sure = (span for span in spans if " " in cased[slice(*span)] or _is_subject(cased, *span))
    return next(sure, None)


def _is_subject(cased: str, start: int, end: int) -> bool:
    opens = not cased[:start].rstrip(" '\"") or cased[:start].rstrip(" '\"")[-1] in ".!?"
    return not opens or _ACTS.match(cased, end) is not None
