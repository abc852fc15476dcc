"""Reading a text for slots: folding, names, and what is said without being asserted.

Everything here works on *folded* text (lower case, no accents, plain quotes and hyphens) and on
character spans in it; :class:`Folded` maps spans back to the text as written.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

Span = tuple[int, int]

_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201b\u02bc`\u00b4", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | {"\u201c": '"', "\u201d": '"', "\u0130": "I"}
)


@dataclass(frozen=True)
class Folded:
    """A text in the form that the patterns read.

    Attributes:
        cased: Without accents, with plain quotes, hyphens and spaces, capitals kept.
        lower: The same in lower case, character for character.
        offsets: Where each character of ``cased`` starts in the text, and the text's length; None
            where the two have the same length.
    """

    cased: str
    lower: str
    offsets: tuple[int, ...] | None

    def span(self, start: int, end: int) -> Span:
        """Map a span of the folded text, not an empty one, to the text as written."""
        if self.offsets is None:
            return start, end
        # It may end inside what one character became: "Ŀ" is folded to "L·".
        return self.offsets[start], max(self.offsets[end], self.offsets[end - 1] + 1)


def _fold_char(char: str) -> str:
    if char.isspace():
        return " "
    plain = unicodedata.normalize("NFKD", char.translate(_PLAIN))
    # Soft hyphens and zero-width characters (Cf) must not hide a word.
    return "".join(
        c for c in plain if not unicodedata.combining(c) and unicodedata.category(c) != "Cf"
    )


class _Table(dict[int, str]):
    """Folds characters when first met, so that folding a text is one call of ``translate``."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_char(chr(code))
        return folded


_TABLE = _Table()


def _lowered(text: str) -> str:
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def fold(text: str) -> Folded:
    """Fold a text; any string is accepted."""
    cased = text.translate(_TABLE)
    offsets: tuple[int, ...] | None = None
    if len(cased) != len(text) or any(len(_TABLE[ord(c)]) != 1 for c in set(text)):
        starts = [i for i, char in enumerate(text) for _ in _TABLE[ord(char)]]
        offsets = (*starts, len(text))
    return Folded(cased, _lowered(cased), offsets)


def blank(text: str, span: Span) -> str:
    """Mask a span: one word of the same length that no pattern knows."""
    start, end = span
    return text[:start] + "z" * (end - start) + text[end:]


@lru_cache(maxsize=8192)
def phrase(value: str) -> re.Pattern[str] | None:
    """Compile a name into a pattern for folded lower-case text; None where nothing is left of it.

    Blanks and hyphens are interchangeable, apostrophes optional; the name must stand as a whole.
    """
    words = re.split(r"[\s-]+", fold(value).lower.strip())
    parts = [re.escape(word).replace("'", "'?") for word in words if word]
    if not any(word.strip("'") for word in words):
        return None
    return re.compile(r"(?<!\w)" + r"[\s-]+".join(parts) + r"(?!\w)")


