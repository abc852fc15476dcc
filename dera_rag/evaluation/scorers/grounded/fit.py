"""Fit the grounded-ness model on judged answers, and score answers it was not fitted on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.errors import InvalidValueError, MissingDependencyError
from dera_rag.evaluation.scorers.folds import grouped_folds
from dera_rag.evaluation.scorers.grounded.features import Reader, Reading
from dera_rag.evaluation.scorers.grounded.floor import lexical_floor
from dera_rag.evaluation.scorers.grounded.model import (
    GroundedModel,
    Kind,
    Logistic,
    answer_features,
    design,
    probability,
)
from dera_rag.evaluation.scorers.labels import Judged

_LOG = logging.getLogger(__name__)
_FOLDS = 5
# Inverse strengths of the ridge. Coarse choices: a factor of 3 moves no AUROC by more than .005.
_SENTENCE, _POOLED, _ONE_SET, _FLOOR = 0.03, 0.003, 0.01, 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A judged answer as numbers.

    Attributes:
        judged: The answer.
        reading: Its sentences.
        floor: Its lexical floor.
        kind: `[2]`, see `Kind`.
        sentence_labels: `[S]`, 1 where a sentence touches a span that people marked.
    """

    judged: Judged
    reading: Reading
    floor: tuple[float, ...]
    kind: np.ndarray
    sentence_labels: np.ndarray


def measure(examples: Sequence[Judged], reader: Reader) -> list[Measured]:
    """Features and labels of judged answers; takes some hundredths of a second each."""
    found = []
    for i, one in enumerate(examples, 1):
        item = one.item
        passages = [passage.text for passage in item.passages]
        reading = reader.read(item.answer, passages, item.question)
        labels = [
            float(any(a < s.end and s.start < b for a, b in one.spans)) for s in reading.sentences
        ]
        floor = tuple(lexical_floor(item.answer, passages))
        kind = Kind.of(passages, item.question).row()
        found.append(Measured(one, reading, floor, kind, np.asarray(labels)))
        if i % 500 == 0:
            _LOG.info("measured %d of %d answers", i, len(examples))
    return found


def fit(examples: Sequence[Measured], fitted_on: str, seed: int = 0) -> GroundedModel:
    """Fit both levels on answers with marked spans.

    The answer level learns from sentence verdicts of models that did not see the answer's source,
    as it will have to judge.

    Args:
        examples: Answers with marked spans, of several sources.
        fitted_on: Named in the model: the data and its licence.
        seed: Of the folds.

    Raises:
        InvalidValueError: No answer with marked spans, or too few sources.
    """
    _needs_spans(examples)
    odds = out_of_fold(examples, seed)
    sentence = _fit_sentences(examples)
    answer = _fit_answers(examples, odds, _POOLED)
    return GroundedModel(sentence, answer, _best_threshold(examples, odds), fitted_on)


def out_of_fold(examples: Sequence[Measured], seed: int) -> list[np.ndarray]:
    """Each answer's sentence log-odds by a model fitted on other sources."""
    folds = grouped_folds([m.judged.item.source for m in examples], _FOLDS, seed)
    odds: list[np.ndarray] = [np.zeros(0)] * len(examples)
    for k in range(_FOLDS):
        model = _fit_sentences([m for m, f in zip(examples, folds, strict=True) if f != k])
        for i in np.flatnonzero(folds == k).tolist():
            odds[i] = sentence_odds(model, examples[i])
    return odds


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of answers by models that saw nothing of their sources, N answers.

    Attributes:
        own: `[N]` log-odds of being unsupported, the answer level fitted within the set.
        shipped: `[N]` the same by the shipped recipe: both levels fitted on the sets with spans.
        floor: `[N]` by the lexical floor alone, fitted within the set.
    """

    own: np.ndarray
    shipped: np.ndarray
    floor: np.ndarray


def held_out(examples: Sequence[Measured], seed: int = 0) -> dict[str, HeldOut]:
    """Grouped cross-validation of every set among the examples.

    Folds are of sources and shared by all sets. Verdicts on training answers come from sentence
    models that did not see them either, so the answer level learns from what it will meet.

    Args:
        examples: Answers of one or several sets, some with marked spans.
        seed: Of the folds.

    Returns:
        By set, scores in the order in which its answers stand among the examples.

    Raises:
        InvalidValueError: No answer with marked spans, or too few sources.
    """
    _needs_spans(examples)
    folds = grouped_folds([m.judged.item.source for m in examples], _FOLDS, seed)
    groups = [m.judged.group for m in examples]
    scores = HeldOut(*(np.zeros(len(examples)) for _ in range(3)))
    for k in range(_FOLDS):
        train = [m for m, f in zip(examples, folds, strict=True) if f != k]
        level = _Level.of(train, seed + 1)
        for group in sorted(set(groups)):
            test = [i for i, f in enumerate(folds) if f == k and groups[i] == group]
            if test:
                mine = [m for m in train if m.judged.group == group]
                _score_fold(examples, test, mine, level, scores)
    return {
        group: HeldOut(*(column[at] for column in (scores.own, scores.shipped, scores.floor)))
        for group in sorted(set(groups))
        for at in [np.asarray([g == group for g in groups])]
    }


@dataclass(frozen=True, slots=True)
class _Level:
    """What a fold's training answers with marked spans teach.

    Attributes:
        sentence: The sentence model.
        answer: The answer model of the shipped recipe.
        odds: Out-of-fold sentence verdicts of the training answers with spans, by key.
    """

    sentence: Logistic
    answer: Logistic
    odds: dict[str, np.ndarray]

    @classmethod
    def of(cls, train: Sequence[Measured], seed: int) -> _Level:
        marked = [m for m in train if m.judged.marked]
        odds = out_of_fold(marked, seed)
        by_key = {m.judged.item.key: o for m, o in zip(marked, odds, strict=True)}
        return cls(_fit_sentences(marked), _fit_answers(marked, odds, _POOLED), by_key)


def _score_fold(
    examples: Sequence[Measured],
    test: Sequence[int],
    train: Sequence[Measured],
    level: _Level,
    scores: HeldOut,
) -> None:
    """Fills in the scores of one set's test answers in one fold."""
    odds = [
        level.odds[m.judged.item.key] if m.judged.marked else sentence_odds(level.sentence, m)
        for m in train
    ]
    tested = [examples[i] for i in test]
    kinds = _kinds(tested)
    rows = np.stack([_row(m, sentence_odds(level.sentence, m)) for m in tested])
    at = np.asarray(test)
    scores.own[at] = _fit_answers(train, odds, _ONE_SET).log_odds(rows, kinds)
    scores.shipped[at] = level.answer.log_odds(rows, kinds)
    scores.floor[at] = _fit_floor(train).log_odds(_floors(tested), kinds)


