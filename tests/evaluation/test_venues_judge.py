"""The judge: what an answer inserts, gets wrong, leaves out and declines, against gold records."""

import csv
import gzip
import random
import re

import pytest

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.venues import VALUES, Question, judge, make_places
from dera_rag.evaluation.venues.ignorance import states_ignorance
from dera_rag.evaluation.venues.reading import read_answer

KETTLE = {
    "name": "The Copper Kettle",
    "eatType": "pub",
    "food": "Italian",
    "priceRange": "less than £20",
    "area": "riverside",
    "familyFriendly": "yes",
    "near": "Harbour Books",
}
MARLOWE = {
    "name": "Marlowe's & Sons",
    "eatType": "restaurant",
    "food": "French",
    "customer rating": "5 out of 5",
    "area": "city centre",
    "familyFriendly": "no",
}
RECORDS = {record["name"]: record for record in (KETTLE, MARLOWE)}
BOTH = (KETTLE["name"], MARLOWE["name"])


def question(kind, attributes=(), names=(KETTLE["name"],)):
    return Question("key", kind, "", tuple(names), tuple(attributes), (), "train", "")


def verdict(kind, attributes, answer, names=(KETTLE["name"],)):
    v = judge(question(kind, attributes, names), RECORDS, answer)
    return v.inserted, v.wrong, v.deleted, f"{v.covered}/{v.expected}", v.abstained


ALL_RIGHT = (
    "The Copper Kettle is a cheap Italian pub near Harbour Books by the river. "
    "Families are welcome."
)
NAMED_ONLY = ("eatType", "food", "priceRange", "area", "familyFriendly", "near")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ALL_RIGHT, ((), (), (), "6/6", False)),
        (ALL_RIGHT + " It is highly rated.", (("customer rating",), (), (), "6/6", False)),
        (ALL_RIGHT.replace("Italian", "French"), ((), ("food",), (), "5/6", False)),
        (ALL_RIGHT.replace(" cheap", ""), ((), (), ("priceRange",), "5/6", False)),
        ("The guide says nothing.", ((), (), NAMED_ONLY, "0/6", False)),
        ("I do not know.", ((), (), NAMED_ONLY, "0/6", True)),
        # Whoever denies a place that exists is wrong; where all is asked, "it" is the place.
        ("I could not find The Copper Kettle.", ((), ("name",), NAMED_ONLY, "0/6", True)),
        ("It is not listed in the guide.", ((), ("name",), NAMED_ONLY, "0/6", True)),
        # A second value does not hide behind the right one.
        (ALL_RIGHT + " It serves French food.", ((), ("food",), (), "5/6", False)),
        # What the place is near, told from the neighbour's side.
        ("Harbour Books is close to The Copper Kettle.", ((), (), NAMED_ONLY[:-1], "1/6", False)),
        ("It is near the harbour books.", ((), (), NAMED_ONLY[:-1], "1/6", False)),
        ("It is near Harbour Lights.", ((), ("near",), NAMED_ONLY[:-1], "0/6", False)),
    ],
)
def test_describe(answer, expected):
    assert verdict("describe", (), answer) == expected


