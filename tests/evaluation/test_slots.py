"""The slot matcher: what texts assert, what they do not, and its agreement with the corpus."""

from __future__ import annotations

import csv
import gzip
import math
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.slot_lexicon import OTHER_CUISINES
from dera_rag.evaluation.slots import (
    ATTRIBUTES,
    Mention,
    SlotErrors,
    compare,
    errors,
    mentions,
    parse,
    slot_error_rate,
    unlicensed,
)

RECORD = {
    "name": "Bellini's",
    "eatType": "pub",
    "food": "Italian",
    "priceRange": "cheap",
    "customer rating": "high",
    "area": "riverside",
    "familyFriendly": "yes",
    "near": "The Old Forge",
}
FULL = (
    "Bellini's is a cheap Italian pub by the river, near The Old Forge. "
    "It has a high customer rating and welcomes children."
)


def asserted(text: str, name: str | None = None, near: str | None = None) -> dict[str, str]:
    """The full reading's first value of each attribute."""
    return {m.attribute: m.value for m in reversed(mentions(text, name, near))}


def read(text: str) -> dict[str, str]:
    """Everything a text asserts about the place itself, names aside."""
    found = asserted(text, "Bellini's", "The Old Forge")
    return {a: v for a, v in found.items() if a not in {"name", "near"}}


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("We sat in the coffee shop.", "eatType", "coffee shop"),
        ("It's a lovely café.", "eatType", "coffee shop"),
        ("A pub worth the walk.", "eatType", "pub"),
        ("This restaurant opens at nine.", "eatType", "restaurant"),
        ("They cook Chinese dishes.", "food", "Chinese"),
        ("Traditional British fare.", "food", "English"),
        ("Fast food to go.", "food", "Fast food"),
        ("It sells fast-food.", "food", "Fast food"),
        ("French cooking at its best.", "food", "French"),
        ("Spicy Indian plates.", "food", "Indian"),
        ("ITALIAN FOOD!", "food", "Italian"),
        ("Japanese lunches.", "food", "Japanese"),
        ("Thai curries.", "food", "Thai"),
        ("Lunch here is cheap.", "priceRange", "cheap"),
        ("An inexpensive lunch.", "priceRange", "cheap"),
        ("Prices here are rather low.", "priceRange", "cheap"),
        ("Meals cost less than £20.", "priceRange", "less than £20"),
        ("Dinner for under 20 pounds.", "priceRange", "less than £20"),
        ("A moderate price range.", "priceRange", "moderate"),
        ("Reasonably priced plates.", "priceRange", "moderate"),
        ("Expect to pay £20-25.", "priceRange", "£20-25"),
        ("Expect to pay between £20 and £25.", "priceRange", "£20-25"),
        ("Expect to pay £20–£25.", "priceRange", "£20-25"),
        ("It costs more than £30.", "priceRange", "more than £30"),
        ("Over 30 pounds a head.", "priceRange", "more than £30"),
        ("The price range is high.", "priceRange", "high"),
        ("Above average prices.", "priceRange", "high"),
        ("A high-priced, quiet spot.", "priceRange", "high"),
        ("It is expensive.", "priceRange", "high"),
        ("Guests gave it a low rating.", "customer rating", "low"),
        ("It is poorly rated.", "customer rating", "low"),
        ("Rated average by guests.", "customer rating", "average"),
        ("A highly rated spot.", "customer rating", "high"),
        ("Its customer rating is high.", "customer rating", "high"),
        ("It does not have a very high rating.", "customer rating", "low"),
        ("It has a rating of 1 out of 5.", "customer rating", "1 out of 5"),
        ("One out of five from its guests.", "customer rating", "1 out of 5"),
        ("Three stars.", "customer rating", "3 out of 5"),
        ("A 5-star spot.", "customer rating", "5 out of 5"),
        ("It scores 4 out of 5.", "customer rating", "4 out of 5"),
        ("In the centre of the city.", "area", "city centre"),
        ("A city-center address.", "area", "city centre"),
        ("On the riverside.", "area", "riverside"),
        ("It lies next to the river.", "area", "riverside"),
        ("It is family friendly.", "familyFriendly", "yes"),
        ("Yes, it is family-friendly.", "familyFriendly", "yes"),
        ("Kids are welcome.", "familyFriendly", "yes"),
        ("Bring the whole family.", "familyFriendly", "yes"),
        ("It is not family-friendly.", "familyFriendly", "no"),
        ("No, it isn't child-friendly.", "familyFriendly", "no"),
        ("Adults only.", "familyFriendly", "no"),
        ("No children, please.", "familyFriendly", "no"),
        ("Children are not permitted.", "familyFriendly", "no"),
        ("It is not recommended for kids.", "familyFriendly", "no"),
        ("Family friendly: no", "familyFriendly", "no"),
        ("familyFriendly[yes]", "familyFriendly", "yes"),
        ("priceRange[high]", "priceRange", "high"),
        ("customer rating: low", "customer rating", "low"),
    ],
)
def test_a_wording_asserts_its_value_and_nothing_else(
    text: str, attribute: str, value: str
) -> None:
    assert read(text) == {attribute: value}


