"""What the instruments share: scored item by item, what cannot be scored with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dera_rag.evaluation.contract import Direction, Item, Need, Score, missing

Measure: TypeAlias = Callable[[Item], Score]


@dataclass(frozen=True, slots=True)
class Instrument:
    """A scorer out of a function of one item.

    Attributes:
        name: Registry name.
        version: Changes whenever a value does.
        direction: Which way is better.
        range: Lowest and highest value.
        needs: What an item must have.
        measure: The score of an item that has it.
    """

    name: str
    version: str
    direction: Direction
    range: tuple[float, float]
    needs: frozenset[Need]
    measure: Measure

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item, in order."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Score:
        lacking = missing(item, self.needs)
        return Score(None, lacking) if lacking else self.measure(item)
