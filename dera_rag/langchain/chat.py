"""`ChatDeRa`: a LangChain chat model that decodes with λ·aligned + (1−λ)·reference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from functools import partial
from typing import Any, Literal, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict

from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.langchain.call_settings import read_call_settings
from dera_rag.langchain.calls import (
    STRUCTURE_SETTINGS,
    ChatCall,
    question_of,
    read_structure,
    shown_tools,
)
from dera_rag.langchain.following import afollow, await_answer, follow, wait
from dera_rag.langchain.jobs import Answer
from dera_rag.langchain.messages import PlainMessages, encode_messages, text_of
from dera_rag.langchain.replies import Shown, read_reply
from dera_rag.langchain.settings import DeRaSettings, together
from dera_rag.langchain.unfolding import unfolded

_Tool = dict[str, Any] | type | Callable[..., Any] | BaseTool


class ChatDeRa(DeRaSettings, BaseChatModel):
    """A chat model over a reference and an aligned model, with λ per call.

    ```python
    model = ChatDeRa(reference="dir-or-hub-id", aligned="dir-or-hub-id", temperature=0.7)
    model.invoke("Tell me about …", dera_lambda=1.5).response_metadata["dera"]
    ```

    The constructor loads nothing; the first call does. Models of the same source share one loaded
    pair, and their calls, from whatever thread or event loop, are decoded in one batch; what a
    call answers does not depend on that. Conversations go through the pair's chat template.

    `response_metadata` holds `model_name`, `finish_reason` ("stop", "length" or "tool_calls"),
    `logprobs` where asked for, and `dera`: `lam`, `policy`, `reason`, `signals`, `plausibility`,
    and `mean_kl`, the mean KL(mixture ‖ reference) per token in nats where both models ran, else
    None.

    Every setting below is also a keyword of a call. A call further takes `dera_evidence`, the
    passages that "auto" goes by: a list of `{"id", "text", "relevance_score"}`, by default those
    in the artifacts of the tool messages after the last human one; and `tools`, `tool_choice`,
    `parallel_tool_calls` and `response_format` as `bind_tools` and `with_structured_output` set
    them. LangChain's settings for remote services (`api_key`, `timeout`, `max_retries`, …) are
    accepted and have no meaning here; any other unknown name is refused.

    Attributes:
        reference: Directory or hub id of the reference model (λ=0).
        aligned: Directory or hub id of the aligned model (λ=1).
        adapter: In place of `aligned`: directory or hub id of a PEFT adapter on the reference.
        pair: A loaded pair in place of the names; "embedded" for the one that ships with the
            package.
        dera_lambda: λ ≥ 0, or "auto" (default): λ chosen from the evidence before decoding, and
            what the policy states for none (1) where a call brings none.
        dera_policy: Chooses λ for "auto"; None (default) for the embedded `EvidencePolicy`. Not a
            keyword of a call.
        dera_corpus: Name of the corpus of evidence that does not say; policies fitted to a corpus
            recognise it by this. Not a keyword of a call.
        temperature: ≥ 0; 0 is greedy. Default 1.
        max_tokens: Longest answer in tokens, ≥ 1. Default 256.
        top_p: In (0, 1]; 1 (default) keeps every token.
        top_k: ≥ 0; 0 (default) keeps every token.
        min_p: In [0, 1]; 0 (default) keeps every token.
        repetition_penalty: > 0; 1 (default) is none. It counts the answer's own tokens.
        seed: Seed of the noise of each call, taken as it is; None (default) draws one per call.
        stop: Strings that end an answer; those of a call replace them. They do not cut JSON that
            a schema or a forced tool call asks for.
        logprobs: Whether answers come with the mixture's log-probabilities, before temperature and
            truncation, in the form of OpenAI's chat API.
        top_logprobs: How many alternatives are listed with each, in [0, 20].
        plain_messages: What a pair without a chat template reads: "all" (default), the contents of
            all messages joined by empty lines; or "last_human", the last human message alone, which
            is put into `prompts.PLAIN_PROMPT` as a question without passages unless it ends in
            `Answer:` as that prompt does.
        engine: Holds the loaded pair; made by the constructor.

    Raises:
        ValueError: No pair is named, an unknown setting, or a value out of its range: pydantic's
            ValidationError from the constructor, `InvalidValueError` from a call.
    """

    # Of several base classes the last one's configuration counts.
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    plain_messages: PlainMessages = "all"

    @classmethod
    def embedded(cls, **settings: Any) -> Self:
        """The pair that ships with the package, which answers questions over venue records.

        It has no chat template and knows one form of prompt: compose `prompts.PLAIN_PROMPT` in your
        chain, its passages written by `prompts.number_passages`, and send it as the human message.
        A bare question reaches it without passages, and it then has nothing to go by. Evidence
        that names no corpus is taken for the venues corpus.

        Args:
            **settings: Fields of this class.
        """
        fixed = {"pair": "embedded", "plain_messages": "last_human", "dera_corpus": "venues"}
        return cls(**(fixed | settings))

    @property
    def _llm_type(self) -> str:
        return "dera"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What an answer depends on: response caches key on it."""
        return self._told("plain_messages")

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # Response caches key on it. LangChain's, of models that can be written down, does not know
        # what is left out there: a loaded pair and a policy.
        params = self._get_invocation_params(stop=stop, **kwargs) | kwargs
        return str(sorted(params.items()))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self._traced(super()._get_ls_params(stop=stop, **kwargs), stop, kwargs)

    def get_token_ids(self, text: str) -> list[int]:
        """Token ids of a text by the pair's tokenizer, without BOS and EOS; loads the pair."""
        return list(
            self._shared_engine().pair.tokenizer(text, add_special_tokens=False)["input_ids"]
        )

    def get_num_tokens_from_messages(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> int:
        """Length of the prompt that a conversation becomes; loads the pair.

        A part of one, which the chat template does not take for itself, is as long as its texts.

        Args:
            messages: The conversation.
            tools: What the model may call, as `bind_tools` takes it.
            **kwargs: Not read.
        """
        shown = [convert_to_openai_tool(tool) for tool in tools or ()]
        messages = unfolded(messages)
        prompts = self._shared_engine().prompts
        try:
            return len(encode_messages(prompts, messages, self.plain_messages, shown))
        except PromptError:
            return sum(len(self.get_token_ids(text_of(message))) for message in messages)

    def bind_tools(
        self,
        tools: Sequence[_Tool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """A model that may call tools.

        Calls are written as the pair's chat template writes those of earlier turns, and the
        arguments are made to be valid against the tool's schema while they are decoded.

        LangChain hands a call on `model.configurable_fields(…)` to the model inside, so that what
        `bind_tools` gives there can no longer be configured. Bind the keywords instead:
        `configurable.bind(**model.bind_tools(tools).kwargs)`; or set λ by keyword of the call.

        Args:
            tools: Functions, pydantic classes, `BaseTool`s or schemas in OpenAI's form.
            tool_choice: None or "auto" (default) leaves it to the model; "any", "required" or True
                makes it call one; a name makes it call that; "none" or False keeps it from calling.
            parallel_tool_calls: Whether one answer may hold several calls; by default yes where the
                model chooses and the template writes several, else no.
            **kwargs: Further keywords of a call.
        """
        if parallel_tool_calls is not None:
            kwargs["parallel_tool_calls"] = parallel_tool_calls
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        include_raw: bool = False,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """A runnable whose answers are objects of a schema.

        They are made to be valid while they are decoded, and closed before `max_tokens` runs out;
        a schema that cannot be enforced or that does not fit is refused. The schema itself is not
        shown to the models, except by "function_calling", which shows it as a tool: describe in
        the prompt what you want.

        Args:
            schema: A pydantic class (objects of it come back), a TypedDict, or a JSON schema
                (dictionaries come back). None, for any JSON object, with "json_mode".
            include_raw: Whether to return `{"raw", "parsed", "parsing_error"}`.
            method: "json_schema" (default) and "json_mode" answer with JSON text,
                "function_calling" with a tool call. All three enforce the schema.
            **kwargs: `strict` is accepted: there is no other way here.

        Raises:
            InvalidValueError: An unknown method or keyword, or no schema.
        """
        from dera_rag.langchain.structured import structured

        unknown = set(kwargs) - {"strict"}
        if unknown:
            raise InvalidValueError(f"unknown keywords {sorted(unknown)}", hint="strict")
        return structured(self, schema, method=method, include_raw=include_raw)

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer a list of inputs together; each answer equals `invoke`'s.

        Args:
            inputs: The inputs.
            config: As for `invoke`, for all or one each. `max_concurrency` limits how many are
                decoded together.
            return_exceptions: Whether errors are returned in place of answers.
            **kwargs: Keywords of the calls.
        """
        configs = together(config, len(inputs))
        return super().batch(inputs, configs, return_exceptions=return_exceptions, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call = self._read_call(messages, stop, kwargs)
        return _result(call, wait(call.start()))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call, answer = await await_answer(partial(self._read_call, messages, stop, kwargs))
        return _result(call, answer)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        call = self._read_call(messages, stop, kwargs)
        shown = Shown(call)
        with closing(follow(call)) as pieces:
            for piece in pieces:
                chunk = _chunk(shown, piece)
                if chunk is None:
                    continue
                if run_manager:
                    run_manager.on_llm_new_token(str(chunk.message.content), chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        read = partial(self._read_call, messages, stop, kwargs)
        call = await asyncio.get_running_loop().run_in_executor(None, read)
        shown = Shown(call)
        async with aclosing(afollow(call)) as pieces:
            async for piece in pieces:
                chunk = _chunk(shown, piece)
                if chunk is None:
                    continue
                if run_manager:
                    await run_manager.on_llm_new_token(str(chunk.message.content), chunk=chunk)
                yield chunk

    def _read_call(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> ChatCall:
        """One call, checked before anything is loaded, with its prompt and λ."""
        settings = read_call_settings(self, stop, kwargs, *STRUCTURE_SETTINGS)
        # Who binds tools by keyword may bind them as they are.
        given = kwargs.get("tools") or ()
        kwargs = {**kwargs, "tools": [convert_to_openai_tool(tool) for tool in given]}
        engine = self._shared_engine()
        tools = shown_tools(kwargs)
        messages = unfolded(messages)
        prompt = encode_messages(engine.prompts, messages, self.plain_messages, tools)
        return ChatCall(
            engine=engine,
            model_name=self.model_name,
            prompt=prompt,
            decision=self._decide(settings, partial(question_of, messages), messages, prompt),
            settings=settings,
            structure=read_structure(engine, kwargs, settings.sampling.max_new_tokens),
            templated=engine.prompts.has_chat_template,
        )


def _result(call: ChatCall, answer: Answer) -> ChatResult:
    message = read_reply(call, answer).message()
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunk(shown: Shown, piece: str | Answer) -> ChatGenerationChunk | None:
    """A piece as LangChain streams it; None where there is nothing to show yet."""
    if isinstance(piece, Answer):
        return ChatGenerationChunk(message=read_reply(shown.call, piece).last_chunk(shown.text))
    text = shown.feed(piece)
    return ChatGenerationChunk(message=AIMessageChunk(content=text)) if text else None
