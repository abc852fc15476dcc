"""An answer that arrives piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from dera_rag.types import Generation, GenerationChunk, LambdaDecision, Passage, RagAnswer


class RagStream(Iterator[str]):
    """Iterates over the answer's text; what was known before decoding is there at once.

    The joined pieces equal `answer.text`.

    Attributes:
        passages: The passages in the prompt, best first.
        decision: λ and why.
    """

    def __init__(
        self,
        passages: tuple[Passage, ...],
        decision: LambdaDecision,
        chunks: Iterator[GenerationChunk],
        finish: Callable[[Generation], RagAnswer],
        lock: AbstractContextManager[object],
    ) -> None:
        self.passages = passages
        self.decision = decision
        self._chunks = chunks
        self._finish = finish
        # Held while a token is decoded, not between tokens: a reader may take its time.
        self._lock = lock
        self._held_back = ""
        self._started = False
        self._answer: RagAnswer | None = None

    @property
    def answer(self) -> RagAnswer:
        """The whole answer; decodes what is left of it."""
        for _ in self:
            pass
        if self._answer is None:
            raise RuntimeError("the stream ended by an error before its answer was complete")
        return self._answer

    def __next__(self) -> str:
        """The next piece, never empty."""
        while True:
            with self._lock:
                chunk = next(self._chunks)
            if chunk.generation is not None:
                self._answer = self._finish(chunk.generation)
            piece = self._trimmed(chunk.text)
            if piece:
                return piece

    def _trimmed(self, text: str) -> str:
        """The text without white space at the start, and holding back what may be at the end."""
        text = self._held_back + text
        if not self._started:
            text = text.lstrip()
        piece = text.rstrip()
        self._held_back = text[len(piece) :]
        self._started = self._started or bool(piece)
        return piece
