import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from dera_rag.errors import InvalidValueError
from dera_rag.numerics import Sampling, choose, row_seeds
from dera_rag.numerics.sampling import heat, penalise, truncate


def test_defaults():
    sampling = Sampling()
    assert sampling.temperature == 1.0
    assert (sampling.top_k, sampling.top_p, sampling.min_p) == (0, 1.0, 0.0)
    assert sampling.repetition_penalty == 1.0
    assert sampling.seed is None
    assert sampling.max_new_tokens == 256
    assert sampling.repetition_scope == "completion"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("temperature", [-0.1, math.nan, math.inf, "1", True, None]),
        ("top_k", [-1, 2.5, "3", True, None]),
        ("top_p", [0, -0.1, 1.01, math.nan, "0.9", True]),
        ("min_p", [-0.1, 1.1, math.nan, math.inf, True]),
        ("repetition_penalty", [0, -1, math.nan, math.inf, True]),
        ("max_new_tokens", [0, -3, 2.0, math.inf, True, None]),
        ("seed", [1.5, "5", True, [1, 2.5], [True], "12"]),
        ("repetition_scope", ["prompt", None]),
    ],
)
def test_refused_in_the_constructor(field, values):
    for value in values:
        with pytest.raises(InvalidValueError, match=field):
            Sampling(**{field: value})


@pytest.mark.parametrize("field", ["temperature", "top_p", "min_p", "repetition_penalty"])
def test_what_is_not_finite_is_called_so(field):
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(InvalidValueError, match=f"{field} must be finite, got {value}"):
            Sampling(**{field: value})


def test_integers_and_numpy_numbers_are_numbers():
    sampling = Sampling(
        temperature=0, top_k=np.int64(3), top_p=1, seed=np.int64(4), min_p=np.float64(0.5)
    )
    assert sampling == Sampling(temperature=0.0, top_k=3, top_p=1.0, seed=4, min_p=0.5)
    assert sampling.greedy
    assert Sampling(seed=np.array([1, 2])) == Sampling(seed=[1, 2])
    assert hash(Sampling(seed=[1, 2])) == hash(Sampling(seed=(1, 2)))


def test_row_seeds():
    assert row_seeds(Sampling(seed=5), 1, single=True) == [5]
    assert row_seeds(Sampling(seed=[9, 8]), 2, single=False) == [9, 8]
    assert row_seeds(Sampling(seed=[9]), 1, single=True) == [9]
    three = row_seeds(Sampling(seed=5), 3, single=False)
    assert len(set(three)) == 3
    assert three[:2] == row_seeds(Sampling(seed=5), 2, single=False)
    assert row_seeds(Sampling(seed=5), 1, single=False) == three[:1] != [5]
    assert row_seeds(Sampling(temperature=0.0, seed=5), 2, single=False) == [None, None]
    fresh = row_seeds(Sampling(), 2, single=False)
    assert None not in fresh
    assert fresh != row_seeds(Sampling(), 2, single=False)


@pytest.mark.parametrize("seeds", [[], [1], [1, 2, 3]])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_wrong_number_of_seeds_is_refused_also_when_greedy(seeds, temperature):
    with pytest.raises(InvalidValueError, match="seeds for 2 prompts"):
        row_seeds(Sampling(seed=seeds, temperature=temperature), 2, single=False)


