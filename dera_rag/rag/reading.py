"""Reads an answer without a meter: what it draws on, and whether it says that nothing tells."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dera_rag.types import Passage

# A passage's own name: a record's name or title line, or a Markdown heading at the top.
_NAME_LINE = re.compile(r"^\s*(?:[-*]\s+)?(?:name|title)\s*:\s*(\S.*?)\s*$", re.I | re.M)
_HEADING = re.compile(r"\A\s*#{1,6}\s+(\S.*?)\s*#*\s*$", re.M)
_LABEL = re.compile(r"^\s*(?:[-*]\s+)?[^:\n]{1,40}:", re.M)
# Numbers, and words long enough to carry content.
_CONTENT_WORD = re.compile(r"\d+|[^\W\d_]{4,}")
_SHARED_WORDS = 2

_ABSTAINS = re.compile(
    r"""\b(?:
        (?:do|does|did|is|are|was|were|can|could|has|have)(?:\ not|n['’]t)\ (?:\w+\ ){0,2}
            (?:know|say|tell|state|stated|mention|mentioned|give|given|list|listed|specif(?:y|ied)
              |contain|include|provide|provided|answer|answered|find|found|available|record|recorded)
      | (?:no|not\ enough|insufficient)\ (?:\w+\ ){0,2}(?:information|details?|record|mention|data)
      | cannot\ (?:be\ answered|say|tell|answer|find)
      | unknown
    )\b""",
    re.I | re.X,
)


def abstains(answer: str) -> bool:
    """Whether an answer says that the passages do not tell.

    A plain rule for English: a phrase such as "does not say", "is not given", "no information" or
    "cannot be answered". An answer that gives part of what was asked and says so of the rest counts
    too.
    """
    return bool(_ABSTAINS.search(answer))


def cited(answer: str, passages: Sequence[Passage], question: str = "") -> tuple[str, ...]:
    """Ids of the passages an answer draws on, in order of first use.

    A passage is drawn on if the answer says its name: its `title` metadata, its `name:` or `title:`
    line, or the heading it opens with. If the answer says no passage's name, a passage is drawn on
    if the answer shares two content words or numbers with it that stand in no other passage and not
    in the question.

    Args:
        answer: The answer.
        passages: The passages of the prompt.
        question: The question; its words are no evidence.
    """
    uses = _by_name(answer, passages) or _by_words(answer, passages, question)
    first = {id_: start for start, id_ in sorted(uses, reverse=True)}
    return tuple(sorted(first, key=first.__getitem__))


def _names(passage: Passage) -> set[str]:
    found = [_NAME_LINE.search(passage.text), _HEADING.search(passage.text)]
    names = {match.group(1) for match in found if match}
    return names | {passage.metadata.get("title", "").strip()} - {""}


def _by_name(answer: str, passages: Sequence[Passage]) -> list[tuple[int, str]]:
    """Where each passage's name stands, longer names first claiming their place."""
    owners = sorted(
        ((name, passage.id) for passage in passages for name in _names(passage)),
        key=lambda owner: -len(owner[0]),
    )
    uses: list[tuple[int, str]] = []
    taken: list[tuple[int, int, str]] = []
    for name, id_ in owners:
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", answer, re.I):
            start, end = match.span()
            if all(end <= s or e <= start or said == name.lower() for s, e, said in taken):
                taken.append((start, end, name.lower()))
                uses.append((start, id_))
    return uses


def _by_words(answer: str, passages: Sequence[Passage], question: str) -> list[tuple[int, str]]:
    said = {m.group().lower(): m.start() for m in reversed([*_CONTENT_WORD.finditer(answer)])}
    words = [_words(_LABEL.sub(" ", passage.text)) for passage in passages]
    uses: list[tuple[int, str]] = []
    for index, passage in enumerate(passages):
        others = _words(question).union(*words[:index], *words[index + 1 :])
        shared = (words[index] - others) & said.keys()
        if len(shared) >= _SHARED_WORDS:
            uses.append((min(said[word] for word in shared), passage.id))
    return uses


def _words(text: str) -> set[str]:
    return {word.lower() for word in _CONTENT_WORD.findall(text)}
