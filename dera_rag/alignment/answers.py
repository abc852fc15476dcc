"""Natural answers to the question kinds that no public data set covers, with the noise people make.

E2E NLG has human answers to "describe this place". For the other kinds (one attribute, several, a
missing one, an unknown place, a comparison) this grammar writes answers, and injects the three
faults found in human E2E references (a value the record does not give, a wrong value, a value left
out), so that the supervised model learns to answer naturally and not too faithfully, as people do.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dera_rag.evaluation.venues import VALUES

Record = Mapping[str, str]

_FULL = {
    "eatType": ("{s} is a {v}", "{s} is a local {v}", "{s} is a {v} worth knowing"),
    "food": (
        "{s} serves {v} food",
        "{s} offers {v} food",
        "the food at {s} is {v}",
        "you can eat {v} food at {s}",
    ),
    "priceRange": (
        "{s} has a {v} price range",
        "the price range at {s} is {v}",
        "prices at {s} are {v}",
        "{s} is in the {v} price range",
    ),
    "customer rating": (
        "{s} has a customer rating of {v}",
        "customers rate {s} {v}",
        "the customer rating of {s} is {v}",
        "{s} has a {v} customer rating",
    ),
    "area": ("{s} is in the {v}", "{s} is located in the {v}", "you will find {s} in the {v}"),
    "near": ("{s} is near {v}", "{s} is close to {v}", "{s} can be found near {v}"),
}
_PRICE_AMOUNT = (
    "meals at {s} cost {v}",
    "the price range at {s} is {v}",
    "{s} has a price range of {v}",
    "a meal at {s} costs {v}",
)
_AREA_RIVERSIDE = (
    "{s} is in the riverside area",
    "{s} is by the riverside",
    "{s} is located by the river",
    "you will find {s} in the riverside area",
)
_FAMILY = {
    "yes": (
        "{s} is family friendly",
        "{s} is a family-friendly place",
        "{s} is child friendly",
        "families are welcome at {s}",
    ),
    "no": (
        "{s} is not family friendly",
        "{s} is not a family-friendly place",
        "{s} is not child friendly",
        "{s} is for adults only",
    ),
}
_NOUN = {
    "eatType": ("what type of place {s} is", "whether {s} is a pub or a restaurant"),
    "food": ("what food {s} serves", "the kind of food at {s}"),
    "priceRange": ("the price range of {s}", "how expensive {s} is", "the prices at {s}"),
    "customer rating": ("the customer rating of {s}", "how customers rate {s}"),
    "area": ("which area {s} is in", "the area of {s}"),
    "familyFriendly": ("whether {s} is family friendly", "if {s} is suitable for families"),
    "near": ("what {s} is near", "what is close to {s}"),
}
_MISSING = (
    "the guide does not say {n}",
    "the record does not mention {n}",
    "there is no information about {n}",
    "it is not stated {n}",
    "the listing gives no information about {n}",
    "I could not find {n} in the guide",
)
_UNKNOWN = (
    "There is no record of {s} in the guide.",
    "The guide does not list a place called {s}.",
    "I could not find {s} in the guide.",
    "There is no information about {s}.",
    "{s} is not listed in the guide.",
    "I have no information about a place named {s}.",
)
_JOIN_COMPARE = (" while ", " and ", ", whereas ", ", but ")

FAULT_RATE = {"insert": 0.20, "wrong": 0.10, "delete": 0.15, "answer_anyway": 0.30}
"""Share of answers that get each fault.

The first three follow the original E2E references, in which 32 % of the rows carry a value that the
record does not license and deletions are twice as frequent as insertions; a question without an
answer tempts people more.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """What an answer says of one place: the place's name and the values it gives, true or not."""

    name: str
    values: Record


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _article(text: str) -> str:
    return text.replace(" a average", " an average")


def clause(attribute: str, value: str, subject: str, rng: random.Random) -> str:
    """One statement such as "the food at Marlowe's is Italian", without a capital or full stop."""
    if attribute == "familyFriendly":
        return rng.choice(_FAMILY[value]).format(s=subject)
    forms: Sequence[str] = _FULL[attribute]
    if attribute == "priceRange" and "£" in value:
        forms = _PRICE_AMOUNT
    if attribute == "area" and value == "riverside":
        forms = _AREA_RIVERSIDE
    shown = value.lower() if value == "Fast food" else value
    fitting = [f for f in forms if subject != "it" or f.startswith("{s}")]
    text = rng.choice(fitting).format(s=subject, v=shown).replace("fast food food", "fast food")
    return _article(text)


