"""`dera-rag path`: every answer to a question over an interval of λ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dera_rag.cli.ask import AlignedOption, ReferenceOption, load_pair, open_pipeline
from dera_rag.cli.changes import Change, changes
from dera_rag.errors import InvalidValueError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from dera_rag.rag import RagPath
    from dera_rag.types import RagAnswer

_MARKS = {"kept": ("", "", ""), "removed": ("[-", "-]", "red"), "added": ("{+", "+}", "green")}


@dataclass(frozen=True)
class Shown:
    """An answer as it is shown: neighbours that read alike are one.

    Attributes:
        lo: Lower end of its λ.
        hi: Upper end.
        answer: The answer.
        exact: Whether it holds everywhere between them.
        changed: Its text, and what the answer before it had instead.
    """

    lo: float
    hi: float
    answer: RagAnswer
    exact: bool
    changed: list[Change]

    @property
    def notes(self) -> list[str]:
        """What else there is to say of it."""
        notes = [] if self.exact else ["not exact"]
        if self.answer.abstained:
            notes.append("abstains")
        if self.answer.generation.finish_reason == "length":
            notes.append("unfinished")
        return notes


def path(
    question: Annotated[str, typer.Argument(help="What you want to know.", show_default=False)],
    *,
    lam: Annotated[
        str, typer.Option(metavar="λ,λ", help="The interval of λ: its lower and upper end.")
    ] = "0,2",
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="An index made by dera-rag index; else the venues that ship with the package.",
            show_default=False,
        ),
    ] = None,
    reference: ReferenceOption = None,
    aligned: AlignedOption = None,
    embedder: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The embedder the index was built with, if you named one."),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Passages to retrieve.")] = 3,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0 is greedy, which hides most insertions.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal answers.")] = 0,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Longest answer in tokens; else what suits the context window."),
    ] = None,
    max_segments: Annotated[
        int, typer.Option(min=1, help="Most intervals; beyond it answers are no longer exact.")
    ] = 256,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write one page with a slider over λ; it needs nothing else.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the path as JSON.")] = False,
) -> None:
    """Show every answer over λ, each with its exact interval.

    Every λ between two neighbouring breakpoints gives the same answer, the one that dera-rag ask
    gives with the same seed. No grid: all answers come from one decode.

    What changed from one answer to the next is marked [-so-] where it went and {+so+} where it
    came.

    \b
      dera-rag path "Which food does Salon Enzo serve?"
      dera-rag path "Which food does Salon Enzo serve?" --lam 0,1 --temperature 0
      dera-rag path "How long is the warranty?" --index my-index --html path.html
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen

    interval = read_interval(lam)
    with screen.waiting("Loading the models"):
        pipeline = open_pipeline(index, load_pair(reference, aligned), embedder, top_k)
    pipeline.sampling = replace(
        pipeline.sampling,
        temperature=temperature,
        seed=seed,
        max_new_tokens=max_new_tokens or pipeline.sampling.max_new_tokens,
    )
    with screen.waiting("Following λ"):
        found = pipeline.path(question, interval, max_segments=max_segments)
    if html is not None:
        from dera_rag.cli.path_page import page
        from dera_rag.files import write_atomic

        write_atomic(html, page(found, list(shown(found))))
    if as_json:
        screen.print_json(found.to_dict())
    else:
        _show(screen.stdout(), found, html)


def read_interval(text: str) -> tuple[float, float]:
    """Two λ as typed.

    Raises:
        InvalidValueError: Not two numbers ≥ 0.
    """
    parts = text.split(",")
    try:
        lo, hi = (float(part) for part in parts)
    except ValueError as error:
        raise InvalidValueError(
            f"λ must be two numbers with a comma, got {text!r}", hint="e.g. --lam 0,2"
        ) from error
    return lo, hi


def shown(found: RagPath) -> Iterator[Shown]:
    """Answers in order of λ; neighbours of one text, whose token ids differ, are made one."""
    before: Shown | None = None
    for segment, answer in zip(found.path.segments, found.answers, strict=True):
        if before is not None and _alike(before.answer, answer) and before.exact == segment.exact:
            before = replace(before, hi=segment.hi)
            continue
        if before is not None:
            yield before
        changed = changes(None if before is None else before.answer.text, answer.text)
        before = Shown(segment.lo, segment.hi, answer, segment.exact, changed)
    if before is not None:
        yield before


def _alike(left: RagAnswer, right: RagAnswer) -> bool:
    return (left.text, left.generation.finish_reason) == (
        right.text,
        right.generation.finish_reason,
    )


def _show(console: Console, found: RagPath, html: Path | None) -> None:
    from dera_rag.cli import screen

    answers = list(shown(found))
    console.print(screen.passages_table(found.passages))
    how = "greedy" if found.path.seed is None else "sampled with one seed"
    console.print(
        f"{_count(len(answers), 'answer')} for λ from {found.path.lo:g} to {found.path.hi:g}, "
        f"{how}\n",
        style="bold",
    )
    for answer in answers:
        _show_answer(console, answer)
    rows = {}
    if found.path.inexact_ranges:
        ranges = ", ".join(f"{_lam(lo)}–{_lam(hi)}" for lo, hi in found.path.inexact_ranges)
        rows["not exact"] = f"{ranges}: only the lower end was decoded; raise --max-segments"
    if found.dropped_passages:
        rows["left out"] = f"{', '.join(found.dropped_passages)}: no room in the context window"
    if html is not None:
        rows["page"] = str(html)
    if rows:
        console.print(screen.facts(rows))


def _show_answer(console: Console, answer: Shown) -> None:
    from dera_rag.cli import screen

    tail = f"  ({', '.join(answer.notes)})" if answer.notes else ""
    console.print(f"λ {_lam(answer.lo)} – {_lam(answer.hi)}{tail}", style="bold")
    console.print("  ", marked(answer.changed), sep="", soft_wrap=True)
    for span in answer.answer.unsupported_spans:
        line = screen.clean(f"without support: {span.text}: {span.reason}")
        console.print(f"  {line}", style="dim", soft_wrap=True)
    console.print()


def marked(changed: list[Change]) -> Text:
    """Changes as characters first and colour second: they survive a pipe and NO_COLOR."""
    from rich.text import Text

    from dera_rag.cli import screen

    text = Text()
    for change in changed:
        opening, closing, style = _MARKS[change.kind]
        words = screen.clean(change.text).lstrip()
        # White space stays outside of the marks, and separates what follows a removal.
        space = screen.clean(change.text)[: len(screen.clean(change.text)) - len(words)]
        if text.plain.endswith(_MARKS["removed"][1]) and words[:1].isalnum():
            space = space or " "
        text.append(space if text.plain else "")
        text.append(f"{opening}{words}{closing}", style=style)
    return text if text.plain else Text("(nothing)", style="dim")


def _lam(lam: float) -> str:
    return f"{lam:.4f}".rstrip("0").rstrip(".")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
