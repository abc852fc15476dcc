"""Ways to end: the tokens that bring a grammar from where it is to where it may stop."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

# Single characters in the order they are tried: what closes, what separates, what is short, opens.
_CHARACTERS = '"}],: 01.@/-_+=#ntfa[{'
# A way longer than this is none; ways that are tried where the first one leads nowhere.
LONGEST, _WAYS = 4096, 8
# So many characters of one kind in a row lead nowhere: the zeros of "0.000", the letters of a name.
_REPEATS = 2
# How many of its first tokens an earlier way may have lost, and still be one.
_BEGUN = 3


class Closer:
    """Finds ways to end for the grammars of one tokenizer.

    Args:
        words: The tokenizer as llguidance reads it.
        vocab_size: V, the number of token ids.
    """

    def __init__(self, words: LLTokenizer, vocab_size: int) -> None:
        self._words = words
        self._vocab_size = vocab_size
        self._ends = frozenset(words.eos_tokens)

    def find(
        self, matcher: LLMatcher, most: int, earlier: Sequence[int] | None = None
    ) -> list[int] | None:
        """The first way that ends within so many tokens; None if none was found.

        Args:
            matcher: Where the grammar is; left as it is.
            most: Most tokens.
            earlier: A way from the place before; one word later it mostly still is one, which
                costs a tenth of looking for another.
        """
        if matcher.is_accepting():
            return []
        if most < 1:
            return None
        for begun in range(_BEGUN if earlier else 0):
            rest = list(earlier or ())[begun:]
            if len(rest) <= most and _ends(matcher, rest):
                return rest
        ways = (self._way(matcher, way, min(most, LONGEST)) for way in range(_WAYS))
        return next((found for found in ways if found is not None), None)

    @functools.cached_property
    def _kinds(self) -> dict[int, str]:
        """Tokens of one character, in the order they are tried, and what kind each is."""
        single = {}
        for token in range(self._vocab_size - 1, -1, -1):
            if not self._words.is_special_token(token):
                single[self._words.decode_bytes([token])] = token
        return {single[x.encode()]: _kind(x) for x in _CHARACTERS if x.encode() in single}

    def _way(self, matcher: LLMatcher, way: int, most: int) -> list[int] | None:
        """Tokens to an accepting state; the way decides where no closing character fits."""
        matcher = matcher.deep_copy()
        taken: list[int] = []
        while not matcher.is_accepting():
            # Forced text may spell a control token, which is none of its own: what is left of it
            # is guessed token by token.
            forced = matcher.compute_ff_tokens()
            count = matcher.try_consume_tokens(forced)
            if not count:
                forced = self._guess(matcher, way * (1 + len(taken)), taken[-_REPEATS:])
                count = matcher.try_consume_tokens(forced)
            taken += forced[:count]
            if not count or len(taken) > most:
                return None
        return taken

    def _guess(self, matcher: LLMatcher, turn: int, last: Sequence[int]) -> list[int]:
        """A closing character that fits; else one of the tokens that do."""
        if turn % 3 == 0:
            for token in self._ordered(last):
                if matcher.validate_tokens([token]):
                    return [token]
        allowed = np.flatnonzero(bits(matcher, self._vocab_size)).tolist()
        fitting = [token for token in allowed if token not in self._ends]
        return [fitting[turn % len(fitting)]] if fitting else []

    def _ordered(self, last: Sequence[int]) -> Iterable[int]:
        """The characters to try; behind the others those of a kind that leads nowhere."""
        kinds = {self._kinds.get(token) for token in last}
        if len(last) < _REPEATS or len(kinds) > 1:
            return self._kinds
        return sorted(self._kinds, key=lambda x: (self._kinds[x] in kinds) + (x == last[-1]))


def bits(matcher: LLMatcher, vocab_size: int) -> np.ndarray:
    """`[V]` bool: which tokens may come next.

    Args:
        matcher: Where the grammar is.
        vocab_size: V.
    """
    packed = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
    return np.unpackbits(packed, count=vocab_size, bitorder="little").astype(bool)


def _ends(matcher: LLMatcher, way: Sequence[int]) -> bool:
    """Whether these tokens end the grammar from here."""
    probe = matcher.deep_copy()
    return probe.try_consume_tokens(list(way)) == len(way) and probe.is_accepting()


def _kind(character: str) -> str:
    """Digits are alike and letters are; any other character is of its own kind."""
    return "letter" if character.isalpha() else "digit" if character.isdigit() else character