def _missing(attribute: str, subject: str, rng: random.Random) -> str:
    clauses = [n for n in _NOUN[attribute] if n.startswith(("wh", "if", "how"))]
    noun = rng.choice(clauses if subject == "it" else _NOUN[attribute])
    starters = [m for m in _MISSING if noun in clauses or "stated" not in m]
    return rng.choice(starters).format(n=noun.format(s=subject))


def _statements(place: Place, attributes: Sequence[str], rng: random.Random) -> list[str]:
    out = []
    for index, attribute in enumerate(attributes):
        subject = place.name if index == 0 or rng.random() < 0.1 else "it"
        if attribute in place.values:
            out.append(clause(attribute, place.values[attribute], subject, rng))
        else:
            out.append(_missing(attribute, subject, rng))
    return out


def _joined(statements: Sequence[str], rng: random.Random) -> str:
    sentences, rest = [], list(statements)
    while rest:
        take = 2 if len(rest) > 1 and rng.random() < 0.6 else 1
        sentences.append(_capital(" and ".join(rest[:take])) + ".")
        rest = rest[take:]
    return " ".join(sentences)


def corrupt(
    record: Record, attributes: Sequence[str], others: Sequence[Record], rng: random.Random
) -> tuple[dict[str, str], list[str]]:
    """The record and the attributes to mention, after human-like faults.

    Args:
        record: The true values.
        attributes: Attributes that were asked.
        others: Records beside it in the context; half of the false values are theirs.
        rng: Source of randomness.

    Returns:
        Values to state (true or not), and the attributes to state them for.
    """

    def false_value(attribute: str) -> str:
        true = record.get(attribute)
        there = [o[attribute] for o in others if o.get(attribute, true) != true]
        if there and rng.random() < 0.5:
            return rng.choice(there)
        return rng.choice([v for v in VALUES[attribute] if v != true])

    values, said = dict(record), list(attributes)
    absent = [a for a in VALUES if a not in record and a not in attributes]
    if absent and rng.random() < FAULT_RATE["insert"]:
        extra = rng.choice(absent)
        values[extra] = false_value(extra)
        said.append(extra)
    stated = [a for a in said if a in record and a in VALUES]
    if stated and rng.random() < FAULT_RATE["wrong"]:
        wrong = rng.choice(stated)
        values[wrong] = false_value(wrong)
    if len(said) > 1 and rng.random() < FAULT_RATE["delete"]:
        said.remove(rng.choice(said))
    for attribute in attributes:
        tempting = attribute not in record and attribute in VALUES
        if tempting and rng.random() < FAULT_RATE["answer_anyway"]:
            values[attribute] = false_value(attribute)
    return values, said


def answer(
    name: str,
    record: Record,
    attributes: Sequence[str],
    others: Sequence[Record],
    rng: random.Random,
) -> str:
    """An answer about one place; empty `attributes` describes it from all its values."""
    asked = list(attributes) or [a for a in record if a != "name"]
    if not attributes:
        rng.shuffle(asked)
    values, said = corrupt(record, asked, others, rng)
    return _joined(_statements(Place(name, values), said, rng), rng)


def unknown(
    name: str, attributes: Sequence[str], others: Sequence[Record], rng: random.Random
) -> str:
    """An answer about a place in no record: usually that it is not there, else invented."""
    if rng.random() >= FAULT_RATE["answer_anyway"]:
        return _capital(rng.choice(_UNKNOWN).format(s=name))
    closed = [a for a in attributes if a in VALUES]
    attributes = closed or rng.sample(sorted(VALUES), rng.randint(1, 3))
    source = dict(rng.choice(others)) if others and rng.random() < 0.5 else {}
    values = {a: source.get(a) or rng.choice(VALUES[a]) for a in attributes}
    return _joined(_statements(Place(name, values), attributes, rng), rng)


def compare(
    places: Sequence[tuple[str, Record]], attributes: Sequence[str], rng: random.Random
) -> str:
    """An answer that sets two places side by side, attribute by attribute."""
    sentences = []
    (first, record_a), (second, record_b) = places
    values_a, said_a = corrupt(record_a, attributes, [record_b], rng)
    values_b, said_b = corrupt(record_b, attributes, [record_a], rng)
    for attribute in dict.fromkeys([*said_a, *said_b]):
        parts = [
            _statements(Place(name, values), [attribute], rng)[0]
            for name, values, said in ((first, values_a, said_a), (second, values_b, said_b))
            if attribute in said
        ]
        sentences.append(_capital(rng.choice(_JOIN_COMPARE).join(parts)) + ".")
    return " ".join(sentences)