def sentence_odds(model: Logistic, one: Measured) -> np.ndarray:
    """`[S]` log-odds that each sentence of an answer is unsupported."""
    count = len(one.reading.rows)
    return model.log_odds(one.reading.rows, np.repeat(one.kind[None], count, axis=0))


def _fit_sentences(examples: Sequence[Measured]) -> Logistic:
    told = [m for m in examples if len(m.reading.rows)]
    return _logistic(
        np.concatenate([m.reading.rows for m in told]),
        np.concatenate([np.repeat(m.kind[None], len(m.reading.rows), axis=0) for m in told]),
        np.concatenate([m.sentence_labels for m in told]),
        _SENTENCE,
    )


def _fit_answers(
    examples: Sequence[Measured], odds: Sequence[np.ndarray], strength: float
) -> Logistic:
    rows = np.stack([_row(m, o) for m, o in zip(examples, odds, strict=True)])
    return _logistic(rows, _kinds(examples), _labels(examples), strength)


def _fit_floor(examples: Sequence[Measured]) -> Logistic:
    return _logistic(_floors(examples), _kinds(examples), _labels(examples), _FLOOR)


def _row(one: Measured, odds: np.ndarray) -> np.ndarray:
    return answer_features(one.floor, one.reading, odds)


def _floors(examples: Sequence[Measured]) -> np.ndarray:
    return np.asarray([m.floor for m in examples])


def _kinds(examples: Sequence[Measured]) -> np.ndarray:
    return np.stack([m.kind for m in examples])


def _labels(examples: Sequence[Measured]) -> np.ndarray:
    return np.asarray([float(m.judged.unsupported) for m in examples])


def _logistic(rows: np.ndarray, kinds: np.ndarray, labels: np.ndarray, strength: float) -> Logistic:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingDependencyError(
            "fitting a scorer needs scikit-learn", hint="pip install 'dera-rag[eval]'"
        ) from error
    rows = np.asarray(rows, dtype=np.float64)
    mean, scale = rows.mean(0), rows.std(0) + 1e-6
    fitted = LogisticRegression(C=strength, max_iter=500).fit(
        design(rows, kinds, mean, scale), labels
    )
    return Logistic(
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        tuple(fitted.coef_[0].tolist()),
        float(fitted.intercept_[0]),
    )


def _best_threshold(examples: Sequence[Measured], odds: Sequence[np.ndarray]) -> float:
    """The probability that marks sentences with the highest F1, in steps of .05."""
    p = probability(np.concatenate(list(odds)))
    truth = np.concatenate([m.sentence_labels for m in examples]) > 0

    def f1(threshold: float) -> float:
        marked = p >= threshold
        return 2 * float((marked & truth).sum()) / max(1.0, float(marked.sum() + truth.sum()))

    return max((round(0.05 * i, 2) for i in range(2, 19)), key=f1)


def _needs_spans(examples: Sequence[Measured]) -> None:
    if not any(m.judged.marked for m in examples):
        raise InvalidValueError(
            "no answer has marked spans", hint="fit on RAGTruth, or on data marked like it"
        )