@pytest.mark.parametrize(
    ("attribute", "answer", "expected"),
    [
        ("food", "The Copper Kettle serves Italian food.", ((), (), (), "1/1", False)),
        # True values that were not asked for are no fault, invented ones are.
        ("food", "It is a pub that serves Italian food.", ((), (), (), "1/1", False)),
        (
            "food",
            "It serves Italian food and is rated 5 out of 5.",
            (("customer rating",), (), (), "1/1", False),
        ),
        ("food", "The Copper Kettle serves French food.", ((), ("food",), (), "0/1", False)),
        ("food", "It is a pub.", ((), (), ("food",), "0/1", False)),
        ("food", "It does not serve French food.", ((), (), ("food",), "0/1", False)),
        ("food", "The guide does not say what food it serves.", ((), (), ("food",), "0/1", True)),
        ("familyFriendly", "Yes.", ((), (), (), "1/1", False)),
        ("familyFriendly", "No, it is not.", ((), ("familyFriendly",), (), "0/1", False)),
        ("food", "No, it serves French food.", ((), ("food",), (), "0/1", False)),
        ("priceRange", "The Copper Kettle's prices are low.", ((), (), (), "1/1", False)),
    ],
)
def test_one_attribute(attribute, answer, expected):
    assert verdict("one_attribute", (attribute,), answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("It is a riverside pub.", ((), (), (), "2/2", False)),
        ("It is a riverside pub and highly rated.", (("customer rating",), (), (), "2/2", False)),
        ("It is a pub in the city centre.", ((), ("area",), (), "1/2", False)),
        ("It is a pub.", ((), (), ("area",), "1/2", False)),
        ("I do not know.", ((), (), ("eatType", "area"), "0/2", True)),
    ],
)
def test_several_attributes(answer, expected):
    assert verdict("several_attributes", ("eatType", "area"), answer) == expected


@pytest.mark.parametrize(
    ("attributes", "answer", "expected"),
    [
        (
            ["customer rating"],
            "The guide does not say how customers rate The Copper Kettle.",
            ((), (), (), "1/1", True),
        ),
        (["customer rating"], "I do not know.", ((), (), (), "1/1", True)),
        (
            ["customer rating"],
            "The Copper Kettle has a high customer rating.",
            (("customer rating",), (), (), "0/1", False),
        ),
        (["customer rating"], "It serves French food.", ((), ("food",), (), "0/1", False)),
        (["customer rating"], "It serves Italian food.", ((), (), (), "0/1", False)),
        # Declining the wrong thing is not declining the right one.
        (["customer rating"], "The guide does not say what it costs.", ((), (), (), "0/1", True)),
        (
            ["customer rating", "food"],
            "It serves Italian food, but its customer rating is not listed.",
            ((), (), (), "2/2", True),
        ),
        (
            ["customer rating", "food"],
            "The guide does not say what food it serves and it is rated 5 out of 5.",
            (("customer rating",), (), ("food",), "0/2", True),
        ),
    ],
)
def test_missing_attribute(attributes, answer, expected):
    assert verdict("missing_attribute", attributes, answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("There is no record of The Copper Kestrel.", ((), (), (), "1/1", True)),
        ("The guide does not list The Copper Kestrel.", ((), (), (), "1/1", True)),
        ("The Copper Kestrel is not in the guide.", ((), (), (), "1/1", True)),
        ("The Copper Kestrel serves French food.", (("food",), (), (), "0/1", False)),
        (
            "I could not find it in the guide, but it is a pub.",
            (("eatType",), (), (), "0/1", True),
        ),
        ("The Copper Kettle is a pub.", (("eatType",), ("name",), (), "0/1", False)),
        ("What a lovely evening.", ((), (), (), "0/1", False)),
    ],
)
def test_unknown_place(answer, expected):
    assert verdict("unknown_place", ("food",), answer, ("The Copper Kestrel",)) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The Copper Kettle serves Italian food.", ((), (), (), "1/1", False)),
        ("Copper Kettle serves Italian food.", ((), (), (), "1/1", False)),
        # Its namesake, by name or by value.
        ("The Copper Kettles serves Italian food.", ((), ("name",), (), "1/1", False)),
        ("The Cooper Kettle serves Indian food.", ((), ("name", "food"), (), "0/1", False)),
        ("The Copper Kettle serves Indian food.", ((), ("food",), (), "0/1", False)),
        ("The Copper Kettle Inn serves Italian food.", ((), ("name",), (), "1/1", False)),
        (
            "The Copper Kettle is rated 1 out of 5.",
            (("customer rating",), (), ("food",), "0/1", False),
        ),
        ("The guide does not mention the food.", ((), (), ("food",), "0/1", True)),
    ],
)
def test_near_duplicate(answer, expected):
    assert verdict("near_duplicate", ("food",), answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            "The Copper Kettle serves Italian food while Marlowe's & Sons serves French food.",
            ((), (), (), "2/2", False),
        ),
        (
            "You can eat Italian food at The Copper Kettle and French food at Marlowe's & Sons.",
            ((), (), (), "2/2", False),
        ),
        (
            "Unlike The Copper Kettle, which is Italian, Marlowe's & Sons serves French food.",
            ((), (), (), "2/2", False),
        ),
        (
            "While the food at The Copper Kettle is Italian, Marlowe's & Sons offers French food.",
            ((), (), (), "2/2", False),
        ),
        (
            "The Copper Kettle is a pub. It serves Italian food. The other serves French food.",
            ((), (), (), "2/2", False),
        ),
        ("The former is Italian, whereas the latter is French.", ((), (), (), "2/2", False)),
        ("The Copper Kettle: Italian, Marlowe's & Sons: French.", ((), (), (), "2/2", False)),
        # Values changed over: each is the other's.
        (
            "The Copper Kettle serves French food, but Marlowe's & Sons serves Italian food.",
            ((), ("food", "food"), (), "0/2", False),
        ),
        (
            "Both The Copper Kettle and Marlowe's & Sons serve Italian food.",
            ((), ("food",), (), "1/2", False),
        ),
        ("They both serve French food.", ((), ("food",), (), "1/2", False)),
        (
            "The Copper Kettle serves Italian food. It is rated 5 out of 5.",
            (("customer rating",), (), ("food",), "1/2", False),
        ),
        ("The Copper Kettle serves Italian food.", ((), (), ("food",), "1/2", False)),
        ("The guide does not say.", ((), (), ("food", "food"), "0/2", True)),
    ],
)
def test_compare(answer, expected):
    assert verdict("compare", ("food",), answer, BOTH) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "The Copper Kettle is family friendly, but Marlowe's & Sons is not family friendly.",
        "Families are welcome at The Copper Kettle and Marlowe's & Sons is for adults only.",
    ],
)
def test_compare_keeps_what_is_denied_with_its_place(answer):
    assert verdict("compare", ("familyFriendly",), answer, BOTH) == ((), (), (), "2/2", False)


