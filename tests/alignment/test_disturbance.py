"""Disturbed questions: the name survives, the rest may not."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from dera_rag.alignment.disturbance import disturbed, pseudo_word

QUESTION = "Could you tell me which area The Copper Kettle is in?"
NAME = "The Copper Kettle"


@given(seed=st.integers(0, 10_000))
def test_names_stay_as_they_are(seed):
    assert NAME in disturbed(QUESTION, [NAME], random.Random(seed))


def test_about_a_third_is_disturbed_in_every_way():
    rng = random.Random(0)
    texts = [disturbed(QUESTION, [NAME], rng) for _ in range(2000)]
    changed = [text for text in texts if text != QUESTION]
    assert 0.28 < len(changed) / len(texts) < 0.40
    assert any(text.endswith(QUESTION) for text in changed)  # led in
    assert any(text.startswith(QUESTION) for text in changed)  # closed
    assert any(len(text.split()) == len(QUESTION.split()) for text in changed)  # mistyped


def test_a_question_that_is_all_name_has_nothing_to_disturb():
    rng = random.Random(1)
    texts = {disturbed(f"{NAME}?", [NAME], rng) for _ in range(200)}
    assert all(NAME in text for text in texts)


def test_unknown_words_are_words():
    rng = random.Random(2)
    words = [pseudo_word(rng) for _ in range(500)]
    assert all(word.isalpha() and word.islower() for word in words)
    assert len(set(words)) > 450
