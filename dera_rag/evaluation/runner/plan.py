"""What a run does: fixed batches of questions, each with a key made of all it depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.suites import Suite
from dera_rag.evaluation.tasks import Example, TaskCard
from dera_rag.types import Json


@dataclass(frozen=True, slots=True)
class Batch:
    """The unit of work: it is done whole or done again.

    Attributes:
        key: Hash of models, decoding, corpus, questions and seeds.
        section: Name of the suite's section.
        examples: Its questions, in order.
    """

    key: str
    section: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All batches, in the order of the rows of every file.

    Attributes:
        batches: The batches.
        cards: Section → what its task declares.
    """

    batches: tuple[Batch, ...]
    cards: Mapping[str, TaskCard]

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form: enough to tell whether the data is still the same."""
        return {
            "batches": [
                {"batch": b.key, "section": b.section, "keys": [e.key for e in b.examples]}
                for b in self.batches
            ],
            "cards": {name: card.to_dict() for name, card in self.cards.items()},
        }


def make_plan(suite: Suite, limit: int | None, models: Mapping[str, Json]) -> Plan:
    """Read every task's data and cut it into batches; no model is loaded.

    Args:
        suite: The suite.
        limit: Most questions of each section; None for all.
        models: What identifies the weights, as `weights.identify` gives it.

    Raises:
        InvalidValueError: A section without questions.
        DeraRagError: Data that is missing or cannot be read.
    """
    batches: list[Batch] = []
    cards: dict[str, TaskCard] = {}
    for section in suite.tasks:
        task = section.make_task(suite.folder)
        cards[section.name] = task.card
        examples = task.examples(given=suite.answers == "given")[:limit]
        _check(examples, section.name, given=suite.answers == "given")
        common = {
            **suite.generation(),
            "models": dict(models),
            "section": section.name,
            "corpus": task.fingerprint(),
        }
        for start in range(0, len(examples), suite.batch):
            part = tuple(examples[start : start + suite.batch])
            content: Json = {**common, "questions": [example.to_dict() for example in part]}
            batches.append(Batch(content_key(content), section.name, part))
    return Plan(tuple(batches), cards)


def content_key(content: Json) -> str:
    """16 hexadecimal digits that stand for a JSON value."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def split_of(source: str, tuning: float) -> str:
    """`tune` or `test`: whether settings may be chosen by what is said of a source.

    Args:
        source: What a question is about; all its questions fall on one side.
        tuning: Share of the sources that tune, in [0, 1).
    """
    digest = hashlib.sha256(f"split\n{source}".encode("utf-8", "surrogatepass")).digest()
    return "tune" if int.from_bytes(digest[:8], "big") / 2**64 < tuning else "test"


def _check(examples: Sequence[Example], section: str, *, given: bool) -> None:
    if not examples:
        raise InvalidValueError(f"section {section!r} has no questions", hint="check its options")
    if given and any(example.answer is None for example in examples):
        raise InvalidValueError(
            f"section {section!r} has no answers that are there already",
            hint="answers: path or grid generates them",
        )
