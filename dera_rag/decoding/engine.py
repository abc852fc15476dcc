"""A batching engine: answers with their own λ and settings that join and leave one batch.

The engine is synchronous and belongs to one thread: `submit` queues, `advance` decodes a little.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence

from dera_rag.decoding.loop import Decode
from dera_rag.decoding.mixer import Mixer
from dera_rag.decoding.requests import Prompt, check_batch_size, read_batch, read_stops
from dera_rag.decoding.rows import Request, Row
from dera_rag.decoding.speculation import Speculator
from dera_rag.decoding.text import Vocabulary
from dera_rag.decoding.trace import TraceMode, check_trace
from dera_rag.errors import InvalidValueError
from dera_rag.numerics import Sampling
from dera_rag.protocols import PairBackend
from dera_rag.types import Generation

# Joining copies caches: while others wait, newcomers are let in a quarter of the batch at a time.
_JOINING_SHARE = 4


class Handle:
    """One answer that was asked of an engine.

    Attributes:
        request: What was asked.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._row: Row | None = None
        self._cancelled = False

    @property
    def done(self) -> bool:
        """Whether it has ended, failed or was cancelled."""
        return self._cancelled or (self._row is not None and not self._row.live)

    @property
    def cancelled(self) -> bool:
        """Whether it was given up before it ended."""
        return self._cancelled

    @property
    def error(self) -> Exception | None:
        """Why it failed; None unless it did."""
        return None if self._row is None else self._row.error

    @property
    def token_ids(self) -> list[int]:
        """The answer so far."""
        return [] if self._row is None else list(self._row.token_ids)

    @property
    def text(self) -> str:
        """The text so far that no later token can change or cut off; whole once it has ended."""
        if self._row is None:
            return ""
        if self._row.finish_reason is not None:
            return self._row.text
        return self._row.words.stable(self._row.token_ids)

    @property
    def ranked(self) -> list[Sequence[tuple[int, float]]]:
        """The most likely tokens at each place so far, where the request asked for them."""
        return [] if self._row is None else list(self._row.ranked)

    def cancel(self) -> None:
        """Give the answer up; its place in the batch is free at the next `advance`."""
        if not self.done:
            self._cancelled = True
            if self._row is not None:
                self._row.cancelled = True

    def result(self) -> Generation:
        """The answer.

        Raises:
            LogitsError: A model produced logits of this row that cannot be mixed.
            InvalidValueError: It has not ended, or was cancelled.
            Exception: Whatever a forward pass over its batch raised.
        """
        if self.error is not None:
            raise self.error
        if self._row is None or self._row.finish_reason is None:
            state = "was cancelled" if self._cancelled else "has not ended"
            raise InvalidValueError(
                f"answer {self.request.row} {state}", hint="call engine.advance() until it is done"
            )
        return self._row.generation()


