"""`dera-rag eval validate-scorers`: every scorer against the judgement of people."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dera_rag.evaluation.scorers.cards import Card


class Part(StrEnum):
    """What people judged."""

    grounded = "grounded"
    naturalness = "naturalness"


def validate_scorers(
    *,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the cards go, JSON and Markdown.")
    ] = Path("out/scorers"),
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with ragtruth/, attributionbench/ and e2e_human/; else $DERA_RAG_DATA.",
            show_default=False,
        ),
    ] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A further registered scorer to set against RAGTruth and AttributionBench.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        Part | None,
        typer.Option(help="One of the two parts, on the data that it needs.", show_default=False),
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Draws of every interval.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of folds and draws.")] = 0,
    fit_grounded: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also fit the grounded-ness weights on RAGTruth and write them.",
            show_default=False,
        ),
    ] = None,
    fit_naturalness: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also fit the learned naturalness scorer on the E2E ratings and write it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Set scorers against human labels, beside baselines of length and novelty alone.

    Prints and writes a card per scorer: AUROC or Spearman with 95 % intervals, on answers whose
    source no model was fitted on. Takes some minutes; needs no network and no accelerator.

    \b
      dera-rag eval validate-scorers --data DIR --scorer copy_rate --out cards
      dera-rag eval report run-1 --cards cards
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen

    # Before minutes of work, and not behind them.
    for folder in {out, *(file.parent for file in (fit_grounded, fit_naturalness) if file)}:
        _check_folder(folder)
    screen.hush_libraries()
    if only != Part.naturalness:
        _grounded(out, data, scorer or [], resamples=resamples, seed=seed, weights=fit_grounded)
    if only != Part.grounded:
        _naturalness(out, data, resamples=resamples, seed=seed, weights=fit_naturalness)


def _check_folder(folder: Path) -> None:
    """Make a folder where it is missing, and refuse one that nothing can be written into."""
    import tempfile

    from dera_rag.errors import OutputError
    from dera_rag.files import writing

    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{str(folder)!r} is a file, not a folder", hint="name another folder")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _grounded(
    out: Path,
    data: Path | None,
    names: list[str],
    *,
    resamples: int,
    seed: int,
    weights: Path | None,
) -> None:
    """Fits and judges what scores an answer beside its passages."""
    from dera_rag.cli import screen
    from dera_rag.evaluation.scorers import labels, validation
    from dera_rag.evaluation.scorers.grounded import card, fit
    from dera_rag.evaluation.scorers.grounded.features import Reader
    from dera_rag.evaluation.suites import Named
    from dera_rag.retrieval.embedders import StaticEmbedder

    others = [Named(name, {}).scorer() for name in names]
    folder = labels.data_folder(data)
    judged = [*labels.ragtruth(folder), *labels.attribution_bench(folder)]
    with screen.progress("Reading judged answers") as tell:
        measured = fit.measure(judged, Reader(StaticEmbedder.embedded()), tell)
    if weights is not None:
        marked = [one for one in measured if one.judged.marked]
        fit.fit(marked, f"RAGTruth (MIT), {len(marked)} answers", seed).save(weights)
        typer.echo(f"wrote {weights}")
    with screen.progress("Fitting without each source") as tell:
        found = card.grounded_card(measured, n_resamples=resamples, seed=seed, progress=tell)
    _show(found, out)
    for one in others:
        _show(validation.validate_scorer(one, judged, n_resamples=resamples, seed=seed), out)


def _naturalness(
    out: Path, data: Path | None, *, resamples: int, seed: int, weights: Path | None
) -> None:
    """Judges what scores how a text reads, and fits it where asked to."""
    from dera_rag.cli import screen
    from dera_rag.evaluation.scorers import labels, validation

    ratings = labels.naturalness_ratings(labels.data_folder(data))
    with screen.progress("Fitting without each record, rater and system") as tell:
        found = validation.validate_naturalness(
            ratings, n_resamples=resamples, seed=seed, progress=tell
        )
    _show(found, out)
    if weights is not None:
        typer.echo(f"wrote {validation.fit_naturalness(ratings, weights)}")


def _show(card: Card, out: Path) -> None:
    from dera_rag.files import write_atomic

    card = card.from_json(card.to_json())  # rounded as it is stored
    write_atomic(out / f"{card.scorer}.json", card.to_json())
    write_atomic(out / f"{card.scorer}.md", card.to_markdown())
    typer.echo(card.to_markdown())