def test_neither_denies_for_both():
    answer = "Neither The Copper Kettle nor Marlowe's & Sons is family friendly."
    assert verdict("compare", ("familyFriendly",), answer, BOTH)[1:4] == (
        ("familyFriendly",),
        (),
        "1/2",
    )


def test_a_missing_gold_record_is_an_error():
    with pytest.raises(InvalidValueError, match="no gold record of"):
        judge(question("describe"), {}, "It is a pub.")


@pytest.mark.parametrize("answer", ["", " ", "?", "…", "\n\n", "Zzzz", "the the the", "🍕" * 3])
@pytest.mark.parametrize("kind", ["describe", "unknown_place"])
def test_any_text_can_be_judged(kind, answer):
    assert not judge(question(kind), RECORDS, answer).inserted


# A grammar of its own: one statement per value, joined at random. What it says is known exactly.
SAYS = {
    "eatType": "{s} is a {v}",
    "food": "{s} serves {v} food",
    "priceRange": "{s} has a price range of {v}",
    "customer rating": "{s} has a customer rating of {v}",
    "area": "{s} is in the {v}",
    "near": "{s} is near {v}",
}
# Values of the two scales that people word alike; replaced together when a wrong value is drawn.
ALIKE = [
    {"cheap", "less than £20"},
    {"moderate", "£20-25"},
    {"high", "more than £30"},
    {"low", "1 out of 5"},
    {"average", "3 out of 5"},
    {"high", "5 out of 5"},
]


def _other(attribute, value, rng):
    alike = set().union(*(pair for pair in ALIKE if value in pair), {value})
    return rng.choice([v for v in VALUES[attribute] if v not in alike])


def _sentence(attribute, value, subject):
    if attribute == "familyFriendly":
        return f"{subject} is {'' if value == 'yes' else 'not '}family friendly"
    return SAYS[attribute].format(s=subject, v=value)