@pytest.mark.parametrize(
    "text",
    [
        "The guide does not say whether Bellini's is family friendly.",
        "The passage doesn't mention if it is cheap or expensive.",
        "No price range is listed.",
        "No customer rating is given, high or low.",
        "Whether it is cheap and family friendly is not stated.",
        "I have no record of a pub by the river.",
        "It is unclear if the place serves Italian food.",
        "It's unknown whether children are welcome.",
        "There is no information about a high rating.",
        "I could not find an Italian restaurant.",
        "It is not cheap.",
        "It isn't in the city centre.",
        "It does not serve Chinese food.",
        "It is neither expensive nor a pub.",
        "It is far from the city centre.",
        "It's anything but cheap.",
        "",
        "It is high.",
    ],
)
def test_what_is_denied_or_unknown_is_not_asserted(text: str) -> None:
    assert read(text) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No rating is listed, but it is a cheap pub.", {"eatType": "pub", "priceRange": "cheap"}),
        ("The guide does not say where it is, it is a pub.", {"eatType": "pub"}),
        ("Bellini's is a pub and its price range is not listed.", {"eatType": "pub"}),
        ("A French pub. Its rating is unknown.", {"eatType": "pub", "food": "French"}),
        (
            "It is not only cheap but highly rated.",
            {"priceRange": "cheap", "customer rating": "high"},
        ),
        ("It is not far from the river-side.", {"area": "riverside"}),
        (
            "It is not a family-friendly French pub.",
            {"eatType": "pub", "food": "French", "familyFriendly": "no"},
        ),
    ],
)
def test_a_denial_or_an_abstention_ends_where_a_new_statement_begins(
    text: str, expected: dict[str, str]
) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "price", "rating"),
    [
        ("A high price and a low rating.", "high", "low"),
        ("Low-priced and highly rated.", "cheap", "high"),
        ("The price range is moderate and the rating high.", "moderate", "high"),
        ("Its average price is matched by a high customer rating.", "moderate", "high"),
        ("An average rating for high prices.", "high", "average"),
        ("High rating, low price.", "cheap", "high"),
        ("Five stars for less than £20.", "less than £20", "5 out of 5"),
        ("The average customer rating is low and prices are high.", "high", "low"),
    ],
)
def test_levels_of_price_and_of_rating_are_kept_apart(text: str, price: str, rating: str) -> None:
    assert read(text) == {"priceRange": price, "customer rating": rating}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The guide does not say what Aromi is near and families are welcome there.",
            {"familyFriendly": "yes"},
        ),
        (
            "The guide does not say what Aromi is near and prices at Aromi are cheap.",
            {"priceRange": "cheap"},
        ),
        (
            "The guide does not say what Aromi is near and customers rate Aromi low.",
            {"customer rating": "low"},
        ),
        ("It is not stated whether families and children are welcome at Aromi.", {}),
    ],
)
def test_and_with_a_subject_and_a_verb_of_its_own_ends_an_abstention(
    text: str, expected: dict[str, str]
) -> None:
    found = asserted(text, "Aromi")
    found.pop("name", None)
    assert found == expected


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("A cheap lunch.", "priceRange", "cheap"),
        ("Low-priced plates.", "priceRange", "less than £20"),
        ("Affordable food.", "priceRange", "less than £20"),
        ("Moderate prices.", "priceRange", "moderate"),
        ("Averagely priced.", "priceRange", "£20-25"),
        ("High prices.", "priceRange", "high"),
        ("A low customer rating.", "customer rating", "low"),
        ("Poor reviews.", "customer rating", "1 out of 5"),
        ("A three star place.", "customer rating", "average"),
        ("Rated 3 out of 5.", "customer rating", "3 out of 5"),
        ("A good customer rating.", "customer rating", "3 out of 5"),
        ("Five stars.", "customer rating", "5 out of 5"),
        ("An excellent rating.", "customer rating", "5 out of 5"),
        ("A high customer rating.", "customer rating", "high"),
    ],
)
def test_parse_gives_a_wording_the_value_that_the_corpus_most_often_has_for_it(
    text: str, attribute: str, value: str
) -> None:
    assert parse(text) == {attribute: value}


