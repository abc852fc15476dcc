"""Fit the grounded-ness model on judged answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.scorers.folds import grouped_folds
from dera_rag.evaluation.scorers.grounded.features import Reader, Reading
from dera_rag.evaluation.scorers.grounded.model import (
    GroundedModel,
    answer_direction,
    answer_features,
    sentence_direction,
    sentences_alone,
)
from dera_rag.evaluation.scorers.grounded.ridge import Logistic, fit_logistic, probability
from dera_rag.evaluation.scorers.labels import Judged

Progress = Callable[[int, int], None]
FOLDS = 5
# In answers: a thousand of them weigh as much as the prior. What ships has to serve texts of kinds
# it never saw and stays nearer to the prior than a model for one known kind. Chosen, as the
# features were, on the sources that `card.looked_at` names: a factor of 3 moves no AUROC there by
# .02.
SHIPPED, ONE_SET, _SENTENCES = 1000.0, 300.0, 300.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A judged answer as numbers.

    Attributes:
        judged: The answer.
        reading: Its sentences.
        row: `[len(ANSWER_FEATURES)]`, of the answer.
        parts: `[S, len(ANSWER_FEATURES)]`, of each sentence as if it were the answer.
        sentence_labels: `[S]`, 1 where a sentence touches a span that people marked.
    """

    judged: Judged
    reading: Reading
    row: np.ndarray
    parts: np.ndarray
    sentence_labels: np.ndarray


def measure(
    examples: Sequence[Judged], reader: Reader, progress: Progress | None = None
) -> list[Measured]:
    """Features and labels of judged answers; takes some hundredths of a second each.

    Args:
        examples: The answers; those that share passages are best next to each other.
        reader: Reads them.
        progress: Told (done, total) now and then.
    """
    found = []
    for i, one in enumerate(examples, 1):
        item = one.item
        passages = [passage.text for passage in item.passages]
        reading = reader.read(item.answer, passages, item.question)
        labels = [
            float(any(a < s.end and s.start < b for a, b in one.spans)) for s in reading.sentences
        ]
        row, parts = answer_features(reading), sentences_alone(reading)
        found.append(Measured(one, reading, row, parts, np.asarray(labels)))
        if progress is not None and (i % 20 == 0 or i == len(examples)):
            progress(i, len(examples))
    return found


def fit(examples: Sequence[Measured], fitted_on: str, seed: int = 0) -> GroundedModel:
    """Fit both levels on answers with marked spans.

    Args:
        examples: Answers with marked spans, of several sources.
        fitted_on: Named in the model: the data and its licence.
        seed: Of the folds behind the threshold.

    Raises:
        InvalidValueError: No answer with marked spans, or too few sources.
    """
    needs_spans(examples)
    threshold = best_threshold(examples, sentences_out_of_fold(examples, seed))
    return GroundedModel(
        fit_sentences(examples), fit_answers(examples, SHIPPED), threshold, fitted_on
    )


def fit_answers(examples: Sequence[Measured], penalty: float) -> Logistic:
    """The answer level. Every sentence with a verdict counts as a short answer too.

    Answers and the sentences of a set weigh alike together, so that the model knows single claims
    as well as long texts. How often a set's answers or sentences fail teaches nothing.

    Args:
        examples: Judged answers.
        penalty: See `fit_logistic`.
    """
    groups = [m.judged.group for m in examples]
    marked = [m for m in examples if m.judged.marked]
    parts = [f"{m.judged.group}, sentences" for m in marked for _ in m.parts]
    each = len(marked) / max(1, len(parts))
    return fit_logistic(
        np.concatenate([np.stack([m.row for m in examples]), *(m.parts for m in marked)]),
        np.concatenate(
            [[float(m.judged.unsupported) for m in examples], *(m.sentence_labels for m in marked)]
        ),
        groups + parts,
        np.asarray([1.0] * len(groups) + [each] * len(parts)),
        penalty=penalty,
        direction=answer_direction(),
        typical=groups,  # the probability is of whole answers
    )


def fit_sentences(examples: Sequence[Measured]) -> Logistic:
    """The sentence level, on answers with marked spans."""
    told = [m for m in examples if m.judged.marked and len(m.reading.rows)]
    groups = [m.judged.group for m in told for _ in m.reading.rows]
    return fit_logistic(
        np.concatenate([m.reading.rows for m in told]).astype(np.float64),
        np.concatenate([m.sentence_labels for m in told]),
        groups,
        np.ones(len(groups)),
        penalty=_SENTENCES,
        direction=sentence_direction(),
    )


def sentences_out_of_fold(examples: Sequence[Measured], seed: int) -> list[np.ndarray]:
    """Each answer's sentence log-odds by a model fitted on other sources."""
    folds = grouped_folds([m.judged.item.source for m in examples], FOLDS, seed)
    odds: list[np.ndarray] = [np.zeros(0)] * len(examples)
    for k in range(FOLDS):
        model = fit_sentences([m for m, f in zip(examples, folds, strict=True) if f != k])
        for i in np.flatnonzero(folds == k).tolist():
            odds[i] = model.log_odds(examples[i].reading.rows)
    return odds


def best_threshold(examples: Sequence[Measured], odds: Sequence[np.ndarray]) -> float:
    """The probability that marks sentences with the highest F1, in steps of .05."""
    p = probability(np.concatenate(list(odds)))
    truth = np.concatenate([m.sentence_labels for m in examples]) > 0

    def f1(threshold: float) -> float:
        marked = p >= threshold
        return 2 * float((marked & truth).sum()) / max(1.0, float(marked.sum() + truth.sum()))

    return max((round(0.05 * i, 2) for i in range(2, 19)), key=f1)


def needs_spans(examples: Sequence[Measured]) -> None:
    """Refuse what nothing could be fitted on.

    Raises:
        InvalidValueError: No answer has marked spans.
    """
    if not any(m.judged.marked for m in examples):
        raise InvalidValueError(
            "no answer has marked spans", hint="fit on RAGTruth, or on data marked like it"
        )
