"""The plausibility mask: min-p on the aligned branch, off by default, the same at every λ."""

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from path_checks import check_against_generate, check_cover

from dera_rag import DeraDecoder, Sampling
from dera_rag.decoding.mixer import LinearMixer, Lines
from dera_rag.errors import InvalidValueError, LogitsError
from dera_rag.protocols import Branches, LogitPair
from dera_rag.testing import assert_same_tokens, cache_free_logits

GREEDY = Sampling(temperature=0.0, max_new_tokens=10)
LAMS = [0.0, 0.4, 1.0, 1.7, 6.0]


def lines(lams):
    rows = list(range(len(lams)))
    return Lines(torch.tensor(lams), rows, rows, steps=[0] * len(lams), rows=rows)


def random_prompts(pair, seed, count):
    rng = random.Random(seed)
    return [
        [rng.randrange(3, pair.vocab_size) for _ in range(rng.randint(1, 20))] for _ in range(count)
    ]


def test_by_hand():
    """The reference's favourite has a tenth of the aligned maximum: out at .2, in at .05."""
    reference = torch.tensor([[0.1, 0.1, 0.8]]).log()
    aligned = torch.tensor([[0.6, 0.34, 0.06]]).log()
    masked = LinearMixer(0.2).mix(LogitPair(reference, aligned), lines([0.0])).logits
    assert masked[0, 2].item() == -math.inf
    assert torch.equal(masked[0, :2], reference[0, :2])
    kept = LinearMixer(0.05).mix(LogitPair(reference, aligned), lines([0.0])).logits
    assert torch.equal(kept, reference)


def test_is_off_by_default(decoder, pair):
    assert LinearMixer() == LinearMixer(0.0)
    prompts = random_prompts(pair, 1, 5)
    zero = DeraDecoder(pair, mixer=LinearMixer(0.0)).generate(prompts, LAMS, GREEDY)
    plain = decoder.generate(prompts, LAMS, GREEDY)
    assert [a.token_ids for a in zero] == [a.token_ids for a in plain]


def test_which_models_run():
    """λ=0 needs the aligned model for the mask; λ=1 still needs no reference."""
    plain, masked = LinearMixer(), LinearMixer(0.1)
    assert [plain.branches(lam) for lam in (0.0, 0.5, 1.0)] == [
        Branches.REFERENCE,
        Branches.BOTH,
        Branches.ALIGNED,
    ]
    assert [masked.branches(lam) for lam in (0.0, 0.5, 1.0)] == [
        Branches.BOTH,
        Branches.BOTH,
        Branches.ALIGNED,
    ]


@given(
    st.lists(st.tuples(*[st.floats(-20, 20, width=32)] * 2), min_size=2, max_size=8),
    st.floats(0, 1),
)
def test_what_is_left_does_not_depend_on_lambda(pairs, share):
    reference, aligned = (torch.tensor([values] * 5) for values in zip(*pairs, strict=True))
    mixed = LinearMixer(share).mix(LogitPair(reference, aligned), lines(LAMS)).logits
    inside = mixed.isfinite()
    assert torch.equal(inside, inside[:1].expand_as(inside))
    assert inside[0, aligned[0].argmax()]


@given(
    st.lists(st.tuples(*[st.floats(-20, 20, width=32)] * 2), min_size=2, max_size=8),
    st.floats(0, 1),
)
def test_lines_in_lambda_are_the_mixture(pairs, share):
    """What the path follows is what decoding mixes, mask included."""
    reference, aligned = (torch.tensor([values] * 5) for values in zip(*pairs, strict=True))
    mixer, both = LinearMixer(share), LogitPair(reference, aligned)
    made = mixer.affine(both, step=0, rows=range(5)).at(torch.tensor(LAMS, dtype=torch.float64))
    mixed = mixer.mix(both, lines(LAMS)).logits.double()
    torch.testing.assert_close(made, mixed, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("plausibility", [0.05, 0.4])
def test_equals_a_cache_free_loop(pair, plausibility, cases):
    decoder = DeraDecoder(pair, mixer=LinearMixer(plausibility))
    for seed in range(cases(1, 40)):
        prompts = random_prompts(pair, seed, len(LAMS))
        answers = decoder.generate(prompts, LAMS, GREEDY)
        for prompt, lam, answer in zip(prompts, LAMS, answers, strict=True):

            def scores(tail, prompt=prompt, lam=lam):
                aligned = cache_free_logits(pair, [*prompt, *tail], 1.0).softmax(-1)
                mixed = cache_free_logits(pair, [*prompt, *tail], lam)
                return mixed.masked_fill(aligned < plausibility * aligned.max(), -math.inf)

            expected = []
            while len(expected) < 10 and not (expected and expected[-1] in pair.stop_ids):
                expected.append(int(scores(expected).argmax()))
            assert assert_same_tokens(answer.token_ids, expected, scores) is None
            assert decoder.generate(prompt, lam, GREEDY).token_ids == answer.token_ids


@pytest.mark.parametrize("plausibility", [0.1, 0.5])
@pytest.mark.parametrize(
    "sampling",
    # Random models change their answer every few hundredths of λ: short ones are many enough.
    [
        Sampling(temperature=0.0, max_new_tokens=4),
        Sampling(temperature=0.8, max_new_tokens=4, seed=3),
        Sampling(temperature=0.0, max_new_tokens=6, repetition_penalty=1.5),
    ],
    ids=["greedy", "sampled", "penalty"],
)
def test_the_path_stays_exact(pair, sampling, plausibility, cases):
    """On a grid and on both sides of every breakpoint; the mask makes it another path."""
    decoder = DeraDecoder(pair, mixer=LinearMixer(plausibility))
    prompts = random_prompts(pair, 9, cases(2, 20))
    paths = decoder.path(prompts, (0.0, 3.0), sampling)
    for path in paths:
        check_cover(path, 0.0, 3.0)
    check_against_generate(decoder, prompts, paths, sampling)
    unmasked = DeraDecoder(pair).path(prompts, (0.0, 3.0), sampling)
    assert [p.breakpoints for p in paths] != [p.breakpoints for p in unmasked]


def test_holds_extrapolation_back(pair, decoder):
    """Far beyond λ=1 every token is still one the aligned model could have written."""
    masked = DeraDecoder(pair, mixer=LinearMixer(0.2))
    prompts = random_prompts(pair, 10, 4)
    share = []
    for made in (masked, decoder):
        answers = made.generate(prompts, 8.0, GREEDY)
        for prompt, answer in zip(prompts, answers, strict=True):
            for place, token in enumerate(answer.token_ids):
                ids = [*prompt, *answer.token_ids[:place]]
                p = cache_free_logits(pair, ids, 1.0).softmax(-1)
                share.append((made is masked, float(p[token] / p.max())))
    assert min(x for inside, x in share if inside) >= 0.2 - 1e-4
    assert min(x for inside, x in share if not inside) < 0.2


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan, "0.1", True])
def test_refuses_what_is_no_share(value):
    with pytest.raises(InvalidValueError, match="plausibility must be a number in"):
        LinearMixer(value)


def test_needs_the_aligned_model():
    alone = LogitPair(torch.zeros(1, 3), None)
    at_zero = Lines(torch.zeros(1), [0], [], steps=[0], rows=[0])
    with pytest.raises(LogitsError, match="aligned model's logits of every line"):
        LinearMixer(0.1).mix(alone, at_zero)
