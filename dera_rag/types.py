"""Frozen records that cross rooms.

Everything here is plain Python (no tensors), so answers, traces and decisions can be compared,
stored as JSON (`to_dict`) and sent between processes. Shapes: `T` is the number of generated
tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from numbers import Real
from typing import Literal

from dera_rag.errors import InvalidValueError

FinishReason = Literal["stop", "length"]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class BranchedPrompt(tuple[int, ...]):
    """A prompt's token ids, with what a backend of more than two branches reads beside them.

    It is the tuple of its ids wherever a prompt is expected. Two of them are equal only if what
    stands beside the ids is equal too.

    Args:
        token_ids: The prompt, passages included.
        without: Token ids of the same prompt without its passages; None where no branch needs it.
        shares: What part of λ each aligned model has, by name; None for the backend's own.
    """

    without: tuple[int, ...] | None
    shares: Mapping[str, float] | None

    def __new__(
        cls,
        token_ids: Iterable[int],
        *,
        without: Iterable[int] | None = None,
        shares: Mapping[str, float] | None = None,
    ) -> BranchedPrompt:
        """See the class."""
        made = super().__new__(cls, token_ids)
        made.without = None if without is None else tuple(without)
        made.shares = None if shares is None else dict(shares)
        return made

    def _beside(self) -> tuple[tuple[int, ...] | None, frozenset[tuple[str, float]] | None]:
        return self.without, None if self.shares is None else frozenset(self.shares.items())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BranchedPrompt):
            return False
        return tuple(self) == tuple(other) and self._beside() == other._beside()

    def __ne__(self, other: object) -> bool:
        # A tuple has its own, which would compare the ids alone.
        return not self == other

    def __hash__(self) -> int:
        return hash((tuple(self), self._beside()))


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written.

    Attributes:
        prompt_tokens: Length of the encoded prompt, special tokens included.
        completion_tokens: Number of generated tokens, a final EOS included.
    """

    prompt_tokens: int
    completion_tokens: int

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


