"""The same weights with and without the passages, against full forwards of both prompts."""

import copy
import random
from dataclasses import replace

import pytest
from path_checks import check_against_generate, check_cover, score_gap

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.decoding.contrast import cad
from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.pairs.context import ContextContrast, ContextPair
from dera_rag.pairs.several import SeveralPair
from dera_rag.testing import (
    assert_same_tokens,
    cache_free_logits,
    hugging_face_greedy,
    write_adapter,
    write_pair,
)
from dera_rag.types import BranchedPrompt

GREEDY = Sampling(temperature=0.0, max_new_tokens=10)
# Random models change their answer every few hundredths of λ.
SHORT = Sampling(temperature=0.0, max_new_tokens=4)


@pytest.fixture(scope="module", params=["llama", "mistral", "gpt2"])
def pair(request, tmp_path_factory):
    return write_pair(
        tmp_path_factory.mktemp("context"), request.param, padding=(0, 3), eos=([2], [2, 17])
    ).load()


def random_prompt(pair, rng):
    bare = [rng.randrange(3, pair.vocab_size) for _ in range(rng.randint(1, 8))]
    passages = [rng.randrange(3, pair.vocab_size) for _ in range(rng.randint(0, 24))]
    return BranchedPrompt(passages + bare, without=bare)


def check(pair, prompt, score, answer, limit=10):
    """Greedy tokens of `score(with ids, without ids)`, with nothing cached."""

    def logits(tail):
        return score([*prompt, *tail], [*prompt.without, *tail])

    expected = []
    while len(expected) < limit and not (expected and expected[-1] in pair.stop_ids):
        expected.append(int(logits(expected).argmax()))
    assert assert_same_tokens(answer.token_ids, expected, logits) is None


@pytest.mark.parametrize("model", ["reference", "aligned"])
def test_lambda_is_the_context_axis(pair, model, cases):
    """λ=0 never sees the passages, λ=1 is the plain model, λ=1+α is CAD."""
    axis, side = ContextPair(pair, model), float(model == "aligned")
    rng = random.Random(7)
    for _ in range(cases(1, 30)):
        prompts = [random_prompt(pair, rng) for _ in range(4)]
        lams = [0.0, 0.6, 1.0, cad(0.8)]
        together = DeraDecoder(axis).generate(prompts, lams, GREEDY)
        for prompt, lam, answer in zip(prompts, lams, together, strict=True):

            def score(ids, bare, lam=lam):
                whole, without = (cache_free_logits(pair, x, side) for x in (ids, bare))
                return without + lam * (whole - without)

            check(pair, prompt, score, answer)
            assert DeraDecoder(axis).generate(prompt, lam, GREEDY).token_ids == answer.token_ids
            assert answer.usage.prompt_tokens == len(prompt)
        weights = pair.aligned if side else pair.reference
        for row, ids in ((0, prompts[0].without), (2, prompts[2])):
            assert together[row].token_ids == hugging_face_greedy(pair, weights, ids, 10)


def test_both_axes_combine(pair, cases):
    """h = m + α(m − m′) with m = r + λ(a − r): four forwards by the formula."""
    rng = random.Random(8)
    for _ in range(cases(1, 30)):
        prompts = [random_prompt(pair, rng) for _ in range(4)]
        lams, alpha = [0.0, 0.7, 1.0, 1.9], rng.choice([0.4, 1.0])
        contrast = ContextContrast(pair, alpha)
        together = DeraDecoder(contrast).generate(prompts, lams, GREEDY)
        for prompt, lam, answer in zip(prompts, lams, together, strict=True):

            def score(ids, bare, lam=lam, alpha=alpha):
                whole, without = (cache_free_logits(pair, x, lam) for x in (ids, bare))
                return whole + alpha * (whole - without)

            check(pair, prompt, score, answer)
            alone = DeraDecoder(contrast).generate(prompt, lam, GREEDY)
            assert alone.token_ids == answer.token_ids


