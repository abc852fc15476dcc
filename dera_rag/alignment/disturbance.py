"""Disturbs the wording of training questions: words nobody has seen, typing errors.

However many wordings a small model is trained on, people use others. Words without meaning teach it
to read past what it does not know, on to the name and the attribute; typing errors, that a word may
be written in other tokens than usual. Names stay as they are.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

# How often a question is disturbed at all, and each way among those that are.
_SHARE = 0.35
_ONSETS, _VOWELS = (
    tuple(block.split())
    for block in (
        "b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p pl pr qu r s sh sl sp st t th tr v",
        "a e i o u ai ea ee oa oo ou",
    )
)
_CODAS = (
    "",
    "",
    "b",
    "ck",
    "d",
    "ft",
    "ld",
    "ll",
    "m",
    "n",
    "nd",
    "ng",
    "nt",
    "p",
    "r",
    "rk",
    "s",
    "st",
    "t",
)
_ENDINGS = ("", "", "", "ed", "ing", "ly", "er", "s", "ish", "ment", "ful")


def pseudo_word(rng: random.Random) -> str:
    """A word that could be English and is not, in small letters."""
    stem = "".join(
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)
        for _ in range(rng.choice((1, 1, 2)))
    )
    return stem + rng.choice(_ENDINGS)


def disturbed(text: str, names: Sequence[str], rng: random.Random) -> str:
    """A question as someone else might have typed it.

    Args:
        text: The question.
        names: What must stay as it is.
        rng: Source of randomness.

    Returns:
        The text itself for two thirds of the draws; else with unknown words before, behind or in
        it, or with a typing error or two.
    """
    if rng.random() >= _SHARE:
        return text
    return rng.choice((_led, _closed, _mistyped, _mistyped, _inserted))(text, names, rng)


def _words(rng: random.Random, most: int) -> str:
    return " ".join(pseudo_word(rng) for _ in range(rng.randint(1, most)))


def _led(text: str, _: Sequence[str], rng: random.Random) -> str:
    opening = _words(rng, 5)
    opening = opening.capitalize() if rng.random() < 0.7 else opening
    return f"{opening}{rng.choice((',', ':', '.', ' -', '', '!'))} {text}"


def _closed(text: str, _: Sequence[str], rng: random.Random) -> str:
    closing = _words(rng, 5)
    closing = closing.capitalize() if text[-1] in ".?!" else closing
    return f"{text} {closing}{rng.choice(('.', '!', '', '?'))}"


def _spots(text: str, names: Sequence[str]) -> list[re.Match[str]]:
    """The words of a text outside the names."""
    inside = [m.span() for name in names for m in re.finditer(re.escape(name), text)]
    return [
        word
        for word in re.finditer(r"[A-Za-z]{3,}", text)
        if all(word.end() <= start or word.start() >= end for start, end in inside)
    ]


def _mistyped(text: str, names: Sequence[str], rng: random.Random) -> str:
    """Letters left out, doubled or turned round in one or two words."""
    spots = _spots(text, names)
    for word in sorted(rng.sample(spots, min(len(spots), rng.choice((1, 1, 2)))), key=_at)[::-1]:
        letters = word[0]
        i = rng.randrange(1, len(letters) - 1)
        wrong = rng.choice(
            (
                letters[:i] + letters[i + 1 :],
                letters[:i] + letters[i] + letters[i:],
                letters[: i - 1] + letters[i] + letters[i - 1] + letters[i + 1 :],
            )
        )
        text = text[: word.start()] + wrong + text[word.end() :]
    return text


def _inserted(text: str, names: Sequence[str], rng: random.Random) -> str:
    """An unknown word somewhere between the others."""
    spots = _spots(text, names)
    if not spots:
        return text
    at = rng.choice(spots).start()
    return f"{text[:at]}{pseudo_word(rng)} {text[at:]}"


def _at(word: re.Match[str]) -> int:
    return word.start()
