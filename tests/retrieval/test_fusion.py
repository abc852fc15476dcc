import pytest

from dera_rag.errors import InvalidValueError
from dera_rag.retrieval import reciprocal_rank_fusion


def test_hand_computed_scores():
    # a: 1/61 + 1/63, b: 1/62 + 1/61, c: 1/63, d: 1/62
    fused = reciprocal_rank_fusion([["a", "b", "c"], ["b", "d", "a"]])
    assert fused == pytest.approx(
        {"a": 1 / 61 + 1 / 63, "b": 1 / 62 + 1 / 61, "c": 1 / 63, "d": 1 / 62}, abs=1e-15
    )
    assert max(fused, key=fused.__getitem__) == "b"


def test_weights_scale_a_ranking():
    fused = reciprocal_rank_fusion([["a"], ["b"]], k=1, weights=[1.0, 0.5])
    assert fused == {"a": 0.5, "b": 0.25}


def test_no_ranking_gives_nothing():
    assert reciprocal_rank_fusion([]) == {}


def test_nonsense_is_refused():
    with pytest.raises(InvalidValueError, match="k=0"):
        reciprocal_rank_fusion([["a"]], k=0)
    with pytest.raises(InvalidValueError, match="2 weights"):
        reciprocal_rank_fusion([["a"]], weights=[1, 2])
