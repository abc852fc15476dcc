"""`DeRaLLM`: a LangChain completion model that decodes with λ·aligned + (1−λ)·reference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import aclosing, closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
    Callbacks,
)
from langchain_core.language_models import BaseLLM, LangSmithParams, LanguageModelInput
from langchain_core.outputs import Generation, GenerationChunk, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import ConfigDict, Field

from dera_rag.langchain.call_settings import CALL_SETTINGS, CallSettings, read_call_settings
from dera_rag.langchain.engine import Engine
from dera_rag.langchain.following import afollow, follow
from dera_rag.langchain.jobs import Answer, Listener
from dera_rag.langchain.messages import question_in
from dera_rag.langchain.replies import logprobs_for, metadata_of, usage_of
from dera_rag.langchain.settings import DeRaSettings, together
from dera_rag.types import LambdaDecision


@dataclass(frozen=True)
class _Completion:
    """One prompt, read and ready to decode.

    Attributes:
        engine: Decodes it.
        model_name: Names the pair.
        prompt: Token ids.
        decision: λ and why.
        settings: How to decode.
    """

    engine: Engine
    model_name: str
    prompt: Sequence[int]
    decision: LambdaDecision
    settings: CallSettings

    def start(self, listener: Listener | None = None) -> Future[Answer]:
        """Ask for the completion."""
        return self.engine.submit(
            self.prompt,
            self.decision.lam,
            self.settings.sampling,
            self.settings.stops,
            plausibility=self.decision.plausibility,
            alternatives=self.settings.top_logprobs,
            listener=listener,
        )

    def told(self, answer: Answer) -> dict[str, Any]:
        """`generation_info` of a completion."""
        made = answer.generation
        told = metadata_of(made, self.decision, self.model_name)
        told["usage_metadata"] = dict(usage_of(made))
        if self.settings.logprobs:
            told["logprobs"] = logprobs_for(self, answer)
        return told


class DeRaLLM(DeRaSettings, BaseLLM):
    """A completion model over a reference and an aligned model, with λ per call.

    ```python
    DeRaLLM(reference="dir-or-hub-id", aligned="dir-or-hub-id").invoke("Once", dera_lambda=0.5)
    ```

    A prompt is encoded as plain text with the tokenizer's BOS; no chat template is applied, and
    markup in it is text. The completion comes back as it was decoded. Fields and keywords are those
    of `ChatDeRa` that do not concern messages and tools; a list of prompts is decoded in one
    batch, and models of the same source share one loaded pair.

    `generation_info` of each completion holds what `ChatDeRa` puts into `response_metadata`, and
    `usage_metadata`.

    Attributes:
        call: What a call under way sets; not for callers.

    Raises:
        ValueError: As `ChatDeRa`.
    """

    # Of several base classes the last one's configuration counts.
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    call: str = Field(default="", exclude=True, repr=False)

    @classmethod
    def embedded(cls, **settings: Any) -> Self:
        """The pair that ships with the package; its prompts are `prompts.PLAIN_PROMPT`.

        Args:
            **settings: Fields of this class.
        """
        return cls(**({"pair": "embedded", "dera_corpus": "venues"} | settings))

    @property
    def _llm_type(self) -> str:
        return "dera"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What a completion depends on: response caches key on it."""
        return self._told() | ({"call": self.call} if self.call else {})

    def generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        callbacks: Callbacks | list[Callbacks] | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        """See `BaseLLM.generate`; here the response cache tells calls apart.

        Args:
            prompts: The prompts.
            stop: Strings that end a completion.
            callbacks: For all or one each.
            **kwargs: Keywords of the call, and LangChain's own.
        """
        return super(DeRaLLM, self._called(kwargs)).generate(prompts, stop, callbacks, **kwargs)

    async def agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        callbacks: Callbacks | list[Callbacks] | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        """`generate` in an event loop.

        Args:
            prompts: As in `generate`.
            stop: As in `generate`.
            callbacks: As in `generate`.
            **kwargs: As in `generate`.
        """
        called = self._called(kwargs)
        return await BaseLLM.agenerate(called, prompts, stop, callbacks, **kwargs)

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[str]:
        """Complete a list of inputs together; each completion equals `invoke`'s.

        Args:
            inputs: The inputs.
            config: As for `invoke`, for all or one each.
            return_exceptions: Whether errors are returned in place of completions. LangChain gives
                every input the error of one; here each has its own.
            **kwargs: Keywords of the calls.
        """
        if not return_exceptions:
            return super().batch(inputs, config, **kwargs)
        configs = together(config, len(inputs))
        return Runnable.batch(self, inputs, configs, return_exceptions=True, **kwargs)

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[str]:
        """`batch` in an event loop.

        Args:
            inputs: As in `batch`.
            config: As in `batch`.
            return_exceptions: As in `batch`.
            **kwargs: As in `batch`.
        """
        if not return_exceptions:
            return await super().abatch(inputs, config, **kwargs)
        return await Runnable.abatch(self, inputs, config, return_exceptions=True, **kwargs)

    def _called(self, kwargs: Mapping[str, Any]) -> Self:
        """This model knowing what a call sets: LangChain leaves that out of the cache key."""
        own = {name: kwargs[name] for name in sorted(CALL_SETTINGS & kwargs.keys())}
        return self.model_copy(update={"call": repr(own)}) if own else self

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self._traced(super()._get_ls_params(stop=stop, **kwargs), stop, kwargs)

    def get_token_ids(self, text: str) -> list[int]:
        """Token ids of a text by the pair's tokenizer, without BOS and EOS; loads the pair."""
        return list(
            self._shared_engine().pair.tokenizer(text, add_special_tokens=False)["input_ids"]
        )

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        futures: list[Future[Answer]] = []
        try:
            calls = [self._read(prompt, stop, kwargs) for prompt in prompts]
            futures += [call.start() for call in calls]
            return _result(calls, [future.result() for future in futures])
        finally:
            for future in futures:
                future.cancel()

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        loop = asyncio.get_running_loop()
        calls = await loop.run_in_executor(
            None, lambda: [self._read(prompt, stop, kwargs) for prompt in prompts]
        )
        started = [asyncio.wrap_future(call.start()) for call in calls]
        try:
            return _result(calls, await asyncio.gather(*started))
        finally:
            for future in started:
                future.cancel()

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        call = self._read(prompt, stop, kwargs)
        with closing(follow(call)) as pieces:
            for piece in pieces:
                chunk = _chunk(call, piece)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        read = partial(self._read, prompt, stop, kwargs)
        call = await asyncio.get_running_loop().run_in_executor(None, read)
        async with aclosing(afollow(call)) as pieces:
            async for piece in pieces:
                chunk = _chunk(call, piece)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _read(self, prompt: str, stop: list[str] | None, kwargs: dict[str, Any]) -> _Completion:
        settings = read_call_settings(self, stop, kwargs)
        engine = self._shared_engine()
        ids = engine.prompts.plain(prompt)
        decision = self._decide(settings, partial(question_in, prompt), (), ids)
        return _Completion(engine, self.model_name, ids, decision, settings)


def _result(calls: Sequence[_Completion], answers: Sequence[Answer]) -> LLMResult:
    return LLMResult(
        generations=[
            [Generation(text=answer.generation.text, generation_info=call.told(answer))]
            for call, answer in zip(calls, answers, strict=True)
        ],
        llm_output={"model_name": calls[0].model_name} if calls else None,
    )


def _chunk(call: _Completion, piece: str | Answer) -> GenerationChunk:
    # The last piece of text has been shown; what is left to say is about the whole.
    if isinstance(piece, Answer):
        return GenerationChunk(text="", generation_info=call.told(piece))
    return GenerationChunk(text=piece)
