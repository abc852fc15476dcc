"""A task: examples, where their passages come from, and what it declares about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol, runtime_checkable

from dera_rag.protocols import Retriever
from dera_rag.types import Json, Passage


@dataclass(frozen=True, slots=True)
class Anchor:
    """A published figure to set one's own beside.

    Attributes:
        metric: What was measured, with its data.
        value: The figure, with its unit.
        system: What was measured on.
        source: Who published it.
    """

    metric: str
    value: str
    system: str
    source: str


@dataclass(frozen=True, slots=True)
class TaskCard:
    """What a task declares.

    Attributes:
        name: Registry name.
        about: What it asks, in a sentence.
        licence: Of the data.
        split: Which part of the data, in the data's own words.
        size: How many examples there are before `n` and `--limit`, in words.
        metrics: Names of the scorers that judge it.
        anchors: Published figures to compare with; empty where there are none.
    """

    name: str
    about: str
    licence: str
    split: str
    size: str
    metrics: tuple[str, ...]
    anchors: tuple[Anchor, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form."""
        plain: dict[str, Json] = asdict(self)
        return plain | {
            "metrics": list(self.metrics),
            "anchors": [asdict(anchor) for anchor in self.anchors],
        }


@dataclass(frozen=True, slots=True)
class Example:
    """One question with everything that judges its answers.

    Attributes:
        key: Unique within the task and stable over runs; seeds derive from it.
        question: What is asked.
        source: What it is about: examples of one source are not independent.
        passages: What goes into the prompt; None where a retriever finds it.
        references: Right answers by people, each of them enough.
        record: What scorers know of it, see `contract.Item`.
        answer: An answer that is there already; None where one has to be generated.
    """

    key: str
    question: str
    source: str
    passages: tuple[Passage, ...] | None = None
    references: tuple[str, ...] = ()
    record: Mapping[str, Json] = field(default_factory=dict)
    answer: str | None = None

    def to_dict(self) -> dict[str, Json]:
        """A JSON-able form; what a batch's key is made from."""
        return {
            "key": self.key,
            "question": self.question,
            "source": self.source,
            "passages": None
            if self.passages is None
            else [[passage.id, passage.text] for passage in self.passages],
            "references": list(self.references),
            "record": dict(self.record),
            "answer": self.answer,
        }


@runtime_checkable
class Task(Protocol):
    """Examples of one kind.

    A class registered under the registry's `tasks`; its keyword arguments are what a section of a
    suite may set. Constructing one checks them and reads no data; options that name files are
    listed in the class attribute `paths`.
    """

    @property
    def card(self) -> TaskCard:
        """What the task declares."""
        ...

    def examples(self, *, given: bool) -> list[Example]:
        """The examples, in an order that does not depend on how many are used.

        Args:
            given: Whether answers that are there already are wanted, one example for each, in
                place of questions to generate answers to.
        """
        ...

    def retriever(self) -> Retriever | None:
        """Finds passages for examples that have none of their own; None where all have."""
        ...

    def fingerprint(self) -> str:
        """Changes whenever the retriever's corpus does; "" without one."""
        ...
