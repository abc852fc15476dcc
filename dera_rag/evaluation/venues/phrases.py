"""How each attribute is asked for, and the phrases of training wordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """How one attribute is asked for in one split; `{s}` is the place or "it".

    Attributes:
        topics: The attribute's names in a list.
        clauses: Embedded questions, without a question mark.
        questions: Whole questions.
        compare: Questions about the attribute of `{a}` and `{b}`.
    """

    topics: tuple[str, ...]
    clauses: tuple[str, ...]
    questions: tuple[str, ...]
    compare: tuple[str, ...]


TRAIN: Mapping[str, Phrases] = {
    "eatType": Phrases(
        ("type of place", "kind of venue"),
        (
            "what type of place {s} is",
            "what kind of venue {s} is",
            "what sort of place {s} is",
            "what type of venue {s} is",
        ),
        (
            "What type of place is {s}?",
            "What kind of venue is {s}?",
            "Is {s} a pub, a restaurant or a coffee shop?",
            "What sort of place is {s}?",
            "What type of venue is {s}?",
        ),
        (
            "Are {a} and {b} the same type of place?",
            "Is {a} the same kind of venue as {b}?",
            "What type of place is {a}, and what type is {b}?",
        ),
    ),
    "food": Phrases(
        ("food", "cuisine"),
        (
            "what food {s} serves",
            "what kind of food {s} offers",
            "which cuisine {s} serves",
            "what type of food {s} has",
            "what cuisine {s} offers",
        ),
        (
            "What food does {s} serve?",
            "What kind of food does {s} offer?",
            "Which cuisine does {s} serve?",
            "What type of food does {s} have?",
            "What cuisine does {s} offer?",
            "What can I eat at {s}?",
        ),
        (
            "Do {a} and {b} serve the same food?",
            "Is the food at {a} the same as at {b}?",
            "What food does {a} serve, and what does {b} serve?",
        ),
    ),
    "priceRange": Phrases(
        ("price range", "price level"),
        (
            "how expensive {s} is",
            "what price range {s} is in",
            "how much {s} charges",
            "which price range {s} falls into",
            "how much it costs to eat at {s}",
        ),
        (
            "How expensive is {s}?",
            "What is the price range of {s}?",
            "How much does {s} charge?",
            "What does a meal at {s} cost?",
            "Which price range is {s} in?",
            "How much does it cost to eat at {s}?",
        ),
        (
            "Are {a} and {b} in the same price range?",
            "Does {a} cost the same as {b}?",
            "How expensive is {a}, and how expensive is {b}?",
        ),
    ),
    "customer rating": Phrases(
        ("customer rating", "rating by customers"),
        (
            "how customers rate {s}",
            "what customer rating {s} has",
            "how well {s} is rated",
            "what rating customers give {s}",
            "how {s} is rated by customers",
        ),
        (
            "How do customers rate {s}?",
            "What is the customer rating of {s}?",
            "How well is {s} rated?",
            "What rating do customers give {s}?",
            "How is {s} rated by its customers?",
        ),
        (
            "Do {a} and {b} have the same customer rating?",
            "Is {a} rated the same as {b} by customers?",
            "How do customers rate {a}, and how do they rate {b}?",
        ),
    ),
    "area": Phrases(
        ("area", "part of town"),
        (
            "which area {s} is in",
            "what part of town {s} is in",
            "in which area {s} is located",
            "what area {s} is located in",
            "in what part of town {s} is",
        ),
        (
            "Which area is {s} in?",
            "What part of town is {s} in?",
            "In which area can I find {s}?",
            "What area is {s} located in?",
            "In what part of town is {s}?",
        ),
        (
            "Are {a} and {b} in the same area?",
            "Is {a} in the same part of town as {b}?",
            "Which area is {a} in, and which one is {b} in?",
        ),
    ),
    "familyFriendly": Phrases(
        ("family friendliness", "suitability for families"),
        (
            "whether {s} is family friendly",
            "if {s} welcomes children",
            "whether {s} is suitable for families",
            "whether {s} welcomes families",
            "if {s} is suitable for children",
        ),
        (
            "Is {s} family friendly?",
            "Does {s} welcome children?",
            "Is {s} suitable for families?",
            "Does {s} welcome families?",
            "Is {s} a good place for children?",
        ),
        (
            "Are both {a} and {b} family friendly?",
            "Are {a} and {b} both suitable for families?",
            "Is {a} family friendly, and is {b}?",
        ),
    ),
    "near": Phrases(
        ("nearest landmark", "nearby place"),
        (
            "what {s} is near",
            "which place {s} is close to",
            "what landmark {s} is near",
            "what {s} is close to",
            "which landmark {s} is near",
        ),
        (
            "What is {s} near?",
            "Which place is {s} close to?",
            "What landmark is {s} near?",
            "What is {s} close to?",
            "Which landmark is {s} near?",
        ),
        (
            "Are {a} and {b} near the same place?",
            "Are {a} and {b} close to the same place?",
            "What is {a} near, and what is {b} near?",
        ),
    ),
}
"""Attribute → its training phrases."""
