"""Factuality against naturalness as a figure: settings, their intervals, the frontier's band."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dera_rag.evaluation.report.findings import Frontier, FrontierPoint
from dera_rag.evaluation.report.page import svg
from dera_rag.evaluation.report.page.curve_chart import facts_of
from dera_rag.evaluation.report.page.markup import Html, el, interval, join, number
from dera_rag.evaluation.report.summary_types import Arm, Axis, Section
from dera_rag.evaluation.statistics import Estimate

# Nearer than this on both sides, two labels of the frontier would lie on each other.
_CLOSE = (30.0, 13.0)


def frontier_figure(section: Section) -> Html:
    """Factuality against naturalness; up and right is better.

    Args:
        section: Where it has no frontier, a sentence says why.
    """
    found = section.frontier
    if found is None:
        return el("p", f"No frontier: {section.frontier_reason}", class_="quiet")
    named = _named(section, found)
    ends = {
        arm.name: [_turned(section, axis, arm) for axis in section.axes]
        for arm in section.arms
        if arm.name in named
    }
    plane = _plane(found, list(ends.values()))
    factual, natural = (axis_name(axis) for axis in section.axes)
    fixed = [plane.at(p.naturalness, p.factuality) for p in found.points if not p.policy]
    inside = [
        plane.axes(f"{natural} →", f"↑ {factual}"),
        _best_band(plane, found),
        svg.polyline(fixed, "trail"),
        [_cross(plane, ends.get(p.arm, []), policy=p.policy) for p in found.points],
        [_mark(plane, point) for point in found.points],
        _labels(plane, [point for point in found.points if point.arm in named]),
    ]
    label = f"Frontier of {factual} and {natural}; the table below has its numbers."
    # Made small enough for a narrow window, nothing in it could be read: there it scrolls.
    drawn = svg.picture(plane, label, inside)
    box = el("div", drawn, class_="pan", tabindex=0, role="region", aria_label="Frontier, drawn")
    return el("figure", box, el("figcaption", _note(found)))


def _named(section: Section, found: Frontier) -> set[str]:
    """The settings with a name and a cross: all of twenty λ would hide each other."""
    fixed = [point.arm for point in found.points if not point.policy]
    efficient = [point.arm for point in found.points if point.efficient or point.policy]
    baseline = [arm.name for arm in section.arms if arm.baseline]
    return {*fixed[:1], *fixed[-1:], *efficient, *baseline}


def _plane(found: Frontier, crosses: Sequence[Sequence[Estimate | None]]) -> svg.Plane:
    xs = [point.naturalness for point in found.points]
    ys = [point.factuality for point in found.points]
    for factual, natural in crosses:
        ys += [factual.low, factual.high] if factual else []
        xs += [natural.low, natural.high] if natural else []
    return svg.Plane(svg.span(xs), svg.span(ys), 760, 430)


def _mark(plane: svg.Plane, point: FrontierPoint) -> Html:
    x, y = plane.at(point.naturalness, point.factuality)
    title = (
        f"{point.arm}: factuality {number(point.factuality)}, naturalness "
        f"{number(point.naturalness)}; on the frontier in {point.efficient_share:.0%} of resamples"
    )
    beaten = "" if point.efficient else " beaten"
    if point.policy:
        return svg.diamond(x, y, 7, f"policy{beaten}", title)
    return svg.dot(x, y, 5, f"point{beaten}", title)


def _labels(plane: svg.Plane, points: Sequence[FrontierPoint]) -> list[Html]:
    """Names, left out where they would lie on another: policies first, they are looked for."""
    taken: list[tuple[float, float]] = []
    labels = []
    for point in sorted(points, key=lambda one: not one.policy):
        x, y = plane.at(point.naturalness, point.factuality)
        if not point.policy and any(
            abs(x - a) < _CLOSE[0] and abs(y - b) < _CLOSE[1] for a, b in taken
        ):
            continue
        taken.append((x, y))
        name = point.arm if point.policy or point.lam is None else f"λ {point.lam:g}"
        side, dx = ("end", -10.0) if point.policy else ("start", 8.0)
        class_ = "policy-name" if point.policy else "name"
        labels.append(el("text", name, x=x + dx, y=y - 7, text_anchor=side, class_=class_))
    return labels


def _best_band(plane: svg.Plane, found: Frontier) -> Html | None:
    """Where the best naturalness at each level of factuality lies with 95 % confidence."""
    rows = [(y, e.low, e.high) for y, e in zip(found.levels, found.best, strict=True)]
    known = [(y, lo, hi) for y, lo, hi in rows if math.isfinite(lo) and math.isfinite(hi)]
    if len(known) < 2:
        return None
    right = [plane.at(svg.within(hi, plane.x), y) for y, _, hi in known]
    left = [plane.at(svg.within(lo, plane.x), y) for y, lo, _ in reversed(known)]
    return svg.polygon([*right, *left], "band")


def _cross(plane: svg.Plane, ends: Sequence[Estimate | None], *, policy: bool) -> Html:
    """The intervals of both coordinates."""
    class_ = "policy-bar" if policy else "bar"
    if len(ends) < 2 or ends[0] is None or ends[1] is None:
        return join()
    y, x = ends[0], ends[1]
    lines = []
    across, down = plane.at(x.value, y.value)
    if math.isfinite(x.low) and math.isfinite(x.high):
        left, right = plane.across(x.low), plane.across(x.high)
        lines.append(el("line", x1=left, y1=down, x2=right, y2=down, class_=class_, opacity=0.45))
    if math.isfinite(y.low) and math.isfinite(y.high):
        low, high = plane.down(y.low), plane.down(y.high)
        lines.append(el("line", x1=across, y1=low, x2=across, y2=high, class_=class_, opacity=0.45))
    return join(lines)


def _turned(section: Section, axis: Axis, arm: Arm) -> Estimate | None:
    """An arm's estimate on an axis, read as higher is better."""
    if axis.scorer is None or axis.scorer not in arm.cells:
        return None
    e = arm.cells[axis.scorer].estimate
    if not axis.turned:
        return e
    # The upper end of the scale, where it has one.
    top = facts_of(section, axis.scorer).high or 0.0
    return Estimate(top - e.value, top - e.high, top - e.low, e.n, e.n_failed)


def axis_name(axis: Axis) -> str:
    """What an axis is and what measures it, as `factuality (1 − venues_hallucination)`."""
    scorer = axis.scorer or "–"
    return f"{axis.name} ({axis.turned.replace('value', scorer) or scorer})"


def _note(found: Frontier) -> Html:
    area = found.hypervolume
    parts = [
        f"Up and right is better; n = {found.n} questions scored at every setting"
        + (f", {found.n_failed} left out" if found.n_failed else "")
        + ". Filled marks are on the frontier, hollow ones are beaten on both axes by another. "
        "The line follows λ. Crosses are 95 % intervals of each axis; the shaded band is the best "
        "naturalness to be had at that factuality or more.",
        f" Area under the frontier {number(area.value)} {interval(area)}",
    ]
    if found.hypervolume_fixed is not None:
        fixed = found.hypervolume_fixed
        parts.append(f", of fixed λ alone {number(fixed.value)} {interval(fixed)}")
    return join(*parts, ".", f" {found.note}" if found.note else None)