def along_context(pair, prompt, lam, ids):
    """Logits of `ContextPair(pair)`."""
    whole, without = (cache_free_logits(pair, x, 1.0, ids) for x in (prompt, prompt.without))
    return without + lam * (whole - without)


def contrasted(pair, prompt, lam, ids):
    """Logits of `ContextContrast(pair, 0.5)`."""
    whole, without = (cache_free_logits(pair, x, lam, ids) for x in (prompt, prompt.without))
    return whole + 0.5 * (whole - without)


AXES = [(ContextPair, along_context), (lambda pair: ContextContrast(pair, 0.5), contrasted)]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_path_is_exact_on_both(pair, axis, temperature, cases):
    check_path(pair, axis, temperature, cases)


def check_path(pair, axis, temperature, cases):
    """On a grid and on both sides of every breakpoint.

    Where two scores nearly run side by side, rounding moves their breakpoint past a λ beside it.
    """
    combine, logits = axis

    def gap(prompt, ids, lam, sampling, seed):
        return score_gap(logits(pair, prompt, lam, ids), prompt, ids, sampling, seed)

    sampling = replace(SHORT, temperature=temperature, seed=4 if temperature else None)
    decoder, rng = DeraDecoder(combine(pair)), random.Random(3)
    prompts = [random_prompt(pair, rng) for _ in range(cases(2, 20))]
    paths = decoder.path(prompts, (0.0, 2.0), sampling)
    assert sum(len(path.segments) for path in paths) > len(paths)
    for path in paths:
        check_cover(path, 0.0, 2.0)
    ties = check_against_generate(decoder, prompts, paths, sampling, gap_of=gap)
    assert len(ties) <= 2, ties


@pytest.fixture(scope="module", params=["flan_t5", "adapter"])
def other_kind(request, tmp_path_factory):
    """An encoder–decoder, and both models in one forward."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param != "adapter":
        return write_pair(folder, request.param, padding=(0, 3), eos=([2], [2, 17])).load()
    base = write_pair(folder).reference
    write_adapter(folder / "adapter", base)
    return ModelPair.from_adapter(base=base, adapter=folder / "adapter")


def test_encoder_decoders_and_adapters_have_both_axes(other_kind, cases):
    """A prompt's views may have any lengths, and rows of both stand in one session."""
    pair, rng = other_kind, random.Random(6)
    prompts = [random_prompt(pair, rng) for _ in range(4)]
    lams = [0.0, 0.7, 1.0, 1.9]
    answers = DeraDecoder(ContextContrast(pair, 0.4)).generate(prompts, lams, GREEDY)
    for prompt, lam, answer in zip(prompts, lams, answers, strict=True):

        def scores(tail, prompt=prompt, lam=lam):
            views = prompt, prompt.without
            whole, without = (cache_free_logits(pair, x, lam, tail) for x in views)
            return whole + 0.4 * (whole - without)

        expected = []
        while len(expected) < 10 and not (expected and expected[-1] in pair.stop_ids):
            expected.append(int(scores(expected).argmax()))
        assert assert_same_tokens(answer.token_ids, expected, scores) is None
    for axis in AXES:
        check_path(pair, axis, 1.0, cases)


def test_the_whole_context_is_dropped_not_one_token(pair):
    """The released CAD demo drops one token: another answer than dropping the passages."""
    rng = random.Random(11)
    prompts = [random_prompt(pair, rng) for _ in range(6)]
    one_token = [
        BranchedPrompt(prompt, without=prompt[1:]) for prompt in prompts if len(prompt) > 1
    ]
    lam = cad(1.0)
    decoder = DeraDecoder(ContextPair(pair))
    right, wrong = (decoder.generate(x, lam, GREEDY) for x in (prompts, one_token))
    assert [a.token_ids for a in right] != [a.token_ids for a in wrong]


def test_no_passages_no_effect(pair):
    bare = [40, 41, 42]
    prompt = BranchedPrompt(bare, without=bare)
    plain = DeraDecoder(pair).generate(bare, 0.7, GREEDY)
    pushed = DeraDecoder(ContextContrast(pair, 2.0)).generate(prompt, 0.7, GREEDY)
    assert pushed.token_ids == plain.token_ids


