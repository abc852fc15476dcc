"""What a conversation brings as evidence, and the λ that follows from it."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, HumanMessage

from dera_rag.errors import InvalidValueError
from dera_rag.policies import ConstantPolicy, EvidencePolicy
from dera_rag.protocols import ConfigurablePolicy, LambdaPolicy, MeasuringPolicy
from dera_rag.types import Evidence, LambdaDecision, Passage

_WITHOUT_EVIDENCE = 1.0
# Sums of float32 products reach a little beyond 1.
_ROUNDING = 1e-3


def read_evidence(
    given: object, messages: Sequence[BaseMessage], pair: str, corpus: str
) -> Evidence:
    """Passages of a call, or else those in the artifacts of its messages.

    Args:
        given: A list of `{"id", "text", "relevance_score"}`, best first, with `corpus` where it is
            known; documents with these in their metadata will do. None for those in the messages:
            the artifacts of the tool messages after the last human one.
        messages: The conversation.
        pair: Name of the pair.
        corpus: Where passages come from that do not say.

    Raises:
        InvalidValueError: Evidence of another form.
    """
    if given is not None and (isinstance(given, (str, Mapping)) or not isinstance(given, Sequence)):
        raise InvalidValueError(
            f"dera_evidence must be a list, got {given!r:.80}",
            hint='[{"id": "a", "text": "…", "relevance_score": 0.8}]',
        )
    items = list(_artifacts(messages) if given is None else given)
    read = [_passage(item) for item in items]
    places = {place or corpus for _, place in read}
    return Evidence(
        tuple(passage for passage, _ in read),
        pair=pair,
        # Passages of several corpora come from none that a policy was fitted to.
        corpus=places.pop() if len(places) == 1 else "" if places else corpus,
    )


def decide(
    policy: LambdaPolicy,
    question: str,
    evidence: Evidence,
    measure: Callable[[], float],
) -> LambdaDecision:
    """λ by a policy.

    Args:
        policy: What decides.
        question: The question.
        evidence: Its passages. Without any, λ is what the policy states for that in an attribute
            `without_evidence`, 1 by default; the reason says so.
        measure: Mean KL(aligned ‖ reference) over the first tokens; called if the policy looks.
    """
    if not evidence.passages and not isinstance(policy, ConstantPolicy):
        lam = float(getattr(policy, "without_evidence", _WITHOUT_EVIDENCE))
        reason = f"λ={lam:g}: 'auto' had no evidence to go by"
        return LambdaDecision(lam, reason, policy=policy.name)
    looks = isinstance(policy, MeasuringPolicy) and policy.measures_disagreement(
        evidence.pair, evidence.corpus
    )
    if looks:
        evidence = Evidence(evidence.passages, measure(), evidence.pair, evidence.corpus)
    return policy.decide(question, evidence)


@functools.cache
def default_policy() -> LambdaPolicy:
    """The embedded one."""
    return EvidencePolicy.embedded()


def policy_hash(policy: LambdaPolicy | None) -> str:
    """Tells policies apart in cache keys.

    Args:
        policy: None for the default.
    """
    chosen = default_policy() if policy is None else policy
    if isinstance(chosen, ConfigurablePolicy):
        told = json.dumps(chosen.to_config(), sort_keys=True, ensure_ascii=False)
    else:
        told = repr(chosen)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _artifacts(messages: Sequence[BaseMessage]) -> Iterator[Any]:
    """Documents that tools returned in this turn: earlier ones answered earlier questions."""
    asked = (i for i, message in enumerate(messages) if isinstance(message, HumanMessage))
    last = max(asked, default=-1)
    for message in messages[last + 1 :]:
        artifact = getattr(message, "artifact", None)
        for item in artifact if isinstance(artifact, (list, tuple)) else ():
            # Other tools keep things with a text too: a passage has a score, be it None.
            scored = isinstance(item, Mapping) and "relevance_score" in item
            if isinstance(item, Document) or (scored and isinstance(item.get("text"), str)):
                yield item


def _passage(item: Any) -> tuple[Passage, str]:
    """A passage, and the corpus it comes from, "" if it does not say."""
    if isinstance(item, Document):
        metadata: Mapping[str, Any] = item.metadata
        values = {"text": item.page_content, "id": item.id or metadata.get("id") or ""}
        values |= {name: metadata.get(name) for name in ("relevance_score", "corpus")}
    elif isinstance(item, Mapping) and isinstance(item.get("text"), str):
        values = {name: item.get(name) for name in ("id", "text", "relevance_score", "corpus")}
    else:
        raise InvalidValueError(
            f"no passage: {item!r:.80}",
            hint='{"id": "a", "text": "…", "relevance_score": 0.8}, or a Document',
        )
    passage = Passage(str(values["id"] or ""), values["text"], _score(values["relevance_score"]))
    return passage, str(values["corpus"] or "")


def _score(value: object) -> float:
    """Relevance in [0, 1]; NaN where there is none.

    Raises:
        InvalidValueError: No number, or one on another scale.
    """
    if value is None:
        return math.nan
    # numpy's numbers are `Real` too.
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidValueError(
            f"relevance_score must be a number, got {value!r}", hint="in [0, 1]"
        )
    score = float(value)
    if math.isnan(score):
        return score
    # Cosines may be negative; anything beyond is a distance or a logit, which λ must not go by.
    if not -1 <= score <= 1 + _ROUNDING:
        raise InvalidValueError(
            f"relevance_score must be in [0, 1], got {value!r}",
            hint="higher is better; ScoredRetriever(embeddings=…) makes such scores",
        )
    return min(1.0, max(0.0, score))
