"""The shipped scorers against people: fits what has to be fitted, and writes their cards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dera_rag.evaluation.contract import Scorer
from dera_rag.evaluation.naturalness import NaturalnessModel
from dera_rag.evaluation.scorers import natural_ratings, ratings_model
from dera_rag.evaluation.scorers.cards import Agreement, Card, agreement
from dera_rag.evaluation.scorers.grounded.features import Reader
from dera_rag.evaluation.scorers.grounded.fit import HeldOut, Measured, held_out, measure
from dera_rag.evaluation.scorers.grounded.scorer import Grounded
from dera_rag.evaluation.scorers.labels import Judged, Rating
from dera_rag.evaluation.statistics import Estimate
from dera_rag.evaluation.statistics.ranking import auroc
from dera_rag.evaluation.statistics.resampling import interval
from dera_rag.retrieval.embedders import StaticEmbedder

_NOVELTY, _LENGTH = 0, 8  # columns of the lexical floor


def validate_grounded(judged: Sequence[Judged], *, n_resamples: int = 2000, seed: int = 0) -> Card:
    """The grounded-ness scorer by grouped cross-validation, beside the floor on the same rows.

    Args:
        judged: Answers of one or several sets, at least one with marked spans.
        n_resamples: Of every interval.
        seed: Of the folds and of the resampling.

    Raises:
        InvalidValueError: No set has marked spans, or one has too few sources.
    """
    measured = measure(judged, Reader(StaticEmbedder.embedded()))
    return grounded_card(measured, n_resamples=n_resamples, seed=seed)


def grounded_card(measured: Sequence[Measured], *, n_resamples: int = 2000, seed: int = 0) -> Card:
    """The same of answers that are measured already."""
    scores = held_out(measured, seed)
    parts = [([m for m in measured if m.judged.group == name], scores[name]) for name in scores]
    rows: list[Agreement] = []
    for name, (found, own) in zip(scores, parts, strict=True):
        rows += _of_set(name, found, own, n_resamples, seed)
    mean = _mean_gain(parts, n_resamples, seed)
    notes = (
        f"Mean gain over the floor across the {len(parts)} sets, fitted per set: "
        f"{mean.value:+.4f} [{mean.low:+.4f}, {mean.high:+.4f}].",
        "“fitted per set” learns from other sources of the same set, as the floor does; “as "
        "shipped” is the shipped recipe, which learns from the sets with marked spans alone.",
        "Every score is of an answer whose source the model did not see.",
    )
    return Card(Grounded.name, "cross-validated", tuple(rows), notes)


def _of_set(
    group: str, found: Sequence[Measured], scores: HeldOut, n_resamples: int, seed: int
) -> list[Agreement]:
    labels = [float(m.judged.unsupported) for m in found]
    sources = [m.judged.item.source for m in found]
    baselines = {
        "floor": scores.floor.tolist(),
        "novelty": [m.floor[_NOVELTY] for m in found],
        "length": [m.floor[_LENGTH] for m in found],
    }
    kinds = {"fitted per set": scores.own, "as shipped": scores.shipped}
    return [
        agreement(
            f"{group}, {kind}", "auroc", own.tolist(), labels, sources,
            baselines=baselines, n_resamples=n_resamples, seed=seed,
        )
        for kind, own in kinds.items()
    ]  # fmt: skip


def _mean_gain(
    parts: Sequence[tuple[list[Measured], HeldOut]], n_resamples: int, seed: int
) -> Estimate:
    """Gain over the floor averaged over sets, which are independent: their variances add up."""
    gains = [
        auroc(
            scores.own.tolist(), [float(m.judged.unsupported) for m in found],
            [m.judged.item.source for m in found],
            baseline=scores.floor.tolist(), n_resamples=n_resamples, seed=seed,
        )
        for found, scores in parts
    ]  # fmt: skip
    value = float(np.mean([g.value for g in gains]))
    half = math.sqrt(sum(((g.high - g.low) / 2) ** 2 for g in gains)) / len(gains)
    n = sum(g.n for g in gains)
    return Estimate(value, value - half, value + half, n, sum(g.n_failed for g in gains))


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
    from dera_rag.evaluation.scorers.grounded.floor import lexical_floor

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
) -> Card:
    """The learned naturalness scorer on records, raters and systems it was not fitted on.

    Args:
        ratings: Ratings by people.
        likelihoods: Of every text under the third model; None computes them.
        n_resamples: Of every interval.
        seed: Of the folds and of the resampling.
    """
    known = text_likelihoods(ratings) if likelihoods is None else likelihoods
    rows = []
    for unseen in (("record",), ("record", "worker"), ("system",)):
        found = natural_ratings.held_out(ratings, known, unseen, seed=seed)
        sources = [one.record for one in found.items]
        baselines = {
            "likelihood": [known[one.text] for one in found.items],
            "length": [float(len(one.text.split())) for one in found.items],
        }
        truths = {"standardised": [one.score for one in found.items]}
        if unseen == ("record",):
            truths["raw"] = [one.raw for one in found.items]
        rows += [
            agreement(
                f"{' and '.join(unseen)} unseen, {name} ratings", "spearman",
                found.predicted.tolist(), truth, sources,
                baselines=baselines, n_resamples=n_resamples, seed=seed,
            )
            for name, truth in truths.items()
        ]  # fmt: skip
    between = rater_agreement(ratings, n_resamples=n_resamples, seed=seed)
    note = (
        "One rater's standardised rating against the mean of the others of the same text: Spearman "
        f"{between.value:.3f} [{between.low:.3f}, {between.high:.3f}], n = {between.n}."
    )
    return Card("learned_naturalness", "cross-validated", tuple(rows), (note,))


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
