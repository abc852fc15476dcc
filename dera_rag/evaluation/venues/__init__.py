"""Invented venues: records, questions about them, and exact judgement of the answers."""

from dera_rag.evaluation.slot_lexicon import ATTRIBUTES
from dera_rag.evaluation.venues.judge import Verdict, judge
from dera_rag.evaluation.venues.meter import VenuesMeter
from dera_rag.evaluation.venues.names import confusable, make_name, make_near
from dera_rag.evaluation.venues.places import make_places, make_record
from dera_rag.evaluation.venues.questions import ask, make_questions
from dera_rag.evaluation.venues.schema import (
    KINDS,
    LABELS,
    SPLITS,
    VALUES,
    Place,
    Question,
    read_record,
    render_record,
)

__all__ = [
    "ATTRIBUTES",
    "KINDS",
    "LABELS",
    "SPLITS",
    "VALUES",
    "Place",
    "Question",
    "VenuesMeter",
    "Verdict",
    "ask",
    "confusable",
    "judge",
    "make_name",
    "make_near",
    "make_places",
    "make_questions",
    "make_record",
    "read_record",
    "render_record",
]
