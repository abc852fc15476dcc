"""`dera-rag eval`: suites run, resumed, scored again and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dera_rag.cli import exports, reports
from dera_rag.cli.scorers import scorers
from dera_rag.cli.starter import init
from dera_rag.cli.validate_scorers import validate_scorers

if TYPE_CHECKING:
    from dera_rag.evaluation.runner import Progress, RunSummary
    from dera_rag.evaluation.suites import Suite
    from dera_rag.evaluation.tasks import Task

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
# Verbs are listed in the order in which they are needed, each in words that fit the line.
app.command("init", short_help="Write a commented suite to start from.")(init)

_SuiteArgument = Annotated[
    str,
    typer.Argument(
        metavar="SUITE", help="A YAML file, or the name of a shipped suite.", show_default=False
    ),
]
_FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="The run's folder.", show_default=False)
]
_WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Processes; else one a core, one in all on a GPU. 0 uses this process alone.",
        show_default=False,
    ),
]


@app.callback()
def _about() -> None:
    """Evaluate factuality against naturalness across λ, by suites of values in YAML.

    A suite says what is asked, by which models, for which λ, and what judges the answers. Shipped
    are e2e, nq, own, ragtruth and venues. From a suite to a page:

    \b
      dera-rag eval init mine.yaml --questions asked.jsonl --corpus documents
      dera-rag eval validate mine.yaml
      dera-rag eval run mine.yaml --out run-1
      dera-rag eval report run-1

    A run that was stopped, however it was stopped, goes on with resume to the same bytes. A
    finished one is set beside another with diff, and held against one with gate.
    """  # noqa: D301 - the escape keeps the lines of the examples apart


app.command("scorers", short_help="List what a suite may name to judge answers.")(scorers)


@app.command("validate", short_help="Check a suite and its data; no model is loaded.")
def validate(suite: _SuiteArgument) -> None:
    """Check a suite's values and its data, and show what it asks and how it judges.

    No model is loaded. Questions are read, from the hub where the suite names no folder.

    \b
      dera-rag eval validate mine.yaml
      dera-rag eval validate venues
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen
    from dera_rag.evaluation.suites import find_suite, load_suite

    read = load_suite(find_suite(suite))
    console = screen.stdout()
    console.print(f"{read.name}: {read.about}\n", style="bold", soft_wrap=True)
    console.print(screen.facts(_facts(read)))
    for section in read.tasks:
        task = section.make_task(read.folder)
        card = task.card
        console.print(f"\n{section.name}", style="bold")
        judged = ", ".join(scorer.name for scorer in section.scorers) or "by nothing"
        rows = {
            "asks": card.about,
            "data": f"{card.split}; {card.size}; {card.licence}",
            "questions": _questions(task, given=read.answers == "given"),
            "judged": judged,
        }
        for anchor in card.anchors:
            rows[f"published: {anchor.value}"] = (
                f"{anchor.metric}; {anchor.system} ({anchor.source})"
            )
        console.print(screen.facts(rows))


@app.command("run", short_help="Answer a suite's questions and score them.")
def run(
    suite: _SuiteArgument,
    *,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The run's folder; a new one.", show_default=False)
    ],
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Most questions of each section.", show_default=False),
    ] = None,
    workers: _WorkersOption = None,
) -> None:
    """Answer a suite's questions over its λ, and score every answer.

    \b
      dera-rag eval run venues --out run-1 --limit 20
      dera-rag eval run my-suite.yaml --out run-2
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen
    from dera_rag.evaluation.suites import find_suite

    found = find_suite(suite)
    screen.hush_libraries()
    from dera_rag.evaluation import runner

    with _progress() as tell:
        made = runner.run(found, out, limit=limit, workers=workers, progress=tell)
    _show(made)


@app.command("resume")
def resume(folder: _FolderArgument, *, workers: _WorkersOption = None) -> None:
    """Go on with a run that was stopped.

    What is whole is kept and the rest is done: the files end as if nothing had happened.

    \b
      dera-rag eval resume run-1
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen

    screen.hush_libraries()
    from dera_rag.evaluation import runner

    with _progress() as tell:
        made = runner.resume(folder, workers=workers, progress=tell)
    _show(made)


@app.command("rescore", short_help="Score a run's answers anew.")
def rescore(
    folder: _FolderArgument,
    *,
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="SUITE",
            help="Take the scorers of this suite, which must ask the same; else the run's own.",
            show_default=False,
        ),
    ] = None,
    workers: _WorkersOption = None,
) -> None:
    """Score a run's answers anew, without generating any.

    For other scorers, or for newer versions of the same. Earlier scores stay in the folder as
    scores-….jsonl where the scorers were others.

    \b
      dera-rag eval rescore run-1 --suite mine-with-more-scorers.yaml
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen
    from dera_rag.evaluation.suites import find_suite

    found = None if suite is None else find_suite(suite)
    screen.hush_libraries()
    from dera_rag.evaluation import runner

    with _progress() as tell:
        made = runner.rescore(folder, suite=found, workers=workers, progress=tell)
    _show(made)


def _questions(task: Task, *, given: bool) -> str:
    """How many there are, with what stands beside them; why they cannot be told."""
    from dera_rag.errors import MissingDependencyError, MissingFileError

    try:
        examples = task.examples(given=given)
    except (MissingFileError, MissingDependencyError) as error:
        return f"not read: {error}"
    columns = sorted({name for example in examples for name in example.record})
    beside = f"; their further columns: {', '.join(columns)}" if columns else ""
    references = sum(bool(example.references) for example in examples)
    return f"{len(examples)}, of them {references} with a reference{beside}"


app.command("report", short_help="Write what a run says, as a page, text or data.")(reports.report)
app.command("diff", short_help="Compare two runs, question by question.")(reports.diff)
app.command("gate", short_help="Exit 1 where a run is worse than a baseline.")(reports.gate)
app.command("export", short_help="Write a run's answers for ragas.")(exports.export)
app.command("validate-scorers", short_help="Set scorers against people's labels.")(validate_scorers)


def _facts(suite: Suite) -> dict[str, str]:
    ends = ", ".join(f"{lam:g}" for lam in suite.lam)
    answers = {
        "path": f"every answer for λ in [{ends}]",
        "grid": f"one answer at each λ of {ends}",
        "given": "those that are there already",
    }[suite.answers]
    rows = {"answers": answers}
    if suite.answers != "given":
        rows["pair"] = suite.pair.reference or "embedded"
        rows["seeds"] = ", ".join(map(str, suite.seeds))
        if suite.pair.aligned:
            rows["pair"] += f" + {suite.pair.aligned}"
        if suite.policies:
            rows["policies"] = ", ".join(suite.policies)
    return rows


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """A bar with the time that is left; nothing where stderr is no terminal.

    Yields:
        What the runner calls.
    """
    from dera_rag.cli import screen

    with screen.progress("Answering and scoring") as tell:
        yield lambda state: tell(state.done, state.total)


def _show(made: RunSummary) -> None:
    from dera_rag.cli import screen

    rows = {"questions": str(made.questions)}
    if made.skipped:
        rows["done before"] = str(made.skipped)
    if made.failures:
        rows["without an answer"] = f"{made.failures}, see generations.jsonl"
    if made.tokens:
        rows["tokens"] = f"{made.tokens}, {made.tokens / max(made.seconds, 1e-9):.0f} a second"
    rows["seconds"] = f"{made.seconds:.1f}"
    rows["folder"] = str(made.folder)
    rows["next"] = f"dera-rag eval report {made.folder}"
    screen.stdout().print(screen.facts(rows))
