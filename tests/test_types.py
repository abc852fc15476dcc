"""Records that cross rooms: plain, frozen, and JSON all the way down."""

import copy
import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dera_rag.errors import DeraRagError, InvalidValueError
from dera_rag.types import (
    BranchedPrompt,
    DecodeTrace,
    Generation,
    LambdaDecision,
    Passage,
    RagAnswer,
    UnsupportedSpan,
    Usage,
    check_lam,
)

NAN = math.nan
TRACE = DecodeTrace(
    lam=(1.0, 1.0),
    reference=(-2.0, -0.5),
    aligned=(-0.5, -0.75),
    mixture=(-0.5, -0.75),
    kl=(0.25, 0.75),
    entropy=(1.0, NAN),
)


def answer():
    generation = Generation("a pub", [7, 0], "stop", Usage(5, 2), TRACE, lam=1.0, seed=3)
    return RagAnswer(
        text="a pub",
        passages=(Passage("p1", "- name: X", score=0.5, scores={"dense": 0.5, "bm25": NAN}),),
        decision=LambdaDecision(1.0, "fixed", {"margin": math.inf}),
        generation=generation,
        unsupported_spans=(UnsupportedSpan(2, 5, "pub", "type: the record says café"),),
        citations=("p1",),
        question="What is X?",
    )


def test_log_ratio_is_aligned_minus_reference():
    assert TRACE.log_ratio == (1.5, -0.25)
    assert DecodeTrace().log_ratio == ()
    with pytest.raises(ValueError, match="zip"):
        dataclasses.replace(TRACE, aligned=(-1.0,)).log_ratio  # noqa: B018 - the property raises


def test_mean_kl_is_nan_where_there_is_none():
    assert TRACE.mean_kl == 0.5
    assert math.isnan(DecodeTrace().mean_kl)
    assert math.isnan(dataclasses.replace(TRACE, kl=(0.0, NAN)).mean_kl)


def test_an_answer_is_json_and_missing_numbers_are_null():
    # allow_nan=False: a bare NaN is no JSON, and most readers refuse the file.
    row = json.loads(json.dumps(answer().to_dict(), allow_nan=False))
    assert row["generation"]["trace"]["entropy"] == [1.0, None]
    assert row["decision"]["signals"] == {"margin": None}
    assert row["passages"][0]["scores"] == {"dense": 0.5, "bm25": None}
    assert row["generation"]["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
    }
    assert row["unsupported_spans"][0]["reason"] == "type: the record says café"


@pytest.mark.parametrize("record", [answer(), answer().generation, answer().decision, TRACE])
def test_to_dict_holds_every_field(record):
    assert {f.name for f in dataclasses.fields(record)} == set(record.to_dict())


@pytest.mark.parametrize(
    "record", [Usage(1, 2), TRACE, answer(), answer().generation, answer().passages[0]]
)
def test_records_are_frozen(record):
    first = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, first, None)


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_any_finite_lam_from_zero_up_is_fine(lam):
    assert check_lam(lam) == lam
    assert LambdaDecision(lam, "why").lam == lam


@given(st.one_of(st.floats(max_value=0, exclude_max=True), st.sampled_from([NAN, math.inf])))
def test_any_other_lam_is_refused_with_its_value(lam):
    with pytest.raises(InvalidValueError) as caught:
        LambdaDecision(lam, "why")
    assert repr(lam) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("lam", ["1", None, True, [1.0], 1 + 0j])
def test_lam_must_be_a_number(lam):
    with pytest.raises(DeraRagError, match="must be a number"):
        check_lam(lam)


def test_whole_numbers_become_floats():
    assert isinstance(check_lam(2), float)


def test_a_policy_may_compute_with_numpy():
    decision = LambdaDecision(
        np.float32(0.5), "why", {"margin": np.float32(0.25)}, plausibility=np.float32(0.125)
    )
    assert type(decision.lam) is type(decision.plausibility) is float
    assert json.loads(json.dumps(decision.to_dict())) == {
        "lam": 0.5,
        "reason": "why",
        "signals": {"margin": 0.25},
        "policy": "constant",
        "plausibility": 0.125,
    }


@pytest.mark.parametrize("value", [-0.1, 1.1, NAN, "0.1", True, None])
def test_a_decision_refuses_a_plausibility_that_is_none(value):
    with pytest.raises(InvalidValueError, match=r"plausibility must be a number in \[0, 1\]"):
        LambdaDecision(1.0, "why", plausibility=value)


def test_equality_of_branched_prompts_counts_what_stands_beside_the_ids():
    plain = BranchedPrompt([1, 2])
    assert plain == BranchedPrompt([1, 2])
    assert hash(plain) == hash(BranchedPrompt([1, 2]))
    others = [
        BranchedPrompt([1, 2], without=[2]),
        BranchedPrompt([1, 2], shares={"a": 1.0}),
        BranchedPrompt([1, 3]),
        (1, 2),
    ]
    assert all(plain != other for other in others)
    assert tuple(plain) == (1, 2)
    assert BranchedPrompt([1, 2], without=[2]).without == (2,)


@pytest.mark.parametrize(
    "record",
    [answer(), Passage("p", "text"), BranchedPrompt([1, 2], without=[1], shares={"a": 0.5})],
    ids=lambda record: type(record).__name__,
)
def test_records_can_be_copied_and_sent_to_another_process(record):
    # Compared as text: a NaN is not equal to itself once it has been through another process.
    for made in (copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert repr(made) == repr(record)
        assert type(made) is type(record)
    if isinstance(record, BranchedPrompt):
        assert made == record
