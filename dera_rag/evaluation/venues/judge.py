"""Judges an answer against the gold records: exactly, without a model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.slot_lexicon import ATTRIBUTES
from dera_rag.evaluation.venues.denial import denials
from dera_rag.evaluation.venues.ignorance import ignorance_about, states_ignorance
from dera_rag.evaluation.venues.naming import Span
from dera_rag.evaluation.venues.reading import Reading, Statement, bare_reply, read_answer
from dera_rag.evaluation.venues.schema import Question, fold

Records = Mapping[str, Mapping[str, str]]

_QUESTION = re.compile(r"[^.!?\n]*\?")


@dataclass(frozen=True)
class Verdict:
    """What an answer got right and wrong.

    Attributes:
        inserted: Attributes given a value that the record lacks; once per place.
        wrong: Attributes given a value other than the record's, also beside the right one; once
            per place. `name` where the answer garbles the name, names a place not asked about, or
            denies that a place which exists does, or that anything is known of it.
        deleted: Asked attributes that the record has and the answer gives no value for; a value
            that only a question of the answer's own mentions is none.
        expected: Number of things asked: attributes per place; where the right answer is that
            something is not listed, saying so.
        covered: How many of them the answer conveys, in [0, expected]; higher is better. Nothing
            of a place it denies.
        abstained: Whether the answer says that something is not listed or not known.
    """

    inserted: tuple[str, ...]
    wrong: tuple[str, ...]
    deleted: tuple[str, ...]
    expected: int
    covered: int
    abstained: bool

    @property
    def hallucinated(self) -> bool:
        """Whether at least one value is inserted or wrong."""
        return bool(self.inserted or self.wrong)


def judge(question: Question, records: Records, answer: str) -> Verdict:
    """Judge an answer.

    Values are judged against the record of the place they are said of; true values that were not
    asked for are no fault. Declining to say what the record holds is a deletion, no hallucination;
    denying the place itself is a false statement.

    Args:
        question: The question; its names, attributes and kind are used.
        records: Name → record of each gold place; may hold more, none needed for `unknown_place`.
        answer: What a model said.

    Returns:
        The verdict.

    Raises:
        InvalidValueError: A gold record is missing.
    """
    gold = _gold(question, records)
    nears = [record["near"] for record in gold.values() if "near" in record]
    reading = read_answer(answer, question.names, nears)
    asking = [match.span() for match in _QUESTION.finditer(reading.masked)]
    told = replace(reading, masked=_blanked(reading.masked, asking))
    denying = denials(told, question.names, pronouns=not question.attributes)
    denied = {name for denial in denying for name in denial.names if gold[name]}
    abstained = bool(denying) or states_ignorance(told.masked)
    parts = [
        _judge_place(
            question,
            record,
            [
                *_bare(question, _blanked(answer, asking)),
                *_conveyed(_about(reading, name), record, asking),
            ],
            told.masked,
            abstained,
        )
        for name, record in gold.items()
    ]
    parts = [
        replace(part, wrong=("name", *part.wrong), covered=0) if name in denied else part
        for name, part in zip(gold, parts, strict=True)
    ]
    misnamed = any(not named.known for named in reading.named) and not denied
    return Verdict(
        inserted=tuple(a for part in parts for a in part.inserted),
        wrong=("name",) * misnamed + tuple(a for part in parts for a in part.wrong),
        deleted=tuple(a for part in parts for a in part.deleted),
        expected=sum(part.expected for part in parts),
        covered=sum(part.covered for part in parts),
        abstained=abstained,
    )


def agrees(attribute: str, value: str, readings: Sequence[str]) -> bool:
    """Whether a record's value is among a wording's readings; `near` but for case and article."""
    if attribute != "near":
        return value in readings
    return _bare_name(value) in {_bare_name(reading) for reading in readings}


def _bare_name(name: str) -> str:
    return re.sub(r"^the |[^\w&' ]", "", fold(name)).strip()


def _gold(question: Question, records: Records) -> dict[str, Mapping[str, str]]:
    """Name → record for every name asked about; an unknown place has an empty record."""
    if question.kind == "unknown_place":
        return {question.names[0]: {}}
    missing = [name for name in question.names if name not in records]
    if missing:
        raise InvalidValueError(
            f"no gold record of {missing!r} for question {question.key!r}",
            hint="records maps the name of every gold place to its record",
        )
    return {name: records[name] for name in question.names}


def _about(reading: Reading, name: str) -> list[Statement]:
    return [statement for statement in reading.statements if name in statement.about]


def _blanked(text: str, spans: Sequence[Span]) -> str:
    """The text with nothing but the last character left of each span."""
    for start, end in spans:
        text = f"{text[:start]}{' ' * (end - start - 1)}{text[end - 1 :]}"
    return text


def _conveyed(
    statements: Sequence[Statement], record: Mapping[str, str], asking: Sequence[Span]
) -> Iterator[Statement]:
    """The statements without true values that a question mentions: asking conveys nothing."""
    for said in statements:
        asked = any(start <= said.start < end for start, end in asking)
        value = record.get(said.attribute)
        if not asked or value is None or not agrees(said.attribute, value, said.readings):
            yield said


def _bare(question: Question, answer: str) -> list[Statement]:
    """A plain yes or no to a question about nothing but one place's family friendliness."""
    if question.attributes != ("familyFriendly",) or len(question.names) > 1:
        return []
    reply = bare_reply(answer)
    return [reply] if reply else []


def _judge_place(
    question: Question,
    record: Mapping[str, str],
    statements: Sequence[Statement],
    answer: str,
    abstained: bool,
) -> Verdict:
    """The verdict on what is said of one place; the answer's names are masked."""
    stated: dict[str, list[bool | None]] = {}
    for statement in statements:
        attribute, value = statement.attribute, record.get(statement.attribute)
        right = None if value is None else agrees(attribute, value, statement.readings)
        stated.setdefault(attribute, []).append(right)
    inserted = [a for a in stated if None in stated[a]]
    wrong = [a for a in stated if False in stated[a]]
    asked = question.attributes or tuple(a for a in ATTRIBUTES[1:] if a in record)
    listed = [a for a in asked if a in record]
    covered = sum(stated.get(a) is not None and a not in wrong for a in listed)
    if not record:
        # An unknown place: the one thing to say is that there is none.
        return Verdict(tuple(inserted), (), (), 1, int(abstained and not stated), abstained)
    unlisted = [a for a in asked if a not in record]
    covered += sum(a not in stated and ignorance_about(answer, a) for a in unlisted)
    return Verdict(
        inserted=tuple(inserted),
        wrong=tuple(wrong),
        deleted=tuple(a for a in listed if a not in stated),
        expected=len(asked),
        covered=covered,
        abstained=abstained,
    )
