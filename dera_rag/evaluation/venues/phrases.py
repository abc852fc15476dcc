"""How each attribute is asked for, in training and in held-out wordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """How one attribute is asked for in one split; `{s}` is the place or "it".

    Attributes:
        topic: The attribute's name in a list.
        clauses: Embedded questions, without a question mark.
        questions: Whole questions.
        compare: A question about the attribute of `{a}` and `{b}`.
    """

    topic: str
    clauses: tuple[str, ...]
    questions: tuple[str, ...]
    compare: str


TRAIN: Mapping[str, Phrases] = {
    "eatType": Phrases(
        "type of place",
        ("what type of place {s} is", "what kind of venue {s} is"),
        (
            "What type of place is {s}?",
            "What kind of venue is {s}?",
            "Is {s} a pub, a restaurant or a coffee shop?",
        ),
        "Are {a} and {b} the same type of place?",
    ),
    "food": Phrases(
        "food",
        ("what food {s} serves", "what kind of food {s} offers", "which cuisine {s} serves"),
        (
            "What food does {s} serve?",
            "What kind of food does {s} offer?",
            "Which cuisine does {s} serve?",
        ),
        "Do {a} and {b} serve the same food?",
    ),
    "priceRange": Phrases(
        "price range",
        ("how expensive {s} is", "what price range {s} is in", "how much {s} charges"),
        (
            "How expensive is {s}?",
            "What is the price range of {s}?",
            "How much does {s} charge?",
            "What does a meal at {s} cost?",
        ),
        "Are {a} and {b} in the same price range?",
    ),
    "customer rating": Phrases(
        "customer rating",
        ("how customers rate {s}", "what customer rating {s} has", "how well {s} is rated"),
        (
            "How do customers rate {s}?",
            "What is the customer rating of {s}?",
            "How well is {s} rated?",
        ),
        "Do {a} and {b} have the same customer rating?",
    ),
    "area": Phrases(
        "area",
        ("which area {s} is in", "what part of town {s} is in", "in which area {s} is located"),
        ("Which area is {s} in?", "What part of town is {s} in?", "In which area can I find {s}?"),
        "Are {a} and {b} in the same area?",
    ),
    "familyFriendly": Phrases(
        "family friendliness",
        (
            "whether {s} is family friendly",
            "if {s} welcomes children",
            "whether {s} is suitable for families",
        ),
        ("Is {s} family friendly?", "Does {s} welcome children?", "Is {s} suitable for families?"),
        "Are both {a} and {b} family friendly?",
    ),
    "near": Phrases(
        "nearest landmark",
        ("what {s} is near", "which place {s} is close to", "what landmark {s} is near"),
        ("What is {s} near?", "Which place is {s} close to?", "What landmark is {s} near?"),
        "Are {a} and {b} near the same place?",
    ),
}
HELDOUT: Mapping[str, Phrases] = {
    "eatType": Phrases(
        "kind of venue",
        ("what sort of place {s} is", "what type of venue {s} is"),
        ("What sort of place is {s}?", "What type of venue is {s}?"),
        "Is {a} the same kind of venue as {b}?",
    ),
    "food": Phrases(
        "cuisine",
        ("what type of food {s} has", "what cuisine {s} offers"),
        ("What type of food does {s} have?", "What cuisine does {s} offer?"),
        "Is the food at {a} the same as at {b}?",
    ),
    "priceRange": Phrases(
        "price level",
        ("which price range {s} falls into", "how much it costs to eat at {s}"),
        ("Which price range is {s} in?", "How much does it cost to eat at {s}?"),
        "Does {a} cost the same as {b}?",
    ),
    "customer rating": Phrases(
        "rating by customers",
        ("what rating customers give {s}", "how {s} is rated by customers"),
        ("What rating do customers give {s}?", "How is {s} rated by its customers?"),
        "Is {a} rated the same as {b} by customers?",
    ),
    "area": Phrases(
        "part of town",
        ("what area {s} is located in", "in what part of town {s} is"),
        ("What area is {s} located in?", "In what part of town is {s}?"),
        "Is {a} in the same part of town as {b}?",
    ),
    "familyFriendly": Phrases(
        "suitability for families",
        ("whether {s} welcomes families", "if {s} is suitable for children"),
        ("Does {s} welcome families?", "Is {s} a good place for children?"),
        "Are {a} and {b} both suitable for families?",
    ),
    "near": Phrases(
        "nearby place",
        ("what {s} is close to", "which landmark {s} is near"),
        ("What is {s} close to?", "Which landmark is {s} near?"),
        "Are {a} and {b} close to the same place?",
    ),
}
