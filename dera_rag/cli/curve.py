"""`dera-rag curve`: faithfulness and naturalness over λ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dera_rag.cli.ask import AlignedOption, ReferenceOption, load_pair

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dera_rag.evaluation.curve_records import Curve, CurveRow
    from dera_rag.evaluation.statistics import Estimate

_FAITHFULNESS = {
    "hallucination": "hallucinated",
    "inserted": "inserted",
    "wrong": "wrong",
    "coverage": "coverage",
    "abstained": "abstained",
    "kl": "KL, nats",
}
_NATURALNESS = {
    "copy_rate": "copied",
    "distance": "distance",
    "log_likelihood": "nats/token",
    "repetition": "repeated",
    "length": "words",
    "unfinished": "unfinished",
}


def curve(
    *,
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="Number of questions.")] = 200,
    seed: Annotated[
        int, typer.Option(help="Another seed means fresh places, questions and noise.")
    ] = 0,
    lam: Annotated[
        str, typer.Option(metavar="λ,λ,…", help="The grid; auto is the policy.")
    ] = "0,.5,1,1.5,2,3,5,auto",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep every answer, curve.json, curve.png and curve.svg here; a run that was "
            "stopped goes on with the next λ.",
            show_default=False,
        ),
    ] = None,
    reference: ReferenceOption = None,
    aligned: AlignedOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the curve as JSON.")] = False,
) -> None:
    """Measure hallucination, coverage, copying and naturalness over λ.

    Questions are made afresh from the seed, about invented places that no model has seen, and every
    answer is judged exactly against the records. All λ share questions, passages and sampling
    noise. With 200 questions an interval is about ±.06 wide; use 1000 to compare near λ.

    \b
      dera-rag curve --n 50 --lam 0,1,auto
      dera-rag curve --n 500 --seed 7 --out curve-7
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen

    grid = [screen.read_lam(part) for part in lam.split(",") if part.strip()]
    with screen.waiting("Loading the models"):
        from dera_rag.evaluation.curve import run_curve

        pair = load_pair(reference, aligned)
    with screen.progress("Answering") as tell:
        made = run_curve(pair, grid, n=n, seed=seed, out=out, progress=tell)
    if out is not None:
        from dera_rag.evaluation.plot import save_plot

        save_plot(made, out)
    if as_json:
        screen.print_json(made.to_dict())
    else:
        show(screen.stdout(), made)


def show(console: Console, made: Curve) -> None:
    """The curve as tables."""
    n = made.rows[0].metrics["hallucination"].n
    faithfulness = (
        f"{n} questions, 95 % intervals clustered by place. Rates are shares of answers, coverage "
        "is of asked things. KL is KL(mixture ‖ reference) per answer.\n"
    )
    naturalness = (
        "copied: share of words in verbatim runs of four or more. distance: of the log-likelihood "
        "under a third model from human texts, in sd; lower is more natural.\n"
    )
    console.print(_table(made.rows, _FAITHFULNESS, "Faithfulness", faithfulness))
    console.print(_table(made.rows, _NATURALNESS, "Naturalness", naturalness))
    console.print(_kinds(made.rows))


def _table(rows: Sequence[CurveRow], columns: dict[str, str], title: str, caption: str) -> Table:
    from dera_rag.cli import screen

    table = screen.plain_table(title, caption)
    table.add_column("λ", no_wrap=True)
    for head in columns.values():
        table.add_column(head, no_wrap=True, justify="right")
    for row in rows:
        usual = row.metrics["hallucination"].n
        cells = [_cell(row.metrics[metric], usual) for metric in columns]
        table.add_row(_name(row), *cells)
    return table


def _kinds(rows: Sequence[CurveRow]) -> Table:
    """Hallucination by question kind: where λ matters, and where the policy earns its keep."""
    from dera_rag.cli import screen

    table = screen.plain_table(
        "Hallucinated, by kind of question",
        "one, several: attributes asked for. missing: one the record lacks. unknown: no such "
        "place. near: another place has nearly the same name.\n",
    )
    table.add_column("λ", no_wrap=True)
    for kind, metrics in rows[0].kinds.items():
        head = f"{kind.split('_')[0]}\nn={metrics['hallucination'].n}"
        table.add_column(head, justify="right")
    for row in rows:
        rates = [metrics["hallucination"].value for metrics in row.kinds.values()]
        table.add_row(_name(row), *[_number(rate, 2) for rate in rates])
    return table


def _name(row: CurveRow) -> str:
    return f"auto\n≈{row.mean_lam:.2f}" if row.lam == "auto" else f"{row.lam:g}"


def _cell(estimate: Estimate, usual: int) -> str:
    """Value over its interval, with n where it is not the usual one."""
    digits = 3 if abs(estimate.value) < 1 else 2
    low, high = _number(estimate.low, 2), _number(estimate.high, 2)
    interval = f"{low} to {high}" if estimate.low < 0 else f"{low}–{high}"
    n = f"\nn={estimate.n}" if estimate.n != usual else ""
    return f"{_number(estimate.value, digits)}\n{interval}{n}"


def _number(value: float, digits: int) -> str:
    """Without the zero before the point, which would cost a narrow terminal two columns."""
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text
