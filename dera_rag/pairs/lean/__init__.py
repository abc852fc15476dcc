"""The lean engine: decoder-only models of the Llama family on CPUs, without framework overhead."""

from dera_rag.pairs.lean.model import LeanModel, lean_obstacle, packed
from dera_rag.pairs.lean.packing import packable, plain
from dera_rag.pairs.lean.rows import LeanRows

__all__ = [
    "LeanModel",
    "LeanRows",
    "lean_obstacle",
    "packable",
    "packed",
    "plain",
]
