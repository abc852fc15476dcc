"""The weights behind the grounded-ness scorer: two logistic regressions, kept as JSON.

The first gives every sentence a probability of being unsupported; the second reads the answer as a
whole, the first one's verdicts among its features. Both have weights of their own for questions and
for records beside shared ones. Shapes: `N` rows, `D` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from dera_rag.errors import MissingFileError, ModelLoadError
from dera_rag.evaluation.scorers.grounded.features import SENTENCE_FEATURES, Reading
from dera_rag.evaluation.scorers.grounded.floor import FLOOR_FEATURES
from dera_rag.evaluation.scorers.text import verbalised
from dera_rag.files import write_atomic

_FORMAT = 1
_LIMIT = 6.0  # standard deviations: a text unlike all training texts must not decide by one number
_SUMMARIES = ("max", "mean", "sum")
VERDICTS = ("worst", "worst_two", "mean", "log_expected", "any")
ANSWER_FEATURES = (
    *FLOOR_FEATURES,
    *(f"{summary}_{name}" for summary in _SUMMARIES for name in SENTENCE_FEATURES),
    *(f"sentences_{name}" for name in VERDICTS),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of grounding is asked for; weights may differ by it.

    Attributes:
        record: The passages are JSON records.
        question: A question was asked.
    """

    record: bool
    question: bool

    @classmethod
    def of(cls, passages: Sequence[str], question: str) -> Kind:
        """The kind of an item."""
        record = bool(passages) and verbalised(passages[0]) != passages[0]
        return cls(record=record, question=bool(question.strip()))

    def row(self) -> np.ndarray:
        """`[2]` float64."""
        return np.asarray([self.record, self.question], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression on standardised features and their products with the kind.

    Attributes:
        mean: D means.
        scale: D standard deviations, > 0.
        weights: 3·D + 2 weights: features, features if a record, features if asked, the kind.
        bias: Log-odds of an average row.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def design(self, rows: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """`[N, 3·D + 2]` out of `[N, D]` features and `[N, 2]` kinds."""
        return design(rows, kinds, np.asarray(self.mean), np.asarray(self.scale))

    def log_odds(self, rows: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """`[N]` log-odds of being unsupported."""
        return np.asarray(self.design(rows, kinds) @ np.asarray(self.weights) + self.bias)


def design(rows: np.ndarray, kinds: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Standardised features beside their products with the kind, `[N, 3·D + 2]`."""
    x = np.clip((rows - mean) / scale, -_LIMIT, _LIMIT)
    return np.concatenate([x, x * kinds[:, :1], x * kinds[:, 1:], kinds], axis=1)


@dataclass(frozen=True, slots=True)
class GroundedModel:
    """Weights of both levels.

    Attributes:
        sentence: Over `SENTENCE_FEATURES`.
        answer: Over `ANSWER_FEATURES`.
        threshold: Probability from which a sentence is marked as unsupported.
        fitted_on: What it was fitted on, with its licence, for people.
    """

    sentence: Logistic
    answer: Logistic
    threshold: float
    fitted_on: str

    def to_json(self) -> str:
        """Every number to 6 significant digits, with the features they belong to."""
        names = {"sentence": list(SENTENCE_FEATURES), "answer": list(ANSWER_FEATURES)}
        content = {"format": _FORMAT, "features": names} | asdict(self)
        return json.dumps(_rounded(content), separators=(",", ":")) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the JSON form whole or not at all."""
        return write_atomic(path, self.to_json())

    @classmethod
    def from_json(cls, text: str) -> GroundedModel:
        """Read `to_json` back.

        Raises:
            ModelLoadError: Not such a model, or one over other features.
        """
        try:
            data = json.loads(text)
            features = data["features"]
            sentence, answer = (_logistic(data[level]) for level in ("sentence", "answer"))
            model = cls(sentence, answer, float(data["threshold"]), str(data["fitted_on"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ModelLoadError(
                f"not a grounded-ness model: {error}", hint="fit it again"
            ) from error
        known = {"sentence": list(SENTENCE_FEATURES), "answer": list(ANSWER_FEATURES)}
        if data.get("format") != _FORMAT or features != known:
            raise ModelLoadError(
                "a grounded-ness model over other features than this version computes",
                hint="fit it again",
            )
        return model

    @classmethod
    def load(cls, path: str | Path) -> GroundedModel:
        """Read a model from a file.

        Raises:
            MissingFileError: No such file.
        """
        file = Path(path)
        if not file.is_file():
            raise MissingFileError(
                f"no grounded-ness model at {file}", hint="None for the one that ships"
            )
        return cls.from_json(file.read_text(encoding="utf-8"))

    @classmethod
    def embedded(cls) -> GroundedModel:
        """The weights shipped with the package."""
        shipped = files("dera_rag.evaluation.scorers.grounded") / "weights.json"
        return cls.from_json(shipped.read_text(encoding="utf-8"))


def answer_features(floor: Sequence[float], reading: Reading, log_odds: np.ndarray) -> np.ndarray:
    """The features of `ANSWER_FEATURES` of one answer.

    Args:
        floor: Of `lexical_floor`.
        reading: The answer's sentences.
        log_odds: `[S]`, the sentence model's.
    """
    rows = reading.rows if len(reading.rows) else np.zeros((1, len(SENTENCE_FEATURES)))
    scores = np.asarray(log_odds, dtype=np.float64) if len(log_odds) else np.full(1, -3.0)
    p = probability(scores)
    worst = np.sort(scores)[::-1]
    verdicts = [
        worst[0],
        worst[:2].mean(),
        scores.mean(),
        np.log(1e-6 + p.sum()),
        -np.log1p(-np.minimum(p, 0.999)).sum(),  # −log of the chance that all are supported
    ]
    return np.concatenate([floor, rows.max(0), rows.mean(0), rows.sum(0), verdicts])


def probability(log_odds: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−x) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(np.asarray(log_odds) / 2)))


def _logistic(data: dict[str, object]) -> Logistic:
    mean, scale, weights = (
        tuple(float(x) for x in data[name])  # type: ignore[attr-defined]
        for name in ("mean", "scale", "weights")
    )
    return Logistic(mean, scale, weights, float(data["bias"]))  # type: ignore[arg-type]


def _rounded(node: object) -> object:
    if isinstance(node, float):
        return float(f"{node:.6g}")
    if isinstance(node, dict):
        return {name: _rounded(value) for name, value in node.items()}
    if isinstance(node, list | tuple):
        return [_rounded(value) for value in node]
    return node
