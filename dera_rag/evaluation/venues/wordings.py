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

People seldom ask without more ado: "Hi there, …", "We are off to the coast next week. …", "… It's
for my aunt." Such openings and closings mean nothing to the question, so they are no part of a
template: every training wording may get any of them, and a held-out wording, which is rendered from
its own frames alone, none.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dera_rag.evaluation.venues import heldout_frames, training_asides, training_frames
from dera_rag.evaluation.venues.heldout_phrases import HELDOUT
from dera_rag.evaluation.venues.phrases import TRAIN, Phrases

# How often a question gets an opening, and a closing, in a split that has any.
_OPENED = 0.4
_CLOSED = 0.25


@dataclass(frozen=True)
class Single:
    """Every frame around every phrase of one attribute: thousands, so made only as drawn.

    Attributes:
        clause_frames: Frames in `{clause}`.
        question_frames: Frames in one of `{Question}`, `{question}`, `{Bare}`, `{bare}`.
        phrases: What they go around.
    """

    clause_frames: tuple[str, ...]
    question_frames: tuple[str, ...]
    phrases: Phrases

    def __len__(self) -> int:
        """How many templates."""
        embedded = len(self.clause_frames) * len(self.phrases.clauses)
        return embedded + len(self.question_frames) * len(self.phrases.questions)

    def __getitem__(self, index: int) -> str:
        """A template in `{name}`.

        Raises:
            IndexError: An index outside [0, len).
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        frame, phrase = divmod(index, len(self.phrases.clauses))
        if frame < len(self.clause_frames):
            clause = self.phrases.clauses[phrase].format(s="{name}")
            return self.clause_frames[frame].format(clause=clause)
        index -= len(self.clause_frames) * len(self.phrases.clauses)
        frame, phrase = divmod(index, len(self.phrases.questions))
        question = self.phrases.questions[phrase].format(s="{name}")
        return _direct(self.question_frames[frame], question)

    def __iter__(self) -> Iterator[str]:
        """All templates."""
        return (self[index] for index in range(len(self)))


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
        openings: What may stand before a question; empty if nothing may.
        closings: What may stand after one; empty if nothing may.
    """

    describe: tuple[str, ...]
    single: Mapping[str, Single]
    several: tuple[str, ...]
    compare: tuple[str, ...]
    compare_one: Mapping[str, tuple[str, ...]]
    phrases: Mapping[str, Phrases]
    openings: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()

    def with_asides(self, question: str, names: Sequence[str], rng: random.Random) -> str:
        """A question as it is, or with an opening, a closing or both.

        Args:
            question: The question's text.
            names: Names in it, which keep their capitals.
            rng: Source of randomness; not drawn from where there is nothing to draw.
        """
        if self.openings and rng.random() < _OPENED:
            question = _opened(rng.choice(self.openings), question, names)
        if self.closings and rng.random() < _CLOSED:
            question = _closed(question, rng.choice(self.closings))
        return question


def _opened(opening: str, question: str, names: Sequence[str]) -> str:
    """Within the opening's sentence the question goes on in small letters."""
    if opening[-1] not in ".!?" and not question.startswith(tuple(names)):
        question = _lower(question)
    return f"{opening} {question}"


def _closed(question: str, closing: str) -> str:
    """A question without a mark at its end runs on into its closing."""
    if question[-1] in ".!?":
        return f"{question} {closing}"
    return f"{question}, {_lower(closing)}"


def _lower(text: str) -> str:
    """A sentence as it reads within another: "I" keeps its capital."""
    return text if re.match(r"I\b", text) else text[0].lower() + text[1:]


def _lines(block: str) -> tuple[str, ...]:
    return tuple(block.strip().splitlines())


def _direct(frame: str, question: str) -> str:
    lower, bare = _lower(question), question.removesuffix("?")
    return frame.format(Question=question, question=lower, Bare=bare, bare=lower.removesuffix("?"))


def _wordings(
    phrases: Mapping[str, Phrases],
    frames: Mapping[str, str],
    openings: str = "",
    closings: str = "",
) -> Wordings:
    clauses, questions = _lines(frames["clauses"]), _lines(frames["questions"])
    several = frames["clauses"].replace("{clause}", "{clauses}")
    return Wordings(
        describe=_lines(frames["describe"]),
        single={
            attribute: Single(clauses, questions, phrase) for attribute, phrase in phrases.items()
        },
        several=_lines(several) + _lines(frames["topics"]),
        compare=_lines(frames["compare"]),
        compare_one={attribute: phrase.compare for attribute, phrase in phrases.items()},
        phrases=phrases,
        openings=_lines(openings),
        closings=_lines(closings),
    )


WORDINGS: Mapping[str, Wordings] = {
    "train": _wordings(
        TRAIN, training_frames.FRAMES, training_asides.OPENINGS, training_asides.CLOSINGS
    ),
    "heldout": _wordings(HELDOUT, heldout_frames.FRAMES),
}
"""Split → its templates; no template, frame or phrase is in both."""
