"""A summary as Markdown: the same text for the same rows."""

from __future__ import annotations

from collections.abc import Iterator

from dera_rag.evaluation.report.headline import number, shown
from dera_rag.evaluation.report.markdown_findings import findings
from dera_rag.evaluation.report.markdown_tables import table
from dera_rag.evaluation.report.summary_types import Axis, Cell, RunFacts, Section, Summary


def to_markdown(summary: Summary) -> str:
    """A summary as one Markdown document."""
    parts = [f"# {summary.run.suite}", summary.run.about, _facts(summary.run)]
    for section in summary.sections:
        parts += _section(section)
    parts += ["## How the numbers were made", "\n".join(f"- {one}" for one in summary.method)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(run: RunFacts) -> str:
    rows = [["answers", run.answers], ["λ", ", ".join(f"{lam:g}" for lam in run.lam)]]
    rows.append(["pair", run.pair])
    if run.answers != "given":
        rows.append(["seeds", ", ".join(map(str, run.seeds))])
    if run.limit is not None:
        rows.append(["limit", f"at most {run.limit} questions of each section"])
    rows += [["policies", ", ".join(run.policies)]]
    rows += [[f"{name} weights", str(value)] for name, value in run.models.items()]
    rows += [["versions", ", ".join(f"{name} {v}" for name, v in run.versions.items() if v)]]
    return table(["run", ""], [row for row in rows if row[1]])


def _section(section: Section) -> Iterator[str]:
    card = section.card
    yield f"## {section.name}"
    yield f"{card.about} {card.split}; {card.size}; {card.licence}."
    failed = f", {section.failed} answers failed" if section.failed else ""
    yield f"{section.questions} questions of {section.sources} sources{failed}."
    yield "\n".join(f"- {why}: {count}" for why, count in section.failures.items())
    yield "\n".join(f"- {sentence}" for sentence in section.headline)
    yield "\n".join(_axis(axis) for axis in section.axes)
    yield "### Means"
    yield _means(section)
    yield _missing(section)
    yield from findings(section)
    yield from _kinds(section)
    yield _anchors(section)
    yield from _cards(section)
    yield _cost(section)


def _axis(axis: Axis) -> str:
    if axis.scorer is None:
        return f"- {axis.name}: {axis.reason}"
    turned = f", read as {axis.turned}" if axis.turned else ""
    passed_over = f"; {axis.reason}" if axis.reason else ""
    return f"- {axis.name}: {axis.scorer}{turned} (by {axis.chosen}{passed_over})"


def _means(section: Section) -> str:
    names = [scorer.name for scorer in section.scorers]
    rows = [
        [arm.name, *(shown(arm.cells[name].estimate) for name in names)] for arm in section.arms
    ]
    head = ["arm", *names]
    if any(arm.tokens is not None for arm in section.arms):
        head.append("tokens")
        for row, arm in zip(rows, section.arms, strict=True):
            row.append("" if arm.tokens is None else number(arm.tokens.value))
    return table(head, rows)


def _missing(section: Section) -> str:
    """A row for all arms that lack the same: what has no reference has none at any λ."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for scorer in section.scorers:
        for arm in section.arms:
            cell = arm.cells[scorer.name]
            if cell.unscored or cell.failed:
                lacking.setdefault((scorer.name, *_counts(cell)), []).append(arm.name)
    rows = [
        ["every arm" if 1 < len(arms) == len(section.arms) else ", ".join(arms), *counts]
        for counts, arms in lacking.items()
    ]
    head = ["without a value", "scorer", "scored", "not scorable", "failed", "why"]
    return table(head, rows)


def _counts(cell: Cell) -> list[str]:
    why = "; ".join(f"{reason} ({count})" for reason, count in cell.reasons.items())
    return [str(cell.scored), str(cell.unscored), str(cell.failed), why]


def _kinds(section: Section) -> Iterator[str]:
    if not section.kinds:
        return
    names = [scorer.name for scorer in section.scorers if scorer.axis]
    names += [one.name for one in section.scorers if one.name.endswith(("abstained", "abstain"))]
    rows = [
        [kind, arm, *(shown(estimates[name]) for name in names)]
        for kind, arms in section.kinds.items()
        for arm, estimates in arms.items()
    ]
    if names:
        yield "### By kind of question"
        yield table(["kind", "arm", *names], rows)


def _anchors(section: Section) -> str:
    rows = [[a.metric, a.value, a.system, a.source] for a in section.card.anchors]
    return table(["published", "value", "system", "source"], rows)


def _cards(section: Section) -> Iterator[str]:
    for scorer in section.scorers:
        if scorer.card is not None:
            yield scorer.card.to_markdown().replace("## ", "### Scorer card: ", 1).rstrip()
            yield scorer.card_note


def _cost(section: Section) -> str:
    cost = section.cost
    rows = [["questions", str(cost.questions)], ["answers", str(cost.answers)]]
    if cost.tokens or cost.generate_s:  # given answers took neither
        rows += [["tokens", str(cost.tokens)], ["seconds generating", f"{cost.generate_s:.1f}"]]
    rows += [["seconds scoring", f"{cost.score_s:.1f}"], ["peak memory, MB", f"{cost.peak_mb:.0f}"]]
    if cost.tokens_per_s is not None:
        rows.append(["tokens a second", f"{cost.tokens_per_s:.0f}"])
    if cost.segments is not None and cost.inexact is not None:
        rows.append(["answers of a path", f"{cost.segments:.1f}"])
        rows.append(["of λ not exact", f"{100 * cost.inexact:.1f} %"])
    return table(["cost, all processes added up", ""], rows) + (
        f"\n\n{cost.note}." if cost.note else ""
    )