@pytest.mark.parametrize(
    ("text", "plain", "corpus"),
    [
        ("It is not cheap.", {}, {"priceRange": "high"}),
        ("Prices are above average.", {"priceRange": "high"}, {"priceRange": "moderate"}),
        ("Expect to pay £20-£25.", {"priceRange": "£20-25"}, {}),
        ("Customer rating: low.", {"customer rating": "low"}, {}),
        ("Chines food.", {}, {"food": "Chinese"}),
    ],
)
def test_the_corpus_conventions_are_not_those_of_a_person(
    text: str, plain: dict[str, str], corpus: dict[str, str]
) -> None:
    assert (asserted(text), parse(text)) == (plain, corpus)


def test_a_bare_list_of_keywords_asserts_its_values() -> None:
    assert read("pub, Italian, cheap, riverside, family friendly") == {
        "eatType": "pub",
        "food": "Italian",
        "priceRange": "cheap",
        "area": "riverside",
        "familyFriendly": "yes",
    }


def test_names_are_masked_before_anything_else_is_read() -> None:
    text = "The Riverside Cheap Pub is a coffee shop near the French Café."
    assert parse(text, "The Riverside Cheap Pub", "French Café") == {
        "name": "The Riverside Cheap Pub",
        "eatType": "coffee shop",
        "near": "French Café",
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CHEZ ANDRE is here.", "Chez André"),
        ("Chez Andre\u0301 is here.", "Chez André"),
        ("Annie’s is here.", "Annie's"),
        ("Annies is here.", "Annie's"),
        ("Annie's is here.", "Annie’s"),
        ("We like Joe-Joe  Bar.", "Joe Joe Bar"),
        ("Bellini's's menu", "Bellini's"),
    ],
)
def test_known_names_are_found_whatever_their_spelling(text: str, name: str) -> None:
    assert parse(text, name)["name"] == name


def test_known_names_are_whole_phrases() -> None:
    assert "name" not in parse("the millstone", "The Mill")
    assert parse("The Mill is near The Mill House.", "The Mill", "The Mill House") == {
        "name": "The Mill",
        "near": "The Mill House",
    }


def test_a_place_said_to_be_near_itself_is_not_named() -> None:
    text = "The Old Forge is a pub near Bellini's."
    assert asserted(text, "Bellini's")["near"] == "Bellini's"


@pytest.mark.parametrize(
    ("text", "name", "near"),
    [
        (
            "There is a pub called Harry's Den close to Mill Lane Market.",
            "Harry's Den",
            "Mill Lane Market",
        ),
        ("Harry's Den is a pub next to Café Ünal.", "Harry's Den", "Café Ünal"),
        (
            "Located near Mill Lane Market, Ostrava serves Italian food.",
            "Ostrava",
            "Mill Lane Market",
        ),
        ("Cheap Italian food is served near the river.", None, None),
    ],
)
def test_unknown_names_are_read_by_pattern(text: str, name: str | None, near: str | None) -> None:
    for found in (asserted(text), parse(text)):
        assert (found.get("name"), found.get("near")) == (name, near)


