"""`dera-rag eval export`: a run's answers in the format of another tool."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ExportFormat(StrEnum):
    """Whose format."""

    ragas = "ragas"


def export(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A finished run's folder.", show_default=False)
    ],
    *,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="JSONL in ragas' columns.")
    ] = ExportFormat.ragas,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to.", show_default=False)],
    at: Annotated[
        str | None,
        typer.Option(
            metavar="ARM", help="A λ or a policy; else every answer of the run.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Write a run's answers for ragas: one JSON object a line, with λ, policy and key beside.

    Questions that could not be answered have no row; their number is said.

    \b
      dera-rag eval export run-1 --out answers.jsonl --at 1.5
      EvaluationDataset.from_jsonl("answers.jsonl")          in Python, of ragas
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen
    from dera_rag.evaluation.interop import export_ragas

    # The one format there is.
    made = export_ragas(folder, out, at)
    if as_json:
        screen.print_json({"out": str(made.out), "rows": made.rows, "failed": made.failed})
        return
    typer.echo(f"wrote {made.rows} answers to {made.out}")
    if made.failed:
        typer.echo(f"questions without an answer, not in it: {made.failed}", err=True)
