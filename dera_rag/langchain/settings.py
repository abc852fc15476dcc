"""What a chat model and a completion model of this package have in common: fields and calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self, cast

from langchain_core.language_models import LangSmithParams
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.call_settings import FIELDS, MOST_LOGPROBS, REMOTE, CallSettings
from dera_rag.langchain.engine import Engine
from dera_rag.langchain.evidence import decide, default_policy, policy_hash, read_evidence
from dera_rag.langchain.source import Source
from dera_rag.policies import ConstantPolicy
from dera_rag.protocols import LambdaPolicy
from dera_rag.types import LambdaDecision, check_lam

_MEASURED_TOKENS = 4
# A thread that waits costs little: a list of inputs is decoded in one batch.
_THREADS = 64


class DeRaSettings(BaseModel):
    """Fields of every model over a pair, and what follows from them."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    reference: str | None = None
    aligned: str | None = None
    adapter: str | None = None
    pair: Any = Field(default=None, exclude=True, repr=False)
    dera_lambda: float | Literal["auto"] = "auto"
    dera_policy: Any = Field(default=None, exclude=True, repr=False)
    dera_corpus: str = ""
    # The ranges of `Sampling`, repeated because it brings torch and this constructor stays cheap.
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    max_tokens: int = Field(default=256, ge=1)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    min_p: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    seed: int | None = None
    stop: list[str] | None = None
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_LOGPROBS)
    engine: Engine | None = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_remote_settings(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        # None is a setting that was not made, as in a call.
        return {
            name: value
            for name, value in values.items()
            if name not in REMOTE and value is not None
        }

    @field_validator("stop", mode="before")
    @classmethod
    def _read_stop(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("dera_lambda", mode="before")
    @classmethod
    def _check_lambda(cls, value: object) -> object:
        return value if value == "auto" else check_lam(value)  # type: ignore[arg-type]

    @field_validator("dera_policy")
    @classmethod
    def _check_policy(cls, value: object) -> object:
        if value is not None and not isinstance(value, LambdaPolicy):
            raise InvalidValueError(f"no λ policy: {value!r:.80}", hint="see dera_rag.policies")
        return value

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        self._shared_engine()
        return self

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A model with settings of its own that shares what is loaded.

        Args:
            memo: What is copied already, by its id.
        """
        memo = {} if memo is None else memo
        memo |= {id(item): item for item in (self.pair, getattr(self, "rate_limiter", None))}
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        """What is pickled: names, never weights.

        Raises:
            InvalidValueError: The pair is a loaded object.
        """
        if self._source.token is not None:
            raise InvalidValueError(
                "a model over a loaded pair cannot be sent to another process",
                hint="name `reference` and `aligned`: they are loaded there",
            )
        return super().__getstate__()

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Models are written by `langchain_core.load.dumps`, see `to_json`."""
        return True

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """The pair is no field that is shown."""
        return {} if self.pair is None else {"pair": self.pair}

    def to_json(self) -> Any:
        """The constructor and its arguments; not where they hold a loaded pair or a policy."""
        if self._source.token is not None or self.dera_policy is not None:
            return cast(Any, self).to_json_not_implemented()
        return cast(Any, super()).to_json()

    @property
    def _source(self) -> Source:
        return Source(self.reference, self.aligned, self.adapter, self.pair)

    def _shared_engine(self) -> Engine:
        source = self._source
        # A copy brings its engine along; one whose pair was changed needs another.
        if self.engine is None or self.engine.source.key != source.key:
            self.engine = Engine.of(source)
        return self.engine

    @property
    def model_name(self) -> str:
        """Names the pair, without loading it."""
        return self._source.name

    def _told(self, *more: str) -> dict[str, Any]:
        """What an answer depends on: response caches key on it."""
        told = {name: getattr(self, name) for name in (*FIELDS, "stop", *more)}
        # A call may ask for "auto" too, so its policy is always told.
        told |= {"dera_corpus": self.dera_corpus, "dera_policy": policy_hash(self.dera_policy)}
        if self._source.token is not None:
            told["pair"] = self._source.token
        return {"model_name": self.model_name, **told}

    def _traced(
        self, params: LangSmithParams, stop: list[str] | None, kwargs: Mapping[str, Any]
    ) -> LangSmithParams:
        """LangSmith's standard parameters, with ours."""
        params["ls_provider"] = "dera"
        params["ls_model_name"] = kwargs.get("model", self.model_name)
        if stop or self.stop:
            params["ls_stop"] = list(stop or self.stop or ())
        return params

    def _decide(
        self,
        settings: CallSettings,
        question: Callable[[], str],
        messages: Sequence[BaseMessage],
        prompt: Sequence[int],
    ) -> LambdaDecision:
        """λ of a call: as it was set, or by the policy."""
        if settings.lam != "auto":
            return LambdaDecision(settings.lam, f"λ is fixed at {settings.lam:g}")
        engine = self._shared_engine()
        evidence = read_evidence(settings.evidence, messages, engine.pair.name, self.dera_corpus)
        policy = default_policy() if self.dera_policy is None else self.dera_policy
        needed = evidence.passages or isinstance(policy, ConstantPolicy)

        def measure() -> float:
            from dera_rag.numerics import Sampling

            greedy = Sampling(temperature=0.0, max_new_tokens=_MEASURED_TOKENS)
            asked = engine.submit(prompt, 1.0, greedy, full_trace=True)
            return asked.result().generation.trace.mean_kl

        return decide(policy, question() if needed else "", evidence, measure)


def together(
    config: RunnableConfig | list[RunnableConfig] | None, count: int
) -> list[RunnableConfig]:
    """Configurations of a list of inputs, which let all of them be decoded at once.

    By default LangChain asks a few at a time, one thread for each core and four more.

    Args:
        config: As `Runnable.batch` takes it; a `max_concurrency` that it sets stands.
        count: How many inputs there are.
    """
    configs = get_config_list(config, count)
    for own in configs:
        if own.get("max_concurrency") is None:
            own["max_concurrency"] = min(_THREADS, max(1, count))
    return configs
