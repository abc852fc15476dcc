"""The parts of a chart as inline SVG: scales, axes with round ticks, lines, bands and bars.

Colours are the page's own, by class, so that a chart follows light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dera_rag.evaluation.report.page.markup import Html, el, number

_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 12.0, 10.0, 34.0


@dataclass(frozen=True, slots=True)
class Plane:
    """Where values of two axes lie in a picture.

    Attributes:
        x: Lowest and highest value of the horizontal axis.
        y: Lowest and highest value of the vertical axis.
        width: Of the picture.
        height: Of the picture.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    width: float
    height: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point."""
        return self.across(x), self.down(y)

    def across(self, x: float) -> float:
        """The horizontal place of a value."""
        return _LEFT + _share(x, self.x) * (self.width - _LEFT - _RIGHT)

    def down(self, y: float) -> float:
        """The vertical place of a value; higher values stand higher."""
        return self.height - _BOTTOM - _share(y, self.y) * (self.height - _TOP - _BOTTOM)

    def axes(
        self, x_name: str, y_name: str = "", x_ticks: Sequence[tuple[float, str]] | None = None
    ) -> Html:
        """Grid lines, ticks and names.

        Args:
            x_name: Below the horizontal axis.
            y_name: Above the vertical axis; its corner is free by construction.
            x_ticks: Places and labels; None for round numbers.
        """
        left, right = _LEFT, self.width - _RIGHT
        base = self.height - _BOTTOM
        x_ticks = x_ticks or [(tick, number(tick)) for tick in ticks(*self.x)]
        inside: list[Html] = []
        for tick in ticks(*self.y, most=5):
            y = self.down(tick)
            inside.append(el("line", x1=left, y1=y, x2=right, y2=y, class_="grid"))
            inside.append(el("text", number(tick), x=left - 6, y=y + 3.5, text_anchor="end"))
        for place, label in x_ticks:
            x = self.across(place)
            inside.append(el("line", x1=x, y1=base, x2=x, y2=base + 4, class_="axis"))
            inside.append(el("text", label, x=x, y=base + 15, text_anchor="middle"))
        inside.append(el("line", x1=left, y1=base, x2=right, y2=base, class_="axis"))
        middle = (left + right) / 2
        inside.append(el("text", x_name, x=middle, y=self.height - 4, text_anchor="middle"))
        if y_name:
            inside.append(el("text", y_name, x=left + 4, y=_TOP + 8))
        return el("g", inside)


def picture(plane: Plane, label: str, *inside: object) -> Html:
    """An SVG picture that is read out as its label."""
    return el(
        "svg",
        *inside,
        viewBox=f"0 0 {plane.width:g} {plane.height:g}",
        role="img",
        aria_label=label,
    )


def polyline(points: Iterable[tuple[float, float]], class_: str) -> Html:
    """A line through places; a break where one is not finite."""
    return el("path", d=_path(points), class_=class_, fill="none")


def polygon(points: Iterable[tuple[float, float]], class_: str) -> Html:
    """An area within places."""
    return el("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)


def diamond(x: float, y: float, size: float, class_: str, title: str) -> Html:
    """A policy's mark."""
    corners = [(x, y - size), (x + size, y), (x, y + size), (x - size, y)]
    shape = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return el("polygon", el("title", title), points=shape, class_=class_)


def dot(x: float, y: float, size: float, class_: str, title: str) -> Html:
    """A fixed λ's mark."""
    return el("circle", el("title", title), cx=x, cy=y, r=size, class_=class_)


def stairs(left: Sequence[float], values: Sequence[float], end: float) -> list[tuple[float, float]]:
    """Corners of a step function: `values[i]` from `left[i]` up to the next left end.

    Args:
        left: Left ends, ascending.
        values: As many values.
        end: Where the last step ends.
    """
    ends = [*left[1:], end]
    return [
        corner
        for lo, hi, value in zip(left, ends, values, strict=True)
        for corner in ((lo, value), (hi, value))
    ]


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within a range, 1, 2 or 5 times a power of ten apart.

    Args:
        low: Its lower end.
        high: Its upper end, above the lower.
        most: How many at most.
    """
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((f * power for f in (1, 2, 5, 10) if (high - low) / (f * power) <= most), raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    # Multiplying keeps 0.3 from becoming 0.30000000000000004 further along.
    return [round(i * step, 12) for i in range(first, last + 1)]


def span(
    values: Iterable[float], *, floor: float | None = None, ceil: float | None = None
) -> tuple[float, float]:
    """A range that holds values with some air around them.

    Args:
        values: Those that are not finite are passed over.
        floor: The scale's lowest value; the air does not go below it.
        ceil: The scale's highest value likewise.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    air = (high - low) * 0.08 or max(abs(high) * 0.1, 0.05)
    # A rate near 0 is read against 0.
    if floor is not None and low - floor < (high - low):
        low = floor
    else:
        low -= air
        low = low if floor is None else max(floor, low)
    high += air
    return low, high if ceil is None else max(low + 1e-9, min(ceil, high))


def within(value: float, ends: tuple[float, float]) -> float:
    """A value, or the end of the range that it lies beyond: a band may leave a scale."""
    return min(ends[1], max(ends[0], value))


def _share(value: float, ends: tuple[float, float]) -> float:
    return (value - ends[0]) / ((ends[1] - ends[0]) or 1.0)


def _path(points: Iterable[tuple[float, float]]) -> str:
    parts: list[str] = []
    before: tuple[str, str] | None = None
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)):
            before = None
            continue
        here = f"{x:.1f}", f"{y:.1f}"
        # Steps run along the axes: one number says where to, and one that says nothing is left out.
        if before is None:
            parts.append(f"M{here[0]} {here[1]}")
        elif here == before:
            continue
        elif here[1] == before[1]:
            parts.append(f"H{here[0]}")
        elif here[0] == before[0]:
            parts.append(f"V{here[1]}")
        else:
            parts.append(f"L{here[0]} {here[1]}")
        before = here
    return "".join(parts)