def test_mentions_point_into_the_text_as_written() -> None:
    text = "Chez Andre\u0301 — a Cheap pub, “5 stars”."
    assert [
        (m.attribute, m.value, text[m.start : m.end]) for m in mentions(text, "Chez André")
    ] == [
        ("name", "Chez André", "Chez Andre\u0301"),
        ("priceRange", "cheap", "Cheap"),
        ("eatType", "pub", "pub"),
        ("customer rating", "5 out of 5", "5 stars"),
    ]
    assert mentions("five stars")[0] == Mention("customer rating", "5 out of 5", 0, 10, ("high",))


def test_of_several_values_mentions_lists_all_and_parse_takes_the_first() -> None:
    text = "A cheap pub with high prices."
    assert [m.value for m in mentions(text) if m.attribute == "priceRange"] == ["cheap", "high"]
    assert parse(text)["priceRange"] == "cheap"


def test_only_text_is_read() -> None:
    for arguments in ((None,), (5,), ("A pub.", 5), ("A pub.", None, b"Aromi")):
        with pytest.raises(InvalidValueError, match="must be a string"):
            parse(*arguments)


def test_the_record_settles_what_a_wording_leaves_open_and_adds_nothing() -> None:
    assert parse("Five stars.")["customer rating"] == "5 out of 5"
    record = {"customer rating": "high", "food": "French"}
    assert parse("Five stars.", record=record) == {"customer rating": "high"}
    assert parse("Five stars.", record={"customer rating": "low"}) == {
        "customer rating": "5 out of 5"
    }


def test_inserted_deleted_and_wrong_are_counted_separately() -> None:
    record = {"name": "Aromi", "food": "French", "area": "riverside", "priceRange": "high"}
    read_back = {"name": "aromi", "food": "Thai", "area": "riverside", "eatType": "pub"}
    found = compare(record, read_back)
    assert found == SlotErrors(("eatType",), ("priceRange",), ("food",), slots=4)
    assert (found.hallucinated, found.total, found.slot_error_rate) == (2, 3, 0.75)


def test_the_corpus_rate_pools_slots() -> None:
    none, three = SlotErrors((), (), (), slots=6), SlotErrors(("food",), ("area",), ("near",), 2)
    assert slot_error_rate([none, three]) == 3 / 8
    assert math.isnan(slot_error_rate([]))
    assert math.isnan(compare({}, {"food": "Thai"}).slot_error_rate)


def test_a_faithful_text_has_no_errors() -> None:
    assert errors(FULL, RECORD) == SlotErrors((), (), (), slots=8)


