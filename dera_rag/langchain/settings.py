"""What a chat model and a completion model of this package have in common: fields and calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from langchain_core.language_models import LangSmithParams
from langchain_core.messages import BaseMessage
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.engine import Engine
from dera_rag.langchain.evidence import decide, default_policy, policy_hash, read_evidence
from dera_rag.langchain.source import Source
from dera_rag.policies import ConstantPolicy
from dera_rag.protocols import LambdaPolicy
from dera_rag.types import LambdaDecision, check_lam

if TYPE_CHECKING:
    from dera_rag.numerics import Sampling

# What a call may set; the fields of the same names hold the defaults.
_SAMPLING = (
    "temperature",
    "max_tokens",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
)
_CALL = ("dera_lambda", *_SAMPLING, "logprobs", "top_logprobs")
CALL_SETTINGS = frozenset({*_CALL, "dera_evidence"})
# LangChain's standard settings of a remote service: accepted, without meaning in this process.
_REMOTE = frozenset({"api_key", "base_url", "max_retries", "stream", "streaming", "timeout"})
_MEASURED_TOKENS = 4
_MOST_LOGPROBS = 20


@dataclass(frozen=True)
class CallSettings:
    """One call's settings, checked.

    Attributes:
        lam: λ ≥ 0 or "auto".
        sampling: How tokens are drawn.
        stops: Strings that end the answer.
        logprobs: Whether log-probabilities are returned.
        top_logprobs: How many alternatives come with each.
        evidence: What was given as `dera_evidence`.
    """

    lam: float | Literal["auto"]
    sampling: Sampling
    stops: tuple[str, ...]
    logprobs: bool
    top_logprobs: int
    evidence: object


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
    top_logprobs: int | None = Field(default=None, ge=0, le=_MOST_LOGPROBS)
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
            if name not in _REMOTE and value is not None
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
        told = {name: getattr(self, name) for name in (*_CALL, "stop", *more)}
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

    def _read_settings(
        self, stop: list[str] | None, kwargs: Mapping[str, Any], *also: str
    ) -> CallSettings:
        """Settings of one call, checked before anything is loaded.

        Args:
            stop: Strings that end the answer; None for the field's.
            kwargs: What the call sets.
            also: Names that are read elsewhere.

        Raises:
            InvalidValueError: An unknown name, or a value out of its range.
        """
        from dera_rag.decoding.requests import read_stops
        from dera_rag.numerics import Sampling

        known = [*_CALL, "dera_evidence", *also]
        unknown = set(kwargs) - set(known) - _REMOTE
        if unknown:
            raise InvalidValueError(f"unknown settings {sorted(unknown)}", hint=f"one of {known}")
        chosen = {
            name: getattr(self, name) if kwargs.get(name) is None else kwargs[name]
            for name in _CALL
        }
        lam = chosen["dera_lambda"]
        sampling = {name: chosen[name] for name in _SAMPLING if name != "max_tokens"}
        longest = _whole("max_tokens", chosen["max_tokens"], 1, sys.maxsize)
        return CallSettings(
            lam if lam == "auto" else check_lam(lam),
            Sampling(max_new_tokens=longest, **sampling),
            read_stops(self.stop if stop is None else stop),
            bool(chosen["logprobs"]),
            _whole("top_logprobs", chosen["top_logprobs"] or 0, 0, _MOST_LOGPROBS)
            if chosen["logprobs"]
            else 0,
            kwargs.get("dera_evidence"),
        )

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


def _whole(name: str, value: object, least: int, most: int) -> int:
    """A whole number in a range.

    Raises:
        InvalidValueError: Another value.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        span = f"in [{least}, {most}]" if most < sys.maxsize else f"≥ {least}"
        raise InvalidValueError(f"{name} must be an integer {span}, got {value!r}")
    return value
