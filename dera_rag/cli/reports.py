"""`dera-rag eval report`, `diff` and `gate`: what finished runs say."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dera_rag.evaluation.report import Summary


class Format(StrEnum):
    """What a report is written as."""

    html = "html"
    md = "md"
    csv = "csv"
    json = "json"


_RESAMPLES = typer.Option(min=100, help="Draws of every interval; fewer are faster and rougher.")


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A finished run's folder.", show_default=False)
    ],
    *,
    form: Annotated[Format, typer.Option("--format", help="A page, text, or data.")] = Format.html,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to; else a page goes to DIR/report.html and the others to stdout.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="ARM",
            help="A λ or a policy that the others are compared with; else λ=1.",
            show_default=False,
        ),
    ] = None,
    cards: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Scorer cards, as validate-scorers writes them; else DIR/scorers of the run.",
            show_default=False,
        ),
    ] = None,
    beside: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Another run's folder: the page shows its answers beside this one's.",
            show_default=False,
        ),
    ] = None,
    resamples: Annotated[int, _RESAMPLES] = 2000,
) -> None:
    """Write what a run says: means with intervals, curves over λ, frontier, policies, cost.

    Two arms (a λ or a policy) are compared with the extra eval: pip install 'dera-rag[eval]'.

    \b
      dera-rag eval report run-1
      dera-rag eval report run-1 --format md
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.evaluation.report import summarise
    from dera_rag.files import write_atomic

    summary = summarise(folder, baseline=against, cards=cards, n_resamples=resamples)
    text = _written(folder, summary, form, beside)
    if out is None and form is Format.html:
        out = folder / "report.html"
    if out is None:
        sys.stdout.write(text)
    else:
        typer.echo(f"wrote {write_atomic(out, text)}")


def _written(folder: Path, summary: Summary, form: Format, beside: Path | None) -> str:
    import json

    if form is Format.html:
        from dera_rag.evaluation.report.page import render

        return render(folder, summary, beside)
    if form is Format.md:
        from dera_rag.evaluation.report.markdown import to_markdown

        return to_markdown(summary)
    if form is Format.csv:
        from dera_rag.evaluation.report.csv_text import to_csv

        return to_csv(summary)
    from dera_rag.evaluation.report.plain import plain

    return json.dumps(plain(summary), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def diff(
    old: Annotated[
        Path, typer.Argument(metavar="DIR_A", help="The old run's folder.", show_default=False)
    ],
    new: Annotated[
        Path, typer.Argument(metavar="DIR_B", help="The new run's folder.", show_default=False)
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    resamples: Annotated[int, _RESAMPLES] = 2000,
) -> None:
    """Compare two runs on the questions they share: paired differences B − A, arm by arm.

    First the settings that differ, then every scorer in every arm (a λ or a policy) of both.

    \b
      dera-rag eval diff run-1 run-2
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen
    from dera_rag.evaluation.report import diff as compare
    from dera_rag.evaluation.report.markdown_differences import difference_to_markdown
    from dera_rag.evaluation.report.plain import plain

    found = compare(old, new, n_resamples=resamples)
    if as_json:
        screen.print_json(plain(found))
    else:
        sys.stdout.write(difference_to_markdown(found))


def gate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The run to judge.", show_default=False)
    ],
    conditions: Annotated[
        str,
        typer.Argument(
            metavar="CONDITIONS",
            help="NAME>=MARGIN, commas between several: an axis (factuality, naturalness) or a "
            "scorer, and the lowest improvement that passes, in its units.",
            show_default=False,
        ),
    ],
    *,
    baseline: Annotated[
        Path,
        typer.Option(metavar="RUN", help="The run not to fall behind.", show_default=False),
    ],
    at: Annotated[
        str | None,
        typer.Option(
            metavar="ARM",
            help="A λ or a policy; else the run's first policy, or λ=1.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    resamples: Annotated[int, _RESAMPLES] = 2000,
) -> None:
    """Hold a run against a baseline; exit code 0 if it passes, 1 if not, 2 for bad input.

    A condition holds where the lower end of the one-sided 95 % paired interval of the improvement
    is at or above its margin. Improvements are positive, whichever way the scorer is better.

    \b
      dera-rag eval gate run-2 --baseline run-1 "factuality>=-0.01, naturalness>=-0.02"
    """  # noqa: D301, DOC501 - lines of examples; the exit code is said
    from dera_rag.cli import screen
    from dera_rag.evaluation.report import gate as judge
    from dera_rag.evaluation.report.plain import plain

    found = judge(folder, baseline, conditions, at=at, n_resamples=resamples)
    if as_json:
        screen.print_json(plain(found))
    else:
        typer.echo(found.sentence)
    if not found.passed:
        raise typer.Exit(1)
