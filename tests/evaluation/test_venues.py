"""Invented venues: records, names, places, questions and their wordings."""

import itertools
import random
import re
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.venues import (
    ATTRIBUTES,
    KINDS,
    LABELS,
    SPLITS,
    VALUES,
    Place,
    ask,
    confusable,
    heldout_frames,
    make_name,
    make_near,
    make_places,
    make_questions,
    read_record,
    render_record,
    training_frames,
)
from dera_rag.evaluation.venues.heldout_phrases import HELDOUT
from dera_rag.evaluation.venues.name_words import E2E_NAMES
from dera_rag.evaluation.venues.naming import foreign_names
from dera_rag.evaluation.venues.phrases import TRAIN
from dera_rag.evaluation.venues.places import differing
from dera_rag.evaluation.venues.schema import fold
from dera_rag.evaluation.venues.wordings import WORDINGS

KETTLE = {
    "name": "The Copper Kettle",
    "eatType": "pub",
    "food": "Italian",
    "priceRange": "cheap",
    "customer rating": "5 out of 5",
    "area": "riverside",
    "familyFriendly": "yes",
    "near": "Harbour Books",
}
PLACES = make_places(300, seed=7)
BY_ID = {place.id: place for place in PLACES}


# ── Records ─────────────────────────────────────────────────────────────────────────────────────


def test_a_record_is_one_bullet_per_attribute_in_the_schemes_order():
    shuffled = dict(reversed(KETTLE.items()))
    assert render_record(shuffled) == (
        "- name: The Copper Kettle\n- type: pub\n- food: Italian\n- price range: cheap\n"
        "- customer rating: 5 out of 5\n- area: riverside\n- family friendly: yes\n"
        "- near: Harbour Books"
    )


def test_absent_attributes_leave_no_line():
    assert render_record({"name": "Marlowe's", "food": "French"}) == (
        "- name: Marlowe's\n- food: French"
    )


_WORDS = st.text(string.ascii_letters + "éøß'&-£ ", min_size=1).map(str.strip).filter(bool)


@given(st.fixed_dictionaries({"name": _WORDS}, optional=dict.fromkeys(ATTRIBUTES[1:], _WORDS)))
def test_what_is_rendered_is_read_back(record):
    assert read_record(render_record(record)) == record


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hallowmere stands where the Wend turns back on itself.",
        "- food: Italian",  # no name
        "- name: A\n- colour: red",
        "- name: A\n- food: Italian\n- food: French",
        "- name: A\nand more",
    ],
)
def test_anything_else_is_no_record(text):
    assert read_record(text) is None


@pytest.mark.parametrize("record", [{}, {"food": "Italian"}, {"name": "A", "colour": "red"}])
def test_rendering_refuses_what_is_no_record(record):
    with pytest.raises(InvalidValueError, match="not a venue record"):
        render_record(record)


def test_labels_cover_the_scheme():
    assert tuple(LABELS) == ATTRIBUTES
    assert set(VALUES) == set(ATTRIBUTES) - {"name", "near"}


# ── Names and places ────────────────────────────────────────────────────────────────────────────


def test_names_come_from_a_large_space_and_never_from_e2e(cases):
    rng = random.Random(0)
    drawn = [make_name(rng) for _ in range(cases(3_000, 20_000))]
    # n draws from s equally likely names leave about n − n²/2s distinct ones; s ≥ 50,000 here, and
    # as the patterns are of unequal size there are many times as many names in all.
    n = len(drawn)
    assert len(set(drawn)) > n - n**2 / 100_000
    taken = {fold(name) for name in E2E_NAMES}
    assert len(taken) == 52
    nears = [make_near(rng) for _ in range(2_000)]
    assert not taken & {fold(name) for name in [*drawn, *nears]}


