"""Pure functions on tensors: mixing two branches, divergences, sampling."""

from dera_rag.numerics.affine import AffineScores, Penalty, affine_scores, winners
from dera_rag.numerics.divergences import (
    entropy,
    js_divergence,
    kl_divergence,
    renyi_divergence,
)
from dera_rag.numerics.mixing import (
    check_logits,
    implausible,
    log_ratio,
    mix,
    mix_rows,
)
from dera_rag.numerics.sampling import Sampling, choose, row_seeds
from dera_rag.numerics.weighting import WeightedRows, weighted_sum

__all__ = [
    "AffineScores",
    "Penalty",
    "Sampling",
    "WeightedRows",
    "affine_scores",
    "check_logits",
    "choose",
    "entropy",
    "implausible",
    "js_divergence",
    "kl_divergence",
    "log_ratio",
    "mix",
    "mix_rows",
    "renyi_divergence",
    "row_seeds",
    "weighted_sum",
    "winners",
]
