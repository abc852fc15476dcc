"""The meter that marks unsupported values among retrieved venue records."""

import pytest

from dera_rag import registry
from dera_rag.evaluation.venues import VenuesMeter, render_record
from dera_rag.protocols import Meter
from dera_rag.types import Passage

RECORDS = (
    {
        "name": "The Copper Kettle",
        "eatType": "pub",
        "food": "Italian",
        "priceRange": "less than £20",
        "familyFriendly": "yes",
        "near": "Harbour Books",
    },
    {"name": "Marlowe's & Sons", "food": "French", "customer rating": "5 out of 5"},
    {"name": "The Copper Kettles", "eatType": "restaurant", "food": "Indian"},
)
PROSE = Passage("page", "The Ferry Office sells tickets in the city centre.")
PASSAGES = [Passage(str(i), render_record(record)) for i, record in enumerate(RECORDS)] + [PROSE]
FOOD = "What food does The Copper Kettle serve?"


def marked(question, answer, passages=PASSAGES):
    spans = VenuesMeter().unsupported(question, passages, answer)
    assert all(answer[span.start : span.end] == span.text for span in spans)
    assert spans == sorted(spans, key=lambda span: span.start)
    return [(span.text, span.reason) for span in spans]


def test_it_is_the_registered_meter():
    meter = registry.resolve("meters", "venues")()
    assert isinstance(meter, VenuesMeter)
    assert isinstance(meter, Meter)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (FOOD, "The Copper Kettle serves Italian food."),
        (FOOD, "It is a cheap Italian pub near Harbour Books, and families are welcome."),
        (FOOD, "The guide does not say how The Copper Kettle is rated."),
        ("Is The Copper Kettle family friendly?", "Yes."),
        (
            "Compare the food of The Copper Kettle and Marlowe's & Sons.",
            "The Copper Kettle serves Italian food while Marlowe's & Sons serves French food.",
        ),
        ("Where can I eat Indian food?", "You can eat Indian food at The Copper Kettles."),
        ("Where is the Ferry Office?", "The Ferry Office is in the city centre."),
        ("Describe The Tin Kettle.", "There is no record of The Tin Kettle in the guide."),
    ],
)
def test_what_is_supported_is_not_marked(question, answer):
    assert marked(question, answer) == []


def test_wrong_and_missing_values_are_marked_with_what_the_record_says():
    answer = "The Copper Kettle serves French food and has a high customer rating."
    assert marked(FOOD, answer) == [
        ("French", "food: the record says Italian"),
        ("high customer rating", "customer rating: not in the record"),
    ]


def test_a_value_belongs_to_the_place_it_is_said_of():
    question = "Compare the food of The Copper Kettle and Marlowe's & Sons."
    answer = "The Copper Kettle serves French food while Marlowe's & Sons serves French food."
    assert marked(question, answer) == [("French", "food: the record says Italian")]


def test_a_namesake_is_marked():
    assert marked(FOOD, "The Copper Kettles serves Indian food.") == [
        ("The Copper Kettles", "name: the question is about The Copper Kettle")
    ]
    assert marked(FOOD, "The Cooper Kettle serves Italian food.") == [
        ("The Cooper Kettle", "name: in no passage")
    ]


def test_a_denied_place_is_marked_where_a_passage_holds_it():
    (found,) = marked(FOOD, "Sorry, there is no record of The Copper Kettle in the guide.")
    assert found == (
        "no record of The Copper Kettle in the guide",
        "name: a passage is about The Copper Kettle",
    )
    assert marked(FOOD, "There is no such place.") == [
        ("no such place", "name: a passage is about The Copper Kettle")
    ]
    both = "Compare the food of The Copper Kettle and The Tin Horse."
    answer = "The Tin Horse is not listed. The Copper Kettle is not listed either."
    assert [text for text, _ in marked(both, answer)] == ["The Copper Kettle is not listed either"]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (FOOD, "The price range of The Copper Kettle is not listed."),
        ("Where can I eat Thai food?", "There is no such place."),
        ("describe the tin kettle", "There is no record of the tin kettle."),
    ],
)
def test_what_no_passage_speaks_against_is_not_marked(question, answer):
    assert marked(question, answer) == []


@pytest.mark.parametrize("question", ["Describe The Tin Kettle.", "What does Tin Kettle serve?"])
def test_of_an_unknown_place_no_value_is_supported(question):
    spans = marked(question, "The Tin Kettle is a cheap Italian pub.")
    assert [text for text, _ in spans] == ["cheap", "Italian", "pub"]
    assert all("no passage is about" in reason for _, reason in spans)


def test_a_plain_no_is_marked():
    assert marked("Is The Copper Kettle family friendly?", "No, sorry.") == [
        ("No", "family friendly: the record says yes")
    ]


def test_half_known_comparisons_are_checked_by_half():
    question = "Compare the food of The Copper Kettle and The Tin Horse."
    answer = "The Copper Kettle serves Italian food while The Tin Horse serves Italian food."
    assert marked(question, answer) == [("Italian", "food: no passage is about The Tin Horse")]


def test_without_records_nothing_can_be_checked():
    assert marked(FOOD, "The Copper Kettle serves French food.", [PROSE]) == []
    assert marked(FOOD, "", PASSAGES) == []


def test_abstention():
    meter = VenuesMeter()
    assert meter.abstained("The guide does not say how expensive The Copper Kettle is.")
    assert meter.abstained("There is no record of The Tin Kettle.")
    assert not meter.abstained("The Copper Kettle is not family friendly.")
