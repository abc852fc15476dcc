"""Fresh questions about fresh places, and everything that is measured on one answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.copying import copy_rate
from dera_rag.evaluation.curve_records import ScoredAnswer
from dera_rag.evaluation.naturalness import NaturalnessModel, length, repetition
from dera_rag.evaluation.venues import (
    Place,
    Question,
    Verdict,
    judge,
    make_places,
    make_questions,
)
from dera_rag.retrieval import Document, VectorIndex
from dera_rag.types import RagAnswer


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions with the records that answer them.

    Attributes:
        places: The corpus.
        questions: What is asked about it.
    """

    places: tuple[Place, ...]
    questions: tuple[Question, ...]

    @classmethod
    def make(cls, n: int, seed: int, n_places: int = 400) -> QuestionSet:
        """Fresh places and held-out wordings; equal arguments give equal sets.

        Args:
            n: Number of questions, balanced over the kinds.
            seed: Of places, records and questions.
            n_places: Size of the corpus.

        Raises:
            InvalidValueError: A number is too small.
        """
        if n < 1:
            raise InvalidValueError(f"n must be ≥ 1, got {n}", hint="200 gives ±.06 on a rate")
        places = make_places(n_places, seed)
        return cls(tuple(places), tuple(make_questions(places, n, seed, split="heldout")))

    def index(self) -> VectorIndex:
        """The places as an index in memory, corpus name `venues`."""
        documents = [Document(p.id, p.text, {"title": p.name}) for p in self.places]
        return VectorIndex.build(documents, corpus="venues")


def score_answers(
    data: QuestionSet, answers: Sequence[RagAnswer], naturalness: NaturalnessModel
) -> list[ScoredAnswer]:
    """Judge answers against the gold records and measure how they read.

    Args:
        data: Questions, and the places they are about.
        answers: One per question, in order.
        naturalness: The third model.
    """
    records = {place.name: place.record for place in data.places}
    likelihoods = naturalness.log_likelihoods([answer.text for answer in answers])
    return [
        _score(question, answer, judge(question, records, answer.text), likelihood, naturalness)
        for question, answer, likelihood in zip(data.questions, answers, likelihoods, strict=True)
    ]


def _score(
    question: Question,
    answer: RagAnswer,
    verdict: Verdict,
    likelihood: float,
    naturalness: NaturalnessModel,
) -> ScoredAnswer:
    trace = answer.generation.trace
    return ScoredAnswer(
        key=question.key,
        kind=question.kind,
        source=question.place_ids[0] if question.place_ids else question.key,
        question=question.text,
        answer=answer.text,
        lam=answer.decision.lam,
        passages=tuple(passage.id for passage in answer.passages),
        inserted=verdict.inserted,
        wrong=verdict.wrong,
        deleted=verdict.deleted,
        expected=verdict.expected,
        covered=verdict.covered,
        abstained=verdict.abstained,
        copy_rate=copy_rate(answer.text, [passage.text for passage in answer.passages]),
        log_likelihood=likelihood,
        distance=naturalness.distance(likelihood),
        repetition=repetition(answer.text),
        length=length(answer.text),
        unfinished=answer.generation.finish_reason == "length",
        kl=math.fsum(trace.kl) if trace.kl else math.nan,
        kl_per_token=trace.mean_kl,
    )
