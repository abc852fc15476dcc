"""Factuality once two arms copy equally much: a copied answer is right on most meters."""

from __future__ import annotations

from collections.abc import Sequence

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.report.axes import Scale
from dera_rag.evaluation.report.findings import CopyingFinding
from dera_rag.evaluation.report.frontiers import turned
from dera_rag.evaluation.report.tables import Tables, Way
from dera_rag.evaluation.statistics.copying import at_equal_copying

COPY_SCORERS = ("copy_rate", "copy_coverage", "copy_density")
"""What measures copying, the first that judges a section being taken."""


def at_equal(
    tables: Tables,
    many: Sequence[Way],
    baseline: Way,
    factuality: Scale,
    *,
    n_resamples: int,
    seed: int,
) -> tuple[tuple[CopyingFinding, ...], str]:
    """Every other arm's factuality against the baseline's at equal copying, or why there is none.

    Args:
        tables: The section's tables.
        many: Ways of answering.
        baseline: One of them.
        factuality: Scale of the axis. Answers count alike, whatever they weigh elsewhere.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.
    """
    meters = [name for name in COPY_SCORERS if name in tables.section.scorers]
    if not meters:
        return (), f"nothing measures copying: score one of {', '.join(COPY_SCORERS)}"
    copied = {way: tables.column(way, meters[0])[0].tolist() for way in (*many, baseline)}
    right = {way: turned(tables, [way], factuality)[0][:, 0].tolist() for way in copied}
    made, why = [], ""
    for way in many:
        if way == baseline:
            continue
        try:
            found = at_equal_copying(
                (right[way], copied[way]), (right[baseline], copied[baseline]), tables.sources,
                n_resamples=n_resamples, seed=seed,
            )  # fmt: skip
        except InvalidValueError as error:
            why = error.message
            continue
        made.append(
            CopyingFinding(
                arm=way.name,
                baseline=baseline.name,
                copy_scorer=meters[0],
                arm_effective=found.new,
                baseline_effective=found.old,
                difference=found.difference,
                raw=found.raw,
                overlap=found.overlap,
            )
        )
    return tuple(made), "" if made else why
