"""Published decode-time contrasts as mixers over two branches: one engine, one fair comparison.

| method | pair | decoder |
|---|---|---|
| CAD | `ContextPair(pair)` | `generate(…, lam=cad(0.5))` |
| AdaCAD | `ContextPair(pair)` | `DeraDecoder(…, mixer=AdaCad())` |
| CoCoA | `ContextPair(pair)` | `DeraDecoder(…, mixer=Cocoa())` |
| AAD | an aligned model and its reference | `DeraDecoder(…, mixer=LogRatio())` |
| contrastive decoding | a small model as reference, a large one as aligned | the same |

Shapes: `B` lines, `V` token ids.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from dera_rag.decoding.mixer import Lines, Mixture, plausible
from dera_rag.errors import InvalidValueError, LogitsError
from dera_rag.numerics import entropy, js_divergence, log_ratio, mix, renyi_divergence
from dera_rag.protocols import Branches, LogitPair
from dera_rag.types import check_plausibility


def cad(alpha: float) -> float:
    """The λ of context-aware decoding on a `pairs.ContextPair`.

    softmax((1+α)·h(passages, question) − α·h(question)) (Shi et al. 2024) is r + λ(a − r) with
    λ = 1 + α, where a reads the passages and r the question without them.

    Args:
        alpha: α ≥ 0; 0 is the model with its passages.

    Returns:
        1 + α.

    Raises:
        InvalidValueError: α is negative or not finite.
    """
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
        raise InvalidValueError(f"α must be a number, got {alpha!r}", hint="e.g. 0.5")
    if not math.isfinite(alpha) or alpha < 0:
        raise InvalidValueError(f"α must be finite and ≥ 0, got {alpha!r}", hint="e.g. 0.5")
    return 1.0 + alpha


@dataclass(frozen=True)
class AdaCad:
    """AdaCAD: CAD whose α_t is each token's Jensen–Shannon divergence (Wang et al. 2025).

    λ_t = 1 + max(JSD_t, floor) over a `pairs.ContextPair`, in nats, so that λ_t ≤ 1.694 without a
    floor. Every line has its own, whatever shares its batch. The trace shows it.

    Attributes:
        floor: Least α_t ≥ 0; 0 (default) is none.

    Raises:
        InvalidValueError: A floor that is none.
    """

    floor: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a floor that is none."""
        cad(self.floor)

    def branches(self, lam: float) -> Branches:
        """Both.

        Raises:
            InvalidValueError: A λ was asked for.
        """
        return _both(self, lam)

    def mix(self, logits: LogitPair, lines: Lines) -> Mixture:
        """See `Mixer.mix`."""
        reference, aligned = _given(logits)
        alpha = js_divergence(reference.log_softmax(-1), aligned.log_softmax(-1))
        lam = 1 + alpha.clamp_min(self.floor)
        mixed = mix(reference, aligned, lam, step=lines.steps[0], rows=lines.rows)
        return Mixture(mixed, lam)


@dataclass(frozen=True)
class Cocoa:
    """CoCoA: a weight per token for the branch with passages, by conflict and confidence.

    Over a `pairs.ContextPair`, where q is the branch without passages and p the one with them.
    From the paper (Khandelwal et al. 2025): log mixture = (1−λ_t)·log q + λ_t·log p with λ_t in
    [0, 1], so that nothing is extrapolated; conflict is the Rényi divergence D_α(q ‖ p) with
    α = ½; confidence is the entropy gap ΔH_t = H(q) − H(p) and the peakedness m_t, by how much the
    first token of p is more probable than its second.

    How the three make λ_t is our reading, as the paper's own equation was not at hand:
    λ_t = σ(γ·(ΔH_t + D_t/(1 + D_t)) + z·m_t). The terms behind γ are what the released code
    computes, before it replaces the result by ½ and adds the whole contrast, which makes it CAD
    with α = ½; the term behind z is added because that code has none. γ = 1 and z = 5 are the
    values of a public reimplementation.

    Attributes:
        order: α of the Rényi divergence, in (0, 1).
        gamma: γ ≥ 0, weight of entropy gap and conflict.
        peak: z ≥ 0, weight of the peakedness.

    Raises:
        InvalidValueError: A value outside its range.
    """

    order: float = 0.5
    gamma: float = 1.0
    peak: float = 5.0

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if not 0 < self.order < 1:
            raise InvalidValueError(f"order must be in (0, 1), got {self.order!r}", hint="e.g. 0.5")
        for name in ("gamma", "peak"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise InvalidValueError(f"{name} must be finite and ≥ 0, got {value!r}")

    def branches(self, lam: float) -> Branches:
        """Both.

        Raises:
            InvalidValueError: A λ was asked for.
        """
        return _both(self, lam)

    def mix(self, logits: LogitPair, lines: Lines) -> Mixture:
        """See `Mixer.mix`."""
        reference, aligned = _given(logits)
        log_q, log_p = reference.log_softmax(-1), aligned.log_softmax(-1)
        # D/(1 + D), also where D is infinite.
        conflict = 1 - 1 / (1 + renyi_divergence(log_q, log_p, self.order))
        best = log_p.exp().topk(2).values
        gap = entropy(log_q) - entropy(log_p)
        lam = self.gamma * (gap + conflict) + self.peak * (best[:, 0] - best[:, 1])
        lam = lam.sigmoid()
        return Mixture(mix(reference, aligned, lam, step=lines.steps[0], rows=lines.rows), lam)


@dataclass(frozen=True)
class LogRatio:
    """Contrastive decoding and AAD: the log-ratio of two branches, among plausible tokens only.

    The score is log π_aligned − log π_reference where π_aligned is at least `plausibility` times
    its highest value, −inf elsewhere: contrastive decoding for a large and a small model (Li et
    al. 2023), alignment-aware decoding for an aligned model and its reference (Berdoz et al.
    2026), both greedy there. It is where r + λ(a − r) goes for λ → ∞ under the same mask.

    Attributes:
        plausibility: In (0, 1]; 0.1 is the value of contrastive decoding.

    Raises:
        InvalidValueError: A plausibility outside (0, 1]: without one, the token that the reference
            finds least likely would win.
    """

    plausibility: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a plausibility that is none."""
        if not check_plausibility(self.plausibility):
            raise InvalidValueError("plausibility must be in (0, 1], got 0", hint="e.g. 0.1")

    def branches(self, lam: float) -> Branches:
        """Both.

        Raises:
            InvalidValueError: A λ was asked for.
        """
        return _both(self, lam)

    def mix(self, logits: LogitPair, lines: Lines) -> Mixture:
        """See `Mixer.mix`."""
        reference, aligned = _given(logits)
        ratio = log_ratio(reference, aligned, step=lines.steps[0], rows=lines.rows)
        return Mixture(plausible(ratio, aligned, self.plausibility))


def _both(mixer: AdaCad | Cocoa | LogRatio, lam: float) -> Branches:
    if lam != 1:
        raise InvalidValueError(
            f"{type(mixer).__name__} has no λ to choose, got {lam:g}",
            hint="leave lam at 1, or decode with the default mixer",
        )
    return Branches.BOTH


def _given(logits: LogitPair) -> tuple[Tensor, Tensor]:
    """Both branches, as float32; the lines of both are all lines."""
    if logits.reference is None or logits.aligned is None:
        raise LogitsError("a contrast needs the logits of both branches")
    return logits.reference.float(), logits.aligned.float()
