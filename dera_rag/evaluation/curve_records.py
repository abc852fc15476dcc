"""What a curve over λ is made of: scored answers, and the estimates that sum them up.

Plain records with a JSON form, so a curve can be stored, drawn and compared without a model at
hand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics import Estimate, mean, proportion, ratio
from dera_rag.types import Json, check_lam

Lam = float | Literal["auto"]

METRICS: Mapping[str, str] = {
    "hallucination": "share of answers with an inserted or wrong value; lower is better",
    "inserted": "share of answers with a value the record lacks; lower is better",
    "wrong": "share of answers with a value other than the record's; lower is better",
    "coverage": "asked things that the answers convey, of all asked; higher is better",
    "abstained": "share of answers that say something is not listed; judge it by kind",
    "copy_rate": "share of words in verbatim runs of four or more; lower is better",
    "log_likelihood": "nats per token under a third model; neither end is best",
    "distance": "|log-likelihood − human mean| in human standard deviations; lower is better",
    "repetition": "share of repeated 3-word runs; lower is better",
    "length": "words",
    "unfinished": "share of answers cut at the longest length; lower is better",
    "kl": "KL(mixture ‖ reference) in nats per answer, at λ=1 KL(aligned ‖ reference)",
    "kl_per_token": "the same per token",
}
"""Metric → what it measures and which direction is better."""

_RATES = ("hallucination", "inserted", "wrong", "abstained", "unfinished")


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """One answer at one λ with everything that was measured on it; NaN is unscorable.

    Attributes:
        key: The question's key.
        kind: Its kind.
        source: The place it is about: questions of one source are not independent.
        question: Its text.
        answer: What was said.
        lam: λ it was decoded with.
        passages: Ids of the passages in the prompt.
        inserted: Attributes given a value the record lacks.
        wrong: Attributes given another value than the record's.
        deleted: Asked attributes left out.
        expected: Things asked for.
        covered: How many of them the answer conveys.
        abstained: Whether it says that something is not listed.
        copy_rate: Share of words in verbatim runs of four or more.
        log_likelihood: Nats per token under the third model.
        distance: Of that from human references, in their standard deviations.
        repetition: Share of repeated 3-word runs.
        length: Words.
        unfinished: Whether it was cut at the longest length.
        kl: KL(mixture ‖ reference) summed over the tokens, nats.
        kl_per_token: Its mean over the tokens.
    """

    key: str
    kind: str
    source: str
    question: str
    answer: str
    lam: float
    passages: tuple[str, ...]
    inserted: tuple[str, ...]
    wrong: tuple[str, ...]
    deleted: tuple[str, ...]
    expected: int
    covered: int
    abstained: bool
    copy_rate: float
    log_likelihood: float
    distance: float
    repetition: float
    length: int
    unfinished: bool
    kl: float
    kl_per_token: float

    def __post_init__(self) -> None:
        """Keep as many decimals as are stored: a run that was resumed gives the same curve."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and math.isfinite(value):
                object.__setattr__(self, field.name, round(value, 6))

    def to_json(self) -> str:
        """One line of JSON; NaN becomes null."""
        return json.dumps({k: _stored(v) for k, v in asdict(self).items()}, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> ScoredAnswer:
        """Read `to_json` back."""
        read: dict[str, Any] = {
            k: math.nan if v is None else tuple(v) if isinstance(v, list) else v
            for k, v in json.loads(line).items()
        }
        return cls(**read)

    def value(self, metric: str) -> float:
        """A metric of this answer; coverage is a ratio over answers and has none."""
        if metric == "hallucination":
            return float(bool(self.inserted or self.wrong))
        found = getattr(self, metric)
        return float(bool(found) if isinstance(found, tuple) else found)


@dataclass(frozen=True, slots=True)
class CurveRow:
    """All metrics at one λ.

    Attributes:
        lam: λ, or "auto" for the policy.
        mean_lam: Mean of the λ that was used; equals `lam` where that is a number.
        metrics: Name out of `METRICS` → estimate over all questions.
        kinds: Question kind → hallucination, coverage and abstained over its questions.
    """

    lam: Lam
    mean_lam: float
    metrics: Mapping[str, Estimate]
    kinds: Mapping[str, Mapping[str, Estimate]]

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {
            "lam": self.lam,
            "mean_lam": self.mean_lam,
            "metrics": {name: e.to_dict() for name, e in self.metrics.items()},
            "kinds": {
                kind: {name: e.to_dict() for name, e in metrics.items()}
                for kind, metrics in self.kinds.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Curve:
    """Metrics over λ, and what they were measured with.

    Attributes:
        settings: Pair, corpus, seed, numbers of questions and places, decoding; enough to repeat
            the run.
        rows: One per λ, in the order asked for.
    """

    settings: Mapping[str, Json]
    rows: tuple[CurveRow, ...]

    def row(self, lam: Lam) -> CurveRow:
        """The row of a λ.

        Raises:
            InvalidValueError: The curve has no such λ.
        """
        for row in self.rows:
            if row.lam == lam:
                return row
        raise InvalidValueError(
            f"the curve has no λ={lam}", hint=f"one of {[row.lam for row in self.rows]}"
        )

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        return {"settings": dict(self.settings), "rows": [row.to_dict() for row in self.rows]}

    def to_json(self) -> str:
        """The same as indented text with a final newline."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Curve:
        """Read `to_json` back.

        Raises:
            InvalidValueError: The text is no curve.
        """
        try:
            data = json.loads(text)
            rows = tuple(
                CurveRow(
                    row["lam"],
                    row["mean_lam"],
                    _estimates(row["metrics"]),
                    {kind: _estimates(metrics) for kind, metrics in row["kinds"].items()},
                )
                for row in data["rows"]
            )
            return cls(data["settings"], rows)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidValueError(
                f"not a curve: {error!r}", hint="pass the text of a curve.json"
            ) from error


def summarise(lam: Lam, answers: Sequence[ScoredAnswer], seed: int = 0) -> CurveRow:
    """Estimates over the answers at one λ, clustered by source.

    Args:
        lam: λ, or "auto".
        answers: The answers.
        seed: Of the bootstrap.
    """
    kinds = {
        kind: {
            name: _estimate(name, [a for a in answers if a.kind == kind], seed)
            for name in ("hallucination", "coverage", "abstained")
        }
        for kind in dict.fromkeys(a.kind for a in answers)
    }
    used = sum(a.lam for a in answers) / len(answers) if answers else math.nan
    metrics = {name: _estimate(name, answers, seed) for name in METRICS}
    return CurveRow(lam, round(used, 6), metrics, kinds)


def check_lams(lams: Sequence[Lam]) -> tuple[Lam, ...]:
    """A grid of λ without repetition.

    Raises:
        InvalidValueError: It is empty, names a λ twice, or holds neither a number ≥ 0 nor "auto".
    """
    grid: tuple[Lam, ...] = tuple(x if x == "auto" else check_lam(x) for x in lams)
    if not grid or len(set(grid)) < len(grid):
        raise InvalidValueError(
            f"λ must be named once each, got {list(lams)}", hint="e.g. 0, 0.5, 1, 2, auto"
        )
    return grid


def _estimate(metric: str, answers: Sequence[ScoredAnswer], seed: int) -> Estimate:
    sources = [a.source for a in answers]
    if metric == "coverage":
        covered, expected = (
            [float(a.covered) for a in answers],
            [float(a.expected) for a in answers],
        )
        return ratio(covered, expected, sources, seed=seed).rounded()
    values = [a.value(metric) for a in answers]
    if metric in _RATES:
        return proportion(values, sources).rounded()
    return mean(values, sources, seed=seed).rounded()


def _estimates(data: Mapping[str, Mapping[str, Json]]) -> dict[str, Estimate]:
    return {name: Estimate.from_dict(numbers) for name, numbers in data.items()}


def _stored(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value
