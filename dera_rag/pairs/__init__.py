"""Where two models' logits come from."""

from dera_rag.pairs.pair import ModelPair

__all__ = ["ModelPair"]
