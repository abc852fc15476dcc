"""The weights behind the grounded-ness scorer: two logistic regressions, kept as JSON.

One reads the answer as a whole and gives the probability; the other reads each sentence and marks
what is not supported. Neither knows what kind of task an answer comes from. Shapes: `N` rows.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from dera_rag.errors import MissingFileError, ModelLoadError
from dera_rag.evaluation.scorers.grounded.features import SENTENCE_FEATURES, Reading
from dera_rag.evaluation.scorers.grounded.floor import FLOOR_FEATURES
from dera_rag.evaluation.scorers.grounded.ridge import Logistic
from dera_rag.files import write_atomic

_FORMAT = 2
ANSWER_FEATURES = (
    *FLOOR_FEATURES,
    *(f"log_{name}" for name in FLOOR_FEATURES),
    *(f"{how}_{name}" for how in ("max", "mean", "log_sum") for name in SENTENCE_FEATURES),
)

# What may be new in a sentence, by seven measures that do not depend on its length and six that
# count. Fitted on nothing, their plain average already orders answers about as well as the floor
# does after fitting: weights are drawn towards it, so that a text of an unknown kind is judged by
# what is new in it and not by the habits of the training texts.
_SHARES = ("novel_share", "novel_bigrams", "far_pairs", "words_unlike", "spelled_miss",
           "window_unlike", "window_miss")  # fmt: skip
_COUNTS = ("novel_count", "unlike_count", "far_pairs_count", "words_unlike_count",
           "novel_numbers", "novel_names")  # fmt: skip
_DIRECTION = (*(f"mean_{name}" for name in _SHARES), *(f"log_sum_{name}" for name in _COUNTS))


def answer_direction() -> np.ndarray:
    """`[len(ANSWER_FEATURES)]`: towards which the answer's weights are drawn."""
    return np.asarray([float(name in _DIRECTION) / len(_DIRECTION) for name in ANSWER_FEATURES])


def sentence_direction() -> np.ndarray:
    """`[len(SENTENCE_FEATURES)]`: the same for a sentence."""
    chosen = _SHARES + _COUNTS
    return np.asarray([float(name in chosen) / len(chosen) for name in SENTENCE_FEATURES])


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
                f"no weights of `grounded` at {str(file)!r}",
                hint="leave `weights` out for those that ship; --fit-grounded FILE makes others",
            )
        return cls.from_json(file.read_text(encoding="utf-8"))

    @classmethod
    def embedded(cls) -> GroundedModel:
        """The weights shipped with the package."""
        shipped = files("dera_rag.evaluation.scorers.grounded") / "weights.json"
        return cls.from_json(shipped.read_text(encoding="utf-8"))


def answer_features(reading: Reading) -> np.ndarray:
    """The features of `ANSWER_FEATURES` of one answer."""
    rows = reading.rows if len(reading.rows) else np.zeros((1, len(SENTENCE_FEATURES)))
    floor, total = reading.floor, rows.sum(0)
    return np.concatenate([floor, _log(floor), rows.max(0), rows.mean(0), _log(total)])


def sentences_alone(reading: Reading) -> np.ndarray:
    """`[S, len(ANSWER_FEATURES)]`: of each sentence, as if it were the whole answer."""
    floors, rows = reading.floors, reading.rows
    return np.concatenate([floors, _log(floors), rows, rows, _log(rows)], axis=1)


def _log(x: np.ndarray) -> np.ndarray:
    """Log of 1 + |x| with the sign of x: large counts must not outweigh everything else."""
    return np.asarray(np.sign(x) * np.log1p(np.abs(x)))


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
