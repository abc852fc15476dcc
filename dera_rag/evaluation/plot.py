"""Draws a curve: rates over λ with their intervals, and faithfulness against naturalness.

The same curve gives the same bytes: no date, no random ids, no settings of the user's matplotlib.
Colours are those of Okabe and Ito, told apart with any colour vision; marks differ in shape as
well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.curve_records import Curve, CurveRow
from dera_rag.evaluation.statistics import Estimate
from dera_rag.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = {
    "hallucination": ("hallucination rate", "#D55E00", "o"),
    "coverage": ("coverage", "#0072B2", "s"),
    "copy_rate": ("copy rate", "#009E73", "^"),
}
_AUTO, _FIXED = "#CC79A7", "#666666"
_INK, _FAINT = "#333333", "#DDDDDD"
_SETTINGS: dict[str, Any] = {
    # Without a salt, ids in the SVG are random.
    "svg.hashsalt": "dera-rag",
    "font.size": 9.5,
    "axes.edgecolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def save_plot(curve: Curve, folder: str | Path, name: str = "curve") -> tuple[Path, Path]:
    """Write `<name>.png` and `<name>.svg` into a folder.

    Args:
        curve: With at least one λ.
        folder: Made if missing.
        name: File name without suffix.

    Returns:
        Both paths.

    Raises:
        InvalidValueError: The curve has no rows.
    """
    png, svg = (Path(folder) / f"{name}.{suffix}" for suffix in ("png", "svg"))
    write_atomic(png, render(curve, "png"))
    write_atomic(svg, render(curve, "svg"))
    return png, svg


def render(curve: Curve, form: str) -> bytes:
    """The picture as a file's content.

    Args:
        curve: With at least one λ.
        form: `png` or `svg`.

    Raises:
        InvalidValueError: The curve has no rows, or another form.
    """
    if form not in ("png", "svg"):
        raise InvalidValueError(f"cannot draw as {form!r}", hint="'png' or 'svg'")
    if not curve.rows:
        raise InvalidValueError("a curve without rows cannot be drawn", hint="measure some λ")
    import matplotlib as mpl

    metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    buffer = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        _figure(curve).savefig(buffer, format=form, dpi=150, metadata=metadata)
    return buffer.getvalue()


def _figure(curve: Curve) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _draw_rates(left, curve)
    _draw_frontier(right, curve)
    n = curve.rows[0].metrics["hallucination"].n
    title = f"{curve.settings.get('pair', 'pair')}: {n} questions on unseen places, 95 % intervals"
    figure.suptitle(title, fontsize=11, color=_INK)
    return figure


def _draw_rates(axes: Axes, curve: Curve) -> None:
    """Three rates over λ; the policy as a lone mark at the mean of its λ."""
    fixed, auto = _split(curve)
    for metric, (label, colour, mark) in _STYLES.items():
        lams = [row.mean_lam for row in fixed]
        points = [row.metrics[metric] for row in fixed]
        axes.plot(lams, [p.value for p in points], color=colour, marker=mark, ms=4.5, label=label)
        axes.fill_between(
            lams, [p.low for p in points], [p.high for p in points], color=colour, alpha=0.15, lw=0
        )
        for row in auto:
            _cross(axes, _exactly(row.mean_lam), row.metrics[metric], color=colour, fmt="D")
    for row in auto:
        axes.axvline(row.mean_lam, color=_AUTO, lw=1, ls=":", zorder=0)
        axes.annotate(
            f"auto (mean λ {row.mean_lam:.2f})",
            (row.mean_lam, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -2),
            textcoords="offset points",
            va="top",
            color=_INK,
            fontsize=8.5,
        )
    axes.set(xlabel="λ   (0 = reference, 1 = aligned)", ylabel="rate", ylim=(0, 1.06))
    axes.set_title("Rates over λ", loc="left", fontsize=10)
    axes.grid(axis="y", color=_FAINT, lw=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="center right")


def _draw_frontier(axes: Axes, curve: Curve) -> None:
    """Share of answers without hallucination against naturalness; up and right is better."""
    fixed, auto = _split(curve)
    where = [(row.metrics["distance"], _faithful(row.metrics["hallucination"])) for row in fixed]
    axes.plot([x.value for x, _ in where], [y.value for _, y in where], color="#AAAAAA", zorder=1)
    for row in (*fixed, *auto):
        x, y = row.metrics["distance"], _faithful(row.metrics["hallucination"])
        chosen = row.lam == "auto"
        _cross(axes, x, y, color=_AUTO if chosen else _FIXED, fmt="D" if chosen else "o")
        axes.annotate(
            "auto" if chosen else f"λ={row.lam:g}",
            (x.value, y.value),
            # Away from the fixed λ around it, which the policy's mark often falls among.
            xytext=(-6, 5) if chosen else (6, -5),
            textcoords="offset points",
            ha="right" if chosen else "left",
            va="bottom" if chosen else "top",
            fontsize=8.5,
        )
    axes.invert_xaxis()
    axes.set(
        xlabel="distance from human likelihood, in sd   (natural →)",
        ylabel="answers without hallucination",
    )
    axes.set_title("Faithfulness and naturalness by λ", loc="left", fontsize=10)
    axes.grid(color=_FAINT, lw=0.6)
    axes.set_axisbelow(True)


def _split(curve: Curve) -> tuple[list[CurveRow], list[CurveRow]]:
    """Rows at a fixed λ by its size, and the policy's."""
    fixed = [row for row in curve.rows if row.lam != "auto"]
    return sorted(fixed, key=lambda row: row.mean_lam), [r for r in curve.rows if r.lam == "auto"]


def _faithful(hallucination: Estimate) -> Estimate:
    e = hallucination
    return Estimate(1 - e.value, 1 - e.high, 1 - e.low, e.n, e.n_failed)


def _cross(axes: Axes, x: Estimate, y: Estimate, *, color: str, fmt: str) -> None:
    """A mark with the intervals of both its coordinates."""
    style: dict[str, Any] = {
        "color": color,
        "mec": _INK,
        "ecolor": color,
        "elinewidth": 0.9,
        "zorder": 3,
    }
    axes.errorbar(x.value, y.value, _arms(y), _arms(x), fmt=fmt, ms=6, **style)


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value, 1)


def _arms(estimate: Estimate) -> Sequence[Sequence[float]]:
    """Lengths of the error bar down and up, `[2, 1]`; none where the interval is unknown."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return [[0.0], [0.0]]
    down, up = estimate.value - estimate.low, estimate.high - estimate.value
    # A bootstrap interval need not hold the estimate; bars cannot be negative.
    return [[max(0.0, down)], [max(0.0, up)]]