_NOT = r"(?:not|n't|never|cannot)"
_TELL = (
    r"(?:say|state|mention|list|specify|indicate|tell|know|record|describe|confirm|determine|note)"
)
_TOLD = (
    r"(?:said|stated|mentioned|listed|specified|indicated|known|recorded|described|confirmed|"
    r"given|noted|available|clear|provided)"
)
_FACTS = r"(?:information|details?|data|records?|mention|indication|word|entry|listing)"
# Cues that govern what follows, up to where a new statement begins.
_AHEAD = re.compile(
    rf"(?<!\w)(?:\w+{_NOT}|{_NOT})(?: \w+)? {_TELL}(?!\w)|"
    rf"\b(?:no|any|without|lacks?|lacking) (?:\w+ )?{_FACTS}(?!\w)|"
    rf"\b(?:unclear|unknown|uncertain|unsure|not (?:sure|clear|known|certain|stated|specified))"
    rf" (?:if|whether|what|how|which|where|about)\b|"
    rf"\b(?:no|not any) (?:such )?(?:place|venue|restaurant|pub|coffee shop|cafe)\w? "
    rf"(?:called|named)\b|\b(?:could|can|did)(?: not|n't|not) find\b"
)
# Cues that take back what precedes them, from where their statement began.
_BACK = re.compile(
    rf"(?:\w+n't|\b(?:not|never))(?: been| being| \w+ly)? {_TOLD}(?!\w| (?:for|as|to be)\b)|"
    rf"\b(?:is|are|was|remains?) (?:unclear|unknown|uncertain|unspecified|unstated|missing)\b|"
    rf"\bno (?:\w+ ){{1,4}}(?:is|are|was|has been|have been) {_TOLD}(?!\w)"
)
_CUED = re.compile(
    r"n't|\bnot?\b|never|cannot|\bun(?:clear|known|certain|sure|sp|st)|\black|without|\bany |"
    r"missing"
)
_SUBJECT = r"(?:it|they|this|the|he|she|you|its|their|prices?|there|a|an|z+)"
_BREAK = re.compile(
    rf"[.;!?\n](?=\s|$)|,? (?:but|however|though|although|yet|nevertheless|still|while|"
    rf"whilst|whereas)\b|"
    rf", (?:and )?{_SUBJECT} | "
    rf"and (?:its?|the|their|they|this|he|she|there|z+|is|are|serves|has|offers|"
    rf"you|(?:families|customers|people|prices|meals|a meal)\b[^,.;!?]*? "
    rf"(?:are|rate|say|cost|costs))\b"
)
_WHETHER = re.compile(r"\b(?:whether|if)\b")
# Function words that may stand between a negation and the value it denies.
_NEGATED = re.compile(
    r"(?:\b(?:not|no|never|neither|nor|without|cannot|isn't|aren't|wasn't|non|rather than|"
    r"instead of|anything but|less|"
    r"(?<!not )(?<!n't )(?<!too )(?<!very )(?<!that )far from)|n't)"
    r"(?:[- ]+(?:an?|the|any|very|really|exactly|particularly|overly|too|so|at|all|in|on|by|"
    r"located|situated|part|of|serve|serving|offer|have|considered|be|being|for|to|your|"
    r"typical|especially|recommended|as|is|are|that|it's|it|suitable|best|with|known|its|"
    r"classed|described|rated|set|inside|place|venue|establishment|good|which|priced|what|"
    r"you'd|call)){0,5}[- ]+$|"
    r"\b(?:outside|outskirts|away from)(?: of)?(?: the)? $"
)


def unasserted(lower: str) -> list[Span]:
    """Find the stretches of a text that say that something is not said or not known.

    "The guide does not say whether …", "no price range is listed", "it is unclear if …". A
    stretch ends where a new statement begins (a full stop, "but", a comma and a new subject), so
    that an assertion cannot be hidden behind an abstention.
    """
    if not _CUED.search(lower):
        return []
    spans: list[Span] = []
    breaks: list[Span] | None = None
    for pattern, ahead in ((_AHEAD, True), (_BACK, False)):
        for cue in pattern.finditer(lower):
            breaks = [b.span() for b in _BREAK.finditer(lower)] if breaks is None else breaks
            spans.append(_ahead(lower, cue, breaks) if ahead else _back(lower, cue, breaks))
    return spans


def _ahead(lower: str, cue: re.Match[str], breaks: list[Span]) -> Span:
    # "does not say whether the pub …": the first subject belongs to what is not said.
    start = cue.end()
    return cue.start(), next((s for s, _ in breaks if s >= start), len(lower))


def _back(lower: str, cue: re.Match[str], breaks: list[Span]) -> Span:
    ends = [e for s, e in breaks if e <= cue.start() and lower[s] in ".;!?\n"]
    sentence = ends[-1] if ends else 0
    whether = _WHETHER.search(lower, sentence, cue.start())
    if whether:
        return whether.start(), cue.end()
    inner = [e for _, e in breaks if sentence <= e <= cue.start()]
    return (inner[-1] if inner else sentence), cue.end()


def negation(lower: str, start: int) -> int | None:
    """Find where the negation starts that denies what begins at ``start``; None where none does."""
    match = _NEGATED.search(lower, max(0, start - 60), start)
    return match.start() if match else None
