"""Asks questions of every kind about a corpus of venues."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.slot_lexicon import ATTRIBUTES
from dera_rag.evaluation.venues.names import confusable, make_name
from dera_rag.evaluation.venues.places import differing
from dera_rag.evaluation.venues.schema import KINDS, SPLITS, Place, Question, slug
from dera_rag.evaluation.venues.wordings import WORDINGS, Wordings

# How often a question of a kind asks for one, two or three attributes.
_SEVERAL = (2, 2, 3)
_FEW = (1, 1, 2)
# Share of missing_attribute questions that also ask for an attribute the record has.
_MIXED = 0.25
# Share of unknown places with a name close to a real one: retrieval will offer the real one.
_CLOSE = 0.3


def ask(
    kind: str, names: Sequence[str], attributes: Sequence[str], rng: random.Random, split: str
) -> str:
    """Word a question.

    Args:
        kind: One of `KINDS`.
        names: The place asked about; two for `compare`.
        attributes: Attributes asked for, in the order they are named; empty for all of them.
        rng: Chooses the wording.
        split: `train` or `heldout`.

    Returns:
        The question's text.

    Raises:
        InvalidValueError: Unknown kind, split or attribute, or names that do not fit the kind.
    """
    return _ask(kind, names, attributes, rng, split)[0]


def _ask(
    kind: str, names: Sequence[str], attributes: Sequence[str], rng: random.Random, split: str
) -> tuple[str, str]:
    """The text, with what may stand around the question, and the template behind the question."""
    _check(kind, names, attributes, split)
    wordings = WORDINGS[split]
    if kind == "compare":
        text, wording = _compare(names[0], names[1], attributes, rng, wordings)
    else:
        text, wording = _about_one(names[0], attributes, rng, wordings)
    return wordings.with_asides(text, names, rng), wording


def _about_one(
    name: str, attributes: Sequence[str], rng: random.Random, wordings: Wordings
) -> tuple[str, str]:
    """A question about all, one or several attributes of a place."""
    if not attributes:
        wording = rng.choice(wordings.describe)
        return wording.format(name=name), wording
    if len(attributes) == 1:
        wording = rng.choice(wordings.single[attributes[0]])
        return wording.format(name=name), wording
    wording = rng.choice(wordings.several)
    clauses = [
        rng.choice(wordings.phrases[a].clauses).format(s="it" if i else name)
        for i, a in enumerate(attributes)
    ]
    topics = [rng.choice(wordings.phrases[a].topics) for a in attributes]
    text = wording.format(name=name, clauses=listing(clauses), topics=listing(topics))
    # "Caldwell's prices": nobody doubles the ending of a name that has one.
    return text.replace("'s's ", "'s "), wording


def _compare(
    a: str, b: str, attributes: Sequence[str], rng: random.Random, wordings: Wordings
) -> tuple[str, str]:
    """A comparison, written out per attribute for a third of those about one attribute."""
    wording = rng.choice(wordings.compare)
    if len(attributes) == 1 and rng.random() < 1 / 3:
        wording = rng.choice(wordings.compare_one[attributes[0]])
    topics = listing([rng.choice(wordings.phrases[attribute].topics) for attribute in attributes])
    return wording.format(a=a, b=b, topics=topics), wording


def _check(kind: str, names: Sequence[str], attributes: Sequence[str], split: str) -> None:
    if kind not in KINDS or split not in SPLITS:
        raise InvalidValueError(
            f"no wording for kind {kind!r}, split {split!r}", hint=f"one of {KINDS}; {SPLITS}"
        )
    unknown = [a for a in attributes if a not in ATTRIBUTES[1:]]
    expected = 2 if kind == "compare" else 1
    if unknown or len(names) != expected or (kind == "compare" and not attributes):
        raise InvalidValueError(
            f"cannot ask kind {kind!r} of names {list(names)!r}, attributes {list(attributes)!r}",
            hint=f"{expected} name(s); attributes out of {ATTRIBUTES[1:]}",
        )


def listing(items: Sequence[str]) -> str:
    """A list in words: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def make_questions(
    places: Sequence[Place],
    n: int,
    seed: int,
    split: str = "heldout",
    kinds: Sequence[str] = KINDS,
) -> list[Question]:
    """Draw questions about a corpus, balanced over kinds.

    Args:
        places: The corpus; `near_duplicate` needs twins among them, `compare` two places.
        n: How many questions, ≥ 0; kinds take turns, so their counts differ by at most one.
        seed: Equal places and seeds give equal questions.
        split: Whose wordings to use: `train` or `heldout`.
        kinds: Which kinds, out of `KINDS`.

    Returns:
        n questions, kinds in turn.

    Raises:
        InvalidValueError: An unknown kind or split, n < 0, or places that cannot carry a kind.
    """
    if not kinds or set(kinds) - set(KINDS) or split not in SPLITS:
        raise InvalidValueError(
            f"no questions of kinds {list(kinds)!r}, split {split!r}", hint=f"{KINDS}; {SPLITS}"
        )
    if n < 0:
        raise InvalidValueError(f"cannot ask {n} questions", hint="n ≥ 0")
    rng = random.Random(f"venue questions {seed} {split}")
    by_name = {place.name: place for place in places}
    questions = []
    for index in range(n):
        kind = kinds[index % len(kinds)]
        asked, names, attributes = _draw(kind, places, by_name, rng)
        text, wording = _ask(kind, names, attributes, rng, split)
        questions.append(
            Question(
                key=f"venues-{seed}-{split}-{index:05d}-{kind}",
                kind=kind,
                text=text,
                names=names,
                attributes=attributes,
                place_ids=tuple(place.id for place in asked),
                split=split,
                wording=wording,
            )
        )
    return questions


