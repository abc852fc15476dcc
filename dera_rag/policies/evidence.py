"""λ from the evidence: a base, and additions for what the question and its passages show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from dera_rag.errors import InvalidValueError
from dera_rag.policies.config import Settings, parse
from dera_rag.policies.signals import SIGNALS, Cues, read_signals
from dera_rag.types import Evidence, Json, LambdaDecision, check_lam

_ELSEWHERE = 1.0


@dataclass(frozen=True)
class Adjustment:
    """One line of the policy: if a signal is beyond a bound, λ changes, and this is why.

    A signal that is NaN is beyond no bound.

    Attributes:
        signal: A name out of `SIGNALS`.
        add: What is added to λ; may be negative.
        because: Why, as the end of a sentence.
        above: Applies where the signal is > this; exactly one of `above` and `below` is given.
        below: Applies where the signal is < this.

    Raises:
        InvalidValueError: An unknown signal, no or two bounds, or a number that is not finite.
    """

    signal: str
    add: float
    because: str
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        """Refuse a line that cannot be applied."""
        if self.signal not in SIGNALS:
            raise InvalidValueError(f"unknown signal {self.signal!r}", hint=f"one of {[*SIGNALS]}")
        if (self.above is None) == (self.below is None):
            raise InvalidValueError(f"{self.signal}: give exactly one of `above` and `below`")
        bound = self.above if self.below is None else self.below
        for name, value in (("add", self.add), ("bound", bound)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise InvalidValueError(f"{self.signal}: {name} must be a number, got {value!r}")
            if not math.isfinite(value):
                raise InvalidValueError(f"{self.signal}: {name} must be finite, got {value!r}")

    def applies(self, signals: Mapping[str, float]) -> bool:
        """Whether the signal is beyond the bound."""
        value = signals[self.signal]
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below


@dataclass(frozen=True)
class EvidencePolicy:
    """λ = base + Σ of the adjustments that apply, within [0, maximum].

    Fitted to one pair and one corpus. For another, what the signals mean for λ is unknown: λ is 1,
    the aligned model as it was trained, and the reason says so.

    Attributes:
        pair: `ModelPair.name` it was fitted to.
        corpus: Name of the corpus it was fitted to.
        base: λ where no adjustment applies.
        maximum: Largest λ; the range the fit has seen.
        cues: How to read records and questions.
        adjustments: Applied in order.

    Raises:
        InvalidValueError: base or maximum is no λ, or base > maximum.
    """

    pair: str
    corpus: str
    base: float
    maximum: float
    cues: Cues
    adjustments: tuple[Adjustment, ...] = ()
    name = "evidence"

    def __post_init__(self) -> None:
        """Refuse numbers that lead to no λ."""
        check_lam(self.maximum)
        if check_lam(self.base) > self.maximum:
            raise InvalidValueError(
                f"base {self.base} exceeds maximum {self.maximum}", hint="raise maximum"
            )

    def fits(self, pair: str, corpus: str) -> bool:
        """Whether it was fitted to this pair and corpus."""
        return (pair, corpus) == (self.pair, self.corpus)

    def measures_disagreement(self, pair: str, corpus: str) -> bool:
        """Whether a decision for this pair and corpus looks at the models' disagreement."""
        return self.fits(pair, corpus) and any(
            adjustment.signal == "disagreement" for adjustment in self.adjustments
        )

    def decide(self, question: str, evidence: Evidence) -> LambdaDecision:
        """λ, each applied adjustment in words, and every signal."""
        signals = read_signals(question, evidence, self.cues)
        if not self.fits(evidence.pair, evidence.corpus):
            corpus = f"corpus {evidence.corpus!r}" if evidence.corpus else "a corpus without a name"
            reason = (
                f"λ=1: the policy is fitted to pair {self.pair!r} and corpus {self.corpus!r}, "
                f"not to pair {evidence.pair!r} and {corpus}"
            )
            return LambdaDecision(_ELSEWHERE, reason, signals, self.name)
        applied = [line for line in self.adjustments if line.applies(signals)]
        total = self.base + sum(line.add for line in applied)
        lam = min(max(total, 0.0), self.maximum)
        return LambdaDecision(lam, self._reason(lam, applied), signals, self.name)

    def _reason(self, lam: float, applied: Sequence[Adjustment]) -> str:
        if not applied:
            return f"λ={lam:g}, the base: the passages show nothing unusual"
        additions = "; ".join(f"{line.add:+g} as {line.because}" for line in applied)
        return f"λ={lam:g}: base {self.base:g}, {additions}"

    @classmethod
    def embedded(cls) -> EvidencePolicy:
        """The policy fitted to the embedded pair on the venues corpus."""
        file = resources.files("dera_rag") / "embedded" / "policy.yaml"
        return cls.from_config(parse(file.read_text(encoding="utf-8"), "embedded/policy.yaml"))

    def to_config(self) -> dict[str, Json]:
        """Values for `from_config`."""
        return {
            "policy": self.name,
            "pair": self.pair,
            "corpus": self.corpus,
            "base": self.base,
            "maximum": self.maximum,
            "name_label": self.cues.name,
            "cues": {label: list(words) for label, words in self.cues.attributes.items()},
            "adjustments": [_line(adjustment) for adjustment in self.adjustments],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Json]) -> EvidencePolicy:
        """Read `to_config`'s form.

        Raises:
            InvalidValueError: A missing or unknown key, or a value of the wrong kind.
        """
        settings = Settings(config, "policy")
        settings.take("policy", str, cls.name)
        attributes = {
            label: tuple(settings.strings(words, f"cues.{label}"))
            for label, words in settings.take("cues", dict).items()
        }
        policy = cls(
            pair=settings.take("pair", str),
            corpus=settings.take("corpus", str),
            base=settings.number("base"),
            maximum=settings.number("maximum"),
            cues=Cues(settings.take("name_label", str, "name"), attributes),
            adjustments=tuple(
                _adjustment(line, index)
                for index, line in enumerate(settings.take("adjustments", list, []))
            ),
        )
        settings.finish()
        return policy


def _line(adjustment: Adjustment) -> dict[str, Json]:
    bound = "below" if adjustment.above is None else "above"
    return {
        "signal": adjustment.signal,
        bound: getattr(adjustment, bound),
        "add": adjustment.add,
        "because": adjustment.because,
    }


def _adjustment(line: Json, index: int) -> Adjustment:
    settings = Settings(line, f"adjustments[{index}]")
    adjustment = Adjustment(
        signal=settings.take("signal", str),
        add=settings.number("add"),
        because=settings.take("because", str),
        above=settings.number("above", None),
        below=settings.number("below", None),
    )
    settings.finish()
    return adjustment
