"""How two branches' logits become one distribution: the loop's single seam.

A mixer sees one line per distribution to be made. A plain step has one line per row; a step that
verifies a draft has one line per row and drafted position. Shapes: `B` lines, `V` token ids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from dera_rag.errors import LogitsError
from dera_rag.numerics import AffineScores, affine_scores, implausible, mix_rows
from dera_rag.protocols import Branches, LogitPair
from dera_rag.types import check_plausibility


@dataclass(frozen=True)
class Lines:
    """What belongs to each line of a step.

    Attributes:
        lam: `[B]` λ the caller asked for.
        reference_rows: The lines behind `LogitPair.reference`, ascending.
        aligned_rows: The lines behind `LogitPair.aligned`, ascending; both lists together cover
            all lines.
        steps: Index of the token each line generates, counted from 0 after its prompt, length B.
        rows: The caller's row numbers, for errors, length B; they need not be distinct.
    """

    lam: Tensor
    reference_rows: Sequence[int]
    aligned_rows: Sequence[int]
    steps: Sequence[int]
    rows: Sequence[int]


class Mixture(NamedTuple):
    """What a mixer made.

    Attributes:
        logits: `[B, V]` float32; a token that is excluded has −inf.
        lam: `[B]` λ that was used, for the trace; None where it is the one asked for.
    """

    logits: Tensor
    lam: Tensor | None = None


class Mixer(Protocol):
    """Makes each line's distribution out of both branches' logits.

    A line's mixture may depend on nothing but that line's logits, λ and step: then an answer does
    not depend on its batch, nor on whether its tokens were drafted. Penalties, temperature,
    truncation and noise come afterwards.
    """

    def branches(self, lam: float) -> Branches:
        """Which models a row at this λ must run."""
        ...

    def mix(self, logits: LogitPair, lines: Lines) -> Mixture:
        """The mixture of every line.

        Args:
            logits: Both branches' logits, each for the lines that run it.
            lines: λ, step and row of every line.

        Raises:
            LogitsError: A line that cannot be mixed. The loop then mixes line by line, so that the
                others are decoded all the same.
        """
        ...


@runtime_checkable
class AffineMixer(Mixer, Protocol):
    """A mixer whose scores are lines in λ: what the exact λ-path needs.

    λ must not change per token, and what is excluded must not depend on λ.
    """

    def affine(self, logits: LogitPair, *, step: int, rows: Sequence[int]) -> AffineScores:
        """The lines; at every λ they are what `mix` makes of rows that run both models.

        Args:
            logits: Both branches' logits of all rows.
            step: Index of the token every row generates.
            rows: The caller's row numbers, for errors.

        Raises:
            LogitsError: As `mix`.
        """
        ...


@dataclass(frozen=True)
class LinearMixer:
    """DeRa: h = r + λ(a − r) (Liu et al. 2024, Proposition 1); λ does not change per token.

    Attributes:
        plausibility: Tokens must have at least this share of the aligned model's highest
            probability, in [0, 1]; 0 (default) keeps all. What is left does not depend on λ. It
            keeps λ > 1 from raising tokens that neither model would write.

    Raises:
        InvalidValueError: A plausibility outside [0, 1].
    """

    plausibility: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a plausibility that is none."""
        object.__setattr__(self, "plausibility", check_plausibility(self.plausibility))

    def branches(self, lam: float) -> Branches:
        """One model suffices at λ=0 and λ=1; a plausibility always asks the aligned one."""
        if lam == 1:
            return Branches.ALIGNED
        return Branches.BOTH if lam or self.plausibility else Branches.REFERENCE

    def mix(self, logits: LogitPair, lines: Lines) -> Mixture:
        """See `Mixer.mix`."""
        mixed = mix_rows(
            logits.reference,
            logits.aligned,
            lines.reference_rows,
            lines.aligned_rows,
            lines.lam,
            step=lines.steps[0],
            rows=lines.rows,
        )
        return Mixture(plausible(mixed, logits.aligned, self.plausibility))

    def affine(self, logits: LogitPair, *, step: int, rows: Sequence[int]) -> AffineScores:
        """See `AffineMixer.affine`."""
        if logits.reference is None or logits.aligned is None:
            raise LogitsError("lines in λ need the logits of both branches")
        scores = affine_scores(logits.reference, logits.aligned, step=step, rows=rows)
        if not self.plausibility:
            return scores
        out = implausible(logits.aligned.float(), self.plausibility)
        return AffineScores(
            scores.base.masked_fill(out, -math.inf), scores.slope.masked_fill(out, 0.0)
        )


def plausible(mixed: Tensor, aligned: Tensor | None, share: float) -> Tensor:
    """A mixture without the tokens that `numerics.implausible` rules out.

    Args:
        mixed: `[B, V]` float32.
        aligned: `[B, V]` logits of the aligned model for the same lines.
        share: In [0, 1]; 0 keeps all.

    Raises:
        LogitsError: The aligned model did not run for every line.
    """
    if not share:
        return mixed
    if aligned is None or len(aligned) != len(mixed):
        raise LogitsError("a plausibility needs the aligned model's logits of every line")
    return mixed.masked_fill(implausible(aligned.float(), share), -math.inf)
