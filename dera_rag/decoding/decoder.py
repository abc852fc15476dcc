"""`DeraDecoder`: answers from a pair, with a λ per prompt."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TypeGuard, overload

from dera_rag.decoding.engine import Engine
from dera_rag.decoding.mixer import Mixer
from dera_rag.decoding.path import LambdaPath
from dera_rag.decoding.path_loop import PathDecode
from dera_rag.decoding.path_requests import (
    check_budget,
    check_truncation,
    read_interval,
    read_mixer,
)
from dera_rag.decoding.requests import (
    Lam,
    Lams,
    Prompt,
    Prompts,
    check_batch_size,
    check_pair,
    read_batch,
    read_stops,
)
from dera_rag.decoding.rows import Request
from dera_rag.decoding.speculation import (
    DecodingStatistics,
    SpeculationMode,
    Speculator,
    check_guessing,
    check_speculation,
)
from dera_rag.decoding.text import Detokenizer, Vocabulary
from dera_rag.decoding.trace import TraceMode, check_trace
from dera_rag.errors import InvalidValueError
from dera_rag.numerics import Sampling
from dera_rag.protocols import PairBackend
from dera_rag.types import Generation, GenerationChunk

# Throughput of small models on CPUs stops growing between 8 and 16 rows; memory does not.
_BATCH_SIZE = 32
# Rows to reckon with for each path: on the embedded pair one over λ∈[0, 2] ends with 6 segments
# (median), and has fewer nodes on the way.
_NODES = 4


class DeraDecoder:
    """Decodes with softmax(λ·aligned + (1−λ)·reference) (Liu et al. 2024, Proposition 1).

    Args:
        pair: A `ModelPair`.
        batch_size: Most prompts decoded together, ≥ 1. Of longer lists the others join as rows
            end; answers do not depend on it.
        mixer: How both branches' logits become one distribution; `LinearMixer()` by default.
        speculation: "auto" (default) drafts tokens from the prompt and from earlier answers to it
            while that saves time, "always" whenever there is a guess, "off" never. Tokens are the
            same; the last digits of a trace may differ.
        int8_drafts: Whether the pair's weight average in 8 bits also drafts, for an answer that is
            decoded alone, while that saves time. It takes about a quarter of a float32 model's
            memory for each half-step of λ (two are held), and a while to make when first used.
        deterministic: Whether answers repeat bit for bit in every dtype, see `Engine`.

    Raises:
        InvalidValueError: No pair, a batch size below 1, an unknown speculation, or int8_drafts for
            a pair that has no 8-bit average.
    """

    def __init__(
        self,
        pair: PairBackend,
        *,
        batch_size: int = _BATCH_SIZE,
        mixer: Mixer | None = None,
        speculation: SpeculationMode = "auto",
        int8_drafts: bool = False,
        deterministic: bool = False,
    ) -> None:
        self.pair = check_pair(pair)
        self.batch_size = check_batch_size(batch_size)
        self.mixer = mixer
        self.deterministic = deterministic
        guessing = check_guessing(pair) if int8_drafts else None
        self._speculator = Speculator(check_speculation(speculation), guessing)

    @property
    def statistics(self) -> DecodingStatistics:
        """What all answers of this decoder took; `tokens_per_step` is above 1 thanks to drafts."""
        return self._speculator.statistics

    def engine(self) -> Engine:
        """A new batching engine with this decoder's settings; it shares what drafts have taught."""
        return Engine(
            self.pair,
            batch_size=self.batch_size,
            mixer=self.mixer,
            deterministic=self.deterministic,
            speculator=self._speculator,
            vocabulary=self._vocabulary,
        )

    @overload
    def generate(  # type: ignore[overload-overlap]
        self,
        prompts: str | Sequence[int],
        lam: Lams = 1.0,
        sampling: Sampling | Sequence[Sampling] | None = None,
        stop: str | Sequence[str] | None = None,
        trace: TraceMode = "auto",
    ) -> Generation: ...

    @overload
    def generate(
        self,
        prompts: Sequence[str] | Sequence[Sequence[int]],
        lam: Lams = 1.0,
        sampling: Sampling | Sequence[Sampling] | None = None,
        stop: str | Sequence[str] | None = None,
        trace: TraceMode = "auto",
    ) -> list[Generation]: ...

    def generate(
        self,
        prompts: Prompts,
        lam: Lams = 1.0,
        sampling: Sampling | Sequence[Sampling] | None = None,
        stop: str | Sequence[str] | None = None,
        trace: TraceMode = "auto",
    ) -> Generation | list[Generation]:
        """Answer one prompt or a list of them.

        Args:
            prompts: A string or one list of token ids (one answer comes back), or a list of
                strings or of token-id lists (a list comes back, in order). Strings are encoded as
                `tokenizer(text)` does.
            lam: λ ≥ 0, one number or one per prompt: 0 is the reference, 1 (default) the aligned
                model, above 1 extrapolates. Of a pair with several aligned models also λ by name,
                `{"faithful": 0.8, "fluent": 0.4}`; the answer's `lam` is their sum.
            sampling: How tokens are drawn, for all prompts or one per prompt; `Sampling()` by
                default. A seed in a setting of one prompt is that row's own.
            stop: Strings that end an answer; the text is cut before the earliest.
            trace: "auto" (default) runs one model where λ is 0 or 1 and marks the other's trace
                fields NaN; "full" always runs both; "off" records λ only.

        Returns:
            One `Generation`, or a list in the order of the prompts.

        Raises:
            InvalidValueError: λ, seeds, stop strings or prompts of the wrong kind or number.
            PromptError: An empty prompt, or one that leaves no room for max_new_tokens.
            LogitsError: A model produced NaN, +inf or a −inf the other one does not share.
        """
        settings = sampling if _one_each(sampling) else _checked(sampling)
        stops, mode = read_stops(stop), check_trace(trace)
        batch = read_batch(self.pair, prompts, lam, settings, stops=stops, trace=mode)
        answers = self._decode(batch.requests)
        return answers[0] if batch.single else answers

    def stream(
        self,
        prompt: Prompt,
        lam: Lam = 1.0,
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        trace: TraceMode = "auto",
    ) -> Iterator[GenerationChunk]:
        """Answer one prompt piece by piece; the joined pieces equal `generate(...).text`.

        Incomplete characters and beginnings of stop strings are held back until they are settled.

        Args:
            prompt: A string or one list of token ids.
            lam: λ ≥ 0.
            sampling: How tokens are drawn; `Sampling()` by default.
            stop: Strings that end the answer.
            trace: As in `generate`.

        Returns:
            Chunks of new text; the last one carries the whole `Generation`.

        Raises:
            InvalidValueError: As `generate`, at the call and not at the first chunk; also for a
                list of prompts.
            PromptError: As `generate`.
            LogitsError: As `generate`, while streaming.
        """
        sampling = _checked(sampling)
        stops, mode = read_stops(stop), check_trace(trace)
        batch = read_batch(self.pair, prompt, lam, sampling, stops=stops, trace=mode)
        if not batch.single:
            raise InvalidValueError("stream takes one prompt", hint="use generate for a list")
        return self._chunks(batch.requests[0])

    def disagreement(self, prompts: Sequence[Prompt], tokens: int = 4) -> list[float]:
        """How far the two models part on the first tokens of each answer.

        Args:
            prompts: A list of strings or of token-id lists.
            tokens: Length of the greedy aligned continuation that is compared, ≥ 1; an answer
                that ends earlier is averaged over what it has.

        Returns:
            Mean KL(aligned ‖ reference) per prompt in nats, ≥ 0.

        Raises:
            InvalidValueError: As `generate`.
            PromptError: As `generate`.
        """
        greedy = Sampling(temperature=0.0, max_new_tokens=tokens)
        batch = read_batch(self.pair, prompts, 1.0, greedy, trace="full")
        answers = self._decode(batch.requests)
        # At λ=1 the mixture is the aligned model, so the trace's KL is the one asked for.
        return [answer.trace.mean_kl for answer in answers]

    @overload
    def path(  # type: ignore[overload-overlap]
        self,
        prompts: str | Sequence[int],
        lam: tuple[float, float] = (0.0, 2.0),
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        max_segments: int = 256,
        *,
        trace: TraceMode = "auto",
    ) -> LambdaPath: ...

    @overload
    def path(
        self,
        prompts: Sequence[str] | Sequence[Sequence[int]],
        lam: tuple[float, float] = (0.0, 2.0),
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        max_segments: int = 256,
        *,
        trace: TraceMode = "auto",
    ) -> list[LambdaPath]: ...

    def path(
        self,
        prompts: Prompts,
        lam: tuple[float, float] = (0.0, 2.0),
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        max_segments: int = 256,
        *,
        trace: TraceMode = "auto",
    ) -> LambdaPath | list[LambdaPath]:
        """Every answer over an interval of λ, with the λ at which each begins and ends.

        A token's score is a line in λ, so the winners over an interval follow from the upper
        envelope of these lines: no grid, no answer missed. `path.at(lam)` is what `generate` gives
        at that λ and seed.

        Args:
            prompts: As in `generate`.
            lam: (lo, hi), 0 ≤ lo < hi; [0, 2] by default.
            sampling: As in `generate`: greedy, or a temperature with the noise `generate` uses. A
                repetition penalty is followed exactly. Truncation is refused at a temperature
                above 0; a mask that does not depend on λ belongs into the mixer.
            stop: Strings that end an answer.
            max_segments: Most segments of one path, ≥ 1. Beyond it what is left is covered by the
                decode at its lower end; `path.inexact_ranges` lists it.
            trace: "full" gives each segment its whole trace at its middle, from the logits that
                decoded it; else a segment has both models' log-probabilities of its tokens.

        Returns:
            One `LambdaPath`, or a list in the order of the prompts.

        Raises:
            InvalidValueError: As `generate`; also for an interval that is none, for truncation at a
                temperature above 0, and for a mixer whose scores are not lines in λ.
            PromptError: As `generate`.
            LogitsError: As `generate`.
        """
        sampling = _checked(sampling)
        check_truncation(sampling)
        interval, budget = read_interval(lam), check_budget(max_segments)
        traced = check_trace(trace) == "full"
        mixer = read_mixer(self.mixer)
        detokenizer = self._detokenizer(read_stops(stop))
        batch = read_batch(self.pair, prompts, interval[0], sampling)
        order = sorted(batch.requests, key=lambda request: (len(request.prompt), request.prompt))
        paths: dict[int, LambdaPath] = {}
        # A path has several nodes at a time, and each is a row; more than expected are put by.
        size = 1 if self.deterministic else max(1, self.batch_size // _NODES)
        for start in range(0, len(order), size):
            part = order[start : start + size]
            decode = PathDecode(
                self.pair,
                part,
                interval,
                sampling=sampling,
                detokenizer=detokenizer,
                mixer=mixer,
                max_segments=budget,
                traced=traced,
                batch_size=self.batch_size,
                afresh=self.deterministic,
            )
            paths |= {request.row: path for request, path in zip(part, decode.run(), strict=True)}
        found = [paths[row] for row in range(len(order))]
        return found[0] if batch.single else found

    @functools.cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.of(self.pair.tokenizer)

    def _detokenizer(self, stops: Sequence[str]) -> Detokenizer:
        return Detokenizer(self._vocabulary, stops, self.pair.stop_ids)

    def _decode(self, requests: Sequence[Request]) -> list[Generation]:
        """Answers in the order of the requests; rows of like length, or prompt, share a batch."""
        order = sorted(requests, key=lambda request: (len(request.prompt), request.prompt))
        engine = self.engine()
        for request in order:
            engine.enqueue(request)
        answers: dict[int, Generation] = {}
        while engine.running:
            answers |= {handle.request.row: handle.result() for handle in engine.advance()}
        return [answers[request.row] for request in requests]

    def _chunks(self, request: Request) -> Iterator[GenerationChunk]:
        engine = self.engine()
        handle = engine.enqueue(request)
        shown = ""
        while True:
            engine.advance()
            if handle.done:
                break
            text = handle.text
            if len(text) > len(shown):
                yield GenerationChunk(text[len(shown) :])
                shown = text
        answer = handle.result()
        yield GenerationChunk(answer.text[len(shown) :], answer)


def _one_each(sampling: object) -> TypeGuard[Sequence[Sampling]]:
    """Whether a list of settings was given, one per prompt."""
    return isinstance(sampling, Sequence) and all(isinstance(own, Sampling) for own in sampling)


def _checked(sampling: Sampling | Sequence[Sampling] | None) -> Sampling:
    if sampling is None:
        return Sampling()
    if not isinstance(sampling, Sampling):
        raise InvalidValueError(
            f"sampling must be a Sampling, got {type(sampling).__name__}",
            hint="Sampling(temperature=0.0, max_new_tokens=64)",
        )
    return sampling
