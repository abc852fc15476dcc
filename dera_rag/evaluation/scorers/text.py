"""Answers and passages taken apart: sentences, words, numbers and names with their places.

Everything here is plain rules for English text, so a score depends on no tagger and no download.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from dera_rag.types import Json

_WORD = re.compile(r"[^\W_]+(?:['’.,:][^\W_]+)*", re.UNICODE)
_BREAK = re.compile(r"[.!?]+[\"')\]”’]*\s+(?=[\"'(\[“‘]?[A-Z0-9*•\-])|\s*\n+\s*")
# A full stop after one of these, or after a single letter, does not end a sentence.
_SHORT = re.compile(
    r"(?:^|[\s(\"'])(?:mr|mrs|ms|dr|st|jr|sr|prof|gen|col|lt|sgt|rev|hon|no|vs|inc|ltd|corp|co|etc|e\.g|i\.e|"
    r"a\.m|p\.m|u\.s|u\.k|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|\w)\.$",
    re.IGNORECASE,
)
_SAID = {"True": "yes", "False": "no", "None": "unknown"}  # how a record's leaves read
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_CLOCK = re.compile(
    r"\b(\d{1,2})(?::(\d{1,2}))?\s*([ap])\.?\s?m\b\.?|\b(\d{1,2}):(\d{1,2})\b", re.IGNORECASE
)
_FIGURE = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen twenty"""
_NUMBER_WORDS = {name: str(value) for value, name in enumerate(_UNITS.split())} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70",
    "eighty": "80", "ninety": "90", "hundred": "100", "thousand": "1000", "million": "1000000",
    "billion": "1e+09", "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5",
    "twice": "2", "dozen": "12",
}  # fmt: skip
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b", re.IGNORECASE)

# Function words carry no claim of their own; negations and quantities do, and are not here.
STOP_WORDS = frozenset(
    """a about above after again against also although am an and any are as at be because been
    before being below between both but by can could did do does doing down during each either for
    from further had has have having he her here hers him his how however i if in into is it its
    just may me might more most must my of off on once only or other our out over own per rather
    same shall she should since so some such than that the their them then there therefore these
    they this those though through thus to too under until up upon us very was we were what when
    where whether which while who whom whose why will with within would yet you your""".split()  # noqa: SIM905
)
NEGATIONS = frozenset(
    "not no never none nor neither cannot without nothing nobody false n't lack lacks".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text.

    Attributes:
        start: First character.
        end: One past the last.
        text: As written.
        stem: Lower-case, without plural, tense and possessive endings.
        content: Whether it says something: no function word, and no single letter.
    """

    start: int
    end: int
    text: str
    stem: str
    content: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text, surrounding whitespace left out.

    Attributes:
        start: First character.
        end: One past the last.
        words: Its words, in order.
    """

    start: int
    end: int
    words: tuple[Word, ...]


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text that hold a word, in order; a line break always ends one."""
    found = []
    for start, end in _pieces(text):
        row = tuple(_words(text, start, end))
        if row:
            found.append(Sentence(start, end, row))
    return found


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _BREAK.finditer(text):
        if "\n" not in match.group() and _SHORT.search(text[max(0, start) : match.start() + 1]):
            continue
        end = match.start() + len(match.group().rstrip())
        yield start, end
        start = match.end()
    if text[start:].strip():
        yield start, start + len(text[start:].rstrip())


def _words(text: str, start: int, end: int) -> Iterator[Word]:
    for match in _WORD.finditer(text, start, end):
        raw = match.group()
        low = raw.lower().replace("’", "'")
        content = low not in STOP_WORDS and (len(low) > 1 or low.isdigit())
        yield Word(match.start(), match.end(), raw, stem(low), content)


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A lower-case English word without its commonest endings.

    Lighter than Porter's: it joins `review`, `reviews`, `reviewed` and `reviewing`, and rarely
    joins words of different meaning.
    """
    word = word.removesuffix("'s").removesuffix("'")
    if not word.isalpha() or len(word) < 4:
        return word
    for ending, least in (("ingly", 4), ("edly", 4), ("ing", 4), ("ed", 3), ("ies", 2), ("ly", 4)):
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: -len(ending)] + ("y" if ending == "ies" else "")
            break
    else:
        if word.endswith("es") and word[:-2].endswith(("s", "x", "z", "ch", "sh")):
            word = word[:-2]
        elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]  # stopped → stop
    return word.removesuffix("e") if len(word) > 4 else word


def numbers(text: str) -> list[tuple[int, int, str]]:
    """Numbers with their places and a canonical form: `1,200` and `1200`, `5 PM` and `17:00` agree.

    Number words from zero to a billion count, and so do the first five ordinals.
    """
    found, taken = [], []
    for match in _CLOCK.finditer(text):
        hour, minute = int(match[1] or match[4]), int(match[2] or match[5] or 0)
        if match[3]:
            hour = hour % 12 + (12 if match[3].lower() == "p" else 0)
        found.append((match.start(), match.end(), f"{hour % 24}:{minute:02d}"))
        taken.append((match.start(), match.end()))
    for match in _FIGURE.finditer(text):
        if not any(a < match.end() and match.start() < b for a, b in taken):
            value = float(match.group().replace(",", ""))
            found.append((match.start(), match.end(), f"{value:.9g}"))
    for match in _NUMBER_WORD.finditer(text):
        found.append((match.start(), match.end(), _NUMBER_WORDS[match.group().lower()]))
    return sorted(found)


def names(sentence: Sentence) -> list[Word]:
    """Capitalised words that are not the sentence's first word, unless that one is in capitals."""
    return [
        word
        for i, word in enumerate(sentence.words)
        if word.text[0].isupper() and word.content and (i > 0 or word.text[1:2].isupper())
    ]


def verbalised(text: str) -> str:
    """A passage as text: a JSON record becomes a line `key value` for each of its leaves.

    `{"OutdoorSeating": false}` reads `Outdoor Seating: no`. Anything else is returned as it is.
    """
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        record = json.loads(text)
    except ValueError:
        return text
    return "\n".join(_leaves(record, ""))


def _leaves(node: Json, path: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path} {_CAMEL.sub(' ', key)}".strip())
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value, path)
    else:
        said = _SAID.get(str(node), str(node))
        yield f"{path}: {said}" if path else said
