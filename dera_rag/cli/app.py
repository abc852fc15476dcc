"""`dera-rag`: the verbs, and what happens when one of them fails.

Only typer is imported here: `dera-rag --help` must not wait for a deep-learning library.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dera_rag import __version__
from dera_rag.cli import ask, curve, demo, doctor, index
from dera_rag.cli import eval as eval_verbs
from dera_rag.cli import pairs as pairs_verb
from dera_rag.cli import path as path_verb
from dera_rag.errors import DeraRagError

_FAILED = 2


class _Verbs(TyperGroup):
    """Turns this package's errors into one readable line on stderr and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except DeraRagError as error:
            hint = f"\n  hint: {error.hint}" if error.hint else ""
            typer.echo(f"dera-rag: {error.message}{hint}", err=True)
            raise typer.Exit(_FAILED) from error
        except OSError as error:
            # A pipe whose reader has gone is no failure of ours; click ends the process for it.
            if error.errno == errno.EPIPE:
                raise
            place = f"{error.filename!r}: " if error.filename else ""
            typer.echo(f"dera-rag: {place}{error.strerror or error}", err=True)
            raise typer.Exit(_FAILED) from error


app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    add_completion=False,
    # Plain help: paragraphs wrap to the terminal, and it is a fifth faster than drawn boxes.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dera-rag {__version__}")
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Answer questions over your documents with two models and one knob, λ.

    λ mixes a reference model (0: natural, invents now and then) with the model aligned from it (1:
    faithful to the passages), token by token. Above 1 the difference is extrapolated; up to 2 is
    usual, beyond it text breaks down. "auto" chooses λ for each question from its evidence.

    Everything works at once on what ships with the package: a small pair of models and a corpus of
    invented venues. Start with: dera-rag demo
    """


app.command("index")(index.index)
app.command("ask")(ask.ask)
app.command("path")(path_verb.path)
app.command("curve")(curve.curve)
app.add_typer(
    eval_verbs.app, name="eval", short_help="Run suites: factuality and naturalness over λ."
)
app.command("pairs")(pairs_verb.pairs)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)


def main() -> None:
    """Entry point of the `dera-rag` command."""
    # Idle worker threads that spin make two busy cores several times slower; torch reads this once.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show λ gets a question mark and no traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app(prog_name="dera-rag")
