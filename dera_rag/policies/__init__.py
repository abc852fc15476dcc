"""How λ is chosen: pure functions of a question and its evidence, written down as YAML."""

from dera_rag.policies.config import from_config, load, save
from dera_rag.policies.constant import ConstantPolicy
from dera_rag.policies.evidence import Adjustment, EvidencePolicy
from dera_rag.policies.signals import SIGNALS, Cues, read_signals

__all__ = [
    "SIGNALS",
    "Adjustment",
    "ConstantPolicy",
    "Cues",
    "EvidencePolicy",
    "from_config",
    "load",
    "read_signals",
    "save",
]