def test_faults_put_in_are_the_faults_found(cases):
    rng = random.Random(0)
    places = make_places(200, seed=11)
    for _ in range(cases(300, 3_000)):
        place = rng.choice(places)
        said, wrong, deleted, inserted = [], set(), set(), set()
        for attribute, value in place.record.items():
            fault = rng.random()
            if attribute == "name":
                continue
            if fault < 0.15:
                deleted.add(attribute)
            elif fault < 0.3 and attribute in VALUES:
                wrong.add(attribute)
                said.append((attribute, _other(attribute, value, rng)))
            else:
                said.append((attribute, value))
        for attribute in sorted(set(VALUES) - set(place.record)):
            if rng.random() < 0.3:
                inserted.add(attribute)
                said.append((attribute, rng.choice(VALUES[attribute])))
        rng.shuffle(said)
        statements = [_sentence(a, v, rng.choice([place.name, "it"])) for a, v in said]
        answer = rng.choice([". ", " and ", ", and "]).join(statements) + "."
        v = judge(question("describe", (), (place.name,)), {place.name: place.record}, answer)
        found = set(v.inserted), set(v.wrong), set(v.deleted)
        assert found == (inserted, wrong, deleted), (answer, place.record)
        assert v.covered == v.expected - len(wrong) - len(deleted)


