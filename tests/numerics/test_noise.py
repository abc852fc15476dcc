import math

import numpy as np
import torch
from scipy import stats

from dera_rag.numerics.noise import derive_seed, fold, gumbel, mix64

CPU = torch.device("cpu")


def test_hash_matches_the_published_splitmix64_stream():
    """First outputs of SplitMix64 from state 1234567, as its authors' test vector gives them."""
    state, out = 1234567, []
    for _ in range(3):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        out.append(mix64(state))
    assert out == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_vectorised_hash_equals_the_scalar_one():
    seed, index, size = 2**63 + 12345, 6, 50
    key = mix64((mix64(seed) ^ (index * 0x9E3779B97F4A7C15)) % 2**64)
    for token, value in enumerate(gumbel([seed], [index], size, CPU)[0].tolist()):
        word = mix64((key + (token + 1) * 0x9E3779B97F4A7C15) % 2**64)
        uniform = ((word >> 12) + 0.5) * 2.0**-52
        assert math.isclose(value, -math.log(-math.log(uniform)), rel_tol=1e-9, abs_tol=1e-12)


def test_noise_depends_on_seed_index_and_token_only():
    alone = gumbel([7], [3], 100, CPU)
    among = gumbel([1, 7, 7, 9], [3, 3, 4, 3], 100, CPU)
    assert torch.equal(among[1], alone[0])
    assert not torch.equal(among[2], alone[0])
    # A larger vocabulary (padding not yet cut) leaves the noise of the others alone.
    torch.testing.assert_close(gumbel([7], [3], 160, CPU)[0, :100], alone[0], rtol=1e-12, atol=0)


def test_noise_is_standard_gumbel():
    draws = gumbel(list(range(20)), [5] * 20, 2000, CPU).flatten().numpy()
    assert np.isfinite(draws).all()
    assert stats.kstest(draws, "gumbel_r").pvalue > 0.01


def test_neighbouring_seeds_indices_and_tokens_are_uncorrelated():
    base = gumbel([10], [0], 20_000, CPU)[0].numpy()
    for other in (
        gumbel([11], [0], 20_000, CPU)[0].numpy(),
        gumbel([10], [1], 20_000, CPU)[0].numpy(),
        np.roll(base, 1),
    ):
        # Standard error of a correlation over 20,000 pairs is .007.
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.03


def test_every_integer_is_a_seed():
    for seed in (0, 5, 2**64 - 1):
        assert fold(seed) == seed
    odd = [-1, -5, 2**64, 2**200, -(2**200)]
    folded = [fold(seed) for seed in odd]
    assert len({*folded, 0, 5}) == len(odd) + 2
    assert all(0 <= word < 2**64 for word in folded)


def test_derived_seeds_differ_by_row_and_run():
    seeds = {derive_seed(run, row) for run in range(50) for row in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**63 for seed in seeds)
