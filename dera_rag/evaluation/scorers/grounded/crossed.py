"""Grouped cross-validation of the grounded-ness model: scores of answers it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.evaluation.scorers.folds import grouped_folds
from dera_rag.evaluation.scorers.grounded.fit import (
    FOLDS,
    ONE_SET,
    SHIPPED,
    Measured,
    Progress,
    fit_answers,
    fit_sentences,
    needs_spans,
)
from dera_rag.evaluation.scorers.grounded.ridge import Logistic, fit_logistic

_FLOOR = 10.0  # penalty of the floor's 20 weights: it is fitted as well as it can be
REPEATS = 3


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of answers by models that saw nothing of their sources, N answers.

    Attributes:
        own: `[N]` log-odds of being unsupported, fitted within the set, as the floor is.
        shipped: `[N]` by the shipped recipe, fitted on all sets with spans.
        elsewhere: `[N]` by the shipped recipe without this set: how it does on an unknown kind.
        floor: `[N]` by the lexical floor alone, fitted within the set.
        sentences: N arrays `[S]`, log-odds of each sentence by the shipped recipe.
    """

    own: np.ndarray
    shipped: np.ndarray
    elsewhere: np.ndarray
    floor: np.ndarray
    sentences: tuple[np.ndarray, ...]


def held_out(
    examples: Sequence[Measured], seed: int = 0, progress: Progress | None = None
) -> dict[str, HeldOut]:
    """Grouped cross-validation of every set among the examples.

    Folds are of sources and shared by all sets. Log-odds are averaged over three divisions into
    folds: each is by models that did not see the source, and luck with one division cancels.

    Args:
        examples: Answers of one or several sets, some with marked spans.
        seed: Of the folds.
        progress: Told (folds done, folds).

    Returns:
        By set, scores in the order in which its answers stand among the examples.

    Raises:
        InvalidValueError: No answer with marked spans, or too few sources.
    """
    needs_spans(examples)
    at = np.asarray([m.judged.group for m in examples])
    columns = {name: np.zeros(len(examples)) for name in ("own", "shipped", "floor")}
    sentences = [np.zeros(len(m.reading.rows)) for m in examples]
    for repeat in range(REPEATS):
        folds = grouped_folds([m.judged.item.source for m in examples], FOLDS, seed + 1000 * repeat)
        for k in range(FOLDS):
            _score_fold(examples, at, folds == k, columns, sentences)
            if progress is not None:
                progress(FOLDS * repeat + k + 1, FOLDS * REPEATS)
    columns = {name: column / REPEATS for name, column in columns.items()}
    columns["elsewhere"] = _elsewhere(examples, at, columns["shipped"])
    return {
        str(group): HeldOut(
            **{name: column[at == group] for name, column in columns.items()},
            sentences=tuple(sentences[i] / REPEATS for i in np.flatnonzero(at == group)),
        )
        for group in sorted(set(at))
    }


def _score_fold(
    examples: Sequence[Measured],
    groups: np.ndarray,
    tested: np.ndarray,
    columns: dict[str, np.ndarray],
    sentences: list[np.ndarray],
) -> None:
    """Adds the scores of one fold's answers, by models fitted on the other folds."""
    train = [m for m, out in zip(examples, tested, strict=True) if not out]
    marked = [m for m in train if m.judged.marked]
    by_sentence, by_answer = fit_sentences(marked), fit_answers(marked, SHIPPED)
    for i in np.flatnonzero(tested).tolist():
        sentences[i] += by_sentence.log_odds(examples[i].reading.rows)
    for group in sorted(set(groups[tested])):
        at = np.flatnonzero(tested & (groups == group))
        found, own = (
            [examples[i] for i in at.tolist()],
            [m for m in train if m.judged.group == group],
        )
        rows = np.stack([m.row for m in found])
        columns["own"][at] += fit_answers(own, ONE_SET).log_odds(rows)
        columns["shipped"][at] += by_answer.log_odds(rows)
        columns["floor"][at] += _fit_floor(own).log_odds(_floors(found))


def _elsewhere(examples: Sequence[Measured], groups: np.ndarray, shipped: np.ndarray) -> np.ndarray:
    """`[N]` by models of the other marked sets; the shipped recipe never learns from the rest."""
    scores = shipped.copy()
    for group in sorted({m.judged.group for m in examples if m.judged.marked}):
        sources = {m.judged.item.source for m in examples if m.judged.group == group}
        others = [
            m for m in examples
            if m.judged.marked and m.judged.group != group and m.judged.item.source not in sources
        ]  # fmt: skip
        if others:
            at = np.flatnonzero(groups == group)
            rows = np.stack([examples[i].row for i in at.tolist()])
            scores[at] = fit_answers(others, SHIPPED).log_odds(rows)
    return scores


def _fit_floor(examples: Sequence[Measured]) -> Logistic:
    return fit_logistic(
        _floors(examples),
        np.asarray([float(m.judged.unsupported) for m in examples]),
        [m.judged.group for m in examples],
        np.ones(len(examples)),
        penalty=_FLOOR,
        direction=np.zeros(2 * len(examples[0].reading.floor)),
    )


def _floors(examples: Sequence[Measured]) -> np.ndarray:
    """The floor's features, and their logarithms: a floor that is easier to beat proves less."""
    raw = np.stack([m.reading.floor for m in examples])
    return np.concatenate([raw, np.sign(raw) * np.log1p(np.abs(raw))], axis=1)
