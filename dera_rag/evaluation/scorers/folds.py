"""Cross-validation in which what belongs together stays together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dera_rag.errors import InvalidValueError


def grouped_folds(groups: Sequence[str], n_folds: int, seed: int) -> np.ndarray:
    """A fold for each item, `[N]` from 0; items of a group share theirs.

    Args:
        groups: N groups.
        n_folds: How many folds, from 2 to the number of groups.
        seed: Of the shuffle.

    Raises:
        InvalidValueError: Fewer groups than folds.
    """
    names = sorted(set(groups))
    if not 2 <= n_folds <= len(names):
        raise InvalidValueError(f"{n_folds} folds of {len(names)} groups", hint="use fewer folds")
    np.random.default_rng(seed).shuffle(names)
    fold = {name: i % n_folds for i, name in enumerate(names)}
    return np.asarray([fold[name] for name in groups])
