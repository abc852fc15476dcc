"""What a text gets wrong about a record, counted per text and over a corpus."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class SlotErrors:
    """What a text gets wrong about a record; every count is better when lower.

    Attributes:
        inserted: Attributes the record lacks and the text asserts, once per asserted value.
        deleted: Attributes of the record that the text leaves out.
        wrong: Attributes asserted with a value other than the record's, once per such value.
        slots: Number of attributes in the record.
    """

    inserted: tuple[str, ...]
    deleted: tuple[str, ...]
    wrong: tuple[str, ...]
    slots: int

    @property
    def hallucinated(self) -> int:
        """Values without support: inserted and wrong."""
        return len(self.inserted) + len(self.wrong)

    @property
    def total(self) -> int:
        """All errors: inserted, deleted and wrong."""
        return self.hallucinated + len(self.deleted)

    @property
    def slot_error_rate(self) -> float:
        """Errors per attribute of the record; NaN where the record has none."""
        return self.total / self.slots if self.slots else math.nan


def slot_error_rate(results: Iterable[SlotErrors]) -> float:
    """Slot error rate of a corpus: (inserted + deleted + wrong) / attributes of all records.

    The definition of Dušek, Howcroft and Rieser (2019, "Semantic noise matters for neural NLG"),
    pooled over the texts, the name counted among the attributes.

    Args:
        results: One comparison per text.

    Returns:
        The rate, from 0, possibly above 1; lower is better. NaN where no record has attributes.
    """
    total = slots = 0
    for result in results:
        total += result.total
        slots += result.slots
    return total / slots if slots else math.nan
