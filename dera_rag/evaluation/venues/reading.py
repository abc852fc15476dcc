"""Reads an answer about venues: which values it states, and of which place.

Values come from `dera_rag.evaluation.slots`. What is added here is whom a value is said of: an
answer is cut into clauses, a clause is about the places it names, and one that names none goes on
about the last one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dera_rag.evaluation import slots
from dera_rag.evaluation.slot_text import negation
from dera_rag.evaluation.venues.ignorance import ignorance
from dera_rag.evaluation.venues.naming import Named, Span, foreign_names, names_in, similarity
from dera_rag.evaluation.venues.schema import fold

_BREAK = re.compile(
    r"[.!?;\n]+(?=\s|$)|,? \b(?:while|whilst|whereas|but|though|although|however|unlike|versus|"
    r"compared (?:to|with)|in contrast to|and)\b|, with\b|,(?= z{3,})|^while\b"
)
_ALL = re.compile(r"\b(?:both|neither|each|either|the two|the same)\b")
_JOINT = re.compile(r"z{3,}(?:,? (?:and|or|nor|&|as well as)|,) (?:at |of |for |in )?z{3,}")
# After "… A and B": a verb in the singular begins a clause about B alone.
_ALONE = re.compile(
    r"z+\s+(?:is|has|serves|offers|costs|lies|sits|charges|does|was|welcomes|gets)\b"
)
# A neighbour without capitals, "near the blue anchor": two to four words, with no verb after them.
_NEIGHBOUR = re.compile(
    r"\b(?:near|close to|next to|beside|opposite) "
    r"((?:the )?[a-z][\w'-]*(?: (?!and\b)[\w'&-]+){1,3}?)(?=[.,;!?]|$|"
    r" (?:and|but|while|whereas|in the|on the|by the|with|which|that|where|it|is|has)\b)"
)
# Words that make it no neighbour's name.
_NO_NAME = re.compile(
    r"z{3,}|\b(?:it|them|each|other|both|this|these|those|that|which|what|where|here|there|you|your|"
    r"restaurants?|pubs?|shops?|my|our|their|its|any|anything|no|none|nothing|all|some|many|most|everything|place|places|area|"
    r"areas|landmarks?|neighbou?rhood|city|town|cent(?:re|er)|river|riverside|waterfront|thames|average|"
    r"price|prices|customers?|located|situated|is|are|was|has|have|can|of|for|to|in|on|at|by|from|"
    r"with|a|an|one|two|home|called|named|not|very|quite|also|as|or|if|so)\b"
)
_LEAD = re.compile(r"\s*(?:at |of |for |in )?")


@dataclass(frozen=True)
class Statement:
    """A value that an answer states of a place.

    Attributes:
        attribute: Key of the scheme.
        readings: Values that the wording can stand for, the usual one first.
        start: First character in the answer.
        end: One past the last character.
        about: Names of the places it is said of, among those given to `read_answer`.
    """

    attribute: str
    readings: tuple[str, ...]
    start: int
    end: int
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What an answer states.

    Attributes:
        statements: In order of their start.
        named: The places it speaks of, in order; those it only calls near are statements.
        masked: The answer with every known name masked, character for character.
    """

    statements: tuple[Statement, ...]
    named: tuple[Named, ...]
    masked: str


def read_answer(
    answer: str, names: Sequence[str], nears: Sequence[str] = (), others: Sequence[str] = ()
) -> Reading:
    """Read what an answer states, and of which place.

    Args:
        answer: Any text.
        names: The places asked about, which it speaks of where it names none.
        nears: Values of `near` it may state, which are recognised wherever they stand.
        others: Further places it may name.

    Returns:
        The statements and the names used. A clause that names no place goes on about the last one;
        "both" and "neither" are about all; what precedes the first name is about that one; a text
        without any name is about all of `names`. A garbled name stands for the closest known one.
    """
    known = [*names, *others]
    hits = names_in(answer, [*known, *nears])
    masked = answer
    for (start, end), _ in hits:
        masked = f"{masked[:start]}Z{'z' * (end - start - 1)}{masked[end:]}"
    values = _values(masked, answer, hits, set(known))
    spans = [(value.start, value.end) for value in values]
    text = masked.replace("Zz", "zz")
    for start, end in spans:
        text = f"{text[:start]}{'v' * (end - start)}{text[end:]}"
    used = [Named(*span, name, True) for span, name in hits if name in known and span not in spans]
    used += [Named(*span, answer[slice(*span)], False) for span in foreign_names(text, known)]
    used.sort(key=lambda named: named.start)
    statements = _Attribution(lowered(masked), used, names, known).attribute(values)
    return Reading(tuple(statements), tuple(used), masked)


_YES_NO = re.compile(r"\W*(yes|no)\b(?! (?:information|record|mention|detail|such|idea))")


def bare_reply(answer: str) -> Statement | None:
    """The yes or no that an answer opens with, as a statement of family friendliness."""
    match = _YES_NO.match(lowered(answer))
    return Statement("familyFriendly", (match[1],), *match.span(1)) if match else None


