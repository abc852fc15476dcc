"""The report's tables: all that its figures show, as numbers, and without scripts."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dera_rag.evaluation.report.findings import Comparison
from dera_rag.evaluation.report.page.curve_chart import facts_of
from dera_rag.evaluation.report.page.markup import Html, el, interval, join, number, table
from dera_rag.evaluation.report.summary_types import Arm, Cell, ScorerFacts, Section, Summary
from dera_rag.evaluation.statistics import Estimate

_ARROWS = {"higher": "↑", "lower": "↓"}


def estimate(value: Estimate | None, *, signed: bool = False, mark: str = "") -> Html:
    """An estimate as a cell: value, interval, and how many it rests on.

    Args:
        value: None for a dash.
        signed: Whether it is a difference.
        mark: `better` or `worse` colours and says it.
    """
    if value is None:
        return el("span", "–")
    ends = interval(value, signed=signed)
    left_out = f", {value.n_failed} left out" if value.n_failed else ""
    return join(
        el(
            "b",
            number(value.value, signed=signed),
            f" {mark}" if mark else None,
            class_=mark or None,
        ),
        el("small", f"{ends} n {value.n}{left_out}".strip()),
    )


def overview(summary: Summary) -> Html:
    """One row a section: what was asked, of how many, with what licence, and how it came out."""
    rows = [_task(section) for section in summary.sections]
    where = ", at the baseline" if summary.run.answers != "given" else ""
    axes = [f"{axis}{where}" for axis in ("factuality", "naturalness")]
    head = ["section", "asks", "data", "licence", "questions", "without an answer", *axes]
    caption = "What was asked. Each section has its published figures, if there are any, below it."
    return table(caption, head, rows, label="Tasks")


def _task(section: Section) -> list[object]:
    base = next((arm for arm in section.arms if arm.baseline), None)
    base = base or (section.arms[0] if section.arms else None)
    found = []
    for axis in section.axes:
        cell = base.cells.get(axis.scorer) if base and axis.scorer else None
        measured = axis.reason
        if axis.scorer:
            passed_over = f" ({axis.reason})" if axis.reason else ""
            arrowed = arrow(facts_of(section, axis.scorer))
            measured = join(broken(axis.scorer), " ", arrowed, passed_over)
        found.append(join(estimate(cell.estimate) if cell else None, el("small", measured)))
    return [
        el("a", section.name, href=f"#{anchor(section)}"),
        section.card.about,
        f"{section.card.split}; {section.card.size}",
        section.card.licence,
        f"{section.questions:,} about {section.sources:,} sources",
        f"{section.failed}" + (f": {_counts(section.failures)}" if section.failures else ""),
        *found,
    ]


def published(section: Section) -> Html | None:
    """Figures of others to set one's own beside."""
    if not section.card.anchors:
        return None
    rows = [[a.metric, el("b", a.value), a.system, a.source] for a in section.card.anchors]
    head = ["measured", "figure", "system", "source"]
    shown = table("Figures of others on this task", head, rows, label="Published figures")
    return join(el("h3", "Published figures"), shown)


def estimates(section: Section) -> Html:
    """Every arm by every scorer."""
    counted = any(arm.tokens is not None for arm in section.arms)
    head = ["", *(_scorer_head(facts) for facts in section.scorers)]
    rows = [
        [
            _arm_head(arm),
            *(_cell(arm.cells.get(facts.name)) for facts in section.scorers),
            *([estimate(arm.tokens)] if counted else []),
        ]
        for arm in section.arms
    ]
    head += ["tokens"] if counted else []
    caption = (
        "Means over questions with 95 % intervals clustered by source; n questions scored and, "
        "where there are any, how many are left out. ↑ higher is better, ↓ lower is better. What "
        "cannot be scored is left out and never counted as 0."
    )
    return table(caption, head, rows, label=f"Estimates of {section.name}", class_="estimates")


def _scorer_head(facts: ScorerFacts) -> Html:
    role = el("small", facts.axis) if facts.axis else None
    return join(broken(facts.name), " ", arrow(facts), role)


