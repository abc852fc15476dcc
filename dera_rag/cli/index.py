"""`dera-rag index`: files into a searchable folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dera_rag.protocols import Embedder
    from dera_rag.retrieval import IndexReport


def index(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Files and folders (txt, md, jsonl, csv, pdf).", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="The index folder.", show_default=False)],
    embedder: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="A sentence-transformers model, by hub id or folder; else the small one that "
            "ships with the package. Give the same to ask.",
            show_default=False,
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the corpus: a λ policy fitted to a corpus knows it by its name.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Index documents for ask, or bring an index up to date.

    Run it again after files changed: unchanged ones are skipped, those gone from a folder you name
    are deleted. A run that was stopped goes on where it was.

    \b
      dera-rag index handbook/ notes.pdf --out my-index
      dera-rag ask "How long is the warranty?" --index my-index
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen
    from dera_rag.retrieval import IndexProgress, index_paths

    with screen.waiting("Loading the embedder"):
        model = load_embedder(embedder)
    with screen.progress("Indexing") as tell:

        def show(state: IndexProgress) -> None:
            tell(state.files_done, state.files_total)

        report = index_paths(paths, out, embedder=model, corpus=corpus, progress=show)
    if as_json:
        done = {name: list(x) if isinstance(x, tuple) else x for name, x in asdict(report).items()}
        screen.print_json({"out": str(out)} | done)
        return
    console = screen.stdout()
    console.print(f"{out}: {report.passages} passages", soft_wrap=True)
    console.print(screen.facts(_summary(report)))


def load_embedder(name: str | None) -> Embedder | None:
    """A sentence-transformers model, or None for the embedded one."""
    if name is None:
        return None
    from dera_rag.cli import screen
    from dera_rag.retrieval import SentenceTransformerEmbedder

    screen.hush_libraries()
    return SentenceTransformerEmbedder(name)


def _summary(report: IndexReport) -> dict[str, str]:
    kinds = {
        "added": report.added,
        "changed": report.changed,
        "skipped": report.unchanged,
        "deleted": report.deleted,
        "without text": report.empty,
    }
    always = ("added", "skipped", "deleted")
    rows = {name: _files(len(files)) for name, files in kinds.items() if files or name in always}
    return rows | {"embedded": f"{report.embedded} passages"}


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
