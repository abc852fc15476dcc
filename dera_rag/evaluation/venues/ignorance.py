"""Finds where an answer says that something is not listed, not known or does not exist."""

from __future__ import annotations

import re

from dera_rag.evaluation.slot_text import fold, unasserted

Span = tuple[int, int]

_IGNORANCE = re.compile(
    r"\bno such\b|\b(?:not|n't) (?:\w+ ){0,2}(?:exist|in the (?:guide|records?|listings?))\b|"
    r"\b(?:do not|don't|cannot|can't|could not|couldn't) (?:know|tell|say|find)\b|\bno idea\b|"
    r"\b(?:is|are) (?:unknown|unlisted|missing)\b|\bno (?:record|entry|listing|mention)\b"
)
# What a sentence must mention for its ignorance to be about an attribute.
_TOPICS = {
    "eatType": re.compile(
        r"(?:type|kind|sort) of (?:place|venue)|\bvenue|\bpub\b|restaurant|coffee shop"
    ),
    "food": re.compile(r"\bfood|cuisine|serv|menu|\beat\b"),
    "priceRange": re.compile(r"pric|cost|expensive|charg|cheap"),
    "customer rating": re.compile(r"\brat(?:e|ing)|review|customer"),
    "area": re.compile(r"\barea|part of (?:the )?town|locat|\bwhere\b"),
    "familyFriendly": re.compile(r"famil|child|kid"),
    "near": re.compile(r"\bnear|close to|landmark|next to|surround"),
}


# "Any details?" asks; "there are not any details" is what says that there are none.
_ANY = re.compile(r"any\b")
_NEGATION = re.compile(r"\b(?:not|cannot|never|nor|without|hardly|lacks?|lacking)\b|n't\b")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


def ignorance(lower: str) -> list[Span]:
    """The stretches of a folded lower-case text that say that something is not known."""
    silent = [span for span in unasserted(lower) if _says_so(lower, span[0])]
    return [*silent, *(match.span() for match in _IGNORANCE.finditer(lower))]


def _says_so(lower: str, start: int) -> bool:
    if not _ANY.match(lower, start):
        return True
    first = max((end.end() for end in _SENTENCE_END.finditer(lower, 0, start)), default=0)
    return _NEGATION.search(lower, first, start) is not None


def topics(lower: str) -> set[str]:
    """The attributes that a folded lower-case text speaks of, whatever it says of them."""
    return {attribute for attribute, topic in _TOPICS.items() if topic.search(lower)}


def states_ignorance(answer: str) -> bool:
    """Whether an answer says that something is not listed, not known or does not exist."""
    return bool(ignorance(fold(answer).lower))


def ignorance_about(answer: str, attribute: str) -> bool:
    """Whether an answer says that an attribute is not listed or not known.

    A sentence that names no attribute at all ("The guide does not say.") speaks of any.

    Args:
        answer: Any text; names that word an attribute are best masked.
        attribute: Key of the scheme, other than `name`.
    """
    lower = fold(answer).lower
    for start, end in ignorance(lower):
        first = max(lower.rfind(mark, 0, start) for mark in ".!?") + 1
        last = min((i for i in (lower.find(mark, end) for mark in ".!?") if i >= 0), default=None)
        sentence = lower[first:last]
        spoken_of = topics(sentence)
        if attribute in spoken_of or not spoken_of:
            return True
    return False
