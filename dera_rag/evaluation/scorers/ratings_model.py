"""Ridge regression from a text to the mean of its standardised ratings, kept as safetensors."""

from __future__ import annotations

import functools
import importlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dera_rag.errors import InvalidValueError, MissingDependencyError, ModelLoadError
from dera_rag.evaluation.copying import words
from dera_rag.evaluation.naturalness import repetition
from dera_rag.files import write_atomic

_BITS = 16  # 65,536 weights for each of two kinds of runs: 0.5 MB, collisions cost nothing measured
_RIDGE = 25.0
_COUNT_WEIGHT = 0.3  # of a standardised count beside a row of runs of length 1
_FORMAT = "dera-rag natural ratings 2"
_LOOSE = re.compile(r"\s[.,!?;:]|\s'\w|\s{2,}")
_PIECE = re.compile(r"\w+|[^\w\s]")
_DOUBLED = re.compile(r"\b(\w+)\s+\1\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rated:
    """What people think of one text.

    Attributes:
        text: The text.
        record: What it was written from.
        systems: What wrote it; several systems can write the same.
        score: Mean of the ratings after each rater's were standardised; higher is more natural.
        raw: Mean of the ratings as given, 0 to 100.
        count: Number of ratings.
    """

    text: str
    record: str
    systems: tuple[str, ...]
    score: float
    raw: float
    count: int


@dataclass(frozen=True, slots=True)
class RatingsModel:
    """Weights over `features`.

    Attributes:
        weights: `[2¹⁷ + counts]` float32.
        bias: Prediction of an average text.
        mean: Means of the counts.
        scale: Their standard deviations, > 0.
    """

    weights: np.ndarray
    bias: float
    mean: np.ndarray
    scale: np.ndarray

    def predict(self, texts: Sequence[str], likelihoods: Sequence[float]) -> np.ndarray:
        """`[N]` predicted standardised ratings; about 0 for an average text of its kind."""
        rows = _design(texts, counts(texts, likelihoods), self.mean, self.scale)
        return np.asarray(rows @ self.weights + self.bias)

    def save(self, path: str | Path) -> Path:
        """Write as safetensors, whole or not at all."""
        from safetensors.numpy import save

        tensors = {"weights": self.weights, "mean": self.mean, "scale": self.scale}
        head = {"format": _FORMAT, "bias": json.dumps(self.bias)}
        return write_atomic(path, save(tensors, metadata=head))

    @classmethod
    def load(cls, path: str | Path) -> RatingsModel:
        """Read `save` back.

        Raises:
            ModelLoadError: No such file, or not such a model.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="numpy") as file:
                head = file.metadata() or {}
                if head.get("format") != _FORMAT:
                    raise ModelLoadError(
                        f"{str(path)!r} is no model of ratings", hint="fit one by command"
                    )
                tensors = {name: file.get_tensor(name) for name in ("weights", "mean", "scale")}
        except (OSError, SafetensorError) as error:
            raise ModelLoadError(
                f"cannot read a model of ratings at {str(path)!r}: {error}",
                hint="fit one: dera-rag eval validate-scorers --fit-naturalness FILE",
            ) from error
        return cls(bias=float(json.loads(head["bias"])), **tensors)


def fit(items: Sequence[Rated], likelihoods: Sequence[float]) -> RatingsModel:
    """Ridge regression on item means, each weighted by its ratings.

    Args:
        items: At least two.
        likelihoods: Mean log-likelihood of each text under a third model, nats per token.

    Raises:
        InvalidValueError: Fewer than two items.
        MissingDependencyError: scikit-learn is not installed.
    """
    if len(items) < 2:
        raise InvalidValueError(f"cannot fit on {len(items)} items")
    texts = [one.text for one in items]
    plain = counts(texts, likelihoods)
    mean, scale = plain.mean(0), plain.std(0) + 1e-6
    rows = _design(texts, plain, mean, scale)
    ridge = _sklearn("linear_model").Ridge(alpha=_RIDGE, solver="sparse_cg", tol=1e-3)
    ridge.fit(rows, [one.score for one in items], sample_weight=[one.count for one in items])
    return RatingsModel(
        weights=ridge.coef_.astype(np.float32),
        bias=float(ridge.intercept_),
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
    )


def counts(texts: Sequence[str], likelihoods: Sequence[float]) -> np.ndarray:
    """`[N, 10]`: length, sentences, likelihood, repetition and marks of clumsy generation."""
    return np.asarray([_counts(t, ll) for t, ll in zip(texts, likelihoods, strict=True)])


def _counts(text: str, likelihood: float) -> list[float]:
    found = words(text)
    ends = max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
    repeated = repetition(text)
    return [
        math.log1p(len(found)),
        float(ends),
        len(found) / ends,
        likelihood,
        likelihood * len(found) / 10,
        0.0 if math.isnan(repeated) else repeated,
        float(len(_LOOSE.findall(text))),
        float(len(_DOUBLED.findall(text))),
        float(not text[:1].isupper()) + float(not text.rstrip().endswith((".", "!", "?"))),
        len(set(found)) / max(1, len(found)),
    ]


def _design(texts: Sequence[str], plain: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Any:
    """`[N, D]` sparse: two blocks of hashed runs, each row of length 1, and the counts."""
    from scipy.sparse import csr_matrix, hstack, vstack

    numbers = np.clip((plain - mean) / scale, -5, 5) * _COUNT_WEIGHT
    blocks = vstack([_hashed(text) for text in texts], format="csr")
    return hstack([blocks, csr_matrix(numbers)], format="csr")


@functools.lru_cache(maxsize=1 << 14)  # folds share their texts; some 10 kB each
def _hashed(text: str) -> Any:
    from scipy.sparse import hstack

    return hstack([vectorizer.transform([text]) for vectorizer in _vectorizers()], format="csr")


@functools.cache
def _vectorizers() -> tuple[Any, Any]:
    hashing = _sklearn("feature_extraction.text").HashingVectorizer
    return (
        hashing(analyzer=_word_runs, n_features=1 << _BITS),
        # With capitals: a name in small letters is a mark of clumsy generation.
        hashing(analyzer="char", ngram_range=(2, 5), n_features=1 << _BITS, lowercase=False),
    )


def _word_runs(text: str) -> list[str]:
    """Runs of one to three lower-case words and marks."""
    found = _PIECE.findall(text.lower())
    return [" ".join(found[i : i + n]) for n in (1, 2, 3) for i in range(len(found) - n + 1)]


def _sklearn(part: str) -> Any:
    try:
        return importlib.import_module(f"sklearn.{part}")
    except ImportError as error:
        raise MissingDependencyError(
            "the learned naturalness scorer needs scikit-learn",
            hint="pip install 'dera-rag[eval]'",
        ) from error
