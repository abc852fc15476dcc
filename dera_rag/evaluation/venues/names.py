"""Invented names of venues and landmarks, drawn from a space of several million.

Fresh seeds give fresh names, so that a model cannot know a name from training and has to copy it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from dera_rag.evaluation.venues.name_words import (
    ABROAD,
    ADJECTIVES,
    E2E_NAMES,
    FIRST,
    HEADS,
    HOUSES,
    LANDMARKS,
    LOOKALIKES,
    MIDDLES,
    NOUNS,
    PARTNERS,
    SURNAMES,
    TAILS,
    TELLING,
)
from dera_rag.evaluation.venues.schema import fold

_TAKEN = frozenset(fold(name) for name in E2E_NAMES)


def _word(rng: random.Random) -> str:
    """An invented proper noun: "Thornwick", "Belerstone"."""
    return rng.choice(HEADS) + rng.choice(MIDDLES) + rng.choice(TAILS)


def _owner(rng: random.Random) -> str:
    """A family name, known or invented."""
    return rng.choice(SURNAMES) if rng.random() < 0.35 else _word(rng)


def _genitive(name: str) -> str:
    """The owner's place: "Marlowe's"; names that end in s stay as they are."""
    return name if name.endswith("s") else f"{name}'s"


_PATTERNS: tuple[tuple[int, Callable[[random.Random], str]], ...] = (
    (24, lambda r: f"The {r.choice(ADJECTIVES)} {r.choice(NOUNS)}"),
    (11, lambda r: f"The {r.choice(NOUNS)} and {r.choice(NOUNS)}"),
    (9, lambda r: f"{r.choice(NOUNS)} & {r.choice(NOUNS)}"),
    (5, lambda r: _genitive(_owner(r))),
    (9, lambda r: f"{r.choice(FIRST)} {_genitive(_owner(r))}"),
    (10, lambda r: f"{_owner(r)} & {_owner(r)}"),
    (6, lambda r: f"{_owner(r)} & {r.choice(PARTNERS)}"),
    (4, lambda r: f"{r.choice(ABROAD)} {r.choice(FIRST)}"),
    (7, lambda r: f"{r.choice(ABROAD)} {_owner(r)}"),
    (7, lambda r: f"The {_word(r)} {r.choice(HOUSES)}"),
    (3, lambda r: f"{r.choice(NOUNS)} {r.choice(HOUSES)}"),
    (3, lambda r: f"The {r.choice(NOUNS)} of {_word(r)}"),
    (2, lambda r: r.choice(TELLING).format(owner=_owner(r), noun=r.choice(NOUNS))),
)
_WEIGHTS = [weight for weight, _ in _PATTERNS]


def make_name(rng: random.Random) -> str:
    """Draw a venue's name.

    Args:
        rng: Source of randomness; equal states give equal names.

    Returns:
        A name such as "The Gilded Heron", "Fenwick & Daughter", "Casa Imelda" or "Torewick's";
        never one of `name_words.E2E_NAMES`. About 2 % hold a word that also words an attribute.
    """
    while True:
        name = rng.choices(_PATTERNS, _WEIGHTS)[0][1](rng)
        if fold(name) not in _TAKEN and not _repeats(name):
            return name


def _repeats(name: str) -> bool:
    """Whether a word occurs twice, as in "Lynx & Lynx"."""
    words = re.split(r" (?:& |and )?", name)
    return len(set(words)) < len(words)


def make_near(rng: random.Random) -> str:
    """Draw what a venue is near: another invented venue, or a landmark ("Wexcombe Bridge").

    Args:
        rng: Source of randomness; equal states give equal names.
    """
    if rng.random() < 0.55:
        return make_name(rng)
    while True:
        owner = f"St {rng.choice(FIRST)}" if rng.random() < 0.12 else _owner(rng)
        name = f"{owner} {rng.choice(LANDMARKS)}"
        if fold(name) not in _TAKEN:
            return name


def confusable(name: str, rng: random.Random) -> str:
    """A name that is easily taken for another.

    Args:
        name: The name to come close to.
        rng: Source of randomness.

    Returns:
        "The Copper Kettle" → "The Copper Kettles", "The Cooper Kettle" or "The Copper Kestrel";
        "Fenwick & Daughter" → "Fenwyck & Daughter"; "Lark & Thistle" → "Thistle & Lark". Never
        the name itself, nor one that differs from it by its article alone.
    """
    while True:
        changed = rng.choice(_CHANGES)(name.split(), rng)
        if fold(changed) not in {fold(name), *_TAKEN} and not _repeats(changed):
            return changed


def _plural(words: list[str], _: random.Random) -> str:
    """Add or drop a final s."""
    last = words[-1]
    if not last.endswith("'s"):
        last = last[:-1] if last.endswith("s") else last + "s"
    return " ".join([*words[:-1], last])


def _spelling(words: list[str], rng: random.Random) -> str:
    """A look-alike word; in a proper name another vowel or a double letter."""
    at = rng.randrange(len(words))
    word = words[at]
    if word in LOOKALIKES:
        words[at] = LOOKALIKES[word]
    elif word not in _COMMON and len(word) > 4:
        spot = rng.randrange(2, len(word) - 2)
        words[at] = word[:spot] + _LETTERS.get(word[spot], 2 * word[spot]) + word[spot + 1 :]
    return " ".join(words)


def _other_word(words: list[str], rng: random.Random) -> str:
    """Change a word for another of its sort with the same first letter."""
    at = rng.randrange(len(words))
    for sort in (NOUNS, ADJECTIVES, HOUSES, FIRST, PARTNERS, SURNAMES):
        if words[at] in sort:
            words[at] = rng.choice([word for word in sort if word[0] == words[at][0]])
            break
    return " ".join(words)


def _turned(words: list[str], _: random.Random) -> str:
    """Turn a pair of nouns round."""
    if len(words) > 2 and words[-2] in {"&", "and"} and words[-1] in NOUNS:
        words[-3], words[-1] = words[-1], words[-3]
    return " ".join(words)


_LETTERS = {
    **{"a": "e", "e": "a", "i": "y", "o": "u", "u": "o", "y": "i", "c": "k", "k": "c", "h": ""},
    **{"v": "w", "w": "v", "z": "s", **{letter: 2 * letter for letter in "bdfglmnprst"}},
}
_COMMON = {
    "The",
    "and",
    "of",
    "&",
    *NOUNS,
    *ADJECTIVES,
    *HOUSES,
    *PARTNERS,
    *ABROAD,
    *(word for telling in TELLING for word in telling.split()),
}
_CHANGES = (_plural, _spelling, _spelling, _other_word, _other_word, _turned)
