"""How each attribute is asked for in held-out wordings; nothing is trained or tuned on them."""

from __future__ import annotations

from collections.abc import Mapping

from dera_rag.evaluation.venues.phrases import Phrases

HELDOUT: Mapping[str, Phrases] = {
    "eatType": Phrases(
        ("type of establishment", "sort of venue"),
        (
            "what kind of establishment {s} is",
            "which sort of venue {s} counts as",
        ),
        (
            "What kind of establishment is {s}?",
            "Would you call {s} a pub, a coffee shop or a restaurant?",
            "What sort of venue is {s}?",
        ),
        (
            "Are {a} and {b} different kinds of place, say a pub and a restaurant?",
            "Do {a} and {b} count as the same sort of venue?",
        ),
    ),
    "food": Phrases(
        ("style of cuisine", "food on offer"),
        ("what sort of food {s} cooks", "which country's cuisine one gets at {s}"),
        (
            "What sort of food can I get at {s}?",
            "Whose cuisine is on the menu at {s}?",
            "What style of food does {s} cook?",
        ),
        (
            "Does the cuisine of {a} match that of {b}?",
            "Can I get the same kind of food at {a} and at {b}?",
        ),
    ),
    "priceRange": Phrases(
        ("prices", "cost of a meal"),
        (
            "what the prices at {s} are like",
            "how cheap or expensive a meal at {s} is",
            "what {s} costs",
        ),
        (
            "What are the prices at {s} like?",
            "Is {s} cheap or expensive?",
            "How much would dinner at {s} cost me?",
        ),
        (
            "Are the prices at {a} the same as those at {b}?",
            "Do {a} and {b} cost about as much as each other?",
        ),
    ),
    "customer rating": Phrases(
        ("rating among diners", "score from customers"),
        (
            "what score customers have given {s}",
            "how high customers rate {s}",
            "what rating {s} gets",
        ),
        (
            "What score have customers given {s}?",
            "How high is the customer rating of {s}?",
            "What rating does {s} get from its customers?",
        ),
        (
            "Did customers give {a} and {b} the same rating?",
            "Are {a} and {b} rated equally by diners?",
        ),
    ),
    "area": Phrases(
        ("location in town", "district"),
        (
            "whereabouts in town {s} is located",
            "what district {s} belongs to",
            "which part of the city {s} is in",
        ),
        (
            "Whereabouts in town is {s}?",
            "Which part of the city is {s} in?",
            "What district is {s} in?",
        ),
        (
            "Are {a} and {b} located in the same district?",
            "Would I find {a} and {b} in one and the same part of the city?",
        ),
    ),
    "familyFriendly": Phrases(
        ("friendliness to families", "attitude to children"),
        (
            "whether one can bring kids to {s}",
            "whether children are welcome at {s}",
            "if {s} is any good for kids",
        ),
        (
            "Can one bring kids to {s}?",
            "Are children welcome at {s}?",
            "Is {s} the right place for a family with small children?",
        ),
        (
            "Are kids welcome at {a} and at {b}?",
            "Could a family with children go to either {a} or {b}?",
        ),
    ),
    "near": Phrases(
        ("closest landmark", "neighbouring place"),
        (
            "what there is next to {s}",
            "which place {s} is nearest to",
            "what landmark you find close to {s}",
        ),
        (
            "What is there next to {s}?",
            "Which place is nearest to {s}?",
            "What landmark is nearby {s}?",
        ),
        (
            "Is the landmark next to {a} also the one next to {b}?",
            "Do {a} and {b} have the same place nearby?",
        ),
    ),
}
"""Attribute → its held-out phrases."""