def test_names_seldom_word_an_attribute():
    rng = random.Random(1)
    telling = re.compile(r"pub|café|coffee|cheap|riverside|family|noodle|curry", re.IGNORECASE)
    share = sum(bool(telling.search(make_name(rng))) for _ in range(5_000)) / 5_000
    assert 0.005 < share < 0.05


@given(st.integers(0, 10_000))
def test_a_confusable_name_is_another_name_that_is_not_far(seed):
    rng = random.Random(seed)
    name = make_name(rng)
    other = confusable(name, rng)
    assert fold(other) != fold(name)
    assert fold(other).removeprefix("the ") != fold(name).removeprefix("the ")
    shared = set(fold(name)) & set(fold(other))
    assert len(shared) >= len(set(fold(name))) / 3


def test_places_are_a_function_of_the_seed():
    assert make_places(50, seed=3) == make_places(50, seed=3)
    names = [{place.name for place in make_places(300, seed)} for seed in (3, 4)]
    assert len(names[0] & names[1]) < 10


def test_places_have_distinct_ids_gaps_and_values_of_the_scheme():
    assert len(BY_ID) == len(PLACES) == 300
    for place in PLACES:
        assert len(place.record) >= 4
        for attribute, values in VALUES.items():
            assert place.record.get(attribute, values[0]) in values
    lacking = sum(len(place.record) < len(ATTRIBUTES) for place in PLACES)
    assert lacking > 0.8 * len(PLACES)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_near_duplicates_are_as_many_as_asked_for_and_differ(share):
    places = make_places(100, seed=5, near_duplicates=share)
    by_name = {place.name: place for place in places}
    twinned = [place for place in places if place.twin]
    assert len(places) == 100
    assert len(twinned) == 200 * share
    for place in twinned:
        twin = by_name[place.twin]
        assert twin.twin == place.name
        assert len(differing(place.record, twin.record)) >= 2


@pytest.mark.parametrize(("n", "share"), [(0, 0.1), (10, 0.6), (10, -0.1)])
def test_impossible_places_are_refused(n, share):
    with pytest.raises(InvalidValueError, match="cannot make"):
        make_places(n, seed=0, near_duplicates=share)


# ── Questions ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("split", SPLITS)
def test_questions_are_balanced_unique_and_a_function_of_the_seed(split):
    questions = make_questions(PLACES, 140, seed=1, split=split)
    assert questions == make_questions(PLACES, 140, seed=1, split=split)
    assert questions != make_questions(PLACES, 140, seed=2, split=split)
    assert [sum(q.kind == kind for q in questions) for kind in KINDS] == [20] * 7
    assert len({q.key for q in questions}) == 140
    for q in questions:
        assert all(name in q.text for name in q.names)
        assert len(q.text.split()) <= 45


@pytest.mark.parametrize("split", SPLITS)
def test_each_kind_asks_what_it_says(split):
    names = {place.name: place for place in PLACES}
    for q in make_questions(PLACES, 700, seed=2, split=split):
        gold = [BY_ID[place_id] for place_id in q.place_ids]
        held = [set(place.record) for place in gold]
        if q.kind == "unknown_place":
            assert q.names[0] not in names
            assert not q.place_ids
            continue
        assert tuple(place.name for place in gold) == q.names
        if q.kind == "describe":
            assert q.attributes == ()
        elif q.kind == "missing_attribute":
            assert sum(a not in held[0] for a in q.attributes) == 1
            assert len(q.attributes) <= 2
        else:
            assert q.attributes
            assert all(a in record for record in held for a in q.attributes)
        if q.kind == "near_duplicate":
            twin = names[gold[0].twin].record
            assert all(twin[a] != gold[0].record[a] for a in q.attributes)


def test_places_that_cannot_carry_a_kind_are_named():
    lonely = make_places(20, seed=0, near_duplicates=0.0)
    with pytest.raises(InvalidValueError, match="near_duplicate"):
        make_questions(lonely, 7, seed=0)
    kinds = [kind for kind in KINDS if kind != "near_duplicate"]
    assert len(make_questions(lonely, 7, seed=0, kinds=kinds)) == 7


