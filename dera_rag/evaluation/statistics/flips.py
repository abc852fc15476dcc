"""A paired test for graded scores: are two arms interchangeable within every source.

What McNemar's test is for outcomes of 0 and 1, by the same reasoning and with the same clusters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics.resampling import cluster_numbers


def sign_flip_test(
    gaps: Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    n_flips: int = 9999,
    seed: int = 0,
) -> float:
    """P-value of "the mean gap is 0", two-sided, by flipping the signs of whole sources.

    If the arms were interchangeable within a source, the sum of its gaps would have either sign
    with equal probability. Signs are drawn at random and the observed ones counted among them, so
    that p is at least 1 / (n_flips + 1) and the level holds at any number of flips (Phipson and
    Smyth 2010).

    Args:
        gaps: N differences new − old, already weighted; NaN for unscorable.
        clusters: N sources; None takes every item as its own.
        n_flips: Random draws of signs, ≥ 100.
        seed: Of the draws.

    Returns:
        In (0, 1]; NaN where nothing is scored.

    Raises:
        InvalidValueError: Lengths differ, or fewer than 100 flips.
    """
    if n_flips < 100:
        raise InvalidValueError(f"n_flips must be ≥ 100, got {n_flips}", hint="use 9999")
    x = np.asarray(gaps, dtype=np.float64)
    scored = np.isfinite(x)
    sources = cluster_numbers(len(x), clusters, scored)
    if not scored.any():
        return float("nan")
    sums = np.bincount(sources, weights=x[scored])
    # Equal sums in another order may differ in their last digits; they count as equal.
    observed = abs(float(sums.sum())) * (1 - 1e-9)
    draws, step = np.random.default_rng(seed), max(1, int(4e6 // len(sums)))
    extreme = 0
    for start in range(0, n_flips, step):
        count = min(step, n_flips - start)
        flipped = np.abs(2 * (_halves(draws, count, len(sums)) @ sums) - sums.sum())
        extreme += int((flipped >= observed).sum())
    return (1 + extreme) / (1 + n_flips)


def _halves(draws: np.random.Generator, count: int, sources: int) -> np.ndarray:
    """`[count, sources]` of fair 0 and 1."""
    size = count * sources
    bits = np.unpackbits(np.frombuffer(draws.bytes(-(-size // 8)), dtype=np.uint8), count=size)
    return bits.reshape(count, sources).astype(np.float64)
