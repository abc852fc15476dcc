"""Pure functions on tensors: mixing two branches, divergences, sampling."""

from dera_rag.numerics.divergences import entropy, kl_divergence
from dera_rag.numerics.mixing import check_logits, mix, mix_rows
from dera_rag.numerics.sampling import Sampling, choose, row_seeds

__all__ = [
    "Sampling",
    "check_logits",
    "choose",
    "entropy",
    "kl_divergence",
    "mix",
    "mix_rows",
    "row_seeds",
]