_Drawn = tuple[tuple[Place, ...], tuple[str, ...], tuple[str, ...]]


def _draw(
    kind: str, places: Sequence[Place], by_name: dict[str, Place], rng: random.Random
) -> _Drawn:
    """Gold places, names asked about, attributes asked for."""
    if kind == "unknown_place":
        taken = {place.id for place in places}
        return (
            (),
            (_unknown(places, taken, rng),),
            _some(ATTRIBUTES[1:], rng.choice((0, 1, 1, 2)), rng),
        )
    if kind == "compare":
        return _two(places, rng)
    if kind == "near_duplicate":
        twinned = [place for place in places if place.twin in by_name]
        place = _pick(twinned, kind, rng)
        apart = differing(place.record, by_name[place.twin].record)
        return (place,), (place.name,), _some(apart, rng.choice(_FEW), rng)
    if kind == "missing_attribute":
        lacking = [place for place in places if len(place.record) < len(ATTRIBUTES)]
        place = _pick(lacking, kind, rng)
        missing = [a for a in ATTRIBUTES if a not in place.record]
        asked = list(_some(missing, 1, rng))
        if rng.random() < _MIXED:
            asked += _some(_present(place), 1, rng)
            rng.shuffle(asked)
        return (place,), (place.name,), tuple(asked)
    place = _pick(places, kind, rng)
    counts = {"describe": (0,), "one_attribute": (1,), "several_attributes": _SEVERAL}
    count = rng.choice(counts[kind])
    return (place,), (place.name,), _some(_present(place), count, rng)


def _shared(one: Place, other: Place) -> list[str]:
    """Attributes both records have, the name aside."""
    return [a for a in ATTRIBUTES[1:] if a in one.record and a in other.record]


def _pick(places: Sequence[Place], kind: str, rng: random.Random) -> Place:
    if not places:
        raise InvalidValueError(
            f"no place among these to ask a {kind!r} question about",
            hint="make_places with a larger n or near_duplicates > 0, or leave the kind out",
        )
    return rng.choice(places)


def _present(place: Place) -> tuple[str, ...]:
    return tuple(a for a in ATTRIBUTES[1:] if a in place.record)


def _some(attributes: Sequence[str], count: int, rng: random.Random) -> tuple[str, ...]:
    """At most count attributes in random order."""
    return tuple(rng.sample(list(attributes), min(count, len(attributes))))


def _unknown(places: Sequence[Place], taken: set[str], rng: random.Random) -> str:
    """A name no record has: fresh, or a near-duplicate of one that a record has."""
    while True:
        close = places and rng.random() < _CLOSE
        name = confusable(rng.choice(places).name, rng) if close else make_name(rng)
        if slug(name) not in taken:
            return name


def _two(places: Sequence[Place], rng: random.Random) -> _Drawn:
    """Two places and one to three attributes that both records have."""
    alike = (_shared(one, other) for one, other in itertools.combinations(places, 2))
    _pick(places if any(alike) else (), "compare", rng)
    while True:
        one, other = rng.sample(list(places), 2)
        shared = _shared(one, other)
        if shared:
            attributes = _some(shared, rng.choice((1, 2, 2, 3)), rng)
            return (one, other), (one.name, other.name), attributes
