"""Marks values in an answer that the retrieved venue records do not support."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dera_rag.evaluation import slots
from dera_rag.evaluation.venues.denial import denials
from dera_rag.evaluation.venues.ignorance import states_ignorance
from dera_rag.evaluation.venues.judge import agrees
from dera_rag.evaluation.venues.naming import foreign_names, names_in
from dera_rag.evaluation.venues.reading import Reading, Statement, bare_reply, read_answer
from dera_rag.evaluation.venues.schema import LABELS, fold, read_record
from dera_rag.types import Passage, UnsupportedSpan

Record = Mapping[str, str]
_FAMILY = re.compile(r"famil|child|kid")


class VenuesMeter:
    """Checks an answer against the venue records among its passages; needs no gold record.

    Each value is held against the record of the place it is said of, and whoever denies a place of
    which there is a record is contradicted by it. Where the question asks about
    a place that no passage is about, every value is unsupported. Passages that are no records are
    only consulted about names that no record has; without any record nothing can be checked and
    nothing is marked.
    """

    def unsupported(
        self, question: str, passages: Sequence[Passage], answer: str
    ) -> list[UnsupportedSpan]:
        """Unsupported values, misused names and denied places, in order of their start.

        Args:
            question: The question; the places it names are the ones an answer should be about.
            passages: What was retrieved.
            answer: The text to check.
        """
        records: dict[str, Record] = {}
        prose: list[str] = []
        for passage in passages:
            record = read_record(passage.text)
            if record is None:
                prose.append(passage.text)
            else:
                records.setdefault(record["name"], record)
        if not records:
            return []
        check = _Check(question, answer, records, prose)
        spans = sorted({*check.values(), *check.names(), *check.denials()})
        return [UnsupportedSpan(start, end, answer[start:end], why) for start, end, why in spans]

    def abstained(self, answer: str) -> bool:
        """Whether the answer says that something is not listed or not known."""
        return states_ignorance(answer)


@dataclass(frozen=True)
class _Check:
    """One answer against the records of its passages.

    Attributes:
        question: The question.
        answer: The answer.
        records: Name → record.
        prose: Passages that are no records.
    """

    question: str
    answer: str
    records: Mapping[str, Record]
    prose: Sequence[str]

    def _asked(self) -> tuple[str, ...]:
        """Names of the records that the question asks about."""
        found = names_in(self.question, list(self.records))
        return tuple(dict.fromkeys(name for _, name in found))

    def _unknown(self) -> tuple[str, ...]:
        """Names in the question that no record has."""
        masked = self.question
        for (start, end), _ in names_in(masked, list(self.records)):
            masked = f"{masked[:start]}{'z' * (end - start)}{masked[end:]}"
        return tuple(self.question[slice(*span)] for span in foreign_names(masked, ()))

    def _reading(self) -> Reading:
        names = self._asked() or self._unknown() or tuple(self.records)
        others = [name for name in (*self.records, *self._unknown()) if name not in names]
        nears = [record["near"] for record in self.records.values() if "near" in record]
        return read_answer(self.answer, names, nears, others)

    def values(self) -> Iterator[tuple[int, int, str]]:
        """Start, end and reason of each unsupported value."""
        asked = self._asked()
        anyone = not asked and not self._unknown()
        statements = list(self._reading().statements)
        reply = bare_reply(self.answer) if _FAMILY.search(fold(self.question)) else None
        if reply and len(asked) == 1 and "familyFriendly" not in {s.attribute for s in statements}:
            statements.append(replace(reply, about=asked))
        for statement in statements:
            faults = [self._fault(statement, name) for name in statement.about]
            # Where neither question nor answer names a place, any record may support the value.
            open_to_any = anyone and len(statement.about) == len(self.records)
            if all(faults) if open_to_any else any(faults):
                reason = next(fault for fault in faults if fault)
                yield statement.start, statement.end, f"{LABELS[statement.attribute]}: {reason}"

    def _fault(self, statement: Statement, name: str) -> str:
        """What is wrong with saying a value of a place; "" if nothing."""
        record = self.records.get(name)
        if record is None:
            return "" if self._in_prose(name, statement) else f"no passage is about {name}"
        value = record.get(statement.attribute)
        if value is None:
            return "not in the record"
        if agrees(statement.attribute, value, statement.readings):
            return ""
        return f"the record says {value}"

    def _in_prose(self, name: str, statement: Statement) -> bool:
        """Whether a prose passage that mentions the name states the value as well."""
        return any(
            mention.attribute == statement.attribute
            and set(mention.readings) & set(statement.readings)
            for text in self.prose
            if names_in(text, [name])
            for mention in slots.mentions(text)
        )

    def names(self) -> Iterator[tuple[int, int, str]]:
        """Start, end and reason of each name that the question or the passages do not know."""
        asked, unknown = self._asked(), self._unknown()
        for named in self._reading().named:
            if asked and named.name in self.records and named.name not in asked:
                wanted = " and ".join(asked)
                yield named.start, named.end, f"name: the question is about {wanted}"
            elif not (named.known or named.name in unknown or self._mentioned(named.name)):
                yield named.start, named.end, "name: in no passage"

    def denials(self) -> Iterator[tuple[int, int, str]]:
        """Start, end and reason of each denial of a place that a record is about."""
        reading, unknown = self._reading(), self._unknown()
        strange = [named.start for named in reading.named if not named.known]
        for denial in denials(reading, self._asked() or unknown, (*self.records, *unknown)):
            known = [name for name in denial.names if name in self.records]
            if known and not any(denial.start <= start < denial.end for start in strange):
                reason = f"name: a passage is about {' and '.join(known)}"
                yield denial.start, denial.end, reason

    def _mentioned(self, name: str) -> bool:
        return any(names_in(text, [name]) for text in self.prose)
