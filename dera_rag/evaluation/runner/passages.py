"""Passages that stand beside their questions, handed to a pipeline as if they were retrieved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dera_rag.errors import InvalidValueError
from dera_rag.protocols import Retriever
from dera_rag.types import Passage

Passages = tuple[Passage, ...] | None


class GivenPassages:
    """A retriever that goes by the order of asking, since equal questions may have other passages.

    Args:
        inner: Searches for questions that have no passages of their own; None where all have.
    """

    def __init__(self, inner: Retriever | None) -> None:
        self._inner = inner
        self._next: list[Passages] = []

    @property
    def corpus(self) -> str:
        """The inner retriever's; "" without one."""
        return self._inner.corpus if self._inner else ""

    @contextmanager
    def handing_out(self, passages: Sequence[Passages]) -> Iterator[None]:
        """Within the block the questions asked have these passages, in order.

        Args:
            passages: One entry a question; None for what retrieval finds.

        Yields:
            Nothing.
        """
        self._next = list(passages)
        try:
            yield
        finally:
            self._next = []

    def retrieve(self, question: str, k: int = 3) -> list[Passage]:
        """The passages of the next question; all of its own, at most k where they are searched.

        Raises:
            InvalidValueError: It has none of its own, and there is nothing to search.
        """
        own = self._next.pop(0) if self._next else None
        if own is not None:
            return list(own)
        if self._inner is None:
            raise InvalidValueError(
                f"no passages for {question!r:.80}", hint="name a corpus, or give contexts"
            )
        return self._inner.retrieve(question, k)
