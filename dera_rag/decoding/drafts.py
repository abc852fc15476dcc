"""Where drafted tokens come from: the passages in the prompt, and answers that may resemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Occurrences of one token that are compared; a frequent word has hundreds.
_LATEST = 32
# Agreement beyond this many tokens says no more.
_LONGEST = 5


@dataclass(frozen=True, slots=True)
class Draft:
    """Tokens that may come next.

    Attributes:
        tokens: Token ids, best guess in order.
        source: What found them and how well it matched; acceptance is learnt per source.
    """

    tokens: Sequence[int]
    source: str


class Lookup:
    """Finds what followed the last tokens of an answer where they occurred before.

    Args:
        text: Token ids to look in.
    """

    def __init__(self, text: Sequence[int]) -> None:
        self._text: list[int] = []
        self._places: dict[int, list[int]] = {}
        self.extend(text)

    def extend(self, tokens: Sequence[int]) -> None:
        """Append tokens to the text."""
        for place, token in enumerate(tokens, len(self._text)):
            self._places.setdefault(token, []).append(place)
        self._text += tokens

    def find(self, tail: Sequence[int], count: int) -> tuple[Sequence[int], int]:
        """What followed the longest earlier match of a tail; the latest of equal ones.

        Args:
            tail: The last tokens of an answer, at least one.
            count: Most tokens to return.

        Returns:
            The continuation (empty without a match) and the length of the match in tokens.
        """
        text, best, at = self._text, 0, -1
        end = len(text) - 1
        for place in reversed(self._places.get(tail[-1], ())[-_LATEST:]):
            if place == end:
                continue
            length, most = 1, min(_LONGEST, len(tail), place + 1)
            while length < most and text[place - length] == tail[-1 - length]:
                length += 1
            if length > best:
                best, at = length, place
                if length == _LONGEST:
                    break
        return (text[at + 1 : at + 1 + count], best) if best else ((), 0)


class Drafter:
    """The drafts of one answer.

    Args:
        prompt: Its prompt, passages included.
        answer: An answer it may resemble, e.g. at a neighbouring λ; empty for none.
    """

    def __init__(self, prompt: Sequence[int], answer: Sequence[int] = ()) -> None:
        self._prompt = prompt
        self._answer = answer
        self._indexes: tuple[Lookup, Lookup] | None = None
        self._read = 0
        self._agreed = 0

    def propose(self, token_ids: Sequence[int], count: int) -> list[Draft]:
        """Drafts of at most `count` tokens each, one per source that has any.

        Args:
            token_ids: The answer so far, at least one token; it only grows between calls.
            count: ≥ 1.
        """
        # Indexing waits until a draft is asked for.
        if self._indexes is None:
            self._indexes = Lookup(self._prompt), Lookup(self._answer)
        prompt, answer = self._indexes
        prompt.extend(token_ids[self._read :])
        self._read = len(token_ids)
        tail = token_ids[-_LONGEST:]
        found = [("prompt", *prompt.find(tail, count))]
        if self._answer:
            if self._agrees(token_ids):
                begun = self._answer[self._agreed : self._agreed + count]
                found.append(("answer", begun, _LONGEST + 1))
            else:
                found.append(("answer", *answer.find(tail, count)))
        return [Draft(tokens, f"{name} {length}") for name, tokens, length in found if tokens]

    def _agrees(self, token_ids: Sequence[int]) -> bool:
        """Whether the answer so far is how the other one begins."""
        while self._agreed < min(len(token_ids), len(self._answer)):
            if token_ids[self._agreed] != self._answer[self._agreed]:
                return False
            self._agreed += 1
        return self._agreed == len(token_ids)
