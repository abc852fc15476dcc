"""A scorer's mean over λ: an exact step function out of a path, points out of a grid.

A path's answers change at breakpoints of each question, some ten a question, so the mean over
questions changes thousands of times: it is summed up from its changes and never sampled. Shapes:
`P` breakpoints, `M` scorers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dera_rag.evaluation.report.runs import Question, SectionRun
from dera_rag.evaluation.report.summary_types import Curve, CurveBand
from dera_rag.evaluation.report.tables import Tables, fixed_ways, over_seeds
from dera_rag.evaluation.statistics.bands import simultaneous_band

_SHOWN = 300  # steps: more than a page has pixels for


@dataclass(frozen=True, slots=True)
class Steps:
    """Means as step functions of λ.

    Attributes:
        lows: P left ends, ascending; each step holds up to the next one.
        end: Where the last one ends.
        values: `[P, M]` means over the questions scored there, NaN where none is.
        n: `[P, M]` questions scored there.
    """

    lows: np.ndarray
    end: float
    values: np.ndarray
    n: np.ndarray


def exact_steps(section: SectionRun) -> Steps | None:
    """The mean of every scorer over a path run's questions, exact at every λ.

    Args:
        section: A section with paths.

    Returns:
        None where no question has an answer.
    """
    changes = [_changes(question) for question in section.questions]
    found = [change for change in changes if change is not None]
    if not found:
        return None
    lows = np.concatenate([points for points, _ in found])
    moves = np.concatenate([moves for _, moves in found])
    order = np.argsort(lows, kind="stable")
    lows, sums = lows[order], moves[order].cumsum(0)
    last = np.append(np.diff(lows) > 0, True)
    lows, (tops, bottoms, counts) = lows[last], np.moveaxis(sums[last], 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        n = np.rint(counts).astype(int)
        values = np.where(n > 0, tops / bottoms, np.nan)
    end = max(one.end for q in section.questions for one in q.answered.values() if one.path)
    return Steps(lows, end, values, n)


def _changes(question: Question) -> tuple[np.ndarray, np.ndarray] | None:
    """Where a question's scores change, and by how much: weight·value, weight and 1 if scored."""
    seeds = [one for one in question.answered.values() if one.path]
    if not seeds:
        return None
    points = np.unique(np.concatenate([one.lows for one in seeds]))
    at = [np.maximum(np.searchsorted(one.lows, points, side="right") - 1, 0) for one in seeds]
    values = np.stack([one.values[i] for one, i in zip(seeds, at, strict=True)], 1)
    weights = np.stack([one.weights[i] for one, i in zip(seeds, at, strict=True)], 1)
    m = values.shape[2]
    flat = np.moveaxis(values, 2, 1).reshape(-1, len(seeds))
    held = np.moveaxis(weights, 2, 1).reshape(-1, len(seeds))
    value, weight = (column.reshape(-1, m) for column in over_seeds(flat, held))
    scored = np.isfinite(value)
    weight = np.where(scored, weight, 0.0)
    levels = np.stack([weight * np.nan_to_num(value), weight, scored.astype(float)], 1)
    return points, np.diff(levels, axis=0, prepend=0.0)


def curves(tables: Tables, *, n_resamples: int, seed: int) -> tuple[Curve, ...]:
    """A curve for every scorer that scored something at a fixed λ.

    Args:
        tables: The section's tables.
        n_resamples: R, ≥ 100, of the bands.
        seed: Of the resampling.
    """
    section = tables.section
    fine = fixed_ways(section, fine=True)
    if not fine:
        return ()
    steps = exact_steps(section) if section.answers == "path" else None
    made = []
    for m, scorer in enumerate(section.scorers):
        values, weights = tables.columns(fine, scorer)
        if not np.isfinite(values).any():
            continue
        found = simultaneous_band(
            values, tables.sources, weights=weights, n_resamples=n_resamples, seed=seed
        )
        lams = tuple(way.lam or 0.0 for way in fine)
        # No mean leaves the scale, so neither does the band.
        low, high = (np.nan if end is None else end for end in section.promises[scorer]["range"])
        lows = np.maximum(found.lows, low) if np.isfinite(low) else np.asarray(found.lows)
        highs = np.minimum(found.highs, high) if np.isfinite(high) else np.asarray(found.highs)
        ends = (tuple(lows.tolist()), tuple(highs.tolist()))
        band = CurveBand(lams, found.values, *ends, found.critical)
        if steps is None:
            made.append(_points(scorer, band, found.n))
        else:
            made.append(_drawn(scorer, steps, m, band))
    return tuple(made)


def _points(scorer: str, band: CurveBand, n: Sequence[int]) -> Curve:
    lam = band.lam
    return Curve(scorer, False, lam, band.values, tuple(n), lam[-1], len(lam), "", band)


def _drawn(scorer: str, steps: Steps, m: int, band: CurveBand) -> Curve:
    """One scorer's steps, those at which it does not change left out, and thinned."""
    values, n = steps.values[:, m], steps.n[:, m]
    # Sums in another order differ in their last digits: that is no step.
    moved = ~np.isclose(values[1:], values[:-1], rtol=0, atol=1e-12, equal_nan=True)
    keep = np.append(True, moved | (n[1:] != n[:-1]))
    lows, values, n = steps.lows[keep], values[keep], n[keep]
    shown, note = np.arange(len(lows)), ""
    if len(lows) > _SHOWN:
        shown = np.unique(np.linspace(0, len(lows) - 1, _SHOWN).round().astype(int))
        stands = shown[np.searchsorted(shown, np.arange(len(lows)), side="right") - 1]
        gaps = np.abs(values - values[stands])
        most = float(np.nanmax(gaps)) if np.isfinite(gaps).any() else math.nan
        note = (
            f"{len(shown)} of {len(lows)} steps are drawn; the others are off by at most {most:.2g}"
        )
    return Curve(
        scorer=scorer,
        exact=True,
        lam=tuple(lows[shown].tolist()),
        values=tuple(values[shown].tolist()),
        n=tuple(n[shown].tolist()),
        end=steps.end,
        steps=len(lows),
        note=note,
        band=band,
    )
