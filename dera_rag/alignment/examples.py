"""Training examples: retrieved records and a question in, a natural answer out."""

from __future__ import annotations

import itertools
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dera_rag.alignment import answers
from dera_rag.alignment.context import Context, Shown
from dera_rag.alignment.disturbance import disturbed
from dera_rag.alignment.human_rows import HumanRow, known_names, rename
from dera_rag.evaluation.venues import (
    KINDS,
    LABELS,
    Place,
    Question,
    ask,
    make_name,
    make_near,
    make_places,
    make_questions,
)
from dera_rag.prompts import PLAIN_PROMPT


@dataclass(frozen=True, slots=True)
class Example:
    """One training example.

    Attributes:
        question: The question with its gold records.
        shown: Passages of the prompt.
        prompt: What the model reads.
        answer: What it should write; "" where only the prompt is wanted.
    """

    question: Question
    shown: Shown
    prompt: str
    answer: str

    @property
    def records(self) -> dict[str, Mapping[str, str]]:
        """Name → record of the gold places."""
        gold = set(self.question.place_ids)
        return {p.name: p.record for p in self.shown.places if p.id in gold}


@dataclass(frozen=True, slots=True)
class Group:
    """Questions about the same records in the same order, with answers: trained on in one sequence.

    Attributes:
        examples: One or more; their prompts begin with `passages`.
    """

    examples: tuple[Example, ...]

    @property
    def shown(self) -> Shown:
        """What the prompts share: the passages."""
        return self.examples[0].shown

    @property
    def passages(self) -> str:
        """The beginning that the prompts share."""
        return self.examples[0].prompt.removesuffix(question_part(self.examples[0].question.text))


def prompt_of(question: str, shown: Shown) -> str:
    """The plain prompt of the pipeline, with whole records as passages."""
    return PLAIN_PROMPT.format(passages=shown.text, question=question)


def question_part(question: str) -> str:
    """What follows the records in a prompt."""
    return PLAIN_PROMPT.format(passages="", question=question)


class ExampleMaker:
    """Draws training examples for every question kind.

    Args:
        rows: Human rows; `human` answers in their words.
        seed: Fixes every draw.
        places: Size of an invented corpus that questions ask about; each is asked `places`
            questions.
    """

    def __init__(self, rows: Sequence[HumanRow], *, seed: int, places: int = 500) -> None:
        self._rng = random.Random(seed)
        self._seed = seed
        self._rows = list(rows)
        self._known = known_names(rows)
        self._places = places
        self._prose = self._other_people_say()

    def _other_people_say(self, count: int = 2000) -> list[str]:
        """Texts about places that nobody asks about, under invented names."""
        texts = []
        for row in self._rng.sample(self._rows, min(count, len(self._rows))):
            fresh = {"name": make_name(self._rng), "near": make_near(self._rng)}
            renamed = rename(row, fresh, self._known)
            texts += [renamed.text] if renamed else []
        return texts

    def _corpus(self, number: int) -> tuple[list[Place], Context]:
        places = make_places(self._places, seed=self._seed * 1000 + number, near_duplicates=0.3)
        return places, Context(places, self._prose)

    def human(self, per_context: int = 1) -> Iterator[Group]:
        """Describe questions answered by people, every row once, in random order.

        Args:
            per_context: Most texts about one record that share a prompt.
        """
        about: dict[tuple[tuple[str, str], ...], list[HumanRow]] = defaultdict(list)
        for row in self._rows:
            about[tuple(row.record.items())].append(row)
        parts = [
            rows[start : start + per_context]
            for rows in about.values()
            for start in range(0, len(rows), per_context)
        ]
        self._rng.shuffle(parts)
        for number, part in enumerate(parts):
            if number % self._places == 0:
                _, context = self._corpus(number // self._places)
            fresh = {"name": make_name(self._rng), "near": make_near(self._rng)}
            renamed = [r for r in (rename(row, fresh, self._known) for row in part) if r]
            if renamed:
                place = Place(renamed[0].record)
                shown = context.fill([place.name], [place], self._rng)
                yield Group(tuple(self._described(place, shown, row.text) for row in renamed))

    def _described(self, place: Place, shown: Shown, text: str) -> Example:
        asked = ask("describe", [place.name], (), self._rng, "train")
        asked = disturbed(asked, [place.name], self._rng)
        question = Question(
            key=f"human-{self._rng.getrandbits(64):016x}",
            kind="describe",
            text=asked,
            names=(place.name,),
            attributes=(),
            place_ids=(place.id,),
            split="train",
            wording="",
        )
        return Example(question, shown, prompt_of(asked, shown), text)

    def written(self, contexts: int, per_context: int = 1) -> Iterator[Group]:
        """Questions of every kind, answered by the grammar of `answers`.

        Args:
            contexts: How many groups.
            per_context: Questions a group. One is asked of a whole corpus and finds its records as
                retrieval would; several are asked of the records in the prompt.
        """
        for number in range(math.ceil(contexts / self._places)):
            places, context = self._corpus(number)
            count = min(self._places, contexts - number * self._places)
            seed = self._seed + number
            if per_context == 1:
                for question in make_questions(places, count, seed, "train"):
                    gold = context.gold(question)
                    shown = context.fill(question.names, gold, self._rng)
                    yield Group((self._answered(question, gold, shown),))
                continue
            for place in self._rng.sample(places, count):
                yield self._questioned(context.fill([place.name], [place], self._rng), per_context)

    def _questioned(self, shown: Shown, count: int) -> Group:
        places = shown.places
        by_id = {place.id: place for place in places}
        names = {place.name for place in places}
        possible = {
            "near_duplicate": any(place.twin in names for place in places),
            "compare": _comparable(places),
            "missing_attribute": any(len(place.record) < len(LABELS) for place in places),
        }
        kinds = [kind for kind in KINDS if possible.get(kind, True)]
        questions = [self._question(places, self._rng.choice(kinds)) for _ in range(count)]
        return Group(
            tuple(self._answered(q, [by_id[i] for i in q.place_ids], shown) for q in questions)
        )

    def _question(self, places: Sequence[Place], kind: str) -> Question:
        """A question about any of the records."""
        (question,) = make_questions(places, 1, self._rng.getrandbits(32), "train", (kind,))
        return question

    def _answered(self, question: Question, gold: Sequence[Place], shown: Shown) -> Example:
        others = [place.record for place in shown.places if place not in gold]
        asked = disturbed(question.text, question.names, self._rng)
        question = replace(question, text=asked)
        text = self._answer(question, gold, others)
        return Example(question, shown, prompt_of(question.text, shown), text)

    def _answer(
        self, question: Question, gold: Sequence[Place], others: Sequence[Mapping[str, str]]
    ) -> str:
        if not gold:
            return answers.unknown(question.names[0], question.attributes, others, self._rng)
        if len(gold) == 2:
            pair = [(p.name, p.record) for p in gold]
            return answers.compare(pair, question.attributes, self._rng)
        place = gold[0]
        return answers.answer(place.name, place.record, question.attributes, others, self._rng)


def _comparable(places: Sequence[Place]) -> bool:
    """Whether two of them share an attribute beside the name."""
    return any(
        len(set(one.record) & set(other.record)) > 1
        for one, other in itertools.combinations(places, 2)
    )
