"""`ChatDeRa`: a LangChain chat model that decodes with λ·aligned + (1−λ)·reference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, field_validator, model_validator

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.engine import Engine, Source
from dera_rag.langchain.messages import PlainMessages, encode_messages
from dera_rag.types import Generation, LambdaDecision, check_lam

if TYPE_CHECKING:
    from dera_rag.numerics import Sampling

_WITHOUT_EVIDENCE = LambdaDecision(1.0, "λ=1: 'auto' had no evidence to go by", policy="evidence")
# What a call may set; the fields of the same names hold the defaults.
_SAMPLING = ("temperature", "max_tokens", "top_p", "top_k", "min_p", "seed")
# LangChain's standard settings of a remote service: accepted, without meaning in this process.
_REMOTE = frozenset({"api_key", "base_url", "max_retries", "stream", "streaming", "timeout"})


class ChatDeRa(BaseChatModel):
    """A chat model over a reference and an aligned model, with λ per call.

    ```python
    model = ChatDeRa(reference="dir-or-hub-id", aligned="dir-or-hub-id", temperature=0.7)
    model.invoke("Tell me about …", dera_lambda=1.5).response_metadata["dera"]
    ```

    The constructor loads nothing; the first call does. Conversations go through the pair's chat
    template. Calls take turns on one pair, which copies of the model (`bind`,
    `configurable_fields`) share. `response_metadata` holds `model_name`, `finish_reason` and
    `dera`: `lam`, `policy`, `reason`, `signals`, and `mean_kl`, the mean KL(mixture ‖ reference)
    per token in nats where both models ran, else None.

    LangChain's settings for remote services (`api_key`, `timeout`, `max_retries`, …) are accepted
    and have no meaning here; any other unknown name is refused.

    Attributes:
        reference: Directory or hub id of the reference model (λ=0).
        aligned: Directory or hub id of the aligned model (λ=1).
        pair: A loaded pair in place of the two names; "embedded" for the one that ships with the
            package.
        dera_lambda: λ ≥ 0, or "auto" (default): λ chosen from the evidence, and 1 where a call
            brings none.
        temperature: ≥ 0; 0 is greedy. Default 1.
        max_tokens: Longest answer in tokens, ≥ 1. Default 256.
        top_p: In (0, 1]; 1 (default) keeps every token.
        top_k: ≥ 0; 0 (default) keeps every token.
        min_p: In [0, 1]; 0 (default) keeps every token.
        seed: Seed of the noise of each call, taken as it is; None (default) draws one per call.
        stop: Strings that end an answer; those of a call replace them.
        plain_messages: What a pair without a chat template reads: "all" (default), the contents of
            all messages joined by empty lines; or "last_human", the last human message alone, which
            is put into `prompts.PLAIN_PROMPT` as a question without passages unless it ends in
            `Answer:` as that prompt does.
        engine: Holds the loaded pair; made by the constructor.

    Raises:
        ValueError: No pair is named, an unknown setting, or a value out of its range: pydantic's
            ValidationError from the constructor, `InvalidValueError` from a call.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    reference: str | None = None
    aligned: str | None = None
    pair: Any = Field(default=None, exclude=True, repr=False)
    dera_lambda: float | Literal["auto"] = "auto"
    # The ranges of `Sampling`, repeated because it brings torch and this constructor stays cheap.
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    max_tokens: int = Field(default=256, ge=1)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    min_p: float = Field(default=0.0, ge=0, le=1)
    seed: int | None = None
    stop: list[str] | None = None
    plain_messages: PlainMessages = "all"
    engine: Engine | None = Field(default=None, exclude=True, repr=False)

    @classmethod
    def embedded(cls, **settings: Any) -> Self:
        """The pair that ships with the package, which answers questions over venue records.

        It has no chat template and knows one form of prompt: compose `prompts.PLAIN_PROMPT` in your
        chain, its passages written by `prompts.number_passages`, and send it as the human message.
        A bare question reaches it without passages, and it then has nothing to go by.

        Args:
            **settings: Fields of this class.
        """
        return cls(**({"pair": "embedded", "plain_messages": "last_human"} | settings))

    @model_validator(mode="before")
    @classmethod
    def _drop_remote_settings(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if name not in _REMOTE}

    @field_validator("dera_lambda", mode="before")
    @classmethod
    def _check_lambda(cls, value: object) -> object:
        return value if value == "auto" else check_lam(value)  # type: ignore[arg-type]

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        self._shared_engine()
        return self

    def _shared_engine(self) -> Engine:
        source = Source(self.reference, self.aligned, self.pair)
        # A copy brings its engine along; one whose pair was changed needs another.
        if self.engine is None or self.engine.source != source:
            self.engine = Engine(source)
        return self.engine

    @property
    def model_name(self) -> str:
        """Names the pair, without loading it."""
        return Source(self.reference, self.aligned, self.pair).name

    @property
    def _llm_type(self) -> str:
        return "dera"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What an answer depends on: response caches key on it."""
        names = ("dera_lambda", *_SAMPLING, "stop", "plain_messages")
        return {"model_name": self.model_name} | {name: getattr(self, name) for name in names}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_provider"] = "dera"
        params["ls_model_name"] = kwargs.get("model", self.model_name)
        return params

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

        Raises:
            NotImplementedError: Tools are given.
        """
        if tools:
            raise NotImplementedError("ChatDeRa has no tools yet")
        return len(encode_messages(self._shared_engine().prompts, messages, self.plain_messages))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        decision, sampling, stops = self._read_call(stop, kwargs)
        engine = self._shared_engine()
        prompt = encode_messages(engine.prompts, messages, self.plain_messages)
        made = engine.generate(prompt, decision.lam, sampling, stops)
        text = made.text if engine.prompts.has_chat_template else made.text.lstrip()
        message = AIMessage(
            text,
            usage_metadata=_usage(made),
            response_metadata=_metadata(made, decision, self.model_name),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        decision, sampling, stops = self._read_call(stop, kwargs)
        engine = self._shared_engine()
        prompt = encode_messages(engine.prompts, messages, self.plain_messages)
        # A plain prompt ends before the space that the answer starts with.
        started = engine.prompts.has_chat_template
        for piece in engine.stream(prompt, decision.lam, sampling, stops):
            text = piece.text if started else piece.text.lstrip()
            started = started or bool(text)
            message = AIMessageChunk(content=text)
            if piece.generation is not None:
                message.usage_metadata = _usage(piece.generation)
                message.response_metadata = _metadata(piece.generation, decision, self.model_name)
                message.chunk_position = "last"
            elif not text:
                continue
            chunk = ChatGenerationChunk(message=message)
            if run_manager:
                run_manager.on_llm_new_token(text, chunk=chunk)
            yield chunk

    def _read_call(
        self, stop: list[str] | None, kwargs: dict[str, Any]
    ) -> tuple[LambdaDecision, Sampling, list[str]]:
        """λ, sampling and stop strings of one call, checked before anything is loaded."""
        from dera_rag.numerics import Sampling

        unknown = set(kwargs) - {"dera_lambda", *_SAMPLING} - _REMOTE
        if unknown:
            raise InvalidValueError(
                f"unknown settings {sorted(unknown)}", hint=f"one of {['dera_lambda', *_SAMPLING]}"
            )
        chosen = {
            name: getattr(self, name) if kwargs.get(name) is None else kwargs[name]
            for name in ("dera_lambda", *_SAMPLING)
        }
        lam = chosen.pop("dera_lambda")
        decision = _WITHOUT_EVIDENCE
        if lam != "auto":
            decision = LambdaDecision(check_lam(lam), f"λ is fixed at {lam:g}")
        sampling = Sampling(max_new_tokens=chosen.pop("max_tokens"), **chosen)
        return decision, sampling, list((self.stop or []) if stop is None else stop)


def _usage(made: Generation) -> UsageMetadata:
    usage = made.usage
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )


def _metadata(made: Generation, decision: LambdaDecision, model_name: str) -> dict[str, Any]:
    mean_kl = made.trace.mean_kl
    return {
        "model_name": model_name,
        "finish_reason": made.finish_reason,
        # Drafts may change the last digits of a trace; what is shown must not depend on them.
        "dera": decision.to_dict()
        | {"mean_kl": round(mean_kl, 4) if math.isfinite(mean_kl) else None},
    }
