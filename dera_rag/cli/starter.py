"""`dera-rag eval init`: a suite to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.yaml", help="The suite to write.", show_default=False)
    ],
    *,
    questions: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="JSONL or CSV with user_input and, where there are, reference, "
            "retrieved_contexts, source; else questions.jsonl beside the suite.",
            show_default=False,
        ),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Documents to search (txt, md, jsonl, csv, pdf); leave it out where every "
            "question has its retrieved_contexts.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a suite that is there.")] = False,
) -> None:
    """Write a commented suite over your questions and documents, ready to validate and run.

    Without --questions, and without questions.jsonl beside the suite, two examples are written
    there to replace. Questions are never overwritten.

    \b
      dera-rag eval init mine.yaml --questions asked.jsonl --corpus documents
      dera-rag eval validate mine.yaml
      dera-rag eval run mine.yaml --out run-1 --limit 5
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.evaluation.suites.starter import write_starter

    for made in write_starter(file, questions=questions, corpus=corpus, force=force):
        typer.echo(f"wrote {made}")
    typer.echo(f"next: dera-rag eval validate {file}")
