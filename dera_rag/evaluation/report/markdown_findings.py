"""What a summary concludes, as Markdown: tests, frontier, policies, copying, abstaining."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dera_rag.evaluation.report.headline import number, shown
from dera_rag.evaluation.report.markdown_tables import p_value, table
from dera_rag.evaluation.report.summary_types import Section


def findings(section: Section) -> Iterator[str]:
    """The conclusions of a section, part by part."""
    axes = {axis.scorer for axis in section.axes}
    tests = [
        [
            one.arm,
            one.scorer,
            shown(one.difference, signed=True),
            one.test,
            p_value(one.p_holm),
            one.better,
        ]
        for one in section.comparisons
        if one.scorer in axes
    ]
    if tests:
        yield f"### Against {section.comparisons[0].baseline}"
        yield table(["arm", "scorer", "difference", "test", "p (Holm)", ""], tests)
        yield f"{len(section.comparisons)} tests in all; the others are in `--format json`."
    if any(arm.kind != "given" for arm in section.arms):
        yield "### Frontier"
        yield from _frontier(section)
    yield _policies(section)
    yield _reasons(section)
    yield table(
        ["at equal copying", "effective", "baseline", "difference", "as it stands", "overlap"],
        [
            [
                one.arm,
                number(one.arm_effective.value),
                number(one.baseline_effective.value),
                shown(one.difference, signed=True),
                shown(one.raw, signed=True),
                f"{one.overlap:.2f}",
            ]
            for one in section.copying
        ],
    )
    yield from _abstention(section)


def _frontier(section: Section) -> Iterator[str]:
    found = section.frontier
    if found is None:
        yield f"None: {section.frontier_reason}."
        return
    rows = [
        [p.arm, number(p.factuality), number(p.naturalness), f"{p.efficient_share:.2f}"]
        for p in found.points
        if p.efficient
    ]
    yield table(["nothing is better than", "factuality", "naturalness", "share of resamples"], rows)
    corner = ", ".join(number(end) for end in found.reference)
    fixed = (
        "" if found.hypervolume_fixed is None else f", of fixed λ {shown(found.hypervolume_fixed)}"
    )
    yield (
        f"Area above ({corner}): {shown(found.hypervolume)}{fixed}; n = {found.n}, "
        f"{found.n_failed} questions without a score somewhere. {found.note}"
    ).strip()


def _policies(section: Section) -> str:
    rows = []
    for policy in section.policies:
        for one in policy.against_fixed:
            gains = "; ".join(f"{axis} {shown(g, signed=True)}" for axis, g in one.gains.items())
            better = "" if math.isnan(one.p_value) else ("yes" if one.dominates else "not shown")
            against = f"λ={one.lam:g}, best {one.objective}"
            rows.append([policy.policy, against, gains, p_value(one.p_value), better])
        gains = "; ".join(
            f"{axis} {shown(g, signed=True)}" for axis, g in policy.against_random.items()
        )
        if gains:
            rows.append([policy.policy, "a random λ of its mean", gains, "", ""])
    for found in section.oracle:
        if found.gain is not None:
            gain = f"{found.objective} {shown(found.gain, signed=True)}"
            rows.append(["oracle", "the best fixed λ", gain, "", ""])
    return table(["policy", "against", "gain", "p", "better on both"], rows)


def _reasons(section: Section) -> str:
    why = [f"{one.policy}: {one.reason}" for one in section.policies if one.reason]
    why += [
        f"oracle: {reason}" for reason in dict.fromkeys(o.reason for o in section.oracle) if reason
    ]
    if section.copying_reason:
        why.append(f"equal copying: {section.copying_reason}")
    return "\n".join(f"- {one}" for one in why)


def _abstention(section: Section) -> Iterator[str]:
    found = section.abstention
    yield table(
        ["outcomes", "answered", "correct", "wrong", "over-refusal", "unsupported"],
        [
            [
                one.arm,
                *(
                    shown(rate)
                    for rate in (
                        one.answered,
                        one.correct,
                        one.wrong,
                        one.over_refusal,
                        one.unsupported,
                    )
                ),
            ]
            for one in found.outcomes
        ],
    )
    yield table(
        ["risk–coverage", "sure by", "mean risk", "above a perfect order"],
        [[one.arm, one.confidence, shown(one.area), shown(one.excess)] for one in found.curves],
    )
    why = [("outcomes", found.outcomes_reason), ("risk–coverage", found.curves_reason)]
    yield "\n".join(f"- {name}: {reason}" for name, reason in why if reason)