def test_places_without_a_shared_attribute_cannot_be_compared():
    places = [Place({"name": "A One", "food": "Italian"}), Place({"name": "B Two", "area": "x"})]
    with pytest.raises(InvalidValueError, match="compare"):
        make_questions(places, 1, 0, kinds=("compare",))


@pytest.mark.parametrize(
    ("kind", "names", "attributes", "split"),
    [
        ("riddle", ["A"], [], "train"),
        ("describe", ["A"], [], "test"),
        ("compare", ["A"], ["food"], "train"),
        ("compare", ["A", "B"], [], "train"),
        ("one_attribute", ["A"], ["colour"], "train"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused(kind, names, attributes, split):
    with pytest.raises(InvalidValueError):
        ask(kind, names, attributes, random.Random(0), split)


# ── Wordings ────────────────────────────────────────────────────────────────────────────────────


def _templates(split):
    wordings = WORDINGS[split]
    return {
        *wordings.describe,
        *itertools.chain.from_iterable(wordings.single.values()),
        *wordings.several,
        *wordings.compare,
        *itertools.chain.from_iterable(wordings.compare_one.values()),
    }


@pytest.mark.parametrize("split", SPLITS)
def test_every_kind_has_enough_wordings(split):
    wordings = WORDINGS[split]
    forms = [wordings.describe, wordings.several, wordings.compare, *wordings.single.values()]
    assert set(wordings.single) == set(wordings.compare_one) == set(ATTRIBUTES[1:])
    assert all(len(set(form)) >= 20 for form in forms)


def _plain(wordings):
    return {re.sub(r"[^a-z{} ]", "", wording.lower()).strip() for wording in wordings}


def test_a_single_wording_is_every_frame_around_every_phrase():
    single = WORDINGS["train"].single["food"]
    drawn = list(single)
    frames, phrases = len(single.clause_frames), single.phrases
    assert len(drawn) == len(single)
    assert drawn[0] == "Can you tell me what food {name} serves?"
    assert drawn[frames * len(phrases.clauses)] == "What food does {name} serve?"
    assert drawn[-1] == single[len(single) - 1]
    for index in (-1, len(single)):
        with pytest.raises(IndexError):
            single[index]


def test_no_wording_is_in_both_splits():
    assert not _plain(_templates("train")) & _plain(_templates("heldout"))
    for form, frames in training_frames.FRAMES.items():
        assert not _plain(frames.splitlines()[1:]) & _plain(
            heldout_frames.FRAMES[form].splitlines()
        )
    for attribute in ATTRIBUTES[1:]:
        train, heldout = TRAIN[attribute], HELDOUT[attribute]
        for field in ("topics", "clauses", "questions", "compare"):
            assert not _plain(getattr(train, field)) & _plain(getattr(heldout, field))


def test_no_wording_seems_to_name_another_place():
    # A capital inside a question would be read as a name that no record has.
    for split in SPLITS:
        for template in _templates(split):
            assert not list(foreign_names(re.sub(r"\{\w+\}", "zzz", template), ())), template
    train = WORDINGS["train"]
    asides = [f"{opening} zzz." for opening in train.openings]
    asides += [f"zzz. {closing}" for closing in train.closings]
    for aside in asides:
        assert not list(foreign_names(aside, ())), aside


def test_training_wordings_put_the_name_after_many_openings():
    openings = {
        template.split("{name}")[0]
        for template in (*WORDINGS["train"].describe, *WORDINGS["train"].single["food"])
    }
    assert len(openings) > 150


def test_questions_use_the_wordings_of_their_split():
    for split, other in (SPLITS, SPLITS[::-1]):
        used = {q.wording for q in make_questions(PLACES, 700, seed=3, split=split)}
        assert used <= _templates(split)
        assert not used & _templates(other)


def test_a_wording_does_not_tell_whether_there_is_an_answer():
    # All these kinds ask for one attribute with the very same draws.
    kinds = ("one_attribute", "missing_attribute", "unknown_place", "near_duplicate")
    for seed in range(300):
        rngs = [random.Random(seed) for _ in kinds]
        asked = {
            ask(kind, ["X"], ["food"], rng, "train") for kind, rng in zip(kinds, rngs, strict=True)
        }
        assert len(asked) == 1


class _Always(random.Random):
    """Takes every chance, and the first of every choice."""

    def random(self):
        return 0.0

    def choice(self, seq):
        return seq[0]


@pytest.mark.parametrize(
    ("opening", "question", "closing", "text"),
    [
        ("Hi!", "What is X like?", "Cheers.", "Hi! What is X like? Cheers."),
        (
            "Before we book,",
            "What is X like?",
            "Cheers.",
            "Before we book, what is X like? Cheers.",
        ),
        ("ok so", "Is X a pub?", "pls", "ok so is X a pub? pls"),
        ("Quick check –", "X: food?", "pls", "Quick check – X: food? pls"),
        ("Hello,", "I'd like to know.", "Thanks!", "Hello, I'd like to know. Thanks!"),
        ("Hello,", "If so, why?", "Thanks!", "Hello, if so, why? Thanks!"),
        ("hi", "what is X like", "Thanks!", "hi what is X like, thanks!"),
        ("hi", "what is X like", "I'm curious.", "hi what is X like, I'm curious."),
    ],
)
def test_asides_go_around_a_question_as_one_writes_them(opening, question, closing, text):
    wordings = replace(WORDINGS["heldout"], openings=(opening,), closings=(closing,))
    assert wordings.with_asides(question, ["X"], _Always()) == text


def test_training_questions_get_asides_at_their_rates_and_heldout_ones_none():
    train = WORDINGS["train"]
    assert len(set(train.openings)) >= 120
    assert len(set(train.closings)) >= 60
    rng = random.Random(0)
    texts = [train.with_asides("Is it Q?", ["Q"], rng) for _ in range(4_000)]
    # Standard errors are below 0.008.
    assert sum(not text.lower().startswith("is it") for text in texts) / 4_000 == pytest.approx(
        0.4, abs=0.03
    )
    assert sum(not text.endswith("Q?") for text in texts) / 4_000 == pytest.approx(0.25, abs=0.03)
    heldout = WORDINGS["heldout"]
    assert heldout.openings == heldout.closings == ()
    state = rng.getstate()
    assert heldout.with_asides("Is it Q?", ["Q"], rng) == "Is it Q?"
    assert rng.getstate() == state


@pytest.mark.parametrize("split", SPLITS)
def test_every_topic_clause_and_question_fits_any_frame(split):
    for phrases in WORDINGS[split].phrases.values():
        assert all(not re.search(r"[{}.?!,]|^the ", topic) for topic in phrases.topics)
        assert all(
            clause.count("{s}") == 1 and clause[-1] not in "?." for clause in phrases.clauses
        )
        assert all(q.count("{s}") == 1 and q.endswith("?") for q in phrases.questions)


@pytest.mark.parametrize("split", SPLITS)
def test_every_wording_renders_a_clean_sentence_for_every_attribute(split):
    rng = random.Random(0)
    texts = [
        wording.format(name="Marlowe's")
        for wording in itertools.chain(WORDINGS[split].describe, *WORDINGS[split].single.values())
    ]
    for a, b in itertools.permutations(ATTRIBUTES[1:], 2):
        texts += [ask("several_attributes", ["Marlowe's"], [a, b], rng, split) for _ in range(20)]
        texts += [ask("compare", ["Casa Imelda", "X"], [a, b], rng, split) for _ in range(20)]
    for text in texts:
        assert not re.search(r"[{}]|  |\.\.|\?\?|\bit it\b| [?.,]", text), text
