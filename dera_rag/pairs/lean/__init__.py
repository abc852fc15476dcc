"""The lean engine: decoder-only models of the Llama family on CPUs, without framework overhead."""

from dera_rag.pairs.lean.averaged import averaged
from dera_rag.pairs.lean.guessing import LeanGuesser
from dera_rag.pairs.lean.model import LeanModel, lean_obstacle, packed
from dera_rag.pairs.lean.packing import packable, plain
from dera_rag.pairs.lean.rows import LeanRows

__all__ = [
    "LeanGuesser",
    "LeanModel",
    "LeanRows",
    "averaged",
    "lean_obstacle",
    "packable",
    "packed",
    "plain",
]
