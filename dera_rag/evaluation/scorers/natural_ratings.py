"""A naturalness scorer fitted on people's ratings; its weights are made by command, not shipped.

People use a scale differently, so ratings are standardised by rater before they are averaged. The
model is a ridge on hashed runs of characters and words and a few counts; beside them stands the
likelihood under a third language model. It knows the kind of text it was fitted on and no other.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.contract import Direction, Item, Need, Score
from dera_rag.evaluation.copying import words
from dera_rag.evaluation.naturalness import NaturalnessModel
from dera_rag.evaluation.scorers.folds import grouped_folds
from dera_rag.evaluation.scorers.labels import Rating
from dera_rag.evaluation.scorers.ratings_model import Rated, RatingsModel, fit

_LEAST = 5  # ratings of a worker without which there is no telling how they use the scale
# Halves of the raters: a fifth of them would leave 1.2 ratings a text to be compared with, and one
# rater agrees with the others of a text no more than .17.
_FOLDS = {"record": 5, "worker": 2, "system": 5}


def standardised(ratings: Sequence[Rating]) -> list[tuple[Rating, float]]:
    """Ratings in standard deviations from their rater's mean; raters who tell nothing are left out.

    A rater tells nothing with fewer than five ratings or with the same score throughout.
    """
    by_worker: dict[str, list[float]] = defaultdict(list)
    for one in ratings:
        by_worker[one.worker].append(one.score)
    usable = {
        worker: (float(np.mean(scores)), float(np.std(scores)))
        for worker, scores in by_worker.items()
        if len(scores) >= _LEAST and np.std(scores) > 0
    }
    return [
        (one, (one.score - usable[one.worker][0]) / usable[one.worker][1])
        for one in ratings
        if one.worker in usable
    ]


def item_means(rated: Sequence[tuple[Rating, float]]) -> list[Rated]:
    """One entry per record and text, in order of first appearance."""
    together: dict[tuple[str, str], list[tuple[Rating, float]]] = defaultdict(list)
    for one, score in rated:
        together[one.record, one.text].append((one, score))
    return [
        Rated(
            text=text,
            record=record,
            systems=tuple(sorted({one.system for one, _ in found})),
            score=float(np.mean([score for _, score in found])),
            raw=float(np.mean([one.score for one, _ in found])),
            count=len(found),
        )
        for (record, text), found in together.items()
    ]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Predictions beside ratings, for texts a model was not fitted on.

    Attributes:
        items: The texts with the ratings to be predicted.
        predicted: `[N]`.
    """

    items: tuple[Rated, ...]
    predicted: np.ndarray


def held_out(
    ratings: Sequence[Rating],
    likelihoods: dict[str, float],
    unseen: Sequence[str] = ("record",),
    seed: int = 0,
) -> Unseen:
    """Predictions of models fitted without the tested records, raters or systems.

    With `("record", "worker")` every fold of records is met with every half of the raters: the
    model saw neither those records nor those raters, and ratings that share only one of the two
    leave both sides.

    Args:
        ratings: All ratings.
        likelihoods: Of each text.
        unseen: Which attributes of a rating are kept apart: `record`, `worker`, `system`.
        seed: Of the folds.

    Returns:
        Every rating in one item; a text has an item for each part of its raters.

    Raises:
        InvalidValueError: Another attribute, or too few values of one.
    """
    if not unseen or set(unseen) - set(_FOLDS):
        raise InvalidValueError(f"cannot keep {list(unseen)} apart", hint=", ".join(_FOLDS))
    usable = standardised(ratings)
    folds = np.stack([
        grouped_folds([str(getattr(one, name)) for one, _ in usable], _FOLDS[name], seed + i)
        for i, name in enumerate(unseen)
    ])  # fmt: skip
    items: list[Rated] = []
    predicted: list[np.ndarray] = []
    for cell in product(*(range(_FOLDS[name]) for name in unseen)):
        held = folds == np.asarray(cell)[:, None]
        train = item_means([u for u, out in zip(usable, held.any(0), strict=True) if not out])
        test = item_means([u for u, out in zip(usable, held.all(0), strict=True) if out])
        if not test:
            continue
        model = fit(train, [likelihoods[one.text] for one in train])
        predicted.append(model.predict([t.text for t in test], [likelihoods[t.text] for t in test]))
        items += test
    return Unseen(tuple(items), np.concatenate(predicted))


class LearnedNaturalness:
    """Predicted human rating of naturalness, in standard deviations of a rater; higher is better.

    About 0 for an average text of the kind the model was fitted on; there is no limit.

    Needs weights that a command makes of public ratings, which are not shipped.

    Args:
        weights: File made by `dera-rag eval validate-scorers --fit-naturalness FILE`.
        model: Folder of the third language model it was fitted with; None for the embedded one.
    """

    name = "learned_naturalness"
    direction: Direction = "higher"
    range = (-math.inf, math.inf)
    needs: frozenset[Need] = frozenset()
    paths = ("weights", "model")

    def __init__(self, *, weights: str | Path, model: str | Path | None = None) -> None:
        self._file, self._folder = Path(weights), model

    @functools.cached_property
    def version(self) -> str:
        """A digest of the weights, or that they are missing."""
        if not self._file.is_file():
            return "2 missing"
        return f"2 {hashlib.sha256(self._file.read_bytes()).hexdigest()[:12]}"

    @functools.cached_property
    def _parts(self) -> tuple[RatingsModel, NaturalnessModel]:
        third = (
            NaturalnessModel.embedded()
            if self._folder is None
            else NaturalnessModel.from_pretrained(self._folder)
        )
        return RatingsModel.load(self._file), third

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item; an answer without words has none."""
        at = [i for i, item in enumerate(items) if words(item.answer)]
        scores = [Score(None, "the answer has no words")] * len(items)
        if at:
            texts = [items[i].answer for i in at]
            model, third = self._parts
            found = model.predict(texts, third.log_likelihoods(texts))
            for i, value in zip(at, found, strict=True):
                scores[i] = Score(float(value))
        return scores
