"""How questions are worded: templates for training and others that nothing is trained or tuned on.

A question's wording depends on how much it asks, never on what the corpus can answer: questions
about a missing attribute, an unknown place or a near-duplicate are worded like any other, or the
wording would give the answer away. So there are four *forms*, and each split has its own templates
for each of them:

    describe   everything about a place       {name}
    single     one attribute of a place       {name}, written out per attribute
    several    two or three of them           {name} and {clauses}, {name} and {topics}
    compare    one to three of two places     {a}, {b} and {topics}; or written out per attribute

Templates of one attribute are frames around its phrases: around a clause, {clause}, or around a
question, in full with or without its capital, {Question} or {question}, or without its question
mark, {Bare} or {bare}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dera_rag.evaluation.venues import heldout_frames, training_frames
from dera_rag.evaluation.venues.heldout_phrases import HELDOUT
from dera_rag.evaluation.venues.phrases import TRAIN, Phrases


@dataclass(frozen=True)
class Wordings:
    """Every template of one split; each field maps to the templates of one form.

    Attributes:
        describe: Templates in `{name}`.
        single: Attribute → templates in `{name}`.
        several: Templates in `{name}` and one of `{clauses}`, `{topics}`.
        compare: Templates in `{a}`, `{b}` and `{topics}`.
        compare_one: Attribute → templates in `{a}` and `{b}`.
        phrases: Attribute → what fills `{clauses}` and `{topics}`.
    """

    describe: tuple[str, ...]
    single: Mapping[str, tuple[str, ...]]
    several: tuple[str, ...]
    compare: tuple[str, ...]
    compare_one: Mapping[str, tuple[str, ...]]
    phrases: Mapping[str, Phrases]


def _lines(block: str) -> tuple[str, ...]:
    return tuple(block.strip().splitlines())


def _single(phrases: Phrases, clause_frames: str, question_frames: str) -> tuple[str, ...]:
    """Every frame around every phrase of an attribute."""
    clauses = [c.format(s="{name}") for c in phrases.clauses]
    questions = [q.format(s="{name}") for q in phrases.questions]
    embedded = [f.format(clause=c) for f in _lines(clause_frames) for c in clauses]
    direct = [_direct(frame, q) for frame in _lines(question_frames) for q in questions]
    return tuple(dict.fromkeys(embedded + direct))


def _direct(frame: str, question: str) -> str:
    lower, bare = question[0].lower() + question[1:], question.removesuffix("?")
    return frame.format(Question=question, question=lower, Bare=bare, bare=lower.removesuffix("?"))


def _wordings(phrases: Mapping[str, Phrases], frames: Mapping[str, str]) -> Wordings:
    several = frames["clauses"].replace("{clause}", "{clauses}")
    return Wordings(
        describe=_lines(frames["describe"]),
        single={
            attribute: _single(phrase, frames["clauses"], frames["questions"])
            for attribute, phrase in phrases.items()
        },
        several=_lines(several) + _lines(frames["topics"]),
        compare=_lines(frames["compare"]),
        compare_one={attribute: phrase.compare for attribute, phrase in phrases.items()},
        phrases=phrases,
    )


WORDINGS: Mapping[str, Wordings] = {
    "train": _wordings(TRAIN, training_frames.FRAMES),
    "heldout": _wordings(HELDOUT, heldout_frames.FRAMES),
}
"""Split → its templates; no template, frame or phrase is in both."""
