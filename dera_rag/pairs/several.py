"""Several aligned models at once: h = (1 − Σλ_i)·h_ref + Σ λ_i·h_i (Liu et al. 2024, appendix)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dera_rag.errors import InvalidValueError, PairMismatchError
from dera_rag.pairs.combined import Part, PartRow
from dera_rag.pairs.compatibility import check_same_ids
from dera_rag.pairs.derived import DerivedPair
from dera_rag.pairs.loading import Source
from dera_rag.pairs.pair import ModelPair
from dera_rag.protocols import Branches, PairBackend
from dera_rag.types import BranchedPrompt


class SeveralPair(DerivedPair):
    """One reference and several models aligned from it, each towards a reward of its own.

    `generate(…, lam={"faithful": 0.8, "fluent": 0.4})` gives each model its λ, per row with a list
    of such mappings; names that are left out get 0. A number is Σλ_i, split by `shares`: with
    shares w the aligned branch is Σ w_i·h_i, so that the λ-path runs over Σλ_i.

    Args:
        pairs: A backend by name for each aligned model, all with the same reference.
        shares: How a single λ is split, by name, each ≥ 0; brought to a sum of 1. Equal shares by
            default.

    Raises:
        InvalidValueError: No pairs, or shares that are none.
        PairMismatchError: The pairs differ in their reference or their token ids.
    """

    def __init__(
        self, pairs: Mapping[str, PairBackend], shares: Mapping[str, float] | None = None
    ) -> None:
        if not pairs:
            raise InvalidValueError("no aligned models", hint="e.g. SeveralPair({'name': pair})")
        names, members = tuple(pairs), tuple(pairs.values())
        for name, member in pairs.items():
            _check_alike(names[0], members[0], name, member)
        self.shares = _normalised(dict.fromkeys(names, 1.0) if shares is None else shares, names)
        limits = [pair.max_length for pair in members if pair.max_length is not None]
        super().__init__(
            members[0],
            [
                self._part(name, pair, holds_reference=name == names[0])
                for name, pair in pairs.items()
            ],
            name=f"{members[0].name}:several({', '.join(names)})",
            stop_ids=frozenset().union(*(pair.stop_ids for pair in members)),
            max_length=min(limits, default=None),
        )
        self.aligned_names = names

    @classmethod
    def from_pretrained(
        cls,
        reference: Source,
        aligned: Mapping[str, Source],
        *,
        shares: Mapping[str, float] | None = None,
        **settings: Any,
    ) -> SeveralPair:
        """Load one reference and several aligned models; the reference is held once.

        Args:
            reference: As `ModelPair.from_pretrained` takes it.
            aligned: A source by name, likewise.
            shares: As for the class.
            settings: dtype, device and whatever else `ModelPair.from_pretrained` takes.

        Raises:
            InvalidValueError: No aligned models, or as `ModelPair.from_pretrained`.
        """
        pairs: dict[str, PairBackend] = {}
        source = reference
        for name, model in aligned.items():
            pair = ModelPair.from_pretrained(reference=source, aligned=model, **settings)
            source = (pair.reference, pair.tokenizer)
            pairs[name] = pair
        return cls(pairs, shares)

    def _part(self, name: str, pair: PairBackend, *, holds_reference: bool) -> Part:
        def row(prompt: Sequence[int], branches: Branches) -> PartRow:
            weights: dict[Branches, float] = {}
            if holds_reference and Branches.REFERENCE in branches:
                weights[Branches.REFERENCE] = 1.0
            share = self._shares_of(prompt).get(name, 0.0)
            if share and Branches.ALIGNED in branches:
                weights[Branches.ALIGNED] = share
            return PartRow(prompt, weights)

        return Part(pair, {b: b for b in (Branches.REFERENCE, Branches.ALIGNED)}, row)

    def _shares_of(self, prompt: Sequence[int]) -> Mapping[str, float]:
        own = prompt.shares if isinstance(prompt, BranchedPrompt) else None
        return self.shares if own is None else own


def _check_alike(first_name: str, first: PairBackend, name: str, pair: PairBackend) -> None:
    """Refuse two pairs whose branches cannot be summed."""
    references = getattr(first, "reference", None), getattr(pair, "reference", None)
    if references[0] is not references[1]:
        raise PairMismatchError(
            f"{first_name!r} and {name!r} hold different reference objects",
            hint="load it once: SeveralPair.from_pretrained(reference=…, aligned={…})",
        )
    if first.vocab_size != pair.vocab_size:
        raise PairMismatchError(
            f"{first_name!r} has {first.vocab_size} token ids, {name!r} {pair.vocab_size}",
            hint="all models must share one vocabulary",
        )
    check_same_ids(first.tokenizer, pair.tokenizer)


def _normalised(shares: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    unknown = set(shares) - set(names)
    total = math.fsum(shares.values())
    if unknown or min(shares.values(), default=0) < 0 or not 0 < total < math.inf:
        raise InvalidValueError(
            f"shares must be numbers ≥ 0, not all 0, for {sorted(names)}, got {dict(shares)!r}",
            hint="e.g. shares={'faithful': 2, 'fluent': 1}",
        )
    return {name: shares.get(name, 0.0) / total for name in names}
