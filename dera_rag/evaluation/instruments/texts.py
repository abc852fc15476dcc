"""Copying and likelihood under a third model, as scorers."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from dera_rag.evaluation.contract import Direction, Item, Need, Score
from dera_rag.evaluation.copying import copy_rate as share_copied
from dera_rag.evaluation.instruments.base import Instrument
from dera_rag.evaluation.model_files import model_version
from dera_rag.evaluation.naturalness import NaturalnessModel

_NO_WORDS = "the answer has no words"


def copy_rate() -> Instrument:
    """Share of words in verbatim runs of four or more; lower is better at equal faithfulness."""
    needs: frozenset[Need] = frozenset({"passages"})
    return Instrument("copy_rate", "1", "lower", (0.0, 1.0), needs, _copied)


def _copied(item: Item) -> Score:
    share = share_copied(item.answer, [passage.text for passage in item.passages])
    return Score(None, _NO_WORDS) if math.isnan(share) else Score(share)


class Naturalness:
    """Distance of the third model's log-likelihood from human texts, in their standard deviations.

    ≥ 0; lower is more natural.

    Args:
        model: Folder of a naturalness model with its `calibration.json`; None (default) for the
            embedded one, which knows English descriptions of venues.
    """

    direction: Direction = "lower"
    range = (0.0, math.inf)
    needs: frozenset[Need] = frozenset()
    paths = ("model",)

    def __init__(self, *, model: str | None = None) -> None:
        self._folder = model
        self.name = "naturalness_distance"

    @functools.cached_property
    def version(self) -> str:
        """`1`, and which model where it is not the embedded one."""
        return "1" if self._folder is None else f"1 {model_version(self._folder)}"

    @functools.cached_property
    def _model(self) -> NaturalnessModel:
        if self._folder is None:
            return NaturalnessModel.embedded()
        return NaturalnessModel.from_pretrained(self._folder)

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item; an empty answer has none."""
        if not items:
            return []
        likelihoods = self._model.log_likelihoods([item.answer for item in items])
        return [
            Score(self._model.distance(ll)) if item.answer.strip() else Score(None, _NO_WORDS)
            for item, ll in zip(items, likelihoods, strict=True)
        ]
