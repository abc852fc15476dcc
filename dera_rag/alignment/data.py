"""Training examples: retrieved records and a question in, a natural answer out.

Human answers come from the E2E NLG challenge (Novikova et al. 2017; original version, CC BY-SA
4.0), from a local directory or from the hub by name. Names of places are replaced by invented ones,
so that a model has to copy them from the records and cannot remember them.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import math
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dera_rag.alignment import answers
from dera_rag.alignment.disturbance import disturbed
from dera_rag.errors import MissingFileError
from dera_rag.evaluation.venues import (
    KINDS,
    LABELS,
    Place,
    Question,
    ask,
    make_name,
    make_near,
    make_places,
    make_questions,
)
from dera_rag.prompts import PLAIN_PROMPT, number_passages

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

HUB_NAME = "tuetschek/e2e_nlg"
_SLOT = re.compile(r"([^,\[]+)\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class HumanRow:
    """A record and what a person wrote about it.

    Attributes:
        record: Attribute → value, E2E names.
        text: The reference text.
    """

    record: Mapping[str, str]
    text: str


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


@dataclass(frozen=True, slots=True)
class Example:
    """One training example.

    Attributes:
        question: The question with its gold records.
        shown: Passages of the prompt.
        prompt: What the model reads.
        answer: What it should write; "" where only the prompt is wanted.
    """

    question: Question
    shown: Shown
    prompt: str
    answer: str

    @property
    def records(self) -> dict[str, Mapping[str, str]]:
        """Name → record of the gold places."""
        gold = set(self.question.place_ids)
        return {p.name: p.record for p in self.shown.places if p.id in gold}


def parse_record(text: str) -> dict[str, str]:
    """An E2E meaning representation, `name[…], food[…]`, as a mapping."""
    return {key.strip(): value for key, value in _SLOT.findall(text)}


def read_e2e(source: str | Path | None = None, split: str = "train") -> list[HumanRow]:
    """The original E2E rows.

    Args:
        source: Directory with `original_<split>.csv` or `.csv.gz` (columns `mr`, `ref`); None loads
            the public data set by name through `datasets`.
        split: `train` or `dev`.

    Raises:
        MissingFileError: The directory holds no such file.
    """
    if source is None:
        import datasets

        name = "validation" if split == "dev" else split
        rows = datasets.load_dataset(HUB_NAME, split=name)
        return [
            HumanRow(
                parse_record(r["meaning_representation"]), " ".join(r["human_reference"].split())
            )
            for r in rows
        ]
    for name in (f"original_{split}.csv.gz", f"original_{split}.csv"):
        path = Path(source) / name
        if path.exists():
            raw = path.read_bytes()
            text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode("utf-8")
            return [
                HumanRow(parse_record(row["mr"]), " ".join(row["ref"].split()))
                for row in csv.DictReader(io.StringIO(text, newline=""))
            ]
    raise MissingFileError(
        f"no original_{split}.csv[.gz] in {str(source)!r}",
        hint="download the E2E NLG data there, or leave the directory out to load it by name",
    )


def _names(rows: Sequence[HumanRow]) -> re.Pattern[str]:
    names = {r.record[a] for r in rows for a in ("name", "near") if a in r.record}
    return re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))), re.IGNORECASE)


def rename(row: HumanRow, fresh: Mapping[str, str], known: re.Pattern[str]) -> HumanRow | None:
    """The row with other open values; None where the text spells the old ones its own way.

    Args:
        row: The row.
        fresh: New values of `name` and, where the record has one, `near`.
        known: Every name of the data set; none may be left in the text.
    """
    record, text = dict(row.record), row.text
    for attribute in ("name", "near"):
        if attribute in record:
            old = re.compile(rf"(?<!\w){re.escape(record[attribute])}(?!\w)", re.IGNORECASE)
            text, count = old.subn(fresh[attribute].replace("\\", r"\\"), text)
            if count == 0 and attribute == "name":
                return None
            record[attribute] = fresh[attribute]
    if known.search(text.replace(record["name"], "").replace(record.get("near", "\0"), "")):
        return None
    return HumanRow(record, text)


def prompt_of(question: str, shown: Shown) -> str:
    """The plain prompt of the pipeline, with whole records as passages."""
    return PLAIN_PROMPT.format(passages=shown.text, question=question)


@dataclass(frozen=True, slots=True)
class Group:
    """Questions about the same records in the same order, with answers: trained on in one sequence.

    Attributes:
        examples: One or more; their prompts begin with `passages`.
    """

    examples: tuple[Example, ...]

    @property
    def shown(self) -> Shown:
        """What the prompts share: the passages."""
        return self.examples[0].shown

    @property
    def passages(self) -> str:
        """The beginning that the prompts share."""
        return self.examples[0].prompt.removesuffix(question_part(self.examples[0].question.text))


def question_part(question: str) -> str:
    """What follows the records in a prompt."""
    return PLAIN_PROMPT.format(passages="", question=question)


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


def _comparable(places: Sequence[Place]) -> bool:
    """Whether two of them share an attribute beside the name."""
    return any(
        len(set(one.record) & set(other.record)) > 1
        for one, other in itertools.combinations(places, 2)
    )


class ExampleMaker:
    """Draws training examples for every question kind.

    Args:
        rows: Human rows; `human` answers in their words.
        seed: Fixes every draw.
        places: Size of an invented corpus that questions ask about; each is asked `places`
            questions.
    """

    def __init__(self, rows: Sequence[HumanRow], *, seed: int, places: int = 500) -> None:
        self._rng = random.Random(seed)
        self._seed = seed
        self._rows = list(rows)
        self._known = _names(rows)
        self._places = places
        self._prose = self._other_people_say()

    def _other_people_say(self, count: int = 2000) -> list[str]:
        """Texts about places that nobody asks about, under invented names."""
        texts = []
        for row in self._rng.sample(self._rows, min(count, len(self._rows))):
            fresh = {"name": make_name(self._rng), "near": make_near(self._rng)}
            renamed = rename(row, fresh, self._known)
            texts += [renamed.text] if renamed else []
        return texts

    def _corpus(self, number: int) -> tuple[list[Place], Context]:
        places = make_places(self._places, seed=self._seed * 1000 + number, near_duplicates=0.3)
        return places, Context(places, self._prose)

    def human(self, per_context: int = 1) -> Iterator[Group]:
        """Describe questions answered by people, every row once, in random order.

        Args:
            per_context: Most texts about one record that share a prompt.
        """
        about: dict[tuple[tuple[str, str], ...], list[HumanRow]] = defaultdict(list)
        for row in self._rows:
            about[tuple(row.record.items())].append(row)
        parts = [
            rows[start : start + per_context]
            for rows in about.values()
            for start in range(0, len(rows), per_context)
        ]
        self._rng.shuffle(parts)
        for number, part in enumerate(parts):
            if number % self._places == 0:
                _, context = self._corpus(number // self._places)
            fresh = {"name": make_name(self._rng), "near": make_near(self._rng)}
            renamed = [r for r in (rename(row, fresh, self._known) for row in part) if r]
            if renamed:
                place = Place(renamed[0].record)
                shown = context.fill([place.name], [place], self._rng)
                yield Group(tuple(self._described(place, shown, row.text) for row in renamed))

    def _described(self, place: Place, shown: Shown, text: str) -> Example:
        asked = ask("describe", [place.name], (), self._rng, "train")
        asked = disturbed(asked, [place.name], self._rng)
        question = Question(
            key=f"human-{self._rng.getrandbits(64):016x}",
            kind="describe",
            text=asked,
            names=(place.name,),
            attributes=(),
            place_ids=(place.id,),
            split="train",
            wording="",
        )
        return Example(question, shown, prompt_of(asked, shown), text)

    def written(self, contexts: int, per_context: int = 1) -> Iterator[Group]:
        """Questions of every kind, answered by the grammar of `answers`.

        Args:
            contexts: How many groups.
            per_context: Questions a group. One is asked of a whole corpus and finds its records as
                retrieval would; several are asked of the records in the prompt.
        """
        for number in range(math.ceil(contexts / self._places)):
            places, context = self._corpus(number)
            count = min(self._places, contexts - number * self._places)
            seed = self._seed + number
            if per_context == 1:
                for question in make_questions(places, count, seed, "train"):
                    gold = context.gold(question)
                    shown = context.fill(question.names, gold, self._rng)
                    yield Group((self._answered(question, gold, shown),))
                continue
            for place in self._rng.sample(places, count):
                yield self._questioned(context.fill([place.name], [place], self._rng), per_context)

    def _questioned(self, shown: Shown, count: int) -> Group:
        places = shown.places
        by_id = {place.id: place for place in places}
        names = {place.name for place in places}
        possible = {
            "near_duplicate": any(place.twin in names for place in places),
            "compare": _comparable(places),
            "missing_attribute": any(len(place.record) < len(LABELS) for place in places),
        }
        kinds = [kind for kind in KINDS if possible.get(kind, True)]
        questions = [self._question(places, self._rng.choice(kinds)) for _ in range(count)]
        return Group(
            tuple(self._answered(q, [by_id[i] for i in q.place_ids], shown) for q in questions)
        )

    def _question(self, places: Sequence[Place], kind: str) -> Question:
        """A question about any of the records."""
        (question,) = make_questions(places, 1, self._rng.getrandbits(32), "train", (kind,))
        return question

    def _answered(self, question: Question, gold: Sequence[Place], shown: Shown) -> Example:
        others = [place.record for place in shown.places if place not in gold]
        asked = disturbed(question.text, question.names, self._rng)
        question = replace(question, text=asked)
        text = self._answer(question, gold, others)
        return Example(question, shown, prompt_of(question.text, shown), text)

    def _answer(
        self, question: Question, gold: Sequence[Place], others: Sequence[Mapping[str, str]]
    ) -> str:
        if not gold:
            return answers.unknown(question.names[0], question.attributes, others, self._rng)
        if len(gold) == 2:
            pair = [(p.name, p.record) for p in gold]
            return answers.compare(pair, question.attributes, self._rng)
        place = gold[0]
        return answers.answer(place.name, place.record, question.attributes, others, self._rng)
