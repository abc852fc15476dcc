"""λ for each question: as asked for, or by the policy from the evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dera_rag.decoding import DeraDecoder
from dera_rag.errors import InvalidValueError
from dera_rag.policies import ConstantPolicy
from dera_rag.prompts import FittedPrompt
from dera_rag.protocols import LambdaPolicy, MeasuringPolicy
from dera_rag.rag.requests import Lam
from dera_rag.types import Evidence, LambdaDecision


def choose(
    policy: LambdaPolicy,
    decoder: DeraDecoder,
    corpus: str,
    *,
    questions: Sequence[str],
    prompts: Sequence[FittedPrompt],
    lams: Sequence[Lam],
) -> list[LambdaDecision]:
    """One decision per question; what "auto" rows need of the pair is measured in one batch.

    Args:
        policy: Decides for "auto".
        decoder: Measures the models' disagreement, if the policy looks at it.
        corpus: Where the passages come from.
        questions: The questions.
        prompts: Their prompts; the passages that fitted are the evidence.
        lams: A number or "auto" for each.

    Raises:
        InvalidValueError: The policy returned something else than a decision.
    """
    pair = decoder.pair.name
    auto = [row for row, lam in enumerate(lams) if lam == "auto"]
    parted = dict.fromkeys(auto, math.nan)
    if auto and isinstance(policy, MeasuringPolicy) and policy.measures_disagreement(pair, corpus):
        measured = decoder.disagreement([prompts[row].token_ids for row in auto])
        parted = dict(zip(auto, measured, strict=True))
    decisions = []
    for row, lam in enumerate(lams):
        chosen = policy if lam == "auto" else ConstantPolicy(lam)
        evidence = Evidence(prompts[row].passages, parted.get(row, math.nan), pair, corpus)
        decision = chosen.decide(questions[row], evidence)
        if not isinstance(decision, LambdaDecision):
            raise InvalidValueError(
                f"the policy returned {decision!r:.80}", hint="LambdaDecision(lam, reason)"
            )
        decisions.append(decision)
    return decisions
