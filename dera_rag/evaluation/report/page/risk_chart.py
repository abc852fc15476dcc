"""What answering less would buy, as figures: faults among the answers kept, over how many are."""

from __future__ import annotations

from dera_rag.evaluation.report.findings import RiskCurve
from dera_rag.evaluation.report.page import svg
from dera_rag.evaluation.report.page.markup import Html, el, interval, number
from dera_rag.evaluation.report.summary_types import Section


def risk_figures(section: Section) -> Html | None:
    """One figure for each curve of the first and last λ, the baseline and the policies.

    Args:
        section: Its table has the curves of all arms.
    """
    fixed = [arm.name for arm in section.arms if arm.kind == "lam"]
    named = [arm.name for arm in section.arms if arm.kind != "lam" or arm.baseline]
    kept = {*fixed[:1], *fixed[-1:], *named}
    curves = [one for one in section.abstention.curves if one.arm in kept]
    if not curves:
        return None
    # One scale for all, so that heights can be compared.
    ends = svg.span((risk for one in curves for risk in one.risk), floor=0.0)
    return el("div", (_figure(one, ends) for one in curves), class_="curves")


def _figure(curve: RiskCurve, ends: tuple[float, float]) -> Html:
    plane = svg.Plane((0.0, 1.0), ends, 340, 200)
    line = [plane.at(x, y) for x, y in zip(curve.coverage, curve.risk, strict=True)]
    area = f"{number(curve.area.value)} {interval(curve.area)}".strip()
    return el(
        "figure",
        el("h4", curve.arm, el("small", f"kept by {curve.confidence}")),
        svg.picture(
            plane,
            f"Risk over coverage of {curve.arm}: {number(curve.risk[-1])} where all are kept.",
            plane.axes("share of answers kept"),
            svg.polyline(line, "line"),
        ),
        el("figcaption", f"Mean risk over all shares {area}"),
    )
