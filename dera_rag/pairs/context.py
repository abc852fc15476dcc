"""Context branches: the same weights with and without the passages, two prompt views of a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.pairs.combined import Part, PartRow
from dera_rag.pairs.derived import DerivedPair
from dera_rag.protocols import Branches, PairBackend
from dera_rag.types import BranchedPrompt

Model = Literal["reference", "aligned"]
_MODELS: dict[str, Branches] = {"reference": Branches.REFERENCE, "aligned": Branches.ALIGNED}
_AS_THEY_ARE = {branch: branch for branch in _MODELS.values()}


class ContextDerivedPair(DerivedPair):
    """A backend that reads prompts with and without their passages: takes `BranchedPrompt`s."""

    def prompt(self, with_passages: str, without: str) -> BranchedPrompt:
        """Both views of a prompt, encoded as `generate` encodes strings.

        Args:
            with_passages: The whole prompt.
            without: The same prompt without its passages.
        """
        first, second = (self.tokenizer(text)["input_ids"] for text in (with_passages, without))
        return BranchedPrompt(first, without=second)


class ContextPair(ContextDerivedPair):
    """One model of a pair as two branches: its *reference* reads no passages, its *aligned* does.

    λ is then the context axis: 0 is the model without the passages, 1 with them, and λ = 1 + α is
    context-aware decoding (see `decoding.contrast.cad`).

    Args:
        pair: Where the model comes from. For a single model, a pair of the same object twice.
        model: Which of its two models: "aligned" (default) or "reference".

    Raises:
        InvalidValueError: Another `model`.
    """

    two_views = True

    def __init__(self, pair: PairBackend, model: Model = "aligned") -> None:
        if model not in _MODELS:
            raise InvalidValueError(f"model must be 'reference' or 'aligned', got {model!r}")
        source = _MODELS[model]

        def whole(prompt: Sequence[int], branches: Branches) -> PartRow:
            return PartRow(prompt, {source: 1.0} if Branches.ALIGNED in branches else {})

        def bare(prompt: Sequence[int], branches: Branches) -> PartRow:
            if Branches.REFERENCE not in branches:
                return PartRow(prompt, {})
            return PartRow(without_passages(prompt), {source: 1.0})

        super().__init__(
            pair,
            [
                Part(pair, {source: Branches.ALIGNED}, whole),
                Part(pair, {source: Branches.REFERENCE}, bare),
            ],
            name=f"{pair.name}:context({model})",
        )


class ContextContrast(ContextDerivedPair):
    """A pair both of whose branches are pushed away from what they say without the passages.

    h = m + α·(m − m') where m = r + λ(a − r) reads the passages and m' does not: context-aware
    decoding of the DeRa mixture, linear in λ for a fixed α. Each branch runs twice.

    Args:
        pair: The pair.
        alpha: α ≥ 0, fixed; 0 is the pair itself. λ=0 is CAD of the reference, λ=1 of the aligned
            model.

    Raises:
        InvalidValueError: α is negative or not finite.
    """

    def __init__(self, pair: PairBackend, alpha: float) -> None:
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
            raise InvalidValueError(f"α must be a number, got {alpha!r}", hint="e.g. 0.5")
        if not math.isfinite(alpha) or alpha < 0:
            raise InvalidValueError(
                f"α must be finite and ≥ 0, got {alpha!r}", hint="0 is the pair itself"
            )
        self.alpha = float(alpha)

        def weighed(weight: float, branches: Branches) -> dict[Branches, float]:
            return {b: weight for b in _AS_THEY_ARE if b in branches} if weight else {}

        def whole(prompt: Sequence[int], branches: Branches) -> PartRow:
            return PartRow(prompt, weighed(1 + self.alpha, branches))

        def bare(prompt: Sequence[int], branches: Branches) -> PartRow:
            weights = weighed(-self.alpha, branches)
            return PartRow(without_passages(prompt) if weights else prompt, weights)

        super().__init__(
            pair,
            [Part(pair, _AS_THEY_ARE, whole), Part(pair, _AS_THEY_ARE, bare)],
            name=f"{pair.name}:context(α={self.alpha:g})",
        )

    @property
    def two_views(self) -> bool:
        """Whether prompts must be `BranchedPrompt`s with a view without passages: for α > 0."""
        return self.alpha > 0 or super().two_views


def without_passages(prompt: Sequence[int]) -> BranchedPrompt:
    """The other view of a prompt, with the same shares of λ.

    Raises:
        PromptError: The prompt has only one view.
    """
    if not isinstance(prompt, BranchedPrompt) or prompt.without is None:
        raise PromptError(
            "this backend needs every prompt with and without its passages",
            hint="pass pair.prompt(with_passages, without), or BranchedPrompt(ids, without=…)",
        )
    return BranchedPrompt(prompt.without, shares=prompt.shares)
