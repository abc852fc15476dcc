"""`dera-rag demo`: index, three questions at four λ, and the curve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dera_rag.errors import InvalidValueError

if TYPE_CHECKING:
    from rich.table import Table

    from dera_rag.evaluation.curve_records import Curve, Lam
    from dera_rag.evaluation.venues import Question
    from dera_rag.pairs import ModelPair
    from dera_rag.retrieval import VectorIndex
    from dera_rag.types import RagAnswer

_KINDS = ("describe", "missing_attribute", "unknown_place")
_LAMS: dict[Lam, str] = {
    0.0: "λ=0, reference",
    "auto": "auto",
    1.0: "λ=1, aligned",
    2.0: "λ=2, beyond",
}
_SEED = 21


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the index and the curve go.")
    ] = Path("dera-rag-demo"),
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="Questions behind the curve.")] = 140,
) -> None:
    """See it work: index, ask at four λ, draw the curve.

    The answers stand side by side, unsupported values marked. Takes at most two minutes on two
    cores and prints the same every time.
    """
    from dera_rag.cli import screen
    from dera_rag.cli.ask import load_pair
    from dera_rag.cli.curve import show
    from dera_rag.rag import RagPipeline

    console = screen.stdout()
    console.print("1  Index the venues that ship with the package", style="bold")
    index = _index(out / "index")
    console.print(f"   {len(index)} passages in index/\n")

    console.print("2  Ask, at four λ side by side", style="bold")
    console.print(
        f"   temperature 1, equal noise; {screen.OPEN}…{screen.CLOSE} has no support in the "
        "passages\n"
    )
    with screen.waiting("Loading the models"):
        pair = load_pair(None, None)
        pipeline = RagPipeline(pair, index, meter="venues")
    for question in _questions(index):
        answers = pipeline.ask_batch([question.text] * len(_LAMS), list(_LAMS))
        console.print(_side_by_side(question, answers))

    console.print("3  Measure: fresh places, held-out wordings, every λ", style="bold")
    show(console, _curve(pair, out / "curve", n))
    console.print("   every answer, curve.json, curve.png and curve.svg are in curve/")


def _index(folder: Path) -> VectorIndex:
    from dera_rag.cli import screen
    from dera_rag.retrieval import VectorIndex, index_paths
    from dera_rag.retrieval.index import EMBEDDED_CORPUS

    with screen.progress("Indexing") as tell:
        index_paths(
            [EMBEDDED_CORPUS],
            folder,
            corpus="venues",
            progress=lambda state: tell(state.files_done, state.files_total),
        )
    return VectorIndex.load(folder)


def _questions(index: VectorIndex) -> list[Question]:
    """One question of each kind, picked for what it shows; the curve asks many."""
    from dera_rag.evaluation.venues import Place, make_questions, read_record

    records = [read_record(passage.text) for passage in index.chunks]
    places = [Place(record) for record in records if record is not None]
    return make_questions(places, len(_KINDS), _SEED, kinds=_KINDS)


def _side_by_side(question: Question, answers: list[RagAnswer]) -> Table:
    """A column for each λ."""
    from dera_rag.cli import screen

    auto = answers[list(_LAMS).index("auto")].decision
    table = screen.plain_table(
        f"{question.text}   ({question.kind.replace('_', ' ')})", f"auto, {auto.reason}\n"
    )
    for lam, head in _LAMS.items():
        table.add_column(
            f"auto: λ={auto.lam:g}" if lam == "auto" else head, ratio=1, vertical="top"
        )
    table.add_row(*[screen.marked(answer) for answer in answers])
    return table


def _curve(pair: ModelPair, folder: Path, n: int) -> Curve:
    """The curve, measured anew whatever an earlier demo left."""
    from dera_rag.cli import screen
    from dera_rag.evaluation.curve import run_curve
    from dera_rag.evaluation.plot import save_plot
    from dera_rag.files import replace_directory

    if folder.exists() and not (folder / "settings.json").is_file():
        raise InvalidValueError(
            f"{str(folder)!r} is in the way: it holds no curve", hint="name another --out"
        )
    with screen.progress("Answering") as tell, replace_directory(folder) as fresh:
        made = run_curve(pair, n=n, out=fresh, progress=tell)
        save_plot(made, fresh)
    return made
