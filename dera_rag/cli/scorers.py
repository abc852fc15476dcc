"""`dera-rag eval scorers`: what a suite may name to judge its answers."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dera_rag.evaluation.scorers.catalog import Entry


class TableFormat(StrEnum):
    """How the scorers are written."""

    table = "table"
    json = "json"


def scorers(
    *,
    form: Annotated[
        TableFormat, typer.Option("--format", help="For people, or for programs.")
    ] = TableFormat.table,
) -> None:
    """List every scorer that a suite may name: what it measures, needs, and may be set.

    In a suite a scorer is a name, or a name with options; … stands for what must be set:

    \b
      scorers: [copy_rate, {scorer: overlap, metric: rougeL}]
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen
    from dera_rag.evaluation.report.plain import plain
    from dera_rag.evaluation.scorers.catalog import catalog

    screen.hush_libraries()
    entries = catalog()
    if form is TableFormat.json:
        screen.print_json(plain(entries))
        return
    console = screen.stdout()
    for entry in entries:
        console.print(_head(entry), style="bold", soft_wrap=True)
        console.print(screen.facts(_rows(entry)))
    console.print(
        "\nHow far a scorer agrees with people: dera-rag eval validate-scorers --scorer NAME",
        soft_wrap=True,
    )


def _head(entry: Entry) -> str:
    better = {"higher": "↑ higher is better", "lower": "↓ lower is better"}
    axis = f", {entry.axis}" if entry.axis else ""
    return f"\n{entry.name}  ({better.get(entry.direction, 'neither end is better')}{axis})"


def _rows(entry: Entry) -> dict[str, str]:
    rows = {"measures": entry.about, "needs": "; ".join(entry.needs) or "the answer alone"}
    rows |= {f"{one.name}: {one.default}": one.about for one in entry.options}
    if entry.column != entry.name:
        rows["in a run"] = entry.column
    return rows
