"""Retrieval that withholds the answer: what an unanswerable question is asked over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dera_rag.evaluation.tasks.conflicts import mentions_any
from dera_rag.protocols import Retriever
from dera_rag.types import Passage

# Passages looked at before giving up on finding enough that lack the answer.
_DEPTH = 50


class WithoutAnswers:
    """A retriever whose passages never hold the answer to the question.

    Args:
        inner: Finds passages.
        answers: Question, without its capital and question mark → its answers.
    """

    def __init__(self, inner: Retriever, answers: Mapping[str, Sequence[str]]) -> None:
        self._inner = inner
        self._answers = {_plain(question): tuple(a) for question, a in answers.items()}

    @property
    def corpus(self) -> str:
        """The inner retriever's."""
        return self._inner.corpus

    def retrieve(self, question: str, k: int = 3) -> list[Passage]:
        """The best k of those found that do not mention an answer."""
        held = self._answers.get(_plain(question), ())
        found = self._inner.retrieve(question, k + _DEPTH)
        return [p for p in found if not mentions_any(p.text, held)][:k]


def _plain(question: str) -> str:
    return question.strip().rstrip("?").lower()