class Engine:
    """Decodes many answers together; answers join and leave while others run.

    What a row answers depends on its own request alone: not on its neighbours, nor on when it
    joined. A row that fails leaves with its error.

    Args:
        pair: Where logits come from.
        batch_size: Most rows at a time, ≥ 1.
        mixer: How both branches' logits become one distribution; `LinearMixer()` by default.
        deterministic: Decode every row in passes of its own, so that no neighbour, draft or reused
            prefix changes a shape and answers repeat bit for bit in every dtype. Costs the gain of
            batching. In float32 tokens repeat without it.
        speculator: Drafts tokens; None (default) never does.
        vocabulary: Of the pair's tokenizer; read from it by default.

    Raises:
        InvalidValueError: A batch size below 1.
    """

    def __init__(
        self,
        pair: PairBackend,
        *,
        batch_size: int = 32,
        mixer: Mixer | None = None,
        deterministic: bool = False,
        speculator: Speculator | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.pair = pair
        self.batch_size = check_batch_size(batch_size)
        self._mixer = mixer
        self._deterministic = deterministic
        self._speculator = None if deterministic else speculator
        self._vocabulary = Vocabulary.of(pair.tokenizer) if vocabulary is None else vocabulary
        self._waiting: deque[Handle] = deque()
        self._running: list[tuple[Decode, list[Handle]]] = []
        self._submitted = 0

    @property
    def running(self) -> bool:
        """Whether an answer is waiting or under way."""
        return bool(self._waiting or self._running)

    def submit(
        self,
        prompt: Prompt,
        lam: float = 1.0,
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        *,
        trace: TraceMode = "auto",
        draft: Sequence[int] = (),
    ) -> Handle:
        """Queue one answer.

        Args:
            prompt: A string or one list of token ids.
            lam: λ ≥ 0.
            sampling: How tokens are drawn; `Sampling()` by default.
            stop: Strings that end the answer.
            trace: As in `DeraDecoder.generate`.
            draft: Token ids of an answer that this one may resemble; saves time and changes
                nothing.

        Returns:
            Its handle. Errors of the request are raised here and touch no other answer.

        Raises:
            InvalidValueError: As `DeraDecoder.generate`; also for a list of prompts.
            PromptError: As `DeraDecoder.generate`.
        """
        batch = read_batch(
            self.pair,
            prompt,
            lam,
            Sampling() if sampling is None else sampling,
            stops=read_stops(stop),
            trace=check_trace(trace),
        )
        if not batch.single:
            raise InvalidValueError("submit takes one prompt", hint="call it once for each")
        request = batch.requests[0]
        return self.enqueue(dataclasses.replace(request, row=self._submitted, draft=tuple(draft)))

    def enqueue(self, request: Request) -> Handle:
        """Queue a request that was read already."""
        self._submitted += 1
        handle = Handle(request)
        self._waiting.append(handle)
        return handle

    def advance(self) -> list[Handle]:
        """Let waiting answers join, and give every running one a token or more.

        Returns:
            The handles that are done since the last call; ask each for its `result`.
        """
        given_up = [handle for handle in self._waiting if handle.done]
        self._waiting = deque(handle for handle in self._waiting if not handle.done)
        self._admit()
        for decode, handles in self._running:
            try:
                decode.advance()
            except Exception as error:  # it belongs to the answers in this pass
                _fail(handles, error)
        return given_up + self._collect()

    def _admit(self) -> None:
        """Let waiting answers join where there is room."""
        busy = sum(not handle.done for _, handles in self._running for handle in handles)
        free = self.batch_size - busy
        few = free < min(len(self._waiting), max(1, self.batch_size // _JOINING_SHARE))
        if not self._waiting or few:
            return
        joining = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
        for group in [[handle] for handle in joining] if self._deterministic else [joining]:
            decode, handles = self._place()
            rows = decode.join([handle.request for handle in group])
            handles += group
            for handle, row in zip(group, rows, strict=True):
                handle._row = row

    def _place(self) -> tuple[Decode, list[Handle]]:
        """A batch that can be joined; a new one where there is none."""
        for decode, handles in self._running:
            if decode.open and not self._deterministic:
                return decode, handles
        decode = Decode(
            self.pair,
            self._vocabulary,
            self._mixer,
            self._speculator,
            afresh=self._deterministic,
        )
        self._running.append((decode, []))
        return self._running[-1]

    def _collect(self) -> list[Handle]:
        """Take out the answers that are done, and the batches without any left."""
        done = []
        kept = []
        for decode, handles in self._running:
            done += [handle for handle in handles if handle.done]
            left = [handle for handle in handles if not handle.done]
            if left:
                kept.append((decode, left))
        self._running = kept
        if self._speculator is not None:
            for handle in done:
                if handle._row is not None:
                    self._speculator.ended(handle._row)
        return done


def _fail(handles: Sequence[Handle], error: Exception) -> None:
    for handle in handles:
        if handle._row is not None and handle._row.live:
            handle._row.error = error
