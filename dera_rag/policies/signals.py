"""What can be known of a question and its passages before decoding, as numbers.

Passages are read as records: lines of `label: value`, with or without a bullet. Text that is no
record has no name and covers no attribute.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dera_rag.types import Evidence, Passage

SIGNALS: Mapping[str, str] = MappingProxyType(
    {
        "passages": "number of passages",
        "top_score": "score of the best passage, in [0, 1]",
        "margin": "score of the best passage minus that of the second, ≥ 0",
        "names_found": "passages whose name stands in the question",
        "rival": "how alike the name asked about and that of another passage are, in [0, 1]",
        "asked": "attributes the question asks for; 0 asks for everything",
        "missing": "asked attributes that a passage of that name (else the best one) lacks",
        "disagreement": "mean KL(aligned ‖ reference) over the first tokens, in nats",
    }
)
"""Name of each signal and what it is."""

_FIELD = re.compile(r"^\s*(?:[-*]\s+)?(?P<label>[^:\n]{1,40}?)\s*:\s*(?P<value>\S.*?)\s*$", re.M)


@dataclass(frozen=True)
class Cues:
    """How a record names itself, and by which words a question asks for its attributes.

    Attributes:
        name: Label of the line that holds a record's name.
        attributes: Label of an attribute → words and phrases that ask for it; letter case does not
            count.
    """

    name: str
    attributes: Mapping[str, tuple[str, ...]]

    def asked(self, question: str) -> tuple[str, ...]:
        """Labels of the attributes a question asks for."""
        return tuple(
            label
            for label, words in self.attributes.items()
            if any(_stands_in(word, question) for word in words)
        )


def read_signals(question: str, evidence: Evidence, cues: Cues) -> dict[str, float]:
    """Every signal of `SIGNALS`; NaN where there is nothing to measure.

    Args:
        question: The question.
        evidence: Passages, best first, and the disagreement where it was measured.
        cues: How to read records and questions.
    """
    passages = evidence.passages
    records = [_record(passage) for passage in passages]
    names = [record.get(cues.name, "") for record in records]
    found = _found(names, question)
    wanted = cues.asked(_without(names, question))
    named = [record for record, is_named in zip(records, found, strict=True) if is_named]
    scores = [passage.score for passage in passages[:2]]
    return {
        "passages": float(len(passages)),
        "top_score": scores[0] if scores else math.nan,
        "margin": scores[0] - scores[1] if len(scores) == 2 else math.nan,
        "names_found": float(len(named)),
        "rival": _rival(names, found),
        "asked": float(len(wanted)),
        "missing": float(_missing(wanted, named or records[:1])),
        "disagreement": evidence.disagreement,
    }


def _record(passage: Passage) -> dict[str, str]:
    """Label → value of a passage's lines; the first line of a label counts."""
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(passage.text):
        fields.setdefault(match["label"].lower(), match["value"])
    return fields


def _stands_in(words: str, text: str) -> bool:
    """Whether words stand in a text as whole words."""
    return bool(words) and bool(re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.I))


def _found(names: Sequence[str], question: str) -> list[bool]:
    """Which names the question holds, none of them inside a longer one it holds as well."""
    held = [name for name in names if _stands_in(name, question)]
    return [
        name in held and not any(name != longer and _stands_in(name, longer) for longer in held)
        for name in names
    ]


def _without(names: Sequence[str], question: str) -> str:
    """The question without the names in it, whose words are no cues ("The Price Arms")."""
    for name in sorted(filter(None, names), key=len, reverse=True):
        question = re.sub(re.escape(name), " ", question, flags=re.I)
    return question


def _rival(names: Sequence[str], found: Sequence[bool]) -> float:
    others = [name for name, is_named in zip(names, found, strict=True) if name and not is_named]
    asked = [name for name, is_named in zip(names, found, strict=True) if is_named]
    alike = (
        difflib.SequenceMatcher(None, a.lower(), b.lower(), autojunk=False).ratio()
        for a in asked
        for b in others
    )
    return max(alike, default=0.0)


def _missing(wanted: Sequence[str], records: Sequence[Mapping[str, str]]) -> int:
    return sum(label not in record for label in wanted for record in records)
