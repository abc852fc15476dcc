"""Draws invented venues: names, attribute values, gaps, and near-duplicate names."""

from __future__ import annotations

import random
from collections.abc import Mapping

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.slot_lexicon import ATTRIBUTES
from dera_rag.evaluation.venues.names import confusable, make_name, make_near
from dera_rag.evaluation.venues.schema import VALUES, Place, slug

# Chance that a record holds an attribute. Missing ones are common: asking for an attribute that is
# not there is the plainest invitation to invent one.
_PRESENT = {
    "eatType": 0.85,
    "food": 0.80,
    "priceRange": 0.70,
    "customer rating": 0.65,
    "area": 0.75,
    "familyFriendly": 0.65,
    "near": 0.50,
}
_LEAST = 3


def make_record(name: str, rng: random.Random) -> dict[str, str]:
    """Draw a record for a name.

    Args:
        name: The venue's name.
        rng: Source of randomness.

    Returns:
        At least three attributes beside the name, in the scheme's order; most records lack some.
    """
    while True:
        present = [a for a in ATTRIBUTES[1:] if rng.random() < _PRESENT[a]]
        if len(present) >= _LEAST:
            break
    record = {"name": name}
    for attribute in present:
        value = make_near(rng) if attribute == "near" else rng.choice(VALUES[attribute])
        record[attribute] = value
    return record


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """Attributes both records have with different values, the name aside, in the scheme's order."""
    return tuple(a for a in ATTRIBUTES[1:] if a in one and a in other and one[a] != other[a])


def make_places(n: int, seed: int, near_duplicates: float = 0.1) -> list[Place]:
    """Draw the places of a corpus.

    Args:
        n: How many, ≥ 1.
        seed: Equal seeds give equal places; different ones share next to no name.
        near_duplicates: Share of places, in [0, 0.5], whose name is a near-duplicate of another
            place's; the two differ in at least two attributes and each names the other as its twin.

    Returns:
        n places with distinct ids, near-duplicates anywhere among them.

    Raises:
        InvalidValueError: n < 1, or the share is outside [0, 0.5].
    """
    if n < 1 or not 0 <= near_duplicates <= 0.5:
        raise InvalidValueError(
            f"cannot make {n!r} places with near_duplicates={near_duplicates!r}",
            hint="n ≥ 1, near_duplicates in [0, 0.5]",
        )
    rng = random.Random(f"venues {seed}")
    taken: set[str] = set()
    twins = round(n * near_duplicates)
    records = [make_record(_fresh(rng, taken), rng) for _ in range(n - twins)]
    places = [Place(record) for record in records[twins:]]
    for record in records[:twins]:
        twin = _twin(record, rng, taken)
        places += [Place(record, twin=twin["name"]), Place(twin, twin=record["name"])]
    rng.shuffle(places)
    return places


def _fresh(rng: random.Random, taken: set[str]) -> str:
    """A name whose id is not taken; takes it."""
    while True:
        name = make_name(rng)
        if slug(name) not in taken:
            taken.add(slug(name))
            return name


def _twin(record: Mapping[str, str], rng: random.Random, taken: set[str]) -> dict[str, str]:
    """A record with a near-duplicate name and at least two other values; takes the name."""
    while True:
        name = confusable(record["name"], rng)
        twin = make_record(name, rng)
        if slug(name) not in taken and len(differing(record, twin)) >= 2:
            taken.add(slug(name))
            return twin
