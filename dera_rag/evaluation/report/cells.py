"""Arms × scorers: means with intervals, and what could not be scored, with why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dera_rag.evaluation.report.summary_types import Arm, Cell
from dera_rag.evaluation.report.tables import Tables, Way
from dera_rag.evaluation.statistics import Estimate, mean, proportion, ratio

_REASONS = 5  # more say less


def estimate(
    values: np.ndarray,
    weights: np.ndarray,
    sources: Sequence[str],
    *,
    binary: bool,
    n_resamples: int,
    seed: int,
) -> Estimate:
    """A scorer's mean over questions.

    Args:
        values: `[N]`, seeds averaged, NaN where nothing is scored.
        weights: `[N]`.
        sources: N sources.
        binary: Whether the scorer gives 0 or 1 alone. Where questions do too, because there is one
            seed or seeds agree, the interval is Wilson's, which is honest at 0 and 1.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.
    """
    known = values[np.isfinite(values)]
    even = bool((weights == 1).all())
    if binary and even and np.isin(known, (0.0, 1.0)).all():
        return proportion(values.tolist(), sources)
    return ratio(
        (values * weights).tolist(), weights.tolist(), sources, n_resamples=n_resamples, seed=seed
    )


def is_binary(tables: Tables, scorer: str) -> bool:
    """Whether all values of a scorer, at every λ, are 0 or 1 and weigh 1; False without any."""
    m = tables.section.scorers.index(scorer)
    found = [
        (one.values[:, m], one.weights[:, m])
        for question in tables.section.questions
        for one in question.answered.values()
    ]
    values = np.concatenate([v for v, _ in found])
    weights = np.concatenate([w for _, w in found])
    known = values[np.isfinite(values)]
    return bool(len(known) and np.isin(known, (0.0, 1.0)).all() and (weights == 1).all())


def is_weighted(tables: Tables, scorer: str) -> bool:
    """Whether answers weigh differently in a scorer's mean."""
    m = tables.section.scorers.index(scorer)
    return any(
        bool((one.weights[:, m] != 1).any())
        for question in tables.section.questions
        for one in question.answered.values()
    )


def arms(
    tables: Tables,
    many: Sequence[Way],
    baseline: Way | None,
    binary: Mapping[str, bool],
    *,
    n_resamples: int,
    seed: int,
) -> tuple[Arm, ...]:
    """The table of a section.

    Args:
        tables: Its tables.
        many: Ways of answering, in order.
        baseline: The one that comparisons are made against; None for none.
        binary: Scorer → whether it gives 0 or 1 alone.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.
    """
    cells: dict[str, dict[str, Cell]] = {way.name: {} for way in many}
    # Scorer by scorer: what is not scorable is so in every arm, and equal counts share resamples.
    for scorer in tables.section.scorers:
        for way in many:
            values, weights = tables.column(way, scorer)
            found = estimate(
                values, weights, tables.sources,
                binary=binary[scorer], n_resamples=n_resamples, seed=seed,
            )  # fmt: skip
            cells[way.name][scorer] = _cell(tables, way, scorer, found)
    return tuple(_arm(tables, way, way == baseline, cells[way.name]) for way in many)


def _cell(tables: Tables, way: Way, scorer: str, found: Estimate) -> Cell:
    sheet, m = tables.sheet(way), tables.section.scorers.index(scorer)
    scored = np.isfinite(sheet.values[:, :, m])
    failed = ~scored & sheet.failed[:, :, m]
    reasons: Counter[str] = Counter()
    for i, j in zip(*np.nonzero(~scored), strict=True):
        one = tables.section.questions[i].answered[tables.section.seeds[j]]
        at = int(sheet.positions[i, j])
        why = f"no answer: {one.error}" if one.error else "no answer in this arm"
        reasons[one.reasons[at].get(scorer, "no reason is stored") if at >= 0 else why] += 1
    return Cell(
        estimate=found,
        scored=int(scored.sum()),
        unscored=int((~scored & ~failed).sum()),
        failed=int(failed.sum()),
        reasons=most_frequent(reasons),
    )


def most_frequent(counts: Counter[str]) -> dict[str, int]:
    """The most frequent reasons with their counts; ties by name."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ordered[:_REASONS])


def _arm(tables: Tables, way: Way, is_baseline: bool, cells: Mapping[str, Cell]) -> Arm:
    sheet = tables.sheet(way)
    lams = sheet.lams[np.isfinite(sheet.lams)]
    chose = way.kind == "policy" and len(lams) > 0
    known = np.isfinite(sheet.tokens)
    per_question = np.where(known, sheet.tokens, 0.0).sum(1) / np.maximum(known.sum(1), 1)
    per_question[~known.any(1)] = np.nan
    tokens = mean(per_question.tolist(), tables.sources) if known.any() else None
    return Arm(
        name=way.name,
        kind=way.kind,
        lam=float(lams.mean()) if chose else way.lam,
        lam_range=(float(lams.min()), float(lams.max())) if chose else None,
        baseline=is_baseline,
        cells=cells,
        tokens=tokens,
    )
