"""What the grounded-ness scorer is worth: its card, beside the lexical floor on the same rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np

from dera_rag.evaluation.scorers.cards import Agreement, Card, agreement
from dera_rag.evaluation.scorers.grounded.crossed import HeldOut, held_out
from dera_rag.evaluation.scorers.grounded.fit import Measured, Progress, best_threshold
from dera_rag.evaluation.scorers.grounded.floor import FLOOR_FEATURES
from dera_rag.evaluation.scorers.grounded.model import GroundedModel
from dera_rag.evaluation.scorers.grounded.ridge import probability
from dera_rag.evaluation.scorers.grounded.scorer import Grounded
from dera_rag.evaluation.statistics import Estimate
from dera_rag.evaluation.statistics.ranking import auroc

_NOVELTY, _LENGTH = (FLOOR_FEATURES.index(name) for name in ("novel_words_share", "length_words"))
_PROTOCOLS = {
    "own": "fitted per set",
    "shipped": "as shipped",
    "elsewhere": "as shipped, without this set",
}
UNSEEN = ", on the sources by which the recipe was not chosen"
_HOW = (
    "“fitted per set” learns from other sources of the same set, as the floor does; “as shipped” "
    "learns from the sets with marked spans alone; “without this set” leaves the judged set out as "
    "well, as with a kind of text that nobody has marked.",
    "Every score is of an answer whose source the model did not see. The floor is fitted on the "
    "same rows, folds and sources, with the logarithms of its counts beside them.",
)
_Part = tuple[list[Measured], HeldOut]


def looked_at(source: str) -> bool:
    """Whether features and penalties were chosen by looking at a source: six in ten, by hash.

    The other sources confirm the choice: nothing about the recipe was decided on them.
    """
    return int(hashlib.sha256(source.encode()).hexdigest(), 16) % 10 < 6


def grounded_card(
    measured: Sequence[Measured],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Card:
    """Agreement with people by grouped cross-validation, and gains over the floor.

    Args:
        measured: Judged answers of one or several sets, at least one with marked spans.
        n_resamples: Of every interval.
        seed: Of the folds and of the resampling.
        progress: Told (folds done, folds).

    Raises:
        InvalidValueError: No set has marked spans, or one has too few sources.
    """
    scores = held_out(measured, seed, progress)
    parts = {
        name: ([m for m in measured if m.judged.group == name], scores[name]) for name in scores
    }
    marked = [part for part in parts.values() if part[0][0].judged.marked]
    # With one marked set there is no other to learn from.
    told = {k: v for k, v in _PROTOCOLS.items() if k != "elsewhere" or len(marked) > 1}
    rows = [row for n, part in parts.items() for row in _of_set(n, part, told, n_resamples, seed)]
    judged = {"": parts.values(), UNSEEN: [_unseen(part) for part in parts.values()]}
    notes = [
        f"Mean gain over the floor across sets{where}: "
        + "; ".join(
            f"{said} {_gain(list(chosen), column, n_resamples, seed)}"
            for column, said in told.items()
        )
        + "."
        for where, chosen in judged.items()
    ]
    shipped = GroundedModel.embedded().fitted_on
    notes += [*_spans(marked), *_HOW, f"The weights that ship were fitted on {shipped}."]
    return Card(Grounded.name, Grounded().version, tuple(rows), tuple(notes))


def _of_set(
    group: str, part: _Part, told: Mapping[str, str], n_resamples: int, seed: int
) -> list[Agreement]:
    found, scores = part
    labels = [float(m.judged.unsupported) for m in found]
    sources = [m.judged.item.source for m in found]
    baselines = {
        "floor": scores.floor.tolist(),
        "novelty": [float(m.reading.floor[_NOVELTY]) for m in found],
        "length": [float(m.reading.floor[_LENGTH]) for m in found],
    }
    # No unmarked set is ever learnt from, so "as shipped" is already without it.
    kinds = {k: v for k, v in told.items() if k != "elsewhere" or found[0].judged.marked}
    return [
        agreement(
            f"{group}, {said}", "auroc", getattr(scores, column).tolist(), labels, sources,
            baselines=baselines, n_resamples=n_resamples, seed=seed,
        )
        for column, said in kinds.items()
    ]  # fmt: skip


def _unseen(part: _Part) -> _Part:
    """A set's answers of sources by which nothing was chosen."""
    found, scores = part
    kept = [i for i, m in enumerate(found) if not looked_at(m.judged.item.source)]
    columns = {name: getattr(scores, name)[kept] for name in (*_PROTOCOLS, "floor")}
    sentences = tuple(scores.sentences[i] for i in kept)
    return [found[i] for i in kept], HeldOut(**columns, sentences=sentences)


def _gain(parts: Sequence[_Part], column: str, n_resamples: int, seed: int) -> str:
    """Gain over the floor averaged over sets, which are independent: their variances add up."""
    gains = []
    for found, scores in parts:
        labels = [float(m.judged.unsupported) for m in found]
        if len(set(labels)) < 2:
            return "not to be told"
        gains.append(
            auroc(
                getattr(scores, column).tolist(), labels, [m.judged.item.source for m in found],
                baseline=scores.floor.tolist(), n_resamples=n_resamples, seed=seed,
            )
        )  # fmt: skip
    return _told(gains)


def _told(gains: Sequence[Estimate]) -> str:
    value = float(np.mean([g.value for g in gains]))
    half = math.sqrt(sum(((g.high - g.low) / 2) ** 2 for g in gains)) / len(gains)
    lowest = min(g.value for g in gains)
    n = sum(g.n for g in gains)
    return (
        f"{value:+.3f} [{value - half:+.3f}, {value + half:+.3f}] (lowest {lowest:+.3f}, n = {n})"
    )


def _spans(parts: Sequence[_Part]) -> list[str]:
    """How well sentences are marked, at the threshold of the best F1 over all sets."""
    everything = [m for found, _ in parts for m in found]
    threshold = best_threshold(everything, [o for _, scores in parts for o in scores.sentences])
    notes = []
    for found, scores in parts:
        odds = np.concatenate(scores.sentences)
        truth = np.concatenate([m.sentence_labels for m in found])
        sources = [m.judged.item.source for m in found for _ in m.sentence_labels]
        order = auroc(odds.tolist(), truth.tolist(), sources, n_resamples=100).value
        marked = probability(odds) >= threshold
        hits = float((marked * truth).sum())
        notes.append(
            f"Sentences of {found[0].judged.group}: AUROC {order:.3f}; marked from probability "
            f"{threshold:.2f} on with precision {hits / max(1, marked.sum()):.2f} and recall "
            f"{hits / max(1, truth.sum()):.2f}; {truth.mean():.1%} of {len(truth)} are unsupported."
        )
    return notes
