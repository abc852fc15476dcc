"""A scorer's mean over λ as a figure: an exact step function, or points."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dera_rag.evaluation.report.page import svg
from dera_rag.evaluation.report.page.markup import Html, el, interval, join, number
from dera_rag.evaluation.report.summary_types import Arm, Curve, ScorerFacts, Section
from dera_rag.evaluation.statistics import Estimate

_BETTER = {"higher": "higher is better", "lower": "lower is better", "neither": ""}


def facts_of(section: Section, scorer: str) -> ScorerFacts:
    """What a section says of one of its scorers."""
    return next(one for one in section.scorers if one.name == scorer)


def curve_figure(section: Section, curve: Curve) -> Html:
    """A scorer over λ, with its band and the policies as diamonds at their mean λ.

    Args:
        section: The curve's section.
        curve: The curve.
    """
    facts = facts_of(section, curve.scorer)
    policies = [arm for arm in section.arms if arm.kind == "policy"]
    marks = [
        (arm, arm.cells[curve.scorer].estimate) for arm in policies if curve.scorer in arm.cells
    ]
    plane = _curve_plane(curve, facts, marks)
    inside = [plane.axes("λ"), _anchors(plane), _band(plane, curve), _line(plane, curve)]
    inside += [_policy(plane, arm, estimate) for arm, estimate in marks]
    note = _curve_note(curve)
    return el(
        "figure",
        el("h4", curve.scorer, el("small", _BETTER[facts.direction])),
        svg.picture(plane, f"{curve.scorer} over λ. {_ends(curve)}", inside),
        el("figcaption", note) if note else None,
    )


def _curve_plane(
    curve: Curve, facts: ScorerFacts, marks: Sequence[tuple[Arm, Estimate]]
) -> svg.Plane:
    band = curve.band
    values = [*curve.values, *(band.lows if band else ()), *(band.highs if band else ())]
    for _, estimate in marks:
        values += [estimate.value, estimate.low, estimate.high]
    ends = svg.span(values, floor=facts.low, ceil=facts.high)
    low, high = curve.lam[0], max(curve.end, curve.lam[0] + 1e-9)
    return svg.Plane((low, high), ends, 340, 215)


def _anchors(plane: svg.Plane) -> Html:
    """A dotted line at the aligned model, where λ goes beyond it."""
    low, high = plane.x
    if not low < 1 < high:
        return join()
    x = plane.across(1)
    top, base = plane.down(plane.y[1]), plane.down(plane.y[0])
    return el("line", x1=x, y1=top, x2=x, y2=base, class_="anchor")


def _band(plane: svg.Plane, curve: Curve) -> Html | None:
    if curve.band is None:
        return None
    ends = list(zip(curve.band.lam, curve.band.lows, curve.band.highs, strict=True))
    known = [(lam, lo, hi) for lam, lo, hi in ends if math.isfinite(lo) and math.isfinite(hi)]
    if not curve.exact:
        bars = [(plane.at(lam, lo), plane.at(lam, hi)) for lam, lo, hi in known]
        return join(el("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], class_="bar") for a, b in bars)
    if len(known) < 2:
        return None
    upper = [plane.at(lam, svg.within(hi, plane.y)) for lam, _, hi in known]
    lower = [plane.at(lam, svg.within(lo, plane.y)) for lam, lo, _ in reversed(known)]
    return svg.polygon([*upper, *lower], "band")


def _line(plane: svg.Plane, curve: Curve) -> Html:
    if curve.exact:
        corners = svg.stairs(curve.lam, curve.values, curve.end)
        return svg.polyline([plane.at(x, y) for x, y in corners], "line")
    places = [plane.at(x, y) for x, y in zip(curve.lam, curve.values, strict=True)]
    dots = [
        svg.dot(*plane.at(x, y), 4, "point", f"λ={x:g}: {number(y)}, n = {n}")
        for x, y, n in zip(curve.lam, curve.values, curve.n, strict=True)
        if math.isfinite(y)
    ]
    return join(svg.polyline(places, "faint"), dots)


def _policy(plane: svg.Plane, arm: Arm, estimate: Estimate) -> Html | None:
    if arm.lam is None or not math.isfinite(estimate.value):
        return None
    x, y = plane.at(svg.within(arm.lam, plane.x), estimate.value)
    title = f"{arm.name}: {number(estimate.value)} {interval(estimate)}, mean λ {number(arm.lam)}"
    bar = None
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        low, high = (plane.down(svg.within(end, plane.y)) for end in (estimate.low, estimate.high))
        bar = el("line", x1=x, y1=low, x2=x, y2=high, class_="policy-bar")
    return join(bar, svg.diamond(x, y, 5.5, "policy", title))


def _ends(curve: Curve) -> str:
    first, last = curve.values[0], curve.values[-1]
    return f"{number(first)} at λ={curve.lam[0]:g}, {number(last)} at λ={curve.end:g}."


def _curve_note(curve: Curve) -> str:
    if not curve.exact:
        return "Points with a band that holds all of them at once; nothing is known in between."
    steps = f"{curve.steps:,} steps" if curve.steps > 1 else "one step"
    return f"Exact in λ: {steps}. {curve.note + '.' if curve.note else ''}".strip()
