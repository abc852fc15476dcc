"""The embedded venues: fresh invented places and questions of seven kinds, judged exactly."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dera_rag.evaluation.tasks.cards import Example, TaskCard
from dera_rag.evaluation.tasks.data import check_choice, check_count, digest
from dera_rag.evaluation.venues import KINDS, SPLITS, Place, Question, make_places, make_questions
from dera_rag.protocols import Retriever
from dera_rag.types import Json


class VenuesTask:
    """Questions about invented places that no model has seen.

    Args:
        n: Number of questions, balanced over the kinds.
        seed: Of places, records and questions.
        places: Size of the corpus that is searched.
        split: Whose wordings: `heldout` (default) or `train`.
        kinds: Which kinds of question; all by default.

    Raises:
        InvalidValueError: A number below 1, or an unknown split or kind.
    """

    paths: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        n: int = 200,
        seed: int = 0,
        places: int = 400,
        split: str = "heldout",
        kinds: Sequence[str] = KINDS,
    ) -> None:
        for name, value in (("n", n), ("places", places)):
            check_count(name, value)
        check_choice("split", split, SPLITS)
        for kind in kinds:
            check_choice("kind", kind, KINDS)
        self._n, self._seed, self._size = n, seed, places
        self._split, self._kinds = split, tuple(kinds)

    @property
    def card(self) -> TaskCard:
        """What the task declares."""
        return TaskCard(
            name="venues",
            about="Seven kinds of questions about invented places, three records in the prompt.",
            licence="Apache-2.0 (made by this package)",
            split=f"{self._split} wordings, places of seed {self._seed}",
            size="any number; made from the seed",
            metrics=(
                "venues_hallucination",
                "venues_coverage",
                "venues_abstained",
                "copy_rate",
                "naturalness_distance",
            ),
        )

    @functools.cached_property
    def _places(self) -> list[Place]:
        return make_places(self._size, self._seed)

    def examples(self, *, given: bool) -> list[Example]:
        """Fresh questions; there are no answers to be given, so each is without one."""
        records = {place.name: place.record for place in self._places}
        asked = make_questions(self._places, self._n, self._seed, self._split, self._kinds)
        return [_example(question, records) for question in asked]

    def retriever(self) -> Retriever:
        """The places as an index in memory, corpus name `venues`."""
        from dera_rag.retrieval import Document, VectorIndex

        documents = [Document(p.id, p.text, {"title": p.name}) for p in self._places]
        return VectorIndex.build(documents, corpus="venues")

    def fingerprint(self) -> str:
        """A hash of the places."""
        return digest(place.text for place in self._places)


def _example(question: Question, records: Mapping[str, Mapping[str, str]]) -> Example:
    known: dict[str, Json] = {
        name: dict(records[name]) for name in question.names if name in records
    }
    values: dict[str, Json] = asdict(question)
    asked: dict[str, Json] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }
    return Example(
        key=question.key,
        question=question.text,
        source=question.place_ids[0] if question.place_ids else question.key,
        record={
            "kind": question.kind,
            "answerable": question.kind not in {"unknown_place", "missing_attribute"},
            "venues": {"question": asked, "records": known},
        },
    )


def read_question(values: Mapping[str, Any]) -> Question:
    """A question out of a record's `venues.question`."""
    read: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return Question(**read)
