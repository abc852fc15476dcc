"""One pair behind any number of chat models and threads: calls are decoded in one batch.

A thread decodes while there is work, and ends a little after; callers wait for a future, or listen
to pieces of text. What a call answers does not depend on the calls beside it.
"""

from __future__ import annotations

import dataclasses
import threading
import weakref
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.jobs import Answer, Job, Listener
from dera_rag.langchain.processes import watch
from dera_rag.langchain.source import Source

if TYPE_CHECKING:
    from dera_rag.decoding.engine import Engine as BatchEngine
    from dera_rag.decoding.engine import Handle
    from dera_rag.decoding.grammar import Grammar, Grammars
    from dera_rag.numerics import Sampling
    from dera_rag.prompts import PromptBuilder
    from dera_rag.protocols import PairBackend

# Threads are cheap to start, but not free: one waits this many seconds for more work.
_LINGER = 0.5


class Engine:
    """Decodes for every model that shares it; any thread may call it.

    Use `Engine.of`, which gives equal sources one engine, so that a pair is loaded once and never
    decoded by two threads at a time.

    Attributes:
        source: Where the pair comes from; nothing is loaded before the first call.
    """

    _shared: ClassVar[weakref.WeakValueDictionary[Hashable, Engine]] = weakref.WeakValueDictionary()
    _sharing: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, source: Source) -> None:
        self.source = source
        self._closed = False
        self.reset()
        watch(self)

    def reset(self) -> None:
        """Forget the thread and all it was doing; what is loaded stays."""
        self._loading = threading.RLock()
        self._changed = threading.Condition()
        self._arrived: list[Job] = []
        self._thread: threading.Thread | None = None
        # Touched by the decoding thread alone.
        self._active: dict[Handle, Job] = {}
        self._engines: dict[float, BatchEngine] = {}

    @classmethod
    def of(cls, source: Source) -> Engine:
        """The engine of a source: the one there is, or a new one."""
        with cls._sharing:
            engine = cls._shared.get(source.key)
            if engine is None:
                engine = cls._shared[source.key] = cls(source)
            return engine

    def __deepcopy__(self, memo: dict[int, Any]) -> Engine:
        """Copies of a model share its pair."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it is the engine of the same source there."""
        return Engine.of, (self.source,)

    @cached_property
    def _pair(self) -> PairBackend:
        pair = self.source.load()
        # Fast tokenizers drop stored truncation and padding at their first call, which must not
        # happen while another thread reads them.
        pair.tokenizer("a")
        return pair

    @cached_property
    def _prompts(self) -> PromptBuilder:
        from dera_rag.prompts import PromptBuilder

        return PromptBuilder.for_pair(self._pair)

    @cached_property
    def _grammars(self) -> Grammars:
        from dera_rag.decoding.grammar import Grammars

        pair = self._pair
        return Grammars(pair.tokenizer, pair.vocab_size, pair.stop_ids)

    @property
    def loaded(self) -> bool:
        """Whether the pair is in memory."""
        return "_pair" in vars(self)

    @property
    def pair(self) -> PairBackend:
        """The pair, loaded if it was not yet."""
        with self._loading:
            return self._pair

    @property
    def prompts(self) -> PromptBuilder:
        """Builds prompts for the pair."""
        with self._loading:
            return self._prompts

    @property
    def control(self) -> dict[str, int]:
        """Tokens that a grammar has to name, by what they are called."""
        with self._loading:
            return self._grammars.control

    def grammar(self, text: str, budget: int) -> Grammar:
        """A grammar over the pair's tokens.

        Args:
            text: As `decoding.grammar.Grammars.compile` takes it.
            budget: Most tokens of an answer.

        Raises:
            InvalidValueError: A grammar that cannot be followed, or whose answers do not fit.
        """
        with self._loading:
            return self._grammars.compile(text).check(budget)

    def submit(
        self,
        prompt: Sequence[int],
        lam: float,
        sampling: Sampling,
        stops: Sequence[str] = (),
        *,
        plausibility: float = 0.0,
        grammar: Grammar | None = None,
        alternatives: int = 0,
        full_trace: bool = False,
        listener: Listener | None = None,
    ) -> Future[Answer]:
        """Ask for an answer; it is decoded together with whatever else is under way.

        Args:
            prompt: Token ids.
            lam: λ ≥ 0.
            sampling: How tokens are drawn.
            stops: Strings that end the answer.
            plausibility: As `LambdaDecision.plausibility`.
            grammar: What the answer keeps to; None for any text.
            alternatives: How many of the most likely tokens to keep at each place.
            full_trace: Whether both models run where one would do.
            listener: Called from the decoding thread with each piece of new text; joined they are
                the answer's text. It must be quick; an error it raises ends the answer.

        Returns:
            A future; to cancel it is to give the answer up, which frees its place in the batch.

        Raises:
            InvalidValueError: As `DeraDecoder.generate`.
            PromptError: As `DeraDecoder.generate`.
        """
        from dera_rag.decoding.requests import read_batch, read_stops

        batch = read_batch(
            self.pair,
            [prompt],
            lam,
            [sampling],
            stops=read_stops(stops),
            trace="full" if full_trace else "auto",
        )
        request = dataclasses.replace(batch.requests[0], grammar=grammar, alternatives=alternatives)
        job = Job(request, plausibility, Future(), listener)
        with self._changed:
            if self._closed:
                raise InvalidValueError("the interpreter is shutting down")
            self._arrived.append(job)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="dera-rag", daemon=True)
                self._thread.start()
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Give up whatever is under way and take nothing more; at the interpreter's end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        """The decoding thread."""
        while self._wait():
            with self._changed:
                arrived, self._arrived = self._arrived, []
            try:
                self._take_in(arrived)
                self._advance()
            except BaseException as error:
                self._fail([*arrived, *self._active.values()], error)

    def _wait(self) -> bool:
        """Whether there is work; waits a little for some."""
        with self._changed:
            if not self._arrived and not self._active and not self._closed:
                self._changed.wait(_LINGER)
            if self._closed:
                self._fail([*self._arrived, *self._active.values()], None)
                self._arrived = []
            if not self._arrived and not self._active:
                self._thread = None
                return False
            return True

    def _take_in(self, arrived: Sequence[Job]) -> None:
        for job in arrived:
            if not job.future.cancelled():
                self._active[self._batch(job.plausibility).enqueue(job.request)] = job

    def _batch(self, plausibility: float) -> BatchEngine:
        """The batch of one mixer; nearly always there is one."""
        from dera_rag.decoding import DeraDecoder, LinearMixer

        if plausibility not in self._engines:
            mixer = LinearMixer(plausibility) if plausibility else None
            self._engines[plausibility] = DeraDecoder(self._pair, mixer=mixer).engine()
        return self._engines[plausibility]

    def _advance(self) -> None:
        """One step of every batch, and the news of it."""
        for handle, job in self._active.items():
            if job.future.cancelled():
                handle.cancel()
        for engine in self._engines.values():
            if engine.running:
                for handle in engine.advance():
                    self._active.pop(handle).finish(handle)
        for handle, job in self._active.items():
            job.report(handle)

    def _fail(self, jobs: Sequence[Job], error: BaseException | None) -> None:
        """Tell every caller, and begin anew: what the batches were doing is unknown."""
        self._active, self._engines = {}, {}
        for job in jobs:
            if error is None:
                job.future.cancel()
            else:
                job.settle(error)