@pytest.mark.parametrize(
    ("extra", "inserted", "wrong"),
    [
        (" Prices are high.", (), ("priceRange",)),
        (" It is not family friendly.", (), ("familyFriendly",)),
        (" city centre French Thai", (), ("area", "food", "food")),
        (" It is called The Gull.", (), ("name",)),
        (" It is close to Zeno Hall.", (), ("near",)),
        (" Is it expensive?", (), ("priceRange",)),
        (" Ex\u00adpen\u200bsive!", (), ("priceRange",)),
        (" low rating of 1 out of 5", (), ("customer rating",)),
        (" No price is listed. Its price is high.", (), ("priceRange",)),
    ],
)
def test_a_second_unsupported_value_counts_though_the_right_one_is_there(
    extra: str, inserted: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    found = errors(FULL + extra, RECORD)
    assert (found.inserted, found.deleted, found.wrong) == (inserted, (), wrong)


def test_every_value_of_an_attribute_the_record_lacks_is_inserted() -> None:
    text = "Aromi serves Italian and Greek food in a pub."
    found = errors(text, {"name": "Aromi", "eatType": "pub"})
    assert found == SlotErrors(("food", "food"), (), (), slots=2)
    assert [
        text[m.start : m.end] for m in unlicensed(text, {"name": "Aromi", "eatType": "pub"})
    ] == [
        "Italian",
        "Greek",
    ]


def test_junk_is_no_coverage() -> None:
    found = errors("high yes low no 5 price rating area food", RECORD)
    assert found.hallucinated == 0
    assert set(found.deleted) == set(RECORD)


def test_invented_cuisines_are_unsupported_by_any_record_of_the_scheme() -> None:
    for cuisine in OTHER_CUISINES:
        assert errors(f"{cuisine} food", {"food": "French"}).wrong == ("food",)


# ── Properties ──────────────────────────────────────────────────────────────────────────────────

_WORDS = ["Riverside", "Cheap", "Pub", "Café", "Ünal", "D'Arcy", "Joe’s", "Low", "City", "Centre"]
_WORDS += ["Indian", "Family", "Star", "Five", "Zoë", "Not", "Near", "High", "Price", "Ostrava"]
# Keywords and one word that is none: a place called just "Riverside" cannot be told from the area.
_NAMES = st.builds(
    lambda words, last: " ".join([*words, last]),
    st.lists(st.sampled_from(_WORDS), max_size=3),
    st.sampled_from(["Ünal", "D'Arcy", "Joe’s", "Zoë", "Ostrava"]),
)
_VALUES = {
    "eatType": ["coffee shop", "pub", "restaurant"],
    "food": ["Chinese", "English", "Fast food", "French", "Indian", "Italian", "Japanese"],
    "priceRange": ["cheap", "moderate", "high", "less than £20", "£20-25", "more than £30"],
    "customer rating": ["low", "average", "high", "1 out of 5", "3 out of 5", "5 out of 5"],
    "area": ["city centre", "riverside"],
    "familyFriendly": ["yes", "no"],
}
_SENTENCES = {
    "eatType": "It is a {}.",
    "food": "It serves {} food.",
    "priceRange": "Its price range is {}.",
    "customer rating": "Its customer rating is {}.",
    "area": "It is in the {} area.",
    "near": "It is near {}.",
}
_FRIENDLY = {"yes": "It is family-friendly.", "no": "It is not family-friendly."}


@st.composite
def _records(draw: st.DrawFn) -> dict[str, str]:
    name = draw(_NAMES)
    record = {"name": name}
    for attribute in draw(st.sets(st.sampled_from(sorted(_VALUES)))):
        record[attribute] = draw(st.sampled_from(_VALUES[attribute]))
    # "It is near Ünal." says the name of a place called "Near Ünal".
    near = draw(
        st.none()
        | _NAMES.filter(lambda other: other != name and not f"Near {other}".startswith(name))
    )
    return record | ({"near": near} if near else {})


def _rendered(record: dict[str, str]) -> str:
    parts = [f"{record['name']} is one of ours."]
    for attribute, value in record.items():
        if attribute == "familyFriendly":
            parts.append(_FRIENDLY[value])
        elif attribute != "name":
            parts.append(_SENTENCES[attribute].format(value))
    return " ".join(parts)


@given(_records())
def test_a_rendered_record_is_read_back(record: dict[str, str]) -> None:
    text = _rendered(record)
    assert parse(text, record["name"], record.get("near")) == record
    assert errors(text, record).total == 0


@given(st.text(), st.none() | st.text(max_size=8), st.none() | st.text(max_size=8), st.booleans())
@example(":Ŀ", None, None, False)  # read as the name "L", which is half a character
def test_any_text_can_be_read(
    text: str, name: str | None, near: str | None, published: bool
) -> None:
    for mention in mentions(text, name, near, published=published):
        assert 0 <= mention.start < mention.end <= len(text)
        assert mention.attribute in ATTRIBUTES
    assert set(parse(text, name, near)) <= set(ATTRIBUTES)


@given(_records(), _records())
def test_what_another_record_says_is_never_free(
    record: dict[str, str], other: dict[str, str]
) -> None:
    claims = {a: v for a, v in other.items() if a in _VALUES}
    text = _rendered({"name": record["name"], **claims})
    found = errors(text, record)
    assert set(found.inserted) == {a for a in claims if a not in record}
    licensed = {
        m.attribute
        for m in mentions(text, record["name"], record.get("near"))
        if record.get(m.attribute) in m.readings
    }
    assert set(found.wrong) == {a for a in claims if a in record and a not in licensed}


# ── Agreement with the public corpus ────────────────────────────────────────────────────────────

_SLOT = re.compile(r"([A-Za-z ]+?)\[([^\]]*)\]")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if not path.exists():
        pytest.skip(f"no E2E references at {path}")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _slots(mr: str) -> list[tuple[str, str]]:
    return [(attribute.strip(), value) for attribute, value in _SLOT.findall(mr)]


_SCALE = dict(
    zip(("less than £20", "£20-25", "more than £30"), ("cheap", "moderate", "high"), strict=True)
)
_SCALE |= {"1 out of 5": "low", "3 out of 5": "average", "5 out of 5": "high"}


def _one_scale(record: dict[str, str]) -> dict[str, str]:
    return {attribute: _SCALE.get(value, value) for attribute, value in record.items()}


def _agreement(path: Path, sample: int | None) -> dict[str, float]:
    """Percentage of rows read like their cleaned record, over rows without a repeated attribute.

    ``strict``: names given, no record, exact values. ``merged``: the two scales of price and of
    rating count as one. ``nameless``: merged, no names given. ``settled``: the original record
    settles wordings that serve two values, as the published cleaning did.
    """
    rows = [row for row in _rows(path) if _once(row["mr"])]
    if sample is not None:
        rows = random.Random(0).sample(rows, sample)
    right = dict.fromkeys(("strict", "merged", "nameless", "settled"), 0)
    for row in rows:
        text, truth, original = row["ref"], dict(_slots(row["mr"])), dict(_slots(row["orig_mr"]))
        name, near = truth.get("name"), truth.get("near")
        plain = parse(text, name, near)
        right["strict"] += plain == truth
        right["merged"] += _one_scale(plain) == _one_scale(truth)
        right["nameless"] += _one_scale(parse(text)) == _one_scale(truth)
        right["settled"] += parse(text, name, near, record=original) == truth
    return {key: 100 * count / len(rows) for key, count in right.items()}


def _once(mr: str) -> bool:
    pairs = _slots(mr)
    return len(dict(pairs)) == len(pairs)


@pytest.mark.parametrize(
    ("split", "measured"),
    [
        ("train", {"strict": 85.99, "merged": 99.08, "nameless": 91.75, "settled": 99.50}),
        # Nothing was fitted on these.
        ("dev", {"strict": 89.61, "merged": 99.21, "nameless": 92.17, "settled": 99.53}),
    ],
)
def test_references_are_read_like_their_cleaned_records(
    data_dir: Path, full: bool, split: str, measured: dict[str, float]
) -> None:
    path = data_dir / "e2e" / f"cleaned_{split}.csv.gz"
    found = _agreement(path, sample=None if full else 3000)
    # Three standard errors of a sample of 3,000 are 1.9 points at 86 % and .55 at 99 %.
    margins = dict.fromkeys(measured, 0.01) if full else {"strict": 2.0, "nameless": 1.6}
    for key, level in measured.items():
        assert found[key] >= level - margins.get(key, 0.55)


def test_the_published_slot_error_rate_is_reproduced(data_dir: Path, full: bool) -> None:
    rows = list(_rows(data_dir / "e2e" / "original_train.csv.gz"))
    rows = rows if full else random.Random(0).sample(rows, 6000)
    found = [errors(row["ref"], dict(_slots(row["mr"])), published=True) for row in rows]
    slots = sum(result.slots for result in found)
    # Half a point over all rows; a sample of 6,000 adds three standard errors.
    points = 0.5 if full else 1.1
    assert 100 * slot_error_rate(found) == pytest.approx(17.69, abs=points)
    assert 100 * sum(len(r.inserted) for r in found) / slots == pytest.approx(5.30, abs=points)
    assert 100 * sum(len(r.deleted) for r in found) / slots == pytest.approx(10.97, abs=points)
    assert 100 * sum(len(r.wrong) for r in found) / slots == pytest.approx(1.41, abs=0.5)


@pytest.mark.slow
def test_reading_is_fast_enough_for_a_training_loop() -> None:
    texts = [FULL, "The guide does not say whether Bellini's is family friendly."] * 1000
    best = math.inf
    for _ in range(3):
        begin = time.process_time()
        for text in texts:
            errors(text, RECORD)
        best = min(best, time.process_time() - begin)
    assert len(texts) / best > 3000
