"""How questions are worded: templates for training and others that nothing is trained or tuned on.

A question's wording depends on how much it asks, never on what the corpus can answer: questions
about a missing attribute, an unknown place or a near-duplicate are worded like any other, or the
wording would give the answer away. So there are four *forms*, and each split has its own templates
for each of them:

    describe   everything about a place       {name}
    single     one attribute of a place       {name}, written out per attribute
    several    two or three of them           {name} and {clauses}, {name} and {topics}
    compare    one to three of two places     {a}, {b} and {topics}; or written out per attribute
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dera_rag.evaluation.venues.phrases import HELDOUT, TRAIN, Phrases

_DESCRIBE = """
Tell me about {name}.
What is {name} like?
Describe {name}.
Can you describe {name} for me?
What can you tell me about {name}?
What do you know about {name}?
Give me an overview of {name}.
I'd like to know more about {name}.
Could you tell me something about {name}?
Please describe {name} in a sentence or two.
I have never heard of {name}. What is it like?
Write a short description of {name}.
Sum up {name} for me.
How would you describe {name}?
Someone mentioned {name}. What should I know about it?
Do you have any information on {name}?
Introduce {name} to a visitor.
I'm thinking of going to {name}. What can I expect?
Any details on {name}?
What does the guide say about {name}?
We might go to {name} tonight. Tell us about it.
Give me the details of {name}.
Fill me in on {name}.
{name}: what is it like?
"""
_DESCRIBE_HELDOUT = """
What should I expect from {name}?
Could you give me a short summary of {name}?
Tell us a bit about {name}, please.
I wonder what {name} is like.
Write a sentence or two about {name}.
A friend suggested {name}. Can you describe it?
What information is there on {name}?
How would you sum up {name}?
Please introduce {name}.
I know nothing about {name}. What is there to say about it?
"""
_CLAUSE_FRAMES = """
Can you tell me {clause}?
Could you tell me {clause}?
Do you know {clause}?
I'd like to know {clause}.
I want to know {clause}.
Tell me {clause}.
Please tell me {clause}.
Can you find out {clause}?
I'm trying to find out {clause}.
Any idea {clause}?
Could you check {clause}?
My friend asks {clause}.
I need to know {clause}.
Does the guide say {clause}?
Would you happen to know {clause}?
Let me know {clause}.
"""
_CLAUSE_FRAMES_HELDOUT = """
We were wondering {clause}.
Is it known {clause}?
Could someone tell me {clause}?
Please say {clause}.
I've been asked {clause}.
Have you any idea {clause}?
"""
_QUESTION_FRAMES = """
{Question}
{Question} Thanks.
I'm planning a visit. {Question}
Hi, {question}
Quick question: {question}
One more thing: {question}
According to the guide, {question}
Excuse me, {question}
"""
_QUESTION_FRAMES_HELDOUT = """
{Question} I can't remember.
Before we book: {question}
Just checking: {question}
Sorry, {question}
"""
_TOPIC_FRAMES = """
What are the {topics} of {name}?
Give me the {topics} of {name}.
Tell me the {topics} of {name}.
{name}: {topics}?
I need the {topics} of {name}.
Please list the {topics} of {name}.
Summarise the {topics} of {name}.
Could you give me the {topics} of {name}?
What does the guide say about the {topics} of {name}?
I'm interested in the {topics} of {name}.
For {name}, what are the {topics}?
Look up the {topics} of {name}.
"""
_TOPIC_FRAMES_HELDOUT = """
Please give the {topics} of {name}.
Can I have the {topics} of {name}?
I'd love to know the {topics} of {name}.
Remind me of the {topics} of {name}.
"""
_COMPARE = """
Compare {a} and {b} on {topics}.
How do {a} and {b} compare on {topics}?
How do {a} and {b} differ in {topics}?
Compare the {topics} of {a} and {b}.
{a} or {b}: compare their {topics}.
Can you compare {a} with {b} on {topics}?
I can't choose between {a} and {b}. Compare their {topics}.
Tell me the {topics} of both {a} and {b}.
Give me the {topics} of {a} and of {b}.
What is the difference between {a} and {b} in {topics}?
We are torn between {a} and {b}. Tell us their {topics}.
Please compare {a} and {b} by {topics}.
Set {a} against {b} on {topics}.
I'd like a comparison of {a} and {b} on {topics}.
Do {a} and {b} differ in {topics}?
Contrast {a} with {b} on {topics}.
How does {a} compare with {b} in terms of {topics}?
Put {a} and {b} side by side on {topics}.
Could you tell me how {a} and {b} compare in {topics}?
{a} versus {b}: tell me the {topics} of each.
Tell me how {a} differs from {b} in {topics}.
"""
_COMPARE_HELDOUT = """
How is {a} different from {b} in {topics}?
Could you compare {a} and {b} with regard to {topics}?
We are choosing between {a} and {b}. What about their {topics}?
I need the {topics} of {a} and {b}.
Help me compare the {topics} of {a} and {b}.
As for {topics}, how do {a} and {b} compare?
List the {topics} of {a}, then of {b}.
What sets {a} apart from {b} in {topics}?
"""


@dataclass(frozen=True)
class Wordings:
    """Every template of one split; each field maps to the templates of one form.

    Attributes:
        describe: Templates in `{name}`.
        single: Attribute → templates in `{name}`.
        several: Templates in `{name}` and one of `{clauses}`, `{topics}`.
        compare: Templates in `{a}`, `{b}` and `{topics}`.
        compare_one: Attribute → a template in `{a}` and `{b}`.
        phrases: Attribute → what fills `{clauses}` and `{topics}`.
    """

    describe: tuple[str, ...]
    single: Mapping[str, tuple[str, ...]]
    several: tuple[str, ...]
    compare: tuple[str, ...]
    compare_one: Mapping[str, str]
    phrases: Mapping[str, Phrases]


def _lines(block: str) -> tuple[str, ...]:
    return tuple(block.strip().splitlines())


def _single(phrases: Phrases, clause_frames: str, question_frames: str) -> tuple[str, ...]:
    """Every frame around every phrase of an attribute."""
    clauses = [c.format(s="{name}") for c in phrases.clauses]
    questions = [q.format(s="{name}") for q in phrases.questions]
    embedded = [f.format(clause=c) for f in _lines(clause_frames) for c in clauses]
    direct = [
        f.format(Question=q, question=q[0].lower() + q[1:])
        for f in _lines(question_frames)
        for q in questions
    ]
    return tuple(embedded + direct)


def _wordings(phrases: Mapping[str, Phrases], blocks: Mapping[str, str]) -> Wordings:
    several = blocks["clauses"].replace("{clause}", "{clauses}")
    return Wordings(
        describe=_lines(blocks["describe"]),
        single={
            attribute: _single(phrase, blocks["clauses"], blocks["questions"])
            for attribute, phrase in phrases.items()
        },
        several=_lines(several) + _lines(blocks["topics"]),
        compare=_lines(blocks["compare"]),
        compare_one={attribute: phrase.compare for attribute, phrase in phrases.items()},
        phrases=phrases,
    )


WORDINGS: Mapping[str, Wordings] = {
    "train": _wordings(
        TRAIN,
        {
            "describe": _DESCRIBE,
            "clauses": _CLAUSE_FRAMES,
            "questions": _QUESTION_FRAMES,
            "topics": _TOPIC_FRAMES,
            "compare": _COMPARE,
        },
    ),
    "heldout": _wordings(
        HELDOUT,
        {
            "describe": _DESCRIBE_HELDOUT,
            "clauses": _CLAUSE_FRAMES_HELDOUT,
            "questions": _QUESTION_FRAMES_HELDOUT,
            "topics": _TOPIC_FRAMES_HELDOUT,
            "compare": _COMPARE_HELDOUT,
        },
    ),
}
"""Split → its templates; no template, frame or phrase is in both."""
