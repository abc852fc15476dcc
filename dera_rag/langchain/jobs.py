"""A call under way: what is decoded for it, and how its caller learns of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dera_rag.decoding.engine import Handle
    from dera_rag.decoding.rows import Request
    from dera_rag.types import Generation

Listener = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a call got.

    Attributes:
        generation: The answer.
        ranked: The most likely tokens at each place, where they were asked for.
    """

    generation: Generation
    ranked: Sequence[Sequence[tuple[int, float]]] = ()


@dataclasses.dataclass(eq=False)
class Job:
    """A call under way; its methods are for the decoding thread.

    Attributes:
        request: What to decode.
        plausibility: Of the mixer that decodes it.
        future: Where the answer goes; cancelling it gives the call up.
        listener: Told each piece of new text from the decoding thread; None for none.
        shown: How many characters it was told.
    """

    request: Request
    plausibility: float
    future: Future[Answer]
    listener: Listener | None = None
    shown: int = 0

    def finish(self, handle: Handle) -> None:
        """Hand the caller the answer or the error."""
        if handle.cancelled:
            self.future.cancel()
            return
        try:
            made = handle.result()
            self._tell(made.text)
        except Exception as error:  # it is the caller's
            self.settle(error)
            return
        self.settle(Answer(made, tuple(handle.ranked)))

    def report(self, handle: Handle) -> None:
        """Tell the listener what is new."""
        if self.listener is None:
            return
        try:
            self._tell(handle.text)
        except Exception as error:  # a listener that fails loses its answer, and no one else's
            self.settle(error)
            handle.cancel()

    def settle(self, outcome: Answer | BaseException) -> None:
        """Set the future unless its caller has given it up in the meantime."""
        try:
            if isinstance(outcome, Answer):
                self.future.set_result(outcome)
            else:
                self.future.set_exception(outcome)
        except InvalidStateError:
            return

    def _tell(self, text: str) -> None:
        """Pass on what is new of the text so far."""
        if self.listener is not None and len(text) > self.shown:
            self.listener(text[self.shown :])
            self.shown = len(text)
