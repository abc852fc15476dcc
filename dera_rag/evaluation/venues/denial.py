"""Finds where an answer says of a place as a whole that there is none, or that nothing is known.

"There is no record of Marlowe's" denies the place; "there is no record of Marlowe's rating" only
says that an attribute is not listed. What tells them apart is that in a denial the name itself is
what is not found, and that nothing about the place follows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dera_rag.evaluation.venues.ignorance import topics
from dera_rag.evaluation.venues.naming import Named, similarity
from dera_rag.evaluation.venues.reading import Reading, lowered

# A masked name; a character that no text has, since what a place is near is masked with "z".
_N = "\ue000"
_PLACE = r"(?:place|venue|restaurant|pub|tavern|coffee shop|cafe|establishment|eatery|spot)s?"
_GUIDE = (
    r"(?:(?:the|this|that|these|my|our|any|any of the|its) )?(?:\w+ )?(?:guide|guidebook|records?|"
    r"listings?|lists?|passages?|context|directory|database|book|texts?|information|data|sources?|"
    r"entries|documents?)"
)
_CALLED = r"(?:called|named|known as|by the name of|with the name|under the name)"
_KIND = rf"(?:(?:an?|any|the|this|that|such an?|any such) )?(?:{_PLACE} )?(?:{_CALLED} )?"
_NAMES = rf"{_KIND}{_N}+(?:,? (?:and|or|nor|&) {_KIND}{_N}+)*"
_THAT_PLACE = (
    rf"(?:(?:the|this|that|such an?|any such) {_PLACE}|"
    rf"(?:an?|any|the) {_PLACE} (?:by|with|of|under) (?:that|this) name|(?:that|this) name|"
    r"(?:an?|any) (?:place|venue))"
)
_PRONOUN = r"(?:it|they|them|this|that|either of them)"

_FACTS = r"(?:records?|information|info|entry|entries|listings?|mention|details?|data|trace|sign)"
_NOT = r"(?:\bnot|n't|\bcannot|\bnever|\bunable to|\bfail(?:s|ed)? to)"
# What stands before the place that is not found.
_BEFORE = (
    rf"(?:\b(?:no|without|lacks?)|{_NOT} (?:\w+ ){{0,2}}(?:any|an?)) "
    rf"(?:such |available |known |single |specific )?{_FACTS} (?:\w+ )?"
    r"(?:of|about|on|for|regarding|concerning|mention|find|named|called)|"
    rf"(?:\bnothing|{_NOT} (?:\w+ ){{1,2}}anything)(?: (?:is|was) \w+| \w+)? "
    r"(?:about|on|of|for|regarding|concerning)|"
    rf"{_NOT}(?: (?!find\b)\w+ly| even| able to| seem to| appear to)? "
    r"(?:find|locate|see|list|mention|have|include|contain|hold|cover|feature|recogni[sz]e|"
    r"identify|name|describe|show|(?:know|heard?|speak|aware|tell|say)(?: (?:of|about))?|"
    r"familiar with)"
)
# What follows the place that is not there.
_ABSENT = (
    rf"(?:(?:in|on|part of|among|within) {_GUIDE}|listed|mentioned|recorded|found|included|known|"
    rf"featured|present|registered|covered|described|exist|appear|"
    rf"an? (?:\w+ )?(?:place|venue|entry|name) (?:in {_GUIDE}|that is \w+|i know|listed))"
)
_AFTER = (
    r" (?:(?:(?:is|are|was|were|does|do|did|can|could|has|have)(?: not|n't)|cannot|never)"
    rf"(?: \w+ly)?(?: (?:seem|appear) to)?(?: been| be)? {_ABSENT}|"
    r"(?:is|are|was|were) nowhere(?: to be)? \w+|"
    r"(?:is|are|was|remains?) (?:unknown|unlisted|missing|absent|unrecorded|non-?existent)|"
    r"(?:has|have) no (?:record|entry|listing|mention|information))"
)
_WHERE = (
    rf"(?: (?:(?:in|among|from|within|on) {_GUIDE}|at all|anywhere|here|either|itself|on record|"
    r"(?:is|are|was|were|could be|can be|has been) (?:available|found|given|provided|listed|"
    r"recorded|known)|exists?|listed|available))*"
)
# Where nothing more is said of the place: no "'s rating", "serving …", "as family friendly".
_END = (
    r"(?= *(?:[.!?,;:\n)\"]|-|$)| (?:but|so|because|since|though|although|while|whereas)\b|"
    r" (?:and|or)\b(?! (?:what|which|how|whether|if|where|its)\b))"
)
# A subject opens its clause, or it would be "the prices of A (and B) are not listed".
_OPENS = (
    r"(?:^|(?<=[.!?;:,\n(])|(?<=[.!?;:,\n(] )|"
    rf"(?<=(?<!{_N} )\band )|(?<=(?<!{_N} )\bor )|(?<=\bbut )|(?<=\bso )|(?<=\bthat )|"
    r"(?<=\bwhile )|(?<=\bwhereas )|(?<=\balthough )|(?<=\bunfortunately )|(?<=\bbecause ))"
)
_SENTENCE = re.compile(r"[^\s.!?][^.!?\n]*[.!?\n]?")


def _denied(target: str) -> str:
    return (
        rf"(?:(?:{_BEFORE}) {target}|{_OPENS}{target}{_AFTER}|"
        rf"\bneither {target} (?:exists?|appears? in {_GUIDE}|(?:is|are|was|were|can be) {_ABSENT})"
        rf"){_WHERE}{_END}"
    )


_OF_NAMES = re.compile(
    rf"{_denied(_NAMES)}|\bno (?:such )?(?:(?:\w+ )?{_PLACE} (?:(?:as|like|{_CALLED}) )?)?{_N}+"
    rf"{_WHERE}{_END}"
)
_OF_THAT_PLACE = re.compile(
    rf"{_denied(_THAT_PLACE)}|(?:{_BEFORE}) (?:an?|any) {_PLACE} {_CALLED}\b|"
    rf"\bno such (?:{_PLACE}|name)\b|"
    rf"\bno {_PLACE} (?:by|with|of|under) (?:that|this) name\b"
)
_OF_PRONOUN = re.compile(rf"{_denied(_PRONOUN)}|\bno {_FACTS}{_WHERE}{_END}")


@dataclass(frozen=True)
class Denial:
    """Where a text says that places do not exist or that nothing is known of them.

    Attributes:
        start: First character in the text.
        end: One past the last character.
        names: The places denied, among the known names.
    """

    start: int
    end: int
    names: tuple[str, ...]


def denials(
    reading: Reading, names: Sequence[str], others: Sequence[str] = (), *, pronouns: bool = False
) -> list[Denial]:
    """Find where an answer denies places.

    "It is not listed" may speak of a place or of what was asked about it. It denies the place where
    its sentence names one and no attribute; or, with `pronouns`, wherever it stands.

    Args:
        reading: The answer as read.
        names: The places asked about; "no such place" denies these where its sentence names none.
        others: Further places it may name.
        pronouns: Whether nothing but places was asked about, so that "it" can only be one.

    Returns:
        The denials in order of their start; a garbled name stands for the closest known one.
    """
    text = lowered(reading.masked)
    for named in reading.named:
        text = f"{text[: named.start]}{_N * (named.end - named.start)}{text[named.end :]}"
    known = [*names, *others]
    found = []
    for sentence in _SENTENCE.finditer(text):
        here = _named(reading.named, *sentence.span(), known)
        for start, end in _spans(sentence[0], pronouns=pronouns):
            span = sentence.start() + start, sentence.start() + end
            denied = _named(reading.named, *span, known) or here or tuple(names)
            found.append(Denial(*span, tuple(dict.fromkeys(denied))))
    return found


def _spans(sentence: str, *, pronouns: bool) -> Iterator[tuple[int, int]]:
    """The first denial of a sentence that names a place, and any others like it; else of "it"."""
    spans = [match.span() for match in _OF_NAMES.finditer(sentence)]
    spans = spans or [match.span() for match in _OF_THAT_PLACE.finditer(sentence)]
    if not spans and (pronouns or (_N in sentence and not topics(sentence))):
        spans = [match.span() for match in _OF_PRONOUN.finditer(sentence)]
    yield from spans


def _named(named: Sequence[Named], start: int, end: int, known: Sequence[str]) -> tuple[str, ...]:
    """The known names that stand in a stretch."""
    inside = [one for one in named if start <= one.start < end]
    if not known:
        return ()
    return tuple(
        one.name if one.known else max(known, key=lambda name: similarity(one.name, name))
        for one in inside
    )