def broken(name: str) -> Html:
    """A scorer's name that may break after its underscores."""
    parts = name.split("_")
    return join(parts[0], ((el("wbr"), f"_{part}") for part in parts[1:]))


def arrow(facts: ScorerFacts) -> Html | None:
    """Which way is better, also for those who hear the page."""
    if facts.direction == "neither":
        return None
    said = f"{facts.direction} is better"
    return el("span", _ARROWS[facts.direction], role="img", aria_label=said, title=said)


def _arm_head(arm: Arm) -> Html:
    ranged = None
    if arm.kind == "policy":
        low, high = arm.lam_range or (math.nan, math.nan)
        ranged = el("small", f"mean λ {number(arm.lam)}, from {number(low)} to {number(high)}")
    return join(arm.name, el("small", "baseline") if arm.baseline else None, ranged)


def _cell(cell: Cell | None) -> Html:
    if cell is None:
        return el("span", "–")
    lacking = cell.unscored + cell.failed
    shown = estimate(cell.estimate)
    if not lacking:
        return shown
    why = el("small", f"{lacking} answers unscored: {_counts(cell.reasons)}", class_="wrap")
    return join(shown, why)


def comparisons(section: Section) -> Html | None:
    """Every arm against the baseline on the same questions."""
    if not section.comparisons:
        return None
    names = list(dict.fromkeys(one.scorer for one in section.comparisons))
    found = {(one.arm, one.scorer): one for one in section.comparisons}
    rows = []
    for arm in dict.fromkeys(one.arm for one in section.comparisons):
        cells: list[object] = [arm]
        for name in names:
            cells.append(_difference(found.get((arm, name))))
        rows.append(cells)
    base = section.comparisons[0].baseline
    caption = (
        "Paired by question, with 95 % intervals; p-values adjusted by Holm over the section "
        "(exact McNemar for outcomes of 0 and 1, else sign flips of whole sources)."
    )
    head = ["", *(_scorer_head(facts_of(section, name)) for name in names)]
    shown = table(caption, head, rows, label=f"Differences in {section.name}")
    return join(el("h3", f"Differences from {base}"), shown)


def _difference(one: Comparison | None) -> Html:
    if one is None:
        return el("span", "–")
    p = el("small", f"p {number(one.p_holm)}") if one.test else None
    return join(estimate(one.difference, signed=True, mark=one.better), p)


def frontier(section: Section) -> Html | None:
    """The numbers behind the frontier's figure."""
    if section.frontier is None:
        return None
    rows = [
        [
            point.arm,
            number(point.factuality),
            number(point.naturalness),
            f"{'yes' if point.efficient else 'no'} ({point.efficient_share:.0%})",
        ]
        for point in section.frontier.points
    ]
    caption = "In brackets the share of resamples that put a setting on the frontier"
    head = ["", "factuality", "naturalness", "on the frontier"]
    return table(caption, head, rows, label=f"Frontier of {section.name}")


def kinds(section: Section) -> Html | None:
    """Estimates by kind of question, a table for each axis."""
    if not section.kinds:
        return None
    names = [axis.scorer for axis in section.axes if axis.scorer]
    arms = list(dict.fromkeys(arm for found in section.kinds.values() for arm in found))
    tables = []
    for name in names or [facts.name for facts in section.scorers[:2]]:
        rows = [
            [kind, *(estimate(found.get(arm, {}).get(name)) for arm in arms)]
            for kind, found in section.kinds.items()
        ]
        caption = join(_scorer_head(facts_of(section, name)))
        label = f"{name} by kind of question in {section.name}"
        tables.append(table(caption, ["kind", *arms], rows, label=label))
    return join(el("h3", "By kind of question"), tables)


def anchor(section: Section) -> str:
    """The id of a section's heading: names may hold what an id may not."""
    return "section-" + "".join(
        c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in section.name
    )


def _counts(reasons: Mapping[str, int]) -> str:
    return "; ".join(f"{count}× {why}" for why, count in reasons.items())
