"""HTML that is safe by construction: text is escaped unless it was made here.

Questions, passages, answers and names come from documents, models and files, and none of them may
become markup.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from dera_rag.evaluation.statistics import Estimate

_VOID = frozenset({"br", "wbr", "meta", "input"})
_SHAPES = frozenset({"line", "circle", "path", "polygon"})
Attribute = str | int | float | bool | None


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Html:
    """A value as text between tags or in an attribute; what UTF-8 cannot hold becomes `?`."""
    plain = str(value).encode("utf-8", "replace").decode("utf-8")
    # A parser drops NUL and may drop the other controls; a reader should see that they were there.
    seen = "".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in plain)
    # Attributes stand in double quotes, so that an apostrophe may stay readable.
    return Html(escape(seen, quote=False).replace('"', "&quot;"))


def el(name: str, /, *inside: object, **attributes: Attribute) -> Html:
    """An element.

    Args:
        name: Of the tag.
        inside: Children in order: `Html` stays, iterables are spread, None is left out, everything
            else is escaped.
        attributes: `class_` is `class`, other underscores are hyphens; None and False are left
            out, True stands without a value.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        named = key.rstrip("_").replace("_", "-")
        parts.append(f" {named}" if value is True else f' {named}="{text(_plain(value))}"')
    if name in _VOID:
        return Html("".join(parts) + ">")
    if name in _SHAPES and not inside:
        return Html("".join(parts) + "/>")
    return Html("".join(parts) + ">" + join(*inside) + f"</{name}>")


def join(*inside: object) -> Html:
    """Children one after the other, see `el`."""
    return Html("".join(_child(one) for one in inside))


def _child(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Html):
        return value
    if isinstance(value, Iterable) and not isinstance(value, str):
        return join(*value)
    return text(value)


def _plain(value: Attribute) -> str:
    # Coordinates: a hundredth of a unit is less than anyone sees.
    return f"{round(value, 2):g}" if isinstance(value, float) else str(value)


def number(value: float | None, *, signed: bool = False) -> str:
    """Three significant digits with a true minus; an en dash where there is no number.

    Args:
        value: The number.
        signed: Whether a number above 0 shows its sign, as differences do.
    """
    if value is None or not math.isfinite(value):
        return "–"
    shown = f"{value:{'+' if signed else ''}.3g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return ("0" if float(value) == 0 else shown).replace("-", "−")


def interval(estimate: Estimate, *, signed: bool = False) -> str:
    """`[low, high]`; "" where the ends are not known."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return ""
    return f"[{number(estimate.low, signed=signed)}, {number(estimate.high, signed=signed)}]"


def table(
    caption: object,
    head: Iterable[object],
    rows: Iterable[Iterable[object]],
    *,
    label: str,
    class_: str | None = None,
) -> Html:
    """A table whose first column names its rows, in a box that scrolls sideways by itself.

    Args:
        caption: Above the table.
        head: Column heads.
        rows: Cells; the first of a row heads it.
        label: Names the box for those who cannot see that it scrolls.
        class_: Of the table.
    """
    heads = el("tr", (el("th", one, scope="col") for one in head))
    body = (
        el("tr", el("th", first, scope="row"), (el("td", one) for one in rest))
        for first, *rest in rows
    )
    inner = el(
        "table",
        el("caption", el("span", caption)),
        el("thead", heads),
        el("tbody", body),
        class_=class_,
    )
    return el("div", inner, class_="scroll", tabindex=0, role="region", aria_label=label)
