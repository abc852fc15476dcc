"""Abstaining as an axis: how answers split, and the faults that dropping unsure ones would save."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dera_rag.evaluation.report.axes import Scale
from dera_rag.evaluation.report.findings import Abstention, OutcomeRates, RiskCurve
from dera_rag.evaluation.report.tables import Tables, Way
from dera_rag.evaluation.statistics.abstention import Outcome, outcomes, risk_coverage

_ABSTAIN = ("venues_abstained", "conflict_abstain", "abstained")
_OWN = "mean_log_probability"
_SURE = ("grounded", "minicheck", "entailment", "log_ratio_lowest")
_SHOWN = 50  # points of a curve


def abstention(
    tables: Tables,
    many: Sequence[Way],
    factuality: Scale | None,
    *,
    binary: bool,
    n_resamples: int,
    seed: int,
) -> Abstention:
    """Outcomes and risk–coverage curves of every arm.

    Args:
        tables: The section's tables.
        many: Ways of answering.
        factuality: Scale of the axis; None where the section has none.
        binary: Whether its scorer gives 0 or 1 alone.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.
    """
    if factuality is None:
        why = "no scorer of this section measures factuality"
        return Abstention((), (), why, why)
    split, why_not = _outcomes(tables, many, factuality, binary=binary)
    found, reason = _curves(tables, many, factuality, n_resamples=n_resamples, seed=seed)
    return Abstention(split, found, why_not, reason)


def _outcomes(
    tables: Tables, many: Sequence[Way], factuality: Scale, *, binary: bool
) -> tuple[tuple[OutcomeRates, ...], str]:
    meters = [name for name in _ABSTAIN if name in tables.section.scorers]
    questions = tables.section.questions
    if not meters:
        return (), "nothing tells whether an answer declines: score `abstained`"
    if not binary:
        return (), f"{factuality.scorer} grades answers: none of them is simply right or wrong"
    if any(question.answerable is None for question in questions):
        return (), "the task does not say which questions can be answered (own rows: `answerable`)"
    made = [_split(tables, way, factuality, meters[0]) for way in many]
    return tuple(one for one in made if one is not None), ""


def _split(tables: Tables, way: Way, factuality: Scale, meter: str) -> OutcomeRates | None:
    """How the answers of one arm split; an answer that lacks a score is no outcome."""
    declined = tables.answers(way, meter)
    right = factuality.turned(tables.answers(way, factuality.scorer))
    found: list[Outcome] = []
    able, sources = [], []
    for i, question in enumerate(tables.section.questions):
        for no, value in zip(declined[i], right[i], strict=True):
            can = bool(question.answerable)
            if np.isnan(no) or (no == 0 and can and np.isnan(value)):
                continue
            good = can and value >= factuality.best
            found.append("abstained" if no else "correct" if good else "wrong")
            able.append(can)
            sources.append(question.source)
    if not found:
        return None
    rates = outcomes(found, able, sources)
    return OutcomeRates(
        way.name, meter, rates.answered, rates.correct, rates.wrong, rates.over_refusal,
        rates.unsupported,
    )  # fmt: skip


def _curves(
    tables: Tables, many: Sequence[Way], factuality: Scale, *, n_resamples: int, seed: int
) -> tuple[tuple[RiskCurve, ...], str]:
    if np.isnan(factuality.best):
        return (), f"{factuality.scorer} has no best value, so there is no loss to save"
    made = []
    for way in many:
        for name, confidence in _confidences(tables, way, factuality.scorer):
            values = factuality.turned(tables.answers(way, factuality.scorer))
            losses = factuality.best - values
            if not (np.isfinite(losses) & np.isfinite(confidence)).any():
                continue
            each = [s for s in tables.sources for _ in tables.section.seeds]
            found = risk_coverage(
                confidence.ravel().tolist(), losses.ravel().tolist(), each,
                n_resamples=n_resamples, seed=seed,
            )  # fmt: skip
            at = np.linspace(0, len(found.coverage) - 1, _SHOWN).round().astype(int)
            kept = sorted(set(at.tolist()))
            made.append(
                RiskCurve(
                    arm=way.name,
                    confidence=name,
                    coverage=tuple(found.coverage[i] for i in kept),
                    risk=tuple(found.risk[i] for i in kept),
                    area=found.area,
                    excess=found.excess,
                )
            )
    return tuple(made), "" if made else "nothing orders answers by how sure they are"


def _confidences(tables: Tables, way: Way, judge: str) -> list[tuple[str, np.ndarray]]:
    """`[N, S]` numbers, higher is surer; what measures the faults cannot foretell them."""
    found = [(_OWN, tables.sheet(way).confidence)]
    for name in _SURE:
        if name in tables.section.scorers and name != judge:
            found.append((name, tables.answers(way, name)))
    return [(name, values) for name, values in found if np.isfinite(values).any()]
