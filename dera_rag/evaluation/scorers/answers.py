"""Short answers against references, and which of two knowledge sources an answer follows."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from dera_rag.evaluation.contract import Item, Need, Score
from dera_rag.evaluation.instruments.base import Instrument
from dera_rag.types import Json

_REFERENCES: frozenset[Need] = frozenset({"references"})
_RECORD: frozenset[Need] = frozenset({"record"})
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ABSTAINS = re.compile(
    r"\b(?:(?:do|does|did|could|can)(?: not|n[’']t)|cannot|unable to|not able to|no way to)\s+"
    r"(?:\w+\s+){0,3}?(?:know|say|tell|answer|find|determine|mention|state|contain|provide|specify|"
    r"include)"
    r"|\b(?:unanswerable|unknown|no (?:answer|information|mention)|not (?:enough|sufficient|"
    r"mentioned|stated|given|provided|specified|in the (?:passages?|context|text)))\b"
    r"|\binsufficient (?:information|context|evidence)\b",
    re.IGNORECASE,
)

Outcome = Literal["context", "memory", "other", "abstain"]


def normalised(text: str) -> str:
    """Lower-case without punctuation, articles and extra blanks (Rajpurkar et al. 2016)."""
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of word precision and recall after SQuAD's normalisation, in [0, 1].

    Two texts that are empty after it agree: 1.
    """
    mine, theirs = normalised(answer).split(), normalised(reference).split()
    if not mine or not theirs:
        return float(mine == theirs)
    shared = sum((Counter(mine) & Counter(theirs)).values())
    return 2 * shared / (len(mine) + len(theirs))


def abstains(answer: str) -> bool:
    """Whether an English answer declines to answer; an empty one does."""
    return not answer.strip() or bool(_ABSTAINS.search(answer))


def abstained() -> Instrument:
    """Whether the answer declines, by English phrases; good where nothing answers the question.

    With the column `answerable` beside the questions a report tells right refusals from others.
    """
    return Instrument("abstained", "1", "neither", (0.0, 1.0), frozenset(), _abstained)


def _abstained(item: Item) -> Score:
    return Score(float(abstains(item.answer)))


def exact_match() -> Instrument:
    """Whether the normalised answer is one of the normalised references; higher is better."""
    return Instrument("exact_match", "1", "higher", (0.0, 1.0), _REFERENCES, _exact)


def token_f1_best() -> Instrument:
    """Highest token-F1 with any reference; higher is better."""
    return Instrument("token_f1", "1", "higher", (0.0, 1.0), _REFERENCES, _best_f1)


def answer_in_response() -> Instrument:
    """Whether a normalised reference occurs in the normalised answer as words; higher is better.

    For answers in sentences, which can never match exactly (Liu et al. 2024).
    """
    return Instrument("answer_recall", "1", "higher", (0.0, 1.0), _REFERENCES, _holds_any)


def _exact(item: Item) -> Score:
    mine = normalised(item.answer)
    return Score(float(any(mine == normalised(one) for one in item.references)))


def _best_f1(item: Item) -> Score:
    return Score(max(token_f1(item.answer, one) for one in item.references))


def _holds_any(item: Item) -> Score:
    return Score(float(_holds(item.answer, item.references)))


def _holds(answer: str, candidates: Sequence[str]) -> bool:
    padded = f" {normalised(answer)} "
    return any(f" {normalised(one)} " in padded for one in candidates if normalised(one))


def conflict_outcome(answer: str, context: Sequence[str], memory: Sequence[str]) -> Outcome:
    """Which knowledge an answer follows where the passage and the models' memory disagree.

    Args:
        answer: The answer.
        context: Answers that the passages support; none for an unanswerable question.
        memory: Answers that hold in the world and not in the passages.

    Returns:
        `context` or `memory` where the answer holds only that one's, `abstain` where it holds
        neither and declines, `other` else: an answer with both takes no side.
    """
    from_context, from_memory = _holds(answer, context), _holds(answer, memory)
    if from_context != from_memory:
        return "context" if from_context else "memory"
    return "abstain" if not from_context and abstains(answer) else "other"


def conflict_context() -> Instrument:
    """Whether the answer follows the passages; higher is better.

    Needs the record's `context_answers` or `memory_answers`, as the task `nq` has them.
    """
    return _conflict("context", "higher")


def conflict_memory() -> Instrument:
    """Whether the answer says what the models remember against the passages; lower is better.

    Needs the record's `context_answers` or `memory_answers`, as the task `nq` has them.
    """
    return _conflict("memory", "lower")


def conflict_other() -> Instrument:
    """Whether the answer says something else, or both; lower is better.

    Needs the record's `context_answers` or `memory_answers`, as the task `nq` has them.
    """
    return _conflict("other", "lower")


def conflict_abstain() -> Instrument:
    """Whether the answer declines; good for an unanswerable question, bad for another.

    Needs the record's `context_answers` or `memory_answers`, as the task `nq` has them.
    """
    return _conflict("abstain", "neither")


def _conflict(outcome: Outcome, direction: Literal["higher", "lower", "neither"]) -> Instrument:
    def measure(item: Item) -> Score:
        context = _texts(item.record.get("context_answers"))
        memory = _texts(item.record.get("memory_answers"))
        if context is None and memory is None:
            return Score(None, "the record has neither context_answers nor memory_answers")
        found = conflict_outcome(item.answer, context or (), memory or ())
        return Score(float(found == outcome))

    name = f"conflict_{outcome}"
    return Instrument(name, "1", direction, (0.0, 1.0), _RECORD, measure)


def _texts(value: Json | None) -> tuple[str, ...] | None:
    """Strings of a JSON value; None where it holds none."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple(one for one in value if isinstance(one, str))
    return None