def test_greedy_ties_go_to_the_lowest_id():
    logits = torch.tensor([[0.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    chosen = choose(logits, Sampling(temperature=0.0), seeds=[None] * 2, indices=[0, 0])
    assert chosen.tolist() == [1, 0]


def test_a_tiny_temperature_is_greedy_and_not_an_overflow():
    logits = torch.tensor([[100.0, 101.0, -50.0]])
    chosen = choose(logits, Sampling(temperature=1e-300), seeds=[1], indices=[0])
    assert chosen.tolist() == [1]


@given(
    temperature=st.floats(0.2, 3),
    top_k=st.integers(0, 40),
    top_p=st.floats(0.05, 1),
    min_p=st.sampled_from([0.0, 0.02, 0.1, 0.5]),
    penalty=st.floats(0.5, 2),
    seed=st.integers(0, 10_000),
    spread=st.sampled_from([0.5, 2.0, 6.0]),
)
def test_stages_and_their_order_are_those_of_transformers(
    temperature, top_k, top_p, min_p, penalty, seed, spread
):
    """In the shape production uses: several rows, more tokens than the nucleus shortcut holds."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 1500, generator=generator) * spread
    history = torch.randint(1500, (3, 20), generator=generator)
    seen = torch.zeros(3, 1500, dtype=torch.bool).scatter(1, history, True)
    stages = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(penalty)])
    stages.append(TemperatureLogitsWarper(temperature))
    if top_k:
        stages.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        stages.append(TopPLogitsWarper(top_p))
    if min_p:
        stages.append(MinPLogitsWarper(min_p))
    expected = stages(history, logits.double())
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    scores = truncate(heat(penalise(logits, seen, penalty), temperature), sampling)
    kept, wanted = scores.isfinite(), expected.isfinite()
    # A token whose mass ends at the border to the last bit may fall on either side.
    assert (kept != wanted).sum() <= 1
    both = kept & wanted
    torch.testing.assert_close(
        torch.where(both, scores, -math.inf).softmax(-1),
        torch.where(both, expected, -math.inf).softmax(-1),
        # Penalties are applied in float32 here and in float64 there.
        rtol=1e-5,
        atol=1e-9,
    )


def test_nucleus_by_hand():
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    for top_p, kept in ((0.4, 1), (0.6, 2), (0.81, 3), (0.96, 4)):
        scores = truncate(heat(logits, 1.0), Sampling(top_p=top_p))
        assert scores.isfinite().sum() == kept, top_p


def test_nucleus_of_a_flat_distribution_is_wider_than_the_shortcut():
    scores = truncate(torch.arange(3000.0).unsqueeze(0).mul(-1e-4), Sampling(top_p=0.9))
    assert 2400 < scores.isfinite().sum() < 2800


def test_truncation_does_not_depend_on_the_other_rows():
    peaked, flat = torch.zeros(1, 2000), torch.zeros(1, 2000)
    peaked[0, :5] = 12.0
    together = truncate(heat(torch.cat([peaked, flat]), 1.0), Sampling(top_p=0.9))
    alone = truncate(heat(peaked, 1.0), Sampling(top_p=0.9))
    assert torch.equal(together[:1], alone)


def test_a_penalty_divides_positive_and_multiplies_negative_scores():
    logits = torch.tensor([[2.0, -2.0, 3.0]])
    seen = torch.tensor([[True, True, False]])
    assert penalise(logits, seen, 2.0).tolist() == [[1.0, -4.0, 3.0]]
    assert penalise(logits, None, 2.0) is logits


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=0.7),
        Sampling(top_k=4),
        Sampling(top_p=0.8),
        Sampling(min_p=0.2),
        Sampling(temperature=1.5, top_k=6, top_p=0.9, min_p=0.05),
    ],
)
def test_draws_follow_the_distribution(sampling, cases):
    """χ² of one token's draws over many row seeds against the exact probabilities."""
    count = cases(4000, 40_000)
    logits = torch.randn(1, 12, generator=torch.Generator().manual_seed(3)) * 1.5
    exact = truncate(heat(logits, sampling.temperature), sampling).softmax(-1)[0].numpy()
    chosen = choose(
        logits.expand(count, -1), sampling, seeds=range(count), indices=[0] * count
    ).numpy()
    observed = np.bincount(chosen, minlength=12)
    assert (observed[exact == 0] == 0).all()
    possible = exact > 0
    if possible.sum() > 1:
        test = stats.chisquare(observed[possible], exact[possible] * count)
        assert test.pvalue > 1e-3
