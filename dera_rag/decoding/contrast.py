"""Published decode-time contrasts as mixers over two branches: one engine, one fair comparison.

| method | pair | decoder |
|---|---|---|
| CAD | `ContextPair(pair)` | `generate(…, lam=cad(0.5))` |
| AdaCAD | `ContextPair(pair)` | `DeraDecoder(…, mixer=AdaCad())` |
| AAD | an aligned model and its reference | `DeraDecoder(…, mixer=LogRatio())` |
| contrastive decoding | a small model as reference, a large one as aligned | the same |

CoCoA (Khandelwal et al. 2025) has the form of AdaCAD, with a λ per token in [0, 1] made of a Rényi
divergence, an entropy gap and the peakedness of the branch that reads the passages. It is left out
until its equation can be taken from the paper: the released code fixes its weight, which makes it
CAD with α = 0.5. Shapes: `B` lines, `V` token ids.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from dera_rag.decoding.mixer import Lines, Mixture, plausible
from dera_rag.errors import InvalidValueError, LogitsError
from dera_rag.numerics import js_divergence, log_ratio, mix
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


def _both(mixer: AdaCad | LogRatio, lam: float) -> Branches:
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
