"""Names for things users choose: `name → "module:attribute"`, imported on first use.

Third parties add entries through the entry-point group `dera_rag.<kind>`; a built-in name wins over
one of theirs.
"""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import entry_points
from typing import Any

from dera_rag.errors import UnknownNameError

_BUILT_IN: dict[str, dict[str, str]] = {
    "policies": {
        "constant": "dera_rag.policies.constant:ConstantPolicy",
        "evidence": "dera_rag.policies.evidence:EvidencePolicy",
    },
    "meters": {
        "venues": "dera_rag.evaluation.venues.meter:VenuesMeter",
    },
    "scorers": {
        "abstained": "dera_rag.evaluation.scorers.answers:abstained",
        "answer_recall": "dera_rag.evaluation.scorers.answers:answer_in_response",
        "conflict_abstain": "dera_rag.evaluation.scorers.answers:conflict_abstain",
        "conflict_context": "dera_rag.evaluation.scorers.answers:conflict_context",
        "conflict_memory": "dera_rag.evaluation.scorers.answers:conflict_memory",
        "conflict_other": "dera_rag.evaluation.scorers.answers:conflict_other",
        "copy_coverage": "dera_rag.evaluation.scorers.prose:copy_coverage",
        "copy_density": "dera_rag.evaluation.scorers.prose:copy_density",
        "copy_rate": "dera_rag.evaluation.instruments.texts:copy_rate",
        "distinct_n": "dera_rag.evaluation.scorers.prose:distinct_n",
        "entailment": "dera_rag.evaluation.scorers.entailment:Entailment",
        "entropy_highest": "dera_rag.evaluation.scorers.signals:entropy_highest",
        "exact_match": "dera_rag.evaluation.scorers.answers:exact_match",
        "grounded": "dera_rag.evaluation.scorers.grounded.scorer:Grounded",
        "kl_mean": "dera_rag.evaluation.scorers.signals:kl_mean",
        "learned_naturalness": "dera_rag.evaluation.scorers.natural_ratings:LearnedNaturalness",
        "length": "dera_rag.evaluation.scorers.prose:length",
        "lettucedetect": "dera_rag.evaluation.scorers.checkpoints:LettuceDetect",
        "log_ratio_lowest": "dera_rag.evaluation.scorers.signals:log_ratio_lowest",
        "log_ratio_mean": "dera_rag.evaluation.scorers.signals:log_ratio_mean",
        "minicheck": "dera_rag.evaluation.scorers.checkpoints:MiniCheck",
        "naturalness_distance": "dera_rag.evaluation.instruments.texts:Naturalness",
        "overlap": "dera_rag.evaluation.scorers.prose:reference_overlap",
        "preferred_to_reference": "dera_rag.evaluation.scorers.pairwise:PreferredToReference",
        "ragas": "dera_rag.evaluation.scorers.ragas_metrics:Ragas",
        "repetition": "dera_rag.evaluation.scorers.prose:repetition",
        "slot_deleted": "dera_rag.evaluation.instruments.slots:deleted",
        "slot_error_rate": "dera_rag.evaluation.instruments.slots:error_rate",
        "slot_hallucinated": "dera_rag.evaluation.instruments.slots:hallucinated",
        "slot_inserted": "dera_rag.evaluation.instruments.slots:inserted",
        "slot_wrong": "dera_rag.evaluation.instruments.slots:wrong",
        "token_f1": "dera_rag.evaluation.scorers.answers:token_f1_best",
        "unfinished": "dera_rag.evaluation.scorers.prose:unfinished",
        "venues_abstained": "dera_rag.evaluation.instruments.venues:abstained",
        "venues_coverage": "dera_rag.evaluation.instruments.venues:coverage",
        "venues_hallucination": "dera_rag.evaluation.instruments.venues:hallucination",
    },
    "tasks": {
        "e2e": "dera_rag.evaluation.tasks.e2e:E2ETask",
        "nq": "dera_rag.evaluation.tasks.nq:NQTask",
        "own": "dera_rag.evaluation.tasks.own:OwnTask",
        "ragtruth": "dera_rag.evaluation.tasks.ragtruth:RAGTruthTask",
        "venues": "dera_rag.evaluation.tasks.venues:VenuesTask",
    },
}


def names(kind: str) -> list[str]:
    """Every known name of a kind, sorted.

    Args:
        kind: `policies`, `meters`, `scorers` or `tasks`.

    Raises:
        UnknownNameError: No such kind.
    """
    if kind not in _BUILT_IN:
        raise UnknownNameError(f"no registry {kind!r}", hint=f"one of {sorted(_BUILT_IN)}")
    return sorted({*_BUILT_IN[kind], *(e.name for e in entry_points(group=f"dera_rag.{kind}"))})


def resolve(kind: str, name: str) -> Any:
    """The object registered under a name.

    Args:
        kind: `policies`, `meters`, `scorers` or `tasks`.
        name: A name out of `names(kind)`.

    Raises:
        UnknownNameError: No such kind or name; the hint lists the nearest names.
    """
    known = names(kind)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or known
        raise UnknownNameError(f"no {kind} entry named {name!r}", hint=f"did you mean {near}?")
    target = _BUILT_IN[kind].get(name)
    if target is None:
        return next(e for e in entry_points(group=f"dera_rag.{kind}") if e.name == name).load()
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
