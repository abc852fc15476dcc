"""`RagPipeline`: a question, its passages, a λ, an answer."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dera_rag.decoding import DeraDecoder, LambdaPath, SpeculationMode, TraceMode, check_trace
from dera_rag.decoding.mixer import LinearMixer
from dera_rag.decoding.requests import read_stops
from dera_rag.errors import InvalidValueError
from dera_rag.numerics import Sampling
from dera_rag.pairs import ModelPair
from dera_rag.policies import ConstantPolicy
from dera_rag.prompts import FittedPrompt, Prompt, PromptBuilder
from dera_rag.protocols import LambdaPolicy, Meter, PairBackend, Retriever
from dera_rag.rag.choosing import choose
from dera_rag.rag.path import RagPath
from dera_rag.rag.reading import abstains, cited
from dera_rag.rag.requests import (
    Lam,
    checked_lam,
    read_index,
    read_lams,
    read_meter,
    read_policy,
    read_questions,
    read_sampling,
    read_seeds,
)
from dera_rag.rag.stream import RagStream
from dera_rag.retrieval import VectorIndex
from dera_rag.types import Evidence, Generation, LambdaDecision, RagAnswer


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question on its way to the decoder."""

    question: str
    prompt: FittedPrompt
    decision: LambdaDecision
    seed: int


