"""`DeraDecoder`: answers from a pair, with a λ per prompt."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import overload

from dera_rag.decoding.loop import Decode, Request
from dera_rag.decoding.requests import Prompt, Prompts, read_batch, read_stops
from dera_rag.decoding.text import Detokenizer, Vocabulary
from dera_rag.decoding.trace import TraceMode, check_trace
from dera_rag.errors import InvalidValueError
from dera_rag.numerics import Sampling
from dera_rag.protocols import PairBackend
from dera_rag.types import Generation, GenerationChunk

# Throughput of small models on CPUs stops growing between 8 and 16 rows; memory does not.
_BATCH_SIZE = 32


class DeraDecoder:
    """Decodes with softmax(λ·aligned + (1−λ)·reference) (Liu et al. 2024, Proposition 1).

    Args:
        pair: A `ModelPair`.
        batch_size: Most prompts decoded together, ≥ 1. Longer lists are split by length; answers
            do not depend on the split.

    Raises:
        InvalidValueError: A batch size below 1.
    """

    def __init__(self, pair: PairBackend, *, batch_size: int = _BATCH_SIZE) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise InvalidValueError(f"batch_size must be an integer ≥ 1, got {batch_size!r}")
        self.pair = pair
        self.batch_size = batch_size

    @overload
    def generate(  # type: ignore[overload-overlap]
        self,
        prompts: str | Sequence[int],
        lam: float | Sequence[float] = 1.0,
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        trace: TraceMode = "auto",
    ) -> Generation: ...

    @overload
    def generate(
        self,
        prompts: Sequence[str] | Sequence[Sequence[int]],
        lam: float | Sequence[float] = 1.0,
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        trace: TraceMode = "auto",
    ) -> list[Generation]: ...

    def generate(
        self,
        prompts: Prompts,
        lam: float | Sequence[float] = 1.0,
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        trace: TraceMode = "auto",
    ) -> Generation | list[Generation]:
        """Answer one prompt or a list of them.

        Args:
            prompts: A string or one list of token ids (one answer comes back), or a list of
                strings or of token-id lists (a list comes back, in order). Strings are encoded as
                `tokenizer(text)` does.
            lam: λ ≥ 0, one number or one per prompt: 0 is the reference, 1 (default) the aligned
                model, above 1 extrapolates.
            sampling: How tokens are drawn; `Sampling()` by default.
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
        sampling = _checked(sampling)
        stops, mode = read_stops(stop), check_trace(trace)
        batch = read_batch(self.pair, prompts, lam, sampling)
        answers = self._decode(batch.requests, sampling, self._detokenizer(stops), mode)
        return answers[0] if batch.single else answers

    def stream(
        self,
        prompt: Prompt,
        lam: float = 1.0,
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
        batch = read_batch(self.pair, prompt, lam, sampling)
        if not batch.single:
            raise InvalidValueError("stream takes one prompt", hint="use generate for a list")
        return self._chunks(batch.requests, sampling, self._detokenizer(stops), mode)

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
        batch = read_batch(self.pair, prompts, 1.0, greedy)
        answers = self._decode(batch.requests, greedy, self._detokenizer(()), "full")
        # At λ=1 the mixture is the aligned model, so the trace's KL is the one asked for.
        return [answer.trace.mean_kl for answer in answers]

    @functools.cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.of(self.pair.tokenizer)

    def _detokenizer(self, stops: Sequence[str]) -> Detokenizer:
        return Detokenizer(self._vocabulary, stops, self.pair.stop_ids)

    def _decode(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        detokenizer: Detokenizer,
        trace: TraceMode,
    ) -> list[Generation]:
        """Answers in the order of the requests; rows of like length, or prompt, share a batch."""
        order = sorted(requests, key=lambda request: (len(request.prompt), request.prompt))
        answers: dict[int, Generation] = {}
        for start in range(0, len(order), self.batch_size):
            part = order[start : start + self.batch_size]
            decode = Decode(self.pair, part, sampling, detokenizer, trace)
            while decode.running:
                decode.advance()
            answers |= {row.request.row: row.generation() for row in decode.rows}
        return [answers[request.row] for request in requests]

    def _chunks(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        detokenizer: Detokenizer,
        trace: TraceMode,
    ) -> Iterator[GenerationChunk]:
        decode = Decode(self.pair, requests, sampling, detokenizer, trace)
        row = decode.rows[0]
        shown = ""
        while True:
            decode.advance()
            if not decode.running:
                break
            text = detokenizer.stable(row.token_ids)
            if len(text) > len(shown):
                yield GenerationChunk(text[len(shown) :])
                shown = text
        answer = row.generation()
        yield GenerationChunk(answer.text[len(shown) :], answer)


def _checked(sampling: Sampling | None) -> Sampling:
    if sampling is None:
        return Sampling()
    if not isinstance(sampling, Sampling):
        raise InvalidValueError(
            f"sampling must be a Sampling, got {type(sampling).__name__}",
            hint="Sampling(temperature=0.0, max_new_tokens=64)",
        )
    return sampling
