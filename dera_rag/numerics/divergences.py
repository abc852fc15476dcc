"""Entropy, KL, Jensen–Shannon and Rényi divergence of next-token distributions, in nats.

Inputs are log-probabilities `[..., V]`; −inf is a token of probability 0, for which 0·log 0 = 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def expectation(p: Tensor, values: Tensor) -> Tensor:
    """Σ_v p_v·x_v over the last dimension; a token of probability 0 adds 0 whatever x is.

    Args:
        p: `[..., V]` probabilities.
        values: `[..., V]`; may be infinite or NaN where p is 0.

    Returns:
        `[...]`.
    """
    product = p * values
    total = product.sum(-1)
    if bool(total.isfinite().all()):
        return total
    return torch.where(p > 0, product, 0.0).sum(-1)


def entropy(log_p: Tensor) -> Tensor:
    """−Σ p log p ≥ 0.

    Args:
        log_p: `[..., V]` log-probabilities.

    Returns:
        `[...]`, in [0, log V].
    """
    return -expectation(log_p.exp(), log_p)


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p ‖ q) = Σ p (log p − log q) ≥ 0; +inf where q excludes a token that p allows.

    Args:
        log_p: `[..., V]` log-probabilities.
        log_q: `[..., V]` log-probabilities.

    Returns:
        `[...]`; rounding below 0 is cut off.
    """
    return expectation(log_p.exp(), log_p - log_q).clamp_min(0.0)


def js_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Jensen–Shannon divergence ½ KL(p ‖ m) + ½ KL(q ‖ m) with m = (p + q)/2.

    Args:
        log_p: `[..., V]` log-probabilities.
        log_q: `[..., V]` log-probabilities.

    Returns:
        `[...]`, in [0, ln 2]; finite also where p and q exclude different tokens.
    """
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return (kl_divergence(log_p, log_m) + kl_divergence(log_q, log_m)).div(2).clamp_max(math.log(2))


def renyi_divergence(log_p: Tensor, log_q: Tensor, order: float) -> Tensor:
    """Rényi divergence D_α(p ‖ q) = log(Σ p^α·q^(1−α)) / (α−1).

    It grows with α towards KL(p ‖ q) at α = 1; small α give tokens of low probability more weight.

    Args:
        log_p: `[..., V]` log-probabilities.
        log_q: `[..., V]` log-probabilities.
        order: α in (0, 1).

    Returns:
        `[...]`, ≥ 0; +inf where p and q have no token in common. Rounding below 0 is cut off.
    """
    overlap = torch.logsumexp(order * log_p + (1 - order) * log_q, -1)
    return (overlap / (order - 1)).clamp_min(0.0)