class RagPipeline:
    """Answers questions over an index with a pair of models, and shows what each answer rests on.

    One pipeline may be used from several threads: decoding is serialised by a lock, a token at a
    time for streams. The index and the meter must bear concurrent calls themselves; those of this
    package do.

    Args:
        pair: A `ModelPair`, or anything else `DeraDecoder` takes.
        index: A `VectorIndex`, or any other `protocols.Retriever`.
        lam: λ of questions asked without one: a number ≥ 0, or "auto" (default) for the policy's
            choice.
        policy: Chooses λ for "auto"; by default the embedded `EvidencePolicy`, which for any other
            pair or corpus than the embedded ones gives λ=1 and says so.
        meter: Marks unsupported spans: an object, or a name in the registry's `meters`; None
            (default) marks none.
        sampling: How tokens are drawn; by default temperature 1 with seed 0 (greedy decoding hides
            most insertions) and at most 256 tokens, or a quarter of the context window if that is
            less. An int seed is the run's: each question's noise comes from a hash of it and the
            question. `seed=None` draws a new one for each call.
        top_k: Passages retrieved for a question, ≥ 1.
        prompt: Your own prompt, as `prompts.PromptBuilder` takes it; by default the pair's chat
            template or, without one, `prompts.PLAIN_PROMPT`.
        stop: Strings that end an answer.
        trace: What each answer's trace records, as `DeraDecoder.generate` takes it; "full" also
            measures the model that λ=0 or λ=1 leaves out.
        speculation: As `DeraDecoder` takes it. "auto" (default) goes by measured times, so the last
            digits of a trace vary from run to run; "off" repeats them.

    Raises:
        InvalidValueError: λ, top_k, stop, trace, a list of seeds, an unknown meter, a prompt
            without its slots, or a pair, index, policy or sampling that is of another kind.
    """

    def __init__(
        self,
        pair: PairBackend,
        index: Retriever,
        *,
        lam: Lam = "auto",
        policy: LambdaPolicy | None = None,
        meter: Meter | str | None = None,
        sampling: Sampling | None = None,
        top_k: int = 3,
        prompt: Prompt | None = None,
        stop: str | Sequence[str] | None = None,
        trace: TraceMode = "auto",
        speculation: SpeculationMode = "auto",
    ) -> None:
        if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1:
            raise InvalidValueError(f"top_k must be an integer ≥ 1, got {top_k!r}")
        self.decoder = DeraDecoder(pair, speculation=speculation)
        self.pair = pair
        self.index = read_index(index)
        self.lam = checked_lam(lam)
        self.policy = read_policy(policy)
        self.meter = read_meter(meter)
        self.sampling = read_sampling(sampling, pair)
        self.top_k = top_k
        self.stop = read_stops(stop)
        self.trace = check_trace(trace)
        self._prompts = PromptBuilder.for_pair(pair, prompt)
        self._lock = threading.RLock()

    @classmethod
    def embedded(
        cls, *, lam: Lam = "auto", sampling: Sampling | None = None, top_k: int = 3
    ) -> RagPipeline:
        """The pipeline that ships with the package: the venues corpus and the pair made for it.

        Args:
            lam: As for the class.
            sampling: As for the class.
            top_k: As for the class.

        Raises:
            MissingFileError: The installation lacks the package data.
        """
        return cls(
            ModelPair.embedded(),
            VectorIndex.embedded(),
            lam=lam,
            meter="venues",
            sampling=sampling,
            top_k=top_k,
        )

    def ask(self, question: str, lam: Lam | None = None, *, seed: int | None = None) -> RagAnswer:
        """Answer one question.

        Args:
            question: Not empty.
            lam: λ ≥ 0 or "auto" for this question; None for the pipeline's.
            seed: Seed of this answer's noise, taken as it is; None derives it from the run's seed
                and the question, so that the same question gets the same answer alone and in a
                batch.

        Raises:
            InvalidValueError: λ is none.
            PromptError: The question is empty or alone too long for the context window.
        """
        lams = None if lam is None else [lam]
        return self.ask_batch([question], lams, seeds=None if seed is None else [seed])[0]

    async def aask(
        self, question: str, lam: Lam | None = None, *, seed: int | None = None
    ) -> RagAnswer:
        """`ask` in a thread of its own, so that an event loop goes on meanwhile.

        Args:
            question: As in `ask`.
            lam: As in `ask`.
            seed: As in `ask`.
        """
        return await asyncio.to_thread(functools.partial(self.ask, question, lam, seed=seed))

    def ask_batch(
        self,
        questions: Sequence[str],
        lam: Lam | Sequence[Lam] | None = None,
        *,
        seeds: Sequence[int] | None = None,
    ) -> list[RagAnswer]:
        """Answer several questions together; each answer equals `ask`'s.

        Args:
            questions: None of them empty.
            lam: One λ or "auto" for all, or one per question; None for the pipeline's.
            seeds: One per question, taken as they are; None as in `ask`: equal questions get equal
                answers.

        Returns:
            Answers in the order of the questions.

        Raises:
            InvalidValueError: A λ that is none, or λ or seeds of another number than the questions.
            PromptError: A question is empty or alone too long for the context window.
        """
        rows = self._prepare(questions, lam, seeds)
        if not rows:
            return []
        made: dict[int, Generation] = {}
        with self._lock:
            for share in dict.fromkeys(row.decision.plausibility for row in rows):
                own = [i for i, row in enumerate(rows) if row.decision.plausibility == share]
                generations = self._decoder(share).generate(
                    [rows[i].prompt.token_ids for i in own],
                    [rows[i].decision.lam for i in own],
                    replace(self.sampling, seed=[rows[i].seed for i in own]),
                    self.stop,
                    self.trace,
                )
                made |= zip(own, generations, strict=True)
        return [self._answer(row, made[i]) for i, row in enumerate(rows)]

    def stream(
        self, question: str, lam: Lam | None = None, *, seed: int | None = None
    ) -> RagStream:
        """Answer one question piece by piece.

        ```python
        stream = pipeline.stream("What does The Copper Kettle serve?")
        for piece in stream:
            show(piece)
        stream.answer  # the whole RagAnswer, equal to ask()'s
        ```

        Args:
            question: As in `ask`.
            lam: As in `ask`.
            seed: As in `ask`.

        Returns:
            An iterator over text, with `passages` and `decision` at once and `answer` at the end.

        Raises:
            InvalidValueError: As `ask`, at the call.
            PromptError: As `ask`, at the call.
        """
        lams = None if lam is None else [lam]
        (row,) = self._prepare([question], lams, None if seed is None else [seed])
        chunks = self._decoder(row.decision.plausibility).stream(
            row.prompt.token_ids,
            row.decision.lam,
            replace(self.sampling, seed=[row.seed]),
            self.stop,
            self.trace,
        )
        finish = functools.partial(self._answer, row)
        return RagStream(row.prompt.passages, row.decision, chunks, finish, self._lock)

    def path(
        self,
        question: str,
        lam: tuple[float, float] = (0.0, 2.0),
        *,
        seed: int | None = None,
        max_segments: int = 256,
    ) -> RagPath:
        """Every answer to one question over an interval of λ.

        Args:
            question: Not empty.
            lam: (lo, hi), 0 ≤ lo < hi.
            seed: As in `ask`.
            max_segments: Most segments, as `DeraDecoder.path` takes it.

        Returns:
            Each distinct answer with its exact interval of λ, and what it rests on.

        Raises:
            InvalidValueError: An interval that is none, or a pipeline whose sampling truncates.
            PromptError: As `ask`.
        """
        seeds = None if seed is None else [seed]
        return self.path_batch([question], lam, seeds=seeds, max_segments=max_segments)[0]

    def path_batch(
        self,
        questions: Sequence[str],
        lam: tuple[float, float] = (0.0, 2.0),
        *,
        seeds: Sequence[int] | None = None,
        max_segments: int = 256,
    ) -> list[RagPath]:
        """Every answer to several questions over an interval of λ.

        Each path is the one `path` gives, but for rounding: where two tokens' scores run nearly
        side by side, the breakpoint between them moves in the fifth digit.

        Args:
            questions: As in `ask_batch`.
            lam: As in `path`, the same for all.
            seeds: As in `ask_batch`.
            max_segments: Most segments of one path.

        Returns:
            Paths in the order of the questions.

        Raises:
            InvalidValueError: As `path`; also for seeds of another number than the questions.
            PromptError: As `ask_batch`.
        """
        rows = self._prepare(questions, 1.0, seeds)
        if not rows:
            return []
        with self._lock:
            paths = self.decoder.path(
                [row.prompt.token_ids for row in rows],
                lam,
                replace(self.sampling, seed=[row.seed for row in rows]),
                self.stop,
                max_segments,
                trace=self.trace,
            )
        return [self._path(row, path) for row, path in zip(rows, paths, strict=True)]

    def _path(self, row: _Asked, path: LambdaPath) -> RagPath:
        evidence = Evidence(row.prompt.passages, pair=self.pair.name, corpus=self.index.corpus)

        def decide(lam: float) -> LambdaDecision:
            return ConstantPolicy(lam).decide(row.question, evidence)

        answers = []
        for segment in path.segments:
            asked = replace(row, decision=decide(segment.middle))
            answers.append(self._answer(asked, path.at(segment.middle)))
        return RagPath(path, tuple(answers), decide)

    def _decoder(self, plausibility: float) -> DeraDecoder:
        """The decoder for a decision's plausibility mask; without one, the pipeline's own."""
        if not plausibility:
            return self.decoder
        return DeraDecoder(self.pair, mixer=LinearMixer(plausibility))

    def _prepare(
        self,
        questions: Sequence[str],
        lam: Lam | Sequence[Lam] | None,
        seeds: Sequence[int] | None,
    ) -> list[_Asked]:
        questions = read_questions(questions)
        lams = read_lams(lam, len(questions), default=self.lam)
        row_seeds = read_seeds(seeds, questions, self.sampling)
        budget = None
        if self.pair.max_length is not None:
            shared = not getattr(self.pair, "encoder_decoder", False)
            budget = self.pair.max_length - shared * self.sampling.max_new_tokens
        prompts = [
            self._prompts.fit(question, self.index.retrieve(question, self.top_k), budget)
            for question in questions
        ]
        with self._lock:
            decisions = choose(
                self.policy,
                self.decoder,
                self.index.corpus,
                questions=questions,
                prompts=prompts,
                lams=lams,
            )
        return [_Asked(*row) for row in zip(questions, prompts, decisions, row_seeds, strict=True)]

    def _answer(self, row: _Asked, generation: Generation) -> RagAnswer:
        text = generation.text.strip()
        passages = row.prompt.passages
        spans = self.meter.unsupported(row.question, passages, text) if self.meter else []
        return RagAnswer(
            text=text,
            passages=passages,
            decision=row.decision,
            generation=generation,
            unsupported_spans=tuple(spans),
            citations=cited(text, passages, row.question),
            abstained=self.meter.abstained(text) if self.meter else abstains(text),
            dropped_passages=row.prompt.dropped,
            question=row.question,
        )
