"""`summarise`: a run's folder on one page, every number with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dera_rag.evaluation.report.meters import found_cards, named_cards
from dera_rag.evaluation.report.runs import Run, load_run
from dera_rag.evaluation.report.sections import summarise_section
from dera_rag.evaluation.report.summary_types import RunFacts, Summary
from dera_rag.evaluation.statistics.paired import require_holm
from dera_rag.types import Json

# What a report says of how it was made, and the ways of answering that it holds for.
_MADE, _ALL = ("path", "grid"), ("path", "grid", "given")
_METHOD = (
    (
        "Means are over questions; answers of several seeds are averaged within their question "
        "first.",
        _MADE,
    ),
    (
        "Intervals hold 95 % and resample whole sources: questions about one thing are one draw.",
        _ALL,
    ),
    (
        "Rates of one seed have Wilson's interval with a design effect, other means a BCa "
        "bootstrap.",
        _ALL,
    ),
    (
        "λ shares a question's noise, so differences are paired; their tests are McNemar's exact "
        "one for outcomes of 0 and 1 and sign flips of sources for grades, adjusted by Holm's "
        "method for all tests of a section's axes, and apart from them for all others.",
        _MADE,
    ),
    (
        "A path's mean over λ is exact at every λ; its band holds the whole curve at once.",
        ("path",),
    ),
    ("A value that is missing is counted, with its reason, and is in no mean.", _ALL),
    ("The best fixed λ is chosen on the tuning sources and judged on the others.", _MADE),
)


def summarise(
    folder: str | Path,
    *,
    baseline: str | float | None = None,
    cards: str | Path | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Summary:
    """Everything a report says of a run.

    Args:
        folder: A finished run's folder.
        baseline: What arms are compared with: a λ, or a policy's label; None for λ=1, or the
            fixed λ nearest to it.
        cards: Folder of scorer cards, as `validate-scorers` writes them; None looks for a folder
            `scorers` in the run's.
        n_resamples: R of every interval, ≥ 100.
        seed: Of the resampling.

    Raises:
        MissingFileError: No such folder, or no card where `cards` says.
        RunFolderError: It holds no finished run.
        InvalidValueError: No such baseline, a setting out of range, or a file among the cards that
            is none.
        MissingDependencyError: statsmodels is not installed, and answers were generated: given ones
            are one arm, and need no test.
    """
    run = load_run(folder)
    if run.answers != "given":
        require_holm()
    known = found_cards(run.folder / "scorers") if cards is None else named_cards(cards)
    manifest: dict[str, Json] = {
        "suite": dict(run.manifest.suite),
        "limit": run.manifest.limit,
        "models": dict(run.manifest.models),
        "scoring": run.manifest.scoring,
        "scorers": dict(run.manifest.scorers),
        "versions": dict(run.manifest.versions),
    }
    sections = tuple(
        summarise_section(
            one, run.manifest.suite, baseline, known, n_resamples=n_resamples, seed=seed
        )
        for one in run.sections.values()
    )
    method = tuple(one for one, holds_for in _METHOD if run.answers in holds_for)
    return Summary(_facts(run), sections, manifest, method)


def _facts(run: Run) -> RunFacts:
    suite: Mapping[str, Any] = run.manifest.suite
    first = next(iter(run.sections.values()))
    labels = dict.fromkeys(label for one in run.sections.values() for label in one.policies)
    pair = suite.get("pair", "embedded")
    if isinstance(pair, Mapping):
        pair = f"{pair.get('reference')} + {pair.get('aligned')}"
    return RunFacts(
        suite=str(suite["suite"]),
        about=str(suite.get("about", "")),
        answers=first.answers,
        lam=first.lam,
        pair="" if first.answers == "given" else str(pair),
        models=run.manifest.models,
        seeds=first.seeds,
        policies=tuple(labels),
        tuning=float(suite.get("tuning", 0.5)),
        limit=run.manifest.limit,
        scoring=run.manifest.scoring,
        versions=run.manifest.versions,
    )
