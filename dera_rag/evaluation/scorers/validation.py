"""The shipped scorers against people: fits what has to be fitted, and writes their cards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dera_rag.evaluation.contract import Scorer
from dera_rag.evaluation.naturalness import NaturalnessModel
from dera_rag.evaluation.scorers import natural_ratings, ratings_model
from dera_rag.evaluation.scorers.cards import Agreement, Card, agreement
from dera_rag.evaluation.scorers.grounded.floor import FLOOR_FEATURES, lexical_floor
from dera_rag.evaluation.scorers.labels import Judged, Rating
from dera_rag.evaluation.statistics import Estimate
from dera_rag.evaluation.statistics.resampling import interval

_NOVELTY, _LENGTH = (FLOOR_FEATURES.index(name) for name in ("novel_words_share", "length_words"))
_UNSEEN = (("record",), ("record", "worker"), ("system",))


def validate_scorer(
    scorer: Scorer, judged: Sequence[Judged], *, n_resamples: int = 2000, seed: int = 0
) -> Card:
    """Any factuality scorer, as it is, beside length and novelty.

    Args:
        scorer: With a direction; its scores are compared with "unsupported".
        judged: Answers of one or several sets.
        n_resamples: Of every interval.
        seed: Of the resampling.
    """
    sign = 1.0 if scorer.direction == "lower" else -1.0
    rows = []
    for group in sorted({one.group for one in judged}):
        found = [one for one in judged if one.group == group]
        values = [s.value for s in scorer.score([one.item for one in found])]
        floors = [
            lexical_floor(one.item.answer, [p.text for p in one.item.passages]) for one in found
        ]
        novelty, length = ([f[column] for f in floors] for column in (_NOVELTY, _LENGTH))
        rows.append(
            agreement(
                group,
                "auroc",
                [math.nan if v is None else sign * v for v in values],
                [float(one.unsupported) for one in found],
                [one.item.source for one in found],
                baselines={"novelty": novelty, "length": length},
                n_resamples=n_resamples,
                seed=seed,
            )
        )
    return Card(scorer.name, scorer.version, tuple(rows))


def validate_naturalness(
    ratings: Sequence[Rating],
    likelihoods: dict[str, float] | None = None,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Card:
    """The learned naturalness scorer on records, raters and systems it was not fitted on.

    Args:
        ratings: Ratings by people.
        likelihoods: Of every text under the third model; None computes them.
        n_resamples: Of every interval.
        seed: Of the folds and of the resampling.
        progress: Told (steps done, steps).
    """
    tell = progress or (lambda done, total: None)
    known = text_likelihoods(ratings) if likelihoods is None else likelihoods
    rows: list[Agreement] = []
    for step, unseen in enumerate(_UNSEEN):
        tell(step, len(_UNSEEN))
        found = natural_ratings.held_out(ratings, known, unseen, seed=seed)
        rows += _of_protocol(unseen, found, known, n_resamples, seed)
    tell(len(_UNSEEN), len(_UNSEEN))
    between = rater_agreement(ratings, n_resamples=n_resamples, seed=seed)
    notes = (
        "One rater's standardised rating against the mean of the others of the same text: Spearman "
        f"{between.value:.3f} [{between.low:.3f}, {between.high:.3f}], n = {between.n}.",
        "The ratings state no licence: weights fitted on them are made by command and not shipped.",
    )
    return Card("learned_naturalness", "cross-validated", tuple(rows), notes)


def _of_protocol(
    unseen: Sequence[str],
    found: natural_ratings.Unseen,
    known: dict[str, float],
    n_resamples: int,
    seed: int,
) -> list[Agreement]:
    baselines = {
        "likelihood": [known[one.text] for one in found.items],
        "length": [float(len(one.text.split())) for one in found.items],
    }
    truths = {
        "standardised": [one.score for one in found.items],
        "raw": [one.raw for one in found.items],
    }
    each = float(np.mean([one.count for one in found.items]))
    return [
        agreement(
            f"{' and '.join(unseen)} unseen, {name} ratings ({each:.1f} a text)", "spearman",
            found.predicted.tolist(), truth, [one.record for one in found.items],
            baselines=baselines, n_resamples=n_resamples, seed=seed,
        )
        for name, truth in truths.items()
    ]  # fmt: skip


def text_likelihoods(ratings: Sequence[Rating]) -> dict[str, float]:
    """Log-likelihood per token of every text under the embedded third model, nats."""
    texts = sorted({one.text for one in ratings})
    found = NaturalnessModel.embedded().log_likelihoods(texts)
    return dict(zip(texts, found, strict=True))


def rater_agreement(
    ratings: Sequence[Rating], *, n_resamples: int = 2000, seed: int = 0
) -> Estimate:
    """Spearman of each rating with the mean of the other raters' of the same text."""
    from dera_rag.evaluation.statistics.ranking import spearman

    together: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for one, score in natural_ratings.standardised(ratings):
        together.setdefault((one.record, one.text), []).append((one.worker, score))
    mine, others, records = [], [], []
    for (record, _), found in together.items():
        for worker, score in found:
            rest = [s for w, s in found if w != worker]
            if rest:
                mine.append(score)
                others.append(float(np.mean(rest)))
                records.append(record)
    if not mine:
        return interval(math.nan, np.full(100, math.nan), 0, 0, 0.95)
    return spearman(mine, others, records, n_resamples=n_resamples, seed=seed)


def fit_naturalness(ratings: Sequence[Rating], path: str | Path) -> Path:
    """Fits the learned naturalness scorer on all ratings and writes its weights.

    Args:
        ratings: Ratings by people; their licence decides who may pass the weights on.
        path: Where to, a safetensors file.
    """
    items = natural_ratings.item_means(natural_ratings.standardised(ratings))
    known = text_likelihoods(ratings)
    return ratings_model.fit(items, [known[one.text] for one in items]).save(path)
