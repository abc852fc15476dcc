"""Extractive fragments and the copy rate, on texts small enough to count by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.evaluation.copying import copy_rate, coverage, density, fragments, words

RECORD = "- name: The Copper Kettle\n- type: pub\n- customer rating: 5 out of 5\n- area: riverside"


def test_words_ignore_case_and_punctuation():
    assert words("The Kettle's £20-25 menu!") == ["the", "kettle's", "20", "25", "menu"]


def test_fragments_by_hand():
    # "the copper kettle" (3) · is · a · "riverside" (1) · "pub" (1) · rated · "5 out of 5" (4)
    answer = "The Copper Kettle is a riverside pub rated 5 out of 5."
    assert fragments(answer, [RECORD]) == [3, 1, 1, 4]
    assert coverage(answer, [RECORD]) == 9 / 12
    assert density(answer, [RECORD]) == (9 + 1 + 1 + 16) / 12
    assert copy_rate(answer, [RECORD]) == 4 / 12


def test_a_copied_record_is_all_copy():
    assert copy_rate(RECORD, [RECORD]) == 1.0
    assert coverage(RECORD, [RECORD]) == 1.0
    assert density(RECORD, [RECORD]) == len(words(RECORD))


def test_a_fragment_lies_within_one_passage():
    assert copy_rate("a b c d", ["a b", "c d"]) == 0.0
    assert fragments("a b c d", ["a b", "c d"]) == [2, 2]


def test_greedy_fragments_and_the_copy_rate_differ_where_runs_overlap():
    # greedy takes "a b c d" and is left with "e"; every word is in some run of four, though
    passages = ["a b c d", "b c d e"]
    assert fragments("a b c d e", passages) == [4, 1]
    assert copy_rate("a b c d e", passages) == 1.0


def test_three_shared_words_are_no_copy():
    assert copy_rate("the copper kettle", ["the copper kettle"]) == 0.0
    assert copy_rate("the copper kettle", ["the copper kettle"], fragment_words=3) == 1.0


@pytest.mark.parametrize("metric", [coverage, density, copy_rate])
def test_an_answer_without_words_is_unscorable(metric):
    assert math.isnan(metric(" … ", [RECORD]))


def test_nothing_to_copy_from():
    assert copy_rate("some words of an answer", []) == 0.0
    assert coverage("some words of an answer", []) == 0.0


texts = st.lists(st.sampled_from("abcde"), min_size=1, max_size=12).map(" ".join)


@given(texts, st.lists(texts, max_size=3))
def test_ranges_and_their_order(answer, passages):
    n = len(words(answer))
    assert 0 <= copy_rate(answer, passages) <= 1
    assert 0 <= coverage(answer, passages) <= 1
    assert coverage(answer, passages) <= density(answer, passages) <= n
    assert copy_rate(answer, passages) <= copy_rate(answer, passages, fragment_words=1)
    assert copy_rate(answer, passages, fragment_words=1) == pytest.approx(
        coverage(answer, passages)
    )
