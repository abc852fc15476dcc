"""How each attribute is asked for in held-out wordings; nothing is trained or tuned on them."""

from __future__ import annotations

from collections.abc import Mapping

from dera_rag.evaluation.venues.phrases import Phrases

HELDOUT: Mapping[str, Phrases] = {
    "eatType": Phrases(
        ("establishment type", "business type"),
        (
            "whether {s} is a café, pub or restaurant",
            "whether {s} is a restaurant or something else",
            "what kind of business {s} is",
            "whether {s} is more of a café or a pub",
        ),
        (
            "Is {s} a restaurant or something else?",
            "Is {s} a pub or a different kind of place?",
            "What kind of business is {s}?",
            "Is {s} more of a café or a pub?",
        ),
        (
            "Is {a} the same sort of place as {b}?",
            "What type of venue are {a} and {b}?",
        ),
    ),
    "food": Phrases(
        ("food type", "cuisine type", "style of food"),
        (
            "what type of food {s} does",
            "what sort of cooking {s} does",
            "what style of food {s} offers",
            "which cuisine {s} offers",
        ),
        (
            "What type of food is served at {s}?",
            "Which cuisine does {s} offer?",
            "What sort of cooking does {s} do?",
        ),
        (
            "Do {a} and {b} serve the same kind of food?",
            "Is the food at {a} different from the food at {b}?",
            "Is the cuisine the same at {a} and {b}?",
        ),
    ),
    "priceRange": Phrases(
        ("price category", "price bracket"),
        (
            "how pricey {s} is",
            "what price bracket {s} is in",
            "whether {s} is on the expensive side",
            "whether {s} is affordable",
        ),
        (
            "How pricey is {s}?",
            "How much should I expect to spend at {s}?",
            "What would I pay at {s}?",
            "Is {s} affordable?",
        ),
        (
            "Is {a} more expensive than {b}?",
            "How do the prices at {a} and {b} compare?",
            "How expensive are {a} and {b}?",
        ),
    ),
    "customer rating": Phrases(
        (
            "review score",
            "guest rating",
        ),
        (
            "whether customers like {s}",
            "how well rated {s} is",
            "whether {s} has a good rating",
            "whether {s} gets good reviews",
        ),
        (
            "How well rated is {s}?",
            "How is {s} rated by customers?",
            "Does {s} get good reviews?",
        ),
        (
            "What ratings do {a} and {b} have?",
            "How do customers rate {a} and {b}?",
        ),
    ),
    "area": Phrases(
        ("city area", "local area"),
        (
            "where in town {s} is",
            "which part of town {s} is in",
            "what neighbourhood {s} is in",
            "what part of the city {s} is in",
        ),
        (
            "Where in town is {s}?",
            "Which part of town is {s} in?",
            "Where is {s} located?",
        ),
        (
            "What areas are {a} and {b} in?",
            "Is {a} in the same neighbourhood as {b}?",
        ),
    ),
    "familyFriendly": Phrases(
        (
            "suitability for kids",
            "family suitability",
            "kid friendliness",
        ),
        (
            "whether {s} welcomes children",
            "whether {s} allows kids",
            "how family friendly {s} is",
            "whether {s} is okay for kids",
        ),
        (
            "Can I take my kids to {s}?",
            "Are kids allowed at {s}?",
            "Is {s} okay for kids?",
        ),
        (
            "Can I take my kids to both {a} and {b}?",
            "Do {a} and {b} both welcome families?",
            "Are {a} and {b} suitable for children?",
        ),
    ),
    "near": Phrases(
        (
            "nearby landmark",
            "nearest neighbour",
        ),
        (
            "what landmark {s} is close to",
            "what can be found near {s}",
            "what {s} is next to",
            "what place {s} is close to",
            "what is close to {s}",
        ),
        (
            "What landmark is {s} close to?",
            "What's close to {s}?",
            "What is {s} next to?",
            "What is there near {s}?",
        ),
        (
            "What are {a} and {b} near?",
            "Is {a} close to the same landmark as {b}?",
        ),
    ),
}
"""Attribute → its held-out phrases."""
