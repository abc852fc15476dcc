"""`dera-rag ask`: one question, with everything its answer rests on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dera_rag.errors import InvalidValueError

if TYPE_CHECKING:
    from rich.console import Console

    from dera_rag.evaluation.curve_records import Lam
    from dera_rag.pairs import ModelPair
    from dera_rag.rag import RagPipeline
    from dera_rag.types import RagAnswer

# Shared by the verbs that take a pair.
ReferenceOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Your own reference model (λ=0), a folder or hub id; needs --aligned.",
        show_default=False,
    ),
]
AlignedOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="The model aligned from it (λ=1), with the same tokenizer.",
        show_default=False,
    ),
]


def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.", show_default=False)],
    *,
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="An index made by dera-rag index; else the venues that ship with the package.",
            show_default=False,
        ),
    ] = None,
    lam: Annotated[
        str,
        typer.Option(metavar="λ", help="auto, or a number ≥ 0: 0 reference, 1 aligned, up to 2."),
    ] = "auto",
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the answer and its evidence as JSON.")
    ] = False,
) -> None:
    """Ask a question; see passages, λ, and unsupported values.

    Shows what was retrieved, the λ of this question and why, and the answer as it is written.

    Values that no passage supports are marked ⟦so⟧ where a meter knows the corpus, as it does the
    embedded one.

    \b
      dera-rag ask "Which food does Salon Enzo serve?"
      dera-rag ask "Which food does Salon Enzo serve?" --lam 0
      dera-rag ask "How long is the warranty?" --index my-index --reference SFT --aligned DPO
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen

    chosen = screen.read_lam(lam)
    with screen.waiting("Loading the models"):
        pipeline = open_pipeline(index, load_pair(reference, aligned), embedder, top_k)
    pipeline.sampling = replace(
        pipeline.sampling,
        temperature=temperature,
        seed=seed,
        max_new_tokens=max_new_tokens or pipeline.sampling.max_new_tokens,
    )
    if as_json:
        screen.print_json(pipeline.ask(question, chosen).to_dict())
    else:
        _show(screen.stdout(), pipeline, question, chosen)


def load_pair(reference: str | None, aligned: str | None) -> ModelPair:
    """The pair named, or the embedded one.

    Raises:
        InvalidValueError: One model is named and not the other.
    """
    if (reference is None) != (aligned is None):
        given, missing = ("--aligned", "--reference")[:: 1 if reference is None else -1]
        raise InvalidValueError(
            f"{given} is given without {missing}", hint="a pair is two models: name both"
        )
    from dera_rag.cli.screen import hush_libraries
    from dera_rag.pairs import ModelPair

    hush_libraries()
    if reference is None or aligned is None:
        return ModelPair.embedded()
    return ModelPair.from_pretrained(reference=reference, aligned=aligned)


def open_pipeline(
    index: Path | None, pair: ModelPair, embedder: str | None, top_k: int
) -> RagPipeline:
    """A pipeline over the index named, or over the venues with their meter."""
    from dera_rag.cli.index import load_embedder
    from dera_rag.rag import RagPipeline
    from dera_rag.retrieval import VectorIndex

    found = (
        VectorIndex.embedded()
        if index is None
        else VectorIndex.load(index, embedder=load_embedder(embedder))
    )
    meter = "venues" if found.corpus == "venues" else None
    return RagPipeline(pair, found, meter=meter, top_k=top_k)


def _show(console: Console, pipeline: RagPipeline, question: str, lam: Lam) -> None:
    from dera_rag.cli import screen

    stream = pipeline.stream(question, lam)
    console.print(screen.passages_table(stream.passages))
    console.print(f"λ = {stream.decision.lam:g}  ({stream.decision.policy})", style="bold")
    console.print(f"  {screen.clean(stream.decision.reason)}\n", soft_wrap=True)
    console.print("Answer", style="bold")
    console.print("  ", end="")
    for piece in stream:
        console.print(screen.clean(piece), end="", soft_wrap=True)
        console.file.flush()
    console.print("\n")
    _show_support(console, stream.answer, metered=pipeline.meter is not None)


def _show_support(console: Console, answer: RagAnswer, *, metered: bool) -> None:
    """What the answer rests on, and what it says without support."""
    from dera_rag.cli import screen

    if answer.unsupported_spans:
        console.print("Without support", style="bold")
        console.print("  ", screen.marked(answer), sep="", soft_wrap=True)
        for span in answer.unsupported_spans:
            console.print(f"  {screen.clean(f'{span.text}: {span.reason}')}", soft_wrap=True)
        console.print()
    elif not metered:
        console.print("No meter knows this corpus: unsupported values are not marked.\n")
    sources = screen.clean(", ".join(answer.citations)) or "none of the passages"
    rows = {"draws on": sources}
    if answer.abstained:
        rows["abstains"] = "the answer says that the passages do not tell"
    if answer.generation.finish_reason == "length":
        rows["unfinished"] = f"cut at {answer.generation.usage.completion_tokens} tokens"
    if answer.dropped_passages:
        rows["left out"] = f"{', '.join(answer.dropped_passages)}: no room in the context window"
    console.print(screen.facts(rows))
