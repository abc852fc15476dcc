"""Logistic regression that is drawn towards a direction argued beforehand, and kept as JSON.

Weights are shrunk towards a common size along that direction instead of towards nothing: where the
data do not say otherwise, every one of its features counts alike. Fitted by Newton's method; numpy
alone. Shapes: `N` rows, `D` features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_LIMIT = 5.0  # standard deviations: a text unlike all training texts must not decide by one number
_ALONG = 0.1  # penalty of the direction's own size: next to none
_STEPS, _CLOSE = 25, 1e-6


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression on standardised features.

    Attributes:
        mean: D means.
        scale: D standard deviations, > 0.
        weights: D weights.
        bias: Log-odds of an average row.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def log_odds(self, rows: np.ndarray) -> np.ndarray:
        """`[N]` log-odds of the label 1, of `[N, D]` features."""
        rows = standardised(rows, np.asarray(self.mean), np.asarray(self.scale))
        return np.asarray(rows @ np.asarray(self.weights) + self.bias)


def fit_logistic(
    rows: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str],
    weights: np.ndarray,
    *,
    penalty: float,
    direction: np.ndarray,
    typical: Sequence[str] = (),
) -> Logistic:
    """Fit within groups: how often a group's label is 1 says nothing about a feature.

    Every group has an intercept of its own; the bias is their mean, weighted like the rows.

    Args:
        rows: `[N, D]`.
        labels: `[N]`, 0 or 1.
        groups: N names.
        weights: `[N]`, > 0.
        penalty: Of squared weights beside the direction, in rows: at `penalty` rows of weight 1
            data and prior weigh about alike.
        direction: `[D]`, towards which weights are drawn; zeros for none.
        typical: Groups whose intercepts make the bias; () for all.
    """
    mean = np.average(rows, axis=0, weights=weights)
    spread = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights))
    # What does not vary here has no say later, where it may.
    scale, direction = np.where(spread > _CLOSE, spread, 1.0), direction * (spread > _CLOSE)
    z = standardised(rows, mean, scale)
    names, chosen = sorted(set(groups)), set(typical)
    own = np.asarray([[name == group for name in names] for group in groups], dtype=np.float64)
    share = weights @ own * [not chosen or name in chosen for name in names]
    penalties = np.r_[_ALONG, np.full(z.shape[1], penalty), np.full(len(names), 1e-3)]
    found = _newton(np.c_[z @ direction, z, own], labels, weights, penalties)
    along, free, intercepts = found[0], found[1 : 1 + z.shape[1]], found[1 + z.shape[1] :]
    return Logistic(
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        tuple((free + along * direction).tolist()),
        float(share @ intercepts / share.sum()),
    )


def standardised(rows: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """`[N, D]` in standard deviations from the mean, within a limit."""
    z = (np.asarray(rows, dtype=np.float64) - mean) / scale
    return np.asarray(np.clip(z, -_LIMIT, _LIMIT))


def probability(log_odds: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−x) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(np.asarray(log_odds) / 2)))


def _newton(
    x: np.ndarray, labels: np.ndarray, weights: np.ndarray, penalties: np.ndarray
) -> np.ndarray:
    """Minimum of the weighted log-loss + ½ Σ penalty·weight²; convex, so it is the only one."""
    found = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = probability(x @ found)
        gradient = x.T @ (weights * (p - labels)) + penalties * found
        curvature = (x * (weights * p * (1 - p))[:, None]).T @ x + np.diag(penalties)
        step = np.linalg.solve(curvature, gradient)
        # A full step from far away can overshoot, so no row's log-odds moves by more than 5.
        found -= step * min(1.0, 5.0 / max(1e-12, float(np.abs(x @ step).max())))
        if np.abs(step).max() < _CLOSE:
            break
    return found
