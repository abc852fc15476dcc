"""Suites: what to evaluate, as values in YAML, every key checked. The folder's README explains."""

from dera_rag.evaluation.suites.policies import with_policy_files
from dera_rag.evaluation.suites.reading import load_suite, read_suite
from dera_rag.evaluation.suites.schema import Named, PairSource, Section, Suite
from dera_rag.evaluation.suites.shipped import find_suite, shipped_names

__all__ = [
    "Named",
    "PairSource",
    "Section",
    "Suite",
    "find_suite",
    "load_suite",
    "read_suite",
    "shipped_names",
    "with_policy_files",
]
