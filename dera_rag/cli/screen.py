"""What the verbs share when they draw: consoles, progress, marked answers."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unicodedata import category

from dera_rag.errors import InvalidValueError
from dera_rag.types import Json, Passage, RagAnswer, check_lam

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dera_rag.evaluation.curve_records import Lam

# Marks must survive a pipe and NO_COLOR, so they are characters first and colour second.
OPEN, CLOSE = "⟦", "⟧"
_PIPE_WIDTH = 100


def stdout() -> Console:
    """Where results go; a fixed width where there is no terminal."""
    return _console(stderr=False)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    fixed = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(stderr=stderr, width=fixed, highlight=False, emoji=False, markup=False)


def print_json(data: Json) -> None:
    """JSON alone on stdout."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def hush_libraries() -> None:
    """Keep other libraries' bars and notices out of the way; their errors still show."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, gone when done; nothing where stderr is no terminal.

    Yields:
        A function to call with (done, total).
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = _console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A spinner on stderr while something loads; nothing where stderr is no terminal."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def read_lam(text: str) -> Lam:
    """λ as typed: a number ≥ 0, or auto.

    Raises:
        InvalidValueError: Neither.
    """
    if text.strip().lower() == "auto":
        return "auto"
    try:
        return check_lam(float(text))
    except ValueError as error:
        raise InvalidValueError(
            f"λ must be a number ≥ 0 or auto, got {text!r}", hint="e.g. --lam 1.2 or --lam auto"
        ) from error


def clean(text: str) -> str:
    """Text without control characters: documents and answers must not steer the terminal."""
    return "".join("�" if category(c) == "Cc" and c not in "\n\t" else c for c in text)


def marked(answer: RagAnswer) -> Text:
    """The answer with its unsupported values in ⟦ ⟧."""
    from rich.text import Text

    text, at = Text(), 0
    for span in sorted(answer.unsupported_spans, key=lambda span: span.start):
        start = max(span.start, at)
        if start < span.end:
            text.append(clean(answer.text[at:start]))
            text.append(OPEN + clean(answer.text[start : span.end]) + CLOSE, style="bold red")
            at = span.end
    text.append(clean(answer.text[at:]))
    return text or Text("(nothing)", style="dim")


def passages_table(passages: Sequence[Passage]) -> Table:
    """Passages, best first, with their scores."""
    table = plain_table(title="Passages")
    for head in ("#", "score", "bm25", "id"):
        table.add_column(head, no_wrap=True, justify="right" if head != "id" else "left")
    table.add_column("text", no_wrap=True, overflow="ellipsis", ratio=1)
    for i, passage in enumerate(passages, 1):
        words = passage.scores.get("bm25")
        table.add_row(
            str(i),
            f"{passage.score:.3f}",
            "–" if words is None else f"{words:.2f}",
            clean(passage.id),
            " · ".join(clean(x).removeprefix("- ") for x in passage.text.splitlines() if x),
        )
    return table


def plain_table(title: str = "", caption: str = "") -> Table:
    """A table without frames, as wide as the screen."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(
        box=SIMPLE_HEAD,
        title=title or None,
        caption=caption or None,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="dim",
        expand=True,
        padding=(0, 1, 0, 0),
    )


def facts(pairs: Mapping[str, str]) -> Table:
    """Two columns: what, and its value."""
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, value)
    return table