def test_alpha_zero_is_the_pair_and_needs_no_second_view(pair):
    contrast = ContextContrast(pair, 0)
    assert (
        DeraDecoder(contrast).generate([40, 41], 0.7, GREEDY).token_ids
        == DeraDecoder(pair).generate([40, 41], 0.7, GREEDY).token_ids
    )


def test_context_of_several_aligned_models(pair):
    """Shares of λ reach the view without passages too."""
    other = write_pair_like(pair)
    several = SeveralPair({"first": pair, "second": other})
    prompt = random_prompt(pair, random.Random(5))
    lam = {"first": 0.4, "second": 0.9}
    answer = DeraDecoder(ContextContrast(several, 0.5)).generate(prompt, lam, GREEDY)

    def mixture(ids):
        reference = cache_free_logits(pair, ids, 0.0)
        parts = zip(lam.values(), (pair, other), strict=True)
        return reference + sum(x * (cache_free_logits(p, ids, 1.0) - reference) for x, p in parts)

    check(pair, prompt, lambda ids, bare: 1.5 * mixture(ids) - 0.5 * mixture(bare), answer)


def write_pair_like(pair):
    """Another aligned model for the same reference: the reference's own weights, scaled."""
    model = copy.deepcopy(pair.aligned)
    for weight in model.parameters():
        weight.data *= 0.9
    words = pair.tokenizer
    return ModelPair.from_pretrained(
        reference=(pair.reference, words), aligned=(model, words), name="other"
    )


def test_prompts_of_text_have_both_views(pair):
    axis = ContextPair(pair)
    prompt = axis.prompt("The old harbour café. A pub", "A pub")
    assert list(prompt) == pair.tokenizer("The old harbour café. A pub")["input_ids"]
    assert list(prompt.without) == pair.tokenizer("A pub")["input_ids"]
    chunks = list(DeraDecoder(axis).stream(prompt, 1.5, GREEDY))
    whole = DeraDecoder(axis).generate(prompt, 1.5, GREEDY)
    assert chunks[-1].generation.token_ids == whole.token_ids


def test_repeats_bit_for_bit_where_asked(pair):
    """A deterministic decoder starts every part afresh."""
    axis, prompt = ContextPair(pair), random_prompt(pair, random.Random(2))
    decoder = DeraDecoder(axis, deterministic=True)
    first, again = (decoder.generate(prompt, 1.5, SHORT) for _ in range(2))
    assert first == again
    assert first.token_ids == DeraDecoder(axis).generate(prompt, 1.5, SHORT).token_ids


def test_refuses_what_has_one_view(pair):
    for backend in (ContextPair(pair), ContextContrast(pair, 0.5)):
        with pytest.raises(PromptError, match="with and without its passages"):
            DeraDecoder(backend).generate([40, 41], 0.5, GREEDY)


def test_both_views_are_checked(pair):
    decoder = DeraDecoder(ContextPair(pair))
    for without, reason in (
        ([], "empty"),
        ([10**6], "token id 1000000"),
        ([5] * 250, "250 tokens"),
    ):
        with pytest.raises(PromptError, match=reason):
            decoder.generate(BranchedPrompt([40], without=without), 0.5, GREEDY)


@pytest.mark.parametrize("alpha", [-0.5, float("nan"), float("inf"), "0.5", True])
def test_refuses_an_alpha_that_is_none(pair, alpha):
    with pytest.raises(InvalidValueError, match="α must be"):
        ContextContrast(pair, alpha)
    with pytest.raises(InvalidValueError, match="α must be"):
        cad(alpha)


def test_refuses_another_model(pair):
    with pytest.raises(InvalidValueError, match="'reference' or 'aligned', got 'both'"):
        ContextPair(pair, "both")


def test_names_differ_so_that_no_fitted_policy_mistakes_them(pair):
    names = [pair.name, ContextPair(pair).name, ContextPair(pair, "reference").name]
    names += [ContextContrast(pair, alpha).name for alpha in (0.5, 1.0)]
    assert len(set(names)) == 5
