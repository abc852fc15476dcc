"""What changed from one answer to the next, word by word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

Kind = Literal["kept", "removed", "added"]

# Closing punctuation is a word of its own: a longer sentence does not change its last word.
_WORD = re.compile(r"\s*(?:[.,;:!?]+(?=\s|$)|\S+?(?=[.,;:!?]*(?:\s|$)))")
# Texts with less in common than this share of their words are shown as new.
_ALIKE = 0.3


class Change(NamedTuple):
    """A stretch of text that both answers have, or one of them."""

    kind: Kind
    text: str


def changes(before: str | None, after: str) -> list[Change]:
    """The later answer with what was added, and what the earlier one had in its place.

    Args:
        before: The earlier answer; None where there is none.
        after: The later answer.

    Returns:
        Stretches in order. Without the removed ones, white space at the seams apart, they are the
        later answer. Answers with little in common have no removed stretches.
    """
    if before is None or before == after:
        return [Change("kept", after)]
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, [_bare(x) for x in old], [_bare(x) for x in new], False)
    if matcher.ratio() < _ALIKE:
        return [Change("added", after)]
    out: list[Change] = []
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            out.append(Change("kept", "".join(new[k:m])))
            continue
        out += _changed("removed", old[i:j])
        out += _changed("added", new[k:m])
    return out


def _changed(kind: Kind, words: Sequence[str]) -> list[Change]:
    return [Change(kind, "".join(words))] if words else []


def _bare(word: str) -> str:
    return word.strip()
