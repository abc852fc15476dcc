"""`dera-rag eval validate-scorers`: every scorer against the judgement of people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dera_rag.evaluation.scorers.cards import Card


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
    resamples: Annotated[int, typer.Option(min=100, help="Of every interval.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of folds and resampling.")] = 0,
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
    source no model was fitted on. Takes some minutes.
    """
    from dera_rag import registry
    from dera_rag.evaluation.scorers import labels, validation
    from dera_rag.evaluation.scorers.grounded import fit
    from dera_rag.evaluation.scorers.grounded.features import Reader
    from dera_rag.retrieval.embedders import StaticEmbedder

    others = [registry.resolve("scorers", name)() for name in scorer or []]
    folder = labels.data_folder(data)
    judged = [*labels.ragtruth(folder), *labels.attribution_bench(folder)]
    measured = fit.measure(judged, Reader(StaticEmbedder.embedded()))
    if fit_grounded is not None:
        marked = [one for one in measured if one.judged.marked]
        fit.fit(marked, "RAGTruth (MIT)", seed).save(fit_grounded)
        typer.echo(f"wrote {fit_grounded}")
    _show(validation.grounded_card(measured, n_resamples=resamples, seed=seed), out)
    for one in others:
        _show(validation.validate_scorer(one, judged, n_resamples=resamples, seed=seed), out)
    ratings = labels.naturalness_ratings(folder)
    _show(validation.validate_naturalness(ratings, n_resamples=resamples, seed=seed), out)
    if fit_naturalness is not None:
        typer.echo(f"wrote {validation.fit_naturalness(ratings, fit_naturalness)}")


def _show(card: Card, out: Path) -> None:
    from dera_rag.files import write_atomic

    write_atomic(out / f"{card.scorer}.json", card.to_json())
    write_atomic(out / f"{card.scorer}.md", card.to_markdown())
    typer.echo(card.to_markdown())
