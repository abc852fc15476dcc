"""A summary's means as CSV, a row per section, arm and scorer."""

from __future__ import annotations

import csv
import io

from dera_rag.evaluation.report.plain import plain
from dera_rag.evaluation.report.summary_types import Summary

COLUMNS = (
    "section",
    "arm",
    "kind",
    "lam",
    "scorer",
    "direction",
    "axis",
    "value",
    "low",
    "high",
    "questions",
    "questions_without",
    "scored",
    "unscored",
    "failed",
)
"""`questions` have a value and `questions_without` have none; the last three count answers."""


def to_csv(summary: Summary) -> str:
    """The means of a summary; what is unknown is empty.

    Args:
        summary: The summary.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for section in summary.sections:
        facts = {scorer.name: scorer for scorer in section.scorers}
        for arm in section.arms:
            for name, cell in arm.cells.items():
                scorer, found = facts[name], cell.estimate
                row = [section.name, arm.name, arm.kind, arm.lam, name, scorer.direction]
                row += [scorer.axis, found.value, found.low, found.high, found.n, found.n_failed]
                row += [cell.scored, cell.unscored, cell.failed]
                writer.writerow(["" if (x := plain(one)) is None else x for one in row])
    return out.getvalue()