def test_human_references_are_seldom_taken_to_garble_the_name(data_dir, cases):
    with gzip.open(data_dir / "e2e" / "cleaned_dev.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = random.Random(0).sample(rows, cases(400, len(rows)))
    strange = 0
    for row in rows:
        record = {"name": ""} | dict(re.findall(r"(\w[\w ]*)\[([^\]]*)\]", row["mr"]))
        nears = [record["near"]] if "near" in record else []
        reading = read_answer(row["ref"], [record["name"]], nears)
        strange += bool(record["name"]) and any(not named.known for named in reading.named)
    assert strange / len(rows) < 0.015


WHOLE_PLACE = (
    "There is no record of {s}.",
    "There is no record of {s} in the guide.",
    "No record of {s} was found.",
    "I could not find any record of {s}.",
    "There is no information about {s}.",
    "The guide has no information on {s} at all.",
    "I have no information about a place named {s}.",
    "I could not find {s} in the guide.",
    "The guide does not list a place called {s}.",
    "The guide does not mention {s}.",
    "The guide says nothing about {s}.",
    "I have never heard of {s}.",
    "There is no pub named {s} in the guide.",
    "There is no such place as {s}.",
    "Sorry, {s} isn't in the guide.",
    "{s} is not listed.",
    "{s} does not exist.",
    "{s} cannot be found in the guide.",
    "{s} has no entry in the guide.",
    "I looked for {s}, but it is not listed in the guide.",
    "There is no such place.",
    "This place is not in the guide.",
    "there is no listing for {s}",
)
ONE_THING = (
    "The guide does not mention the price range of {s}.",
    "There is no information about what {s} is near.",
    "There is no information about {s}'s price range.",
    "There is no record of {s} being family friendly.",
    "There is no rating information for {s}.",
    "The price range of {s} is not listed in the guide.",
    "What {s} is near is not listed in the guide.",
    "I could not find the price range of {s} in the guide.",
    "The guide lists {s} but does not mention its price range.",
    "The guide does not list {s} as family friendly.",
    "{s} has no rating in the guide.",
    "{s} is not known for its food.",
    "{s} is not family friendly.",
    "{s} is not a pub.",
    "There is no landmark near {s}.",
    "It is not listed.",
    "The guide does not say.",
)


@pytest.mark.parametrize("answer", WHOLE_PLACE)
@pytest.mark.parametrize("attribute", ["food", "customer rating"])
def test_a_denied_place_is_wrong_and_conveys_nothing(answer, attribute):
    v = judge(question("", (attribute,)), RECORDS, answer.format(s="The Copper Kettle"))
    assert (v.wrong, v.covered, v.abstained, v.hallucinated) == (("name",), 0, True, True)


@pytest.mark.parametrize("answer", ONE_THING)
def test_what_is_not_said_of_a_place_does_not_deny_it(answer):
    v = judge(question("", ("customer rating",)), RECORDS, answer.format(s="The Copper Kettle"))
    assert "name" not in v.wrong


@pytest.mark.parametrize("answer", WHOLE_PLACE)
def test_a_place_that_does_not_exist_is_rightly_denied(answer):
    answer = answer.format(s="The Copper Kestrel")
    assert verdict("unknown_place", ("food",), answer, ("The Copper Kestrel",)) == (
        (), (), (), "1/1", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        # Denied with values given all the same; denied by a garbled name.
        ("I could not find The Copper Kettle, but it is Italian.", ((), ("name",), (), "0/1")),
        ("There is no record of The Cooper Kettle.", ((), ("name",), ("food",), "0/1")),
    ],
)
def test_a_denied_place_conveys_nothing_else(answer, expected):
    assert verdict("one_attribute", ("food",), answer)[:4] == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            "The Copper Kettle serves Italian food, but there is no record of Marlowe's & Sons.",
            ((), ("name",), ("food",), "1/2", True),
        ),
        (
            "There is no record of The Copper Kettle, while Marlowe's & Sons serves French food.",
            ((), ("name",), ("food",), "1/2", True),
        ),
        (
            "Neither The Copper Kettle nor Marlowe's & Sons is in the guide.",
            ((), ("name", "name"), ("food", "food"), "0/2", True),
        ),
        (
            "The food of The Copper Kettle and Marlowe's & Sons is not listed.",
            ((), (), ("food", "food"), "0/2", True),
        ),
    ],
)
def test_a_comparison_may_deny_one_place_or_both(answer, expected):
    assert verdict("compare", ("food",), answer, BOTH) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Is The Copper Kettle family friendly?", ((), (), ("familyFriendly",), "0/1", False)),
        ("Is The Copper Kettle family friendly? Yes.", ((), (), (), "1/1", False)),
        ("Any information on The Copper Kettle?", ((), (), ("familyFriendly",), "0/1", False)),
    ],
)
def test_a_question_conveys_nothing(answer, expected):
    assert verdict("one_attribute", ("familyFriendly",), answer) == expected


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("It lies outside the city centre.", []),
        ("It is on the outskirts of the city centre.", []),
        ("It is in the middle of town.", ["area: city centre"]),
        ("It is in the heart of the city.", ["area: city centre"]),
        ("It is by the River Thames.", ["area: riverside"]),
        ("It is near the Thames.", ["area: riverside"]),
        ("It is a tavern.", ["eatType: pub"]),
        ("It has a mean price.", ["priceRange: moderate"]),
        ("The average price is more than £30.", ["priceRange: more than £30"]),
        ("It has a mean rating.", ["customer rating: average"]),
        ("Families should look elsewhere.", ["familyFriendly: no"]),
        ("Kids are not allowed.", ["familyFriendly: no"]),
        ("It is unsuitable for children.", ["familyFriendly: no"]),
        ("Please leave the kids at home.", ["familyFriendly: no"]),
        # A neighbour that is only invented, without capitals.
        ("It is near the blue anchor.", ["near: the blue anchor"]),
        ("It is close to harbour lights and cheap.", ["near: harbour lights", "priceRange: cheap"]),
        ("It is close to harbour books.", ["near: Harbour Books"]),
        ("It is not near the blue anchor.", []),
        ("The guide does not say if it is near the blue anchor.", []),
        ("It is near the city centre.", ["area: city centre"]),
        ("They are near each other.", []),
    ],
)
def test_wordings_that_are_easily_overlooked(answer, read):
    statements = read_answer(answer, ["The Copper Kettle"], ["Harbour Books"]).statements
    found = dict.fromkeys(f"{said.attribute}: {said.readings[0]}" for said in statements)
    assert list(found) == read


def test_ignorance_is_told_from_denial():
    assert states_ignorance("The price range is not listed.")
    assert states_ignorance("There is no such place in the guide.")
    assert not states_ignorance("It is not family friendly and serves no French food.")
