"""The passages of a training prompt, put together the way retrieval does."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from dera_rag.evaluation.venues import Place, Question
from dera_rag.prompts import number_passages

# Share of prompts whose order says nothing. Retrieval puts the asked place first in 98 of 100, but
# a model that may rely on it never learns to go by the name.
_OUT_OF_ORDER = 0.5
# Share of prompts that hold a passage of prose, as people's own words about some other place.
_WITH_PROSE = 0.08
# Share of prompts whose passages have no numbers, as users may write them.
_UNNUMBERED = 0.1
# Share of prompts with more passages than retrieval is asked for by default.
_LONGER = 0.08
_SIZE, MOST_PASSAGES = 3, 5


@dataclass(frozen=True, slots=True)
class Shown:
    """The passages of a prompt.

    Attributes:
        passages: Records, or prose, in the order of the prompt.
        numbered: Whether each bears its number, as the pipeline writes them.
    """

    passages: tuple[Place | str, ...]
    numbered: bool = True

    @property
    def places(self) -> list[Place]:
        """The records among them."""
        return [passage for passage in self.passages if isinstance(passage, Place)]

    @property
    def texts(self) -> list[str]:
        """Each passage's text."""
        return [p.text if isinstance(p, Place) else p for p in self.passages]

    @property
    def text(self) -> str:
        """All of them as the prompt holds them."""
        return number_passages(self.texts) if self.numbered else "\n\n".join(self.texts)


class Context:
    """Puts records into a prompt the way retrieval does.

    Gold records come first but for a few of the prompts; a twin with a confusable name and
    places that share a word with the asked name come before places that do not.

    Args:
        places: Every record there is.
        prose: Texts in people's own words, some of which are mixed in.
    """

    def __init__(self, places: Sequence[Place], prose: Sequence[str] = ()) -> None:
        self._places = list(places)
        self._prose = list(prose)
        self._by_id = {p.id: p for p in places}
        self._by_name = {p.name: p for p in places}
        self._sharing: dict[str, list[Place]] = defaultdict(list)
        for place in places:
            for word in _words(place.name):
                self._sharing[word].append(place)

    def gold(self, question: Question) -> list[Place]:
        """The records that answer a question."""
        return [self._by_id[i] for i in question.place_ids]

    def fill(self, names: Sequence[str], gold: Sequence[Place], rng: random.Random) -> Shown:
        """Gold records and distractors, in the order of the prompt."""
        size = rng.randint(_SIZE + 1, MOST_PASSAGES) if rng.random() < _LONGER else _SIZE
        shown: dict[str, Place | str] = {p.name: p for p in gold}
        for place in gold:
            if place.twin in self._by_name:
                shown[place.twin] = self._by_name[place.twin]
        wanted = size if rng.random() < 0.7 else rng.randint(1, size)
        alike = [p for n in names for w in _words(n) for p in self._sharing.get(w, ())]
        while len(shown) < wanted:
            pool = alike if alike and rng.random() < 0.6 else self._places
            place = rng.choice(pool)
            if place.name not in names:
                shown[place.name] = place
        order = [*shown.values()][:size]
        if self._prose and rng.random() < _WITH_PROSE:
            order[max(len(gold), 1) :] = [*order[max(len(gold), 1) : -1], rng.choice(self._prose)]
        if rng.random() < _OUT_OF_ORDER:
            rng.shuffle(order)
        return Shown(tuple(order), numbered=rng.random() >= _UNNUMBERED)


def _words(name: str) -> list[str]:
    return [w for w in name.lower().split() if w not in {"the", "and", "&", "of"}]