def _json_number(value: float) -> float | None:
    """NaN and the infinities have no JSON form: they become null."""
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class DecodeTrace:
    """What the two models thought of each generated token.

    All values are before temperature, penalties and truncation, in nats; a value that was not
    computed is NaN and `reasons` says why (under `trace="auto"` a row at λ=0 or λ=1 runs one
    model only).

    Attributes:
        lam: λ used at each token, length T.
        reference: log π_reference(token), length T, ≤ 0.
        aligned: log π_aligned(token), length T, ≤ 0.
        mixture: log softmax(λ·aligned + (1−λ)·reference)(token), length T, ≤ 0.
        kl: KL(mixture ‖ reference), length T, ≥ 0.
        entropy: Entropy of the mixture, length T, ≥ 0.
        reasons: Field name → why its values are NaN.
    """

    lam: tuple[float, ...] = ()
    reference: tuple[float, ...] = ()
    aligned: tuple[float, ...] = ()
    mixture: tuple[float, ...] = ()
    kl: tuple[float, ...] = ()
    entropy: tuple[float, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def log_ratio(self) -> tuple[float, ...]:
        """DPO's implicit reward over β, per token: log π_aligned − log π_reference, length T."""
        return tuple(a - r for a, r in zip(self.aligned, self.reference, strict=True))

    @property
    def mean_kl(self) -> float:
        """Mean of `kl` over the tokens; NaN where it was not computed or nothing was generated."""
        return sum(self.kl) / len(self.kl) if self.kl else math.nan

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form; NaN becomes null."""
        numbers: dict[str, Json] = {
            f.name: [_json_number(x) for x in getattr(self, f.name)]
            for f in fields(self)
            if f.name != "reasons"
        }
        return numbers | {"reasons": dict(self.reasons)}


@dataclass(frozen=True, slots=True)
class Generation:
    """One decoded answer.

    Attributes:
        text: The answer without special tokens and without the stop string.
        token_ids: What was generated: a generated EOS and the tokens up to a stop match included.
        finish_reason: `stop` (EOS or a stop string) or `length`.
        usage: Token counts; `usage.completion_tokens == len(token_ids)`.
        trace: Per-token view of both models.
        lam: The λ this row was decoded with.
        seed: The row seed of its noise; None when greedy.
    """

    text: str
    token_ids: list[int]
    finish_reason: FinishReason
    usage: Usage
    trace: DecodeTrace
    lam: float
    seed: int | None = None

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {
            "text": self.text,
            "token_ids": list(self.token_ids),
            "finish_reason": self.finish_reason,
            "usage": asdict(self.usage) | {"total_tokens": self.usage.total_tokens},
            "trace": self.trace.to_dict(),
            "lam": self.lam,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class GenerationChunk:
    """A piece of a streamed answer.

    Attributes:
        text: New text; joined over the stream it equals `Generation.text`.
        generation: The whole answer, on the last chunk only.
    """

    text: str
    generation: Generation | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved piece of text.

    Attributes:
        id: Stable id within its index; what citations name.
        text: The passage.
        score: Relevance in [0, 1], higher is better: the cosine similarity to the question, clipped
            at 0.
        scores: Raw scores by retriever (`dense`, `bm25`, `rrf`), higher is better.
        metadata: Where it came from (`source`, `title`, …).
    """

    id: str
    text: str
    score: float = math.nan
    scores: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {
            "id": self.id,
            "text": self.text,
            "score": _json_number(self.score),
            "scores": {name: _json_number(value) for name, value in self.scores.items()},
            "metadata": dict(self.metadata),
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a λ policy may look at before decoding.

    Attributes:
        passages: Retrieved passages, best first.
        disagreement: Mean KL(aligned ‖ reference) over the first tokens in nats, ≥ 0; NaN if not
            measured.
        pair: Name of the pair, as `ModelPair.name`.
        corpus: Name of the corpus the passages come from; "" if unknown.
    """

    passages: tuple[Passage, ...]
    disagreement: float = math.nan
    pair: str = ""
    corpus: str = ""


@dataclass(frozen=True, slots=True)
class LambdaDecision:
    """Which λ, and why.

    Attributes:
        lam: λ ≥ 0; 0 is the reference model, 1 the aligned one, above 1 extrapolates.
        reason: One sentence for people.
        signals: The numbers the decision rests on.
        policy: Registry name of the policy, or "constant".
        plausibility: Tokens must have at least this share of the aligned model's highest
            probability, in [0, 1]; 0 (default) keeps all. A remedy for extrapolation; a policy
            that sets it says so in `reason`.
    """

    lam: float
    reason: str
    signals: Mapping[str, float] = field(default_factory=dict)
    policy: str = "constant"
    plausibility: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a λ or a plausibility that cannot be decoded with; keep both as floats."""
        object.__setattr__(self, "lam", check_lam(self.lam))
        object.__setattr__(self, "plausibility", check_plausibility(self.plausibility))

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {
            "lam": self.lam,
            "reason": self.reason,
            "signals": {name: _json_number(value) for name, value in self.signals.items()},
            "policy": self.policy,
            "plausibility": self.plausibility,
        }


@dataclass(frozen=True, slots=True)
class UnsupportedSpan:
    """A stretch of the answer that the passages do not support.

    Attributes:
        start: First character in the answer's text.
        end: One past the last character.
        text: The stretch itself.
        reason: What is wrong with it, for people (e.g. "food: the record says Italian").
    """

    start: int
    end: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class RagAnswer:
    """An answer with everything it rests on.

    Attributes:
        text: The answer.
        passages: The passages in the prompt, best first.
        decision: λ and why.
        generation: The decode behind the text, with its trace.
        unsupported_spans: What the meter could not find support for; empty also when no meter ran.
        citations: Ids of the passages the answer draws on, in order of first use.
        abstained: Whether the answer says that the passages do not tell.
        dropped_passages: Ids of passages left out because they did not fit the context window.
        question: The question.
    """

    text: str
    passages: tuple[Passage, ...]
    decision: LambdaDecision
    generation: Generation
    unsupported_spans: tuple[UnsupportedSpan, ...] = ()
    citations: tuple[str, ...] = ()
    abstained: bool = False
    dropped_passages: tuple[str, ...] = ()
    question: str = ""

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {
            "question": self.question,
            "text": self.text,
            "decision": self.decision.to_dict(),
            "passages": [passage.to_dict() for passage in self.passages],
            "unsupported_spans": [asdict(span) for span in self.unsupported_spans],
            "citations": list(self.citations),
            "abstained": self.abstained,
            "dropped_passages": list(self.dropped_passages),
            "generation": self.generation.to_dict(),
        }


def check_lam(lam: float) -> float:
    """λ as a float, refused unless finite and ≥ 0.

    Raises:
        InvalidValueError: λ is NaN, infinite, negative or no number.
    """
    # Real, since a policy may compute with numpy.
    if isinstance(lam, bool) or not isinstance(lam, Real):
        raise InvalidValueError(
            f"λ must be a number, got {lam!r}", hint="use a float ≥ 0, e.g. 1.0"
        )
    if not math.isfinite(lam) or lam < 0:
        raise InvalidValueError(
            f"λ must be finite and ≥ 0, got {lam!r}",
            hint="0 is the reference model, 1 the aligned one, [0, 2] the usual range",
        )
    return float(lam)


def check_plausibility(share: float) -> float:
    """A plausibility threshold as a float.

    Raises:
        InvalidValueError: It is no number in [0, 1].
    """
    if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share <= 1:
        raise InvalidValueError(
            f"plausibility must be a number in [0, 1], got {share!r}",
            hint="a share of the aligned model's highest probability, e.g. 0.1; 0 keeps all tokens",
        )
    return float(share)
