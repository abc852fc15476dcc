"""A section's main findings as sentences, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dera_rag.evaluation.report.axes import Scale
from dera_rag.evaluation.report.findings import Frontier, PolicyFinding
from dera_rag.evaluation.report.summary_types import Arm
from dera_rag.evaluation.statistics import Estimate


def number(value: float, *, signed: bool = False) -> str:
    """Three decimals, one from 10 on, with `+` where asked; `–` for NaN.

    Args:
        value: The number.
        signed: Whether a positive one shows its sign.
    """
    if math.isnan(value):
        return "–"
    decimals = 3 if abs(value) < 10 else 1
    # Rounded first: what rounds to 0 has no sign.
    value = round(value, decimals) + 0.0
    return ("+" if signed and value > 0 else "") + f"{value:.{decimals}f}"


def shown(estimate: Estimate, *, signed: bool = False) -> str:
    """`0.912 [0.884, 0.934]`; without its interval where that is unknown.

    Args:
        estimate: The estimate.
        signed: Whether positive numbers show their sign.
    """
    ends = (estimate.value, estimate.low, estimate.high)
    value, low, high = (number(x, signed=signed) for x in ends)
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"


def turned(estimate: Estimate, scale: Scale) -> Estimate:
    """An estimate of a scorer as one of its axis.

    Args:
        estimate: In the scorer's own units.
        scale: Of the axis.
    """
    value, low, high = (
        scale.sign * x + scale.shift for x in (estimate.value, estimate.low, estimate.high)
    )
    if scale.sign < 0:
        low, high = high, low
    return Estimate(value, low, high, estimate.n, estimate.n_failed)


def headline(
    arms: Sequence[Arm],
    scales: Mapping[str, Scale],
    frontier: Frontier | None,
    policies: Sequence[PolicyFinding],
) -> tuple[str, ...]:
    """What to read first.

    Args:
        arms: The section's arms.
        scales: Axis → its scale, of the axes it has.
        frontier: The frontier, if there is one.
        policies: What the policies are worth.
    """
    if not scales:
        return ("No scorer of this section measures factuality or naturalness.",)
    fixed = [arm for arm in arms if arm.kind == "lam"]
    main = [fixed[0], *(arm for arm in fixed[1:-1] if arm.baseline), fixed[-1]] if fixed else []
    chosen = [*dict.fromkeys(arm.name for arm in main)]
    kept = [arm for arm in arms if arm.name in chosen or arm.kind != "lam"]
    sentences = [_arm(arm, scales) for arm in kept]
    sentences += [_policy(one) for one in policies if one.against_fixed]
    if frontier is not None:
        names = ", ".join(point.arm for point in frontier.points if point.efficient)
        sentences.append(
            f"Nothing is better on both axes than {names}; the frontier's area is "
            f"{shown(frontier.hypervolume)}."
        )
    return tuple(sentences)


def _arm(arm: Arm, scales: Mapping[str, Scale]) -> str:
    parts = []
    for axis, scale in scales.items():
        cell = arm.cells[scale.scorer]
        parts.append(f"{axis} {shown(turned(cell.estimate, scale))}")
    cells = [arm.cells[scale.scorer] for scale in scales.values()]
    lost = max(cell.unscored + cell.failed for cell in cells)
    behind = f", {lost} answers without a score" if lost else ""
    mean = f" (mean λ {number(arm.lam)})" if arm.kind == "policy" and arm.lam is not None else ""
    questions = min(cell.estimate.n for cell in cells)
    return f"{arm.name}{mean}: {', '.join(parts)} (n = {questions}{behind})."


def _policy(found: PolicyFinding) -> str:
    """Against the fixed λ that is best by the sum of both axes, or by the only one."""
    one = found.against_fixed[-1]
    gains = ", ".join(f"{axis} {shown(gain, signed=True)}" for axis, gain in one.gains.items())
    better = ""
    if not math.isnan(one.p_value):
        better = f"; better on both axes: {'yes' if one.dominates else 'not shown'}"
        better += f" (p = {one.p_value:.2g})"
    return (
        f"{found.policy} against the best fixed λ={one.lam:g}, chosen on {found.n_tuning} tuning "
        f"questions and judged on {found.n_test} others: {gains}{better}."
    )