def lowered(text: str) -> str:
    """A text folded character by character, so that offsets stay those of the text."""
    return "".join(fold(char)[:1] or " " for char in text)


def _values(
    masked: str, answer: str, hits: Sequence[tuple[Span, str]], names: set[str]
) -> list[Statement]:
    """The values stated in a masked text, about nobody yet; `near` comes with its name put back."""
    subjects = [span for span, name in hits if name in names]
    placeholder = masked[slice(*subjects[0])] if subjects else None
    found = []
    for mention in slots.mentions(masked, name=placeholder):
        span, readings = (mention.start, mention.end), mention.readings
        if mention.attribute == "near":
            inside = [(s, name) for s, name in hits if s[0] < span[1] and span[0] < s[1]]
            span, near = inside[0] if inside else (span, answer[slice(*span)])
            readings = (near,)
            if near in names and len(subjects) == 1 and len(hits) > 1:
                continue  # The subject of "Harbour Books is close to …": nothing is near itself.
        if mention.attribute != "name":
            found.append(Statement(mention.attribute, readings, *span))
    silent = ignorance(lowered(masked))
    taken = {value.start for value in found}
    for span, name in hits:
        hidden = any(start <= span[0] < end for start, end in silent)
        if name not in names and span[0] not in taken and not hidden:
            found.append(Statement("near", (name,), *span))
    lower = lowered(masked)
    for match in _NEIGHBOUR.finditer(lower):
        start, end = match.span(1)
        hidden = any(first <= start < last for first, last in silent)
        if not (hidden or negation(lower, match.start()) is not None or _NO_NAME.search(match[1])):
            found.append(Statement("near", (answer[start:end],), start, end))
    return sorted(found, key=lambda value: value.start)


@dataclass(frozen=True)
class _Attribution:
    """Says of which place each value is said.

    Attributes:
        lower: The answer, folded and masked, character for character.
        used: The names in it.
        names: The places asked about.
        known: Every known name.
    """

    lower: str
    used: Sequence[Named]
    names: Sequence[str]
    known: Sequence[str]

    def attribute(self, values: Sequence[Statement]) -> Iterator[Statement]:
        """The values with the places they are said of."""
        last: tuple[str, ...] = ()
        for start, end, ahead in self._clauses():
            clause = self.lower[start:end]
            here = self._named(start, end)
            together = len(set(here)) < 2 or bool(_ALL.search(clause) or _JOINT.search(clause))
            about = tuple(dict.fromkeys(here)) or self._goes_on(clause, last, ahead)
            about = about or self._named(start, len(self.lower))[:1] or tuple(self.names)
            for value in (value for value in values if start <= value.start < end):
                before = self._named(start, value.start)
                one = about if together else before[-1:] or here[:1]
                yield from _denied(replace(value, about=one), clause)
            last = about if together else here[-1:]

    def _named(self, start: int, end: int) -> tuple[str, ...]:
        """The known names that the names of a stretch stand for."""
        return tuple(self._known(named) for named in self.used if start <= named.start < end)

    def _known(self, named: Named) -> str:
        if named.known or not self.known:
            return named.name
        return max(self.known, key=lambda name: similarity(named.name, name))

    def _goes_on(self, clause: str, last: tuple[str, ...], ahead: bool) -> tuple[str, ...]:
        """Whom a clause without a name is about; empty to look ahead for the first name."""
        if _ALL.search(clause) and len(self.names) > 1:
            return tuple(self.names)
        if ahead:
            return ()
        if len(self.names) == 2 and re.search(r"\bthe (?:other|latter|second)\b", clause):
            first = "other" in clause and last == (self.names[1],)
            return (self.names[0 if first else 1],)
        if re.search(r"\bthe (?:former|first)\b", clause):
            return (self.names[0],)
        return last[-1:] if re.search(r"\bit(?:s|'s)?\b", clause) else last

    def _clauses(self) -> Iterator[tuple[int, int, bool]]:
        """Start and end of each clause, and whether it opens a sentence whose subject follows."""
        starts = {named.start for named in self.used}
        ends = {named.end for named in self.used}
        start, opens = 0, True
        for match in _BREAK.finditer(self.lower):
            lead = _LEAD.match(self.lower, match.end())
            after = lead.end() if lead else match.end()
            listed = match.start() in ends and after in starts and match[0].strip() in {",", "and"}
            alone = _ALONE.match(self.lower, after) and not _ALL.search(self.lower[start:after])
            if listed and not alone:
                continue
            yield start, match.end(), opens and match[0] == ","
            start, opens = match.end(), match[0][0] in ".!?;\n"
        yield start, len(self.lower) + 1, False


def _denied(value: Statement, clause: str) -> Iterator[Statement]:
    """Turn round or drop what "neither … nor" denies."""
    if not re.search(r"\bneither\b", clause):
        yield value
    elif value.readings == ("yes",):
        yield replace(value, readings=("no",))
