"""How each attribute is asked for, and the phrases of training wordings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dera_rag.evaluation.venues.phrases_family import FAMILY
from dera_rag.evaluation.venues.phrases_offer import OFFER
from dera_rag.evaluation.venues.phrases_setting import SETTING
from dera_rag.evaluation.venues.phrases_worth import WORTH


@dataclass(frozen=True)
class Phrases:
    """How one attribute is asked for in one split; `{s}` is the place or "it".

    Attributes:
        topics: The attribute's names in a list.
        clauses: Embedded questions, without a question mark.
        questions: Whole questions.
        compare: Questions about the attribute of `{a}` and `{b}`.
    """

    topics: tuple[str, ...]
    clauses: tuple[str, ...]
    questions: tuple[str, ...]
    compare: tuple[str, ...]


# Comparisons around a topic; none has a verb that would have to agree with it.
_OF_TOPICS = """
Do {{a}} and {{b}} have the same {topic}?
Does {{a}} have the same {topic} as {{b}}?
Is there any difference in {topic} between {{a}} and {{b}}?
Would you say that {{a}} is like {{b}} in {topic}?
do {{a}} and {{b}} have the same {topic}
Tell me if {{a}} and {{b}} differ in {topic}.
""".strip().splitlines()


def _phrases(topics: str, clauses: str, questions: str, compare: str) -> Phrases:
    """Phrases out of blocks of lines; comparisons are also made of topics and of questions."""
    names, whole = topics.split("\n")[1:-1], questions.split("\n")[1:-1]
    asked = [*compare.split("\n")[1:-1], *_paired(whole)]
    asked += [frame.format(topic=name) for frame in _OF_TOPICS for name in names]
    return Phrases(
        tuple(names), tuple(clauses.split("\n")[1:-1]), tuple(whole), tuple(dict.fromkeys(asked))
    )


def _paired(questions: list[str]) -> Iterator[str]:
    """The same question about both: "How dear is A, and how dear is B?"."""
    for question in questions:
        first = question.format(s="{a}").removesuffix("?")
        second = question.format(s="{b}")
        yield f"{first}, and {second[0].lower()}{second[1:]}"


TRAIN: Mapping[str, Phrases] = {
    attribute: _phrases(*blocks)
    for attribute, blocks in {**OFFER, **WORTH, **SETTING, **FAMILY}.items()
}
"""Attribute → its training phrases."""
