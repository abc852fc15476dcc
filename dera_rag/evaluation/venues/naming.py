"""Finds the names that a text uses: known ones exactly, others by their capitals."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dera_rag.evaluation.slot_lexicon import OTHER_CUISINES
from dera_rag.evaluation.slot_text import fold as fold_text
from dera_rag.evaluation.slot_text import phrase
from dera_rag.evaluation.venues.schema import VALUES, fold

Span = tuple[int, int]

# A word of a name, and what joins such words: "Fenwick & Daughter", "The Heron of Thornwick".
_CAPITAL = r"[^\W\d_a-zß-öø-ÿ][\w'’-]*"
_CANDIDATE = re.compile(rf"(?<![\w'’]){_CAPITAL}(?: (?:(?:&|and|of|de|la|the) )?{_CAPITAL})*")
_OPENING = re.compile(r"(?:^|[.!?:;\n]\s*|[\"“(]\s*)$")
_ACTS = re.compile(r"['’]s\b|\s+(?:is|has|serves|offers|costs|lies|sits|does|welcomes)\b")
# Capitalised words that are no name's: the scheme's own, and what sentences open with.
_PLAIN = frozenset(
    word
    for text in (
        *(value for values in VALUES.values() for value in values),
        *OTHER_CUISINES,
        "British café shop coffee pubs restaurants price prices range customer customers rating",
        "rated area town center river family families friendly child children kids food type near",
        "I I'd I'm it it's its this that that's there there's they both neither each while whereas",
        "yes no not nothing none sorry unfortunately although though however if in at on by for",
        "from with as and but or so also the a an you your we our guide listing record records",
        "according located situated meals meal dishes people guests diners everyone what which",
        "how where whether unlike like compared neither high low cheap moderate expensive here",
        "describe introduce compare contrast tell give summarise list look put set remind help",
        "could would can do please someone write sum fill any before just quick excuse hi",
        "thanks who when I've I'll we're you'll is are has have north south east west pounds",
        "euro welcome star their these those all some eating dining reviews place places venue",
        "venues about does thames",
    )
    for word in re.findall(r"[\w'-]+", fold(text))
)
# Below this a lone capitalised word that opens a sentence is no garbled name.
_SIMILAR = 0.75


@dataclass(frozen=True)
class Named:
    """A name that a text uses for a place it speaks of.

    Attributes:
        start: First character in the text.
        end: One past the last character.
        name: The known name it is, or the text itself.
        known: Whether it is one of the known names, but for case, accents and article.
    """

    start: int
    end: int
    name: str
    known: bool


def names_in(text: str, names: Sequence[str]) -> list[tuple[Span, str]]:
    """Where names stand in a text as a whole, in order; a longer name wins over one inside it.

    Case, accents and a leading article are ignored.
    """
    folded = fold_text(text)
    lower = folded.lower
    found: list[tuple[Span, str]] = []
    for name in sorted(dict.fromkeys(names), key=len, reverse=True):
        pattern = phrase(re.sub(r"^[Tt]he ", "", name))
        for match in pattern.finditer(lower) if pattern else ():
            start = match.start() - 4 if lower[: match.start()].endswith("the ") else match.start()
            found.append((folded.span(start, match.end()), name))
            lower = lower[:start] + "\0" * (match.end() - start) + lower[match.end() :]
    return sorted(found)


def foreign_names(text: str, names: Sequence[str]) -> Iterator[Span]:
    """Capitalised phrases that are used as a name, in a text whose known names are masked.

    Args:
        text: The text; known names and values replaced by lower-case letters.
        names: The known names: a lone word that opens a sentence counts if it is close to one of
            them, or stands where a subject does ("Stubbs is …").
    """
    for match in _CANDIDATE.finditer(text):
        words = [w for w in re.finditer(r"\S+", match[0]) if not _plain(w[0])]
        if not words:
            continue
        start, end = match.start() + words[0].start(), match.start() + words[-1].end()
        if text[:start].endswith("The "):
            start -= 4
        elif len(words) == 1 and _OPENING.search(text[:start]):
            close = max((similarity(words[0][0], name) for name in names), default=0.0)
            acts = re.search(r"['’]s$", words[0][0]) or _ACTS.match(text, end)
            if close < _SIMILAR and not acts:
                continue
        yield start, end


def _plain(word: str) -> bool:
    return re.sub(r"['’]s$|[^\w'-]", "", fold(word)) in _PLAIN or word == "&"


def similarity(one: str, other: str) -> float:
    """How close two names are, in [0, 1]; 1 for equal ones but for case and accents."""
    return difflib.SequenceMatcher(None, fold(one), fold(other)).ratio()
