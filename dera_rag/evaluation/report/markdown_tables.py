"""Markdown tables and the numbers in them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; "" without rows.

    Args:
        head: Names of the columns.
        rows: Cells, as many in each.
    """
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell_text(cell) for cell in line) + " |" for line in lines)


def _cell_text(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def p_value(value: float) -> str:
    """Two digits; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.2g}"
