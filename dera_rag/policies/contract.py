"""What every λ policy must hold to; call it from the tests of your own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import yaml

from dera_rag.policies.config import from_config
from dera_rag.protocols import ConfigurablePolicy
from dera_rag.types import Evidence, LambdaDecision, Passage

_RECORD = Passage("a", "- name: The Copper Kettle\n- price range: cheap", 0.8)
_PROSE = Passage("b", "Nothing here is a record: it has colons, though.", 0.4)
_CASES: tuple[tuple[str, Evidence], ...] = tuple(
    (question, Evidence(passages, disagreement, pair, corpus))
    for question in ("How much does The Copper Kettle charge?", "Why?", "naïve 你好 😀", " " * 3)
    for passages in ((), (_RECORD,), (_RECORD, _PROSE), (Passage("c", ""), _RECORD, _RECORD))
    for disagreement in (math.nan, 0.0, 3.0, math.inf)
    for pair, corpus in (("venues-pair", "venues"), ("", ""), ("other", "venues"))
)


def check_policy(
    policy: ConfigurablePolicy, cases: Sequence[tuple[str, Evidence]] = _CASES
) -> list[LambdaDecision]:
    """Hold a policy to its contract.

    λ is finite and ≥ 0 with a reason in words; equal questions get equal decisions in any order and
    company; the policy survives a round trip through YAML.

    Args:
        policy: A policy that the registry knows by its name.
        cases: Questions with evidence; by default records, prose, nothing, and missing numbers.

    Returns:
        The decisions, in the order of the cases.

    Raises:
        AssertionError: The contract is broken; the message says how.
    """
    decisions = [policy.decide(question, evidence) for question, evidence in cases]
    for (question, evidence), decision in zip(cases, decisions, strict=True):
        _hold(
            math.isfinite(decision.lam) and decision.lam >= 0, f"λ={decision.lam} for {question!r}"
        )
        _hold(bool(decision.reason.strip()), f"no reason for {question!r}, {evidence}")
        _hold(decision.policy == policy.name, f"{decision.policy!r} signs for {policy.name!r}")
    again = [policy.decide(question, evidence) for question, evidence in reversed(cases)]
    _hold(_all_equal(decisions, again[::-1]), "a decision depends on the questions before it")
    copy = from_config(yaml.safe_load(yaml.safe_dump(policy.to_config())))
    _hold(copy.to_config() == policy.to_config(), "the YAML form is not stable")
    copied = [copy.decide(question, evidence) for question, evidence in cases]
    _hold(_all_equal(decisions, copied), "a copy through YAML decides otherwise")
    return decisions


def _hold(held: bool, message: str) -> None:
    if not held:
        raise AssertionError(message)


def _all_equal(first: Sequence[LambdaDecision], second: Sequence[LambdaDecision]) -> bool:
    # As JSON: a signal that is NaN equals itself there.
    return [a.to_dict() for a in first] == [b.to_dict() for b in second]
