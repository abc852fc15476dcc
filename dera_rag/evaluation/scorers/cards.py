"""What a scorer is worth: its agreement with people beside baselines that know nothing.

A card is JSON, so that reports can embed it, and Markdown for people.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.statistics import Estimate
from dera_rag.evaluation.statistics.ranking import auroc, spearman
from dera_rag.types import Json

_FORMAT = "dera-rag scorer card 1"
Measure = Literal["auroc", "spearman"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well scores order one set as people do.

    Attributes:
        data: The set, with what was kept apart while fitting.
        measure: `auroc` against labels or `spearman` against grades.
        scorer: Of the scorer.
        baselines: By name, of what the scorer has to beat: length alone, novelty alone.
        gains: By name, scorer − baseline on the same items, paired.
    """

    data: str
    measure: Measure
    scorer: Estimate
    baselines: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form, numbers to 6 decimals."""
        return {
            "data": self.data,
            "measure": self.measure,
            "scorer": self.scorer.rounded().to_dict(),
            "baselines": {n: e.rounded().to_dict() for n, e in self.baselines.items()},
            "gains": {n: e.rounded().to_dict() for n, e in self.gains.items()},
        }


@dataclass(frozen=True, slots=True)
class Card:
    """A scorer's validation.

    Attributes:
        scorer: Its name.
        version: Its version.
        agreements: One per set.
        notes: What a reader has to know, one sentence each.
    """

    scorer: str
    version: str
    agreements: tuple[Agreement, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One JSON document."""
        content: dict[str, Json] = {
            "format": _FORMAT,
            "scorer": self.scorer,
            "version": self.version,
            "agreements": [one.to_dict() for one in self.agreements],
            "notes": list(self.notes),
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read `to_json` back.

        Raises:
            InvalidValueError: Not a card.
        """
        try:
            data = json.loads(text)
            if data["format"] != _FORMAT:
                raise InvalidValueError(f"a card of another format: {data['format']!r}")
            found = tuple(
                Agreement(
                    one["data"],
                    one["measure"],
                    Estimate.from_dict(one["scorer"]),
                    {n: Estimate.from_dict(e) for n, e in one["baselines"].items()},
                    {n: Estimate.from_dict(e) for n, e in one["gains"].items()},
                )
                for one in data["agreements"]
            )
            return cls(data["scorer"], data["version"], found, tuple(data["notes"]))
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise InvalidValueError(f"not a scorer card: {error}", hint="validate again") from error

    def to_markdown(self) -> str:
        """A table: a row per set, values with 95 % intervals."""
        names = list(dict.fromkeys(n for one in self.agreements for n in one.baselines))
        head = ["set", "measure", self.scorer, *names, *(f"gain over {n}" for n in names), "n"]
        lines = [f"## {self.scorer} ({self.version})", "", _line(head), _line(["---"] * len(head))]
        for one in self.agreements:
            failed = f" ({one.scorer.n_failed} unscored)" if one.scorer.n_failed else ""
            cells = [one.data, one.measure, _shown(one.scorer)]
            cells += [_shown(one.baselines.get(n)) for n in names]
            cells += [_shown(one.gains.get(n), signed=True) for n in names]
            lines.append(_line([*cells, f"{one.scorer.n}{failed}"]))
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes)]).rstrip() + "\n"


def agreement(
    data: str,
    measure: Measure,
    scores: Sequence[float],
    truth: Sequence[float],
    sources: Sequence[str],
    *,
    baselines: Mapping[str, Sequence[float]],
    n_resamples: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Agreement of scores with people, beside baselines on the same items.

    Args:
        data: Name of the set.
        measure: `auroc` or `spearman`.
        scores: N scores, higher for a higher label; NaN for unscorable.
        truth: N labels (0 or 1) or grades.
        sources: N sources, resampled whole.
        baselines: By name N numbers each, higher for a higher label.
        n_resamples: R, ≥ 100.
        seed: Of the resampling.

    Raises:
        InvalidValueError: Lengths differ, or a setting is out of range.
    """
    compare = auroc if measure == "auroc" else spearman

    def of(x: Sequence[float], baseline: Sequence[float] | None = None) -> Estimate:
        return compare(x, truth, sources, baseline=baseline, n_resamples=n_resamples, seed=seed)

    return Agreement(
        data,
        measure,
        of(scores),
        {name: of(values) for name, values in baselines.items()},
        {name: of(scores, values) for name, values in baselines.items()},
    )


def _shown(estimate: Estimate | None, *, signed: bool = False) -> str:
    if estimate is None or math.isnan(estimate.value):
        return "—"
    form = "+.3f" if signed else ".3f"
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
