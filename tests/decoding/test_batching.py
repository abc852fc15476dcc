"""A row's answer depends on its own prompt, λ, seed and settings, and on nothing else."""

import numpy as np
import pytest
from scipy import stats

from dera_rag import DeraDecoder, Sampling
from dera_rag.numerics.noise import derive_seed
from dera_rag.testing import cache_free_logits, write_pair

PROMPTS = [
    "The old harbour café serves",
    "A",
    "A small pub near the river is cheap, friendly and open to families. " * 2,
    "Über die Brücke",
    "A",
]
LAMS = [0.0, 0.4, 1.0, 1.7, 3.0]


@pytest.mark.parametrize("trace", ["auto", "full", "off"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("shape", ["llama", "gpt2", "mistral"])
def test_batch_equals_single(shape, temperature, trace, tmp_path):
    pair = write_pair(tmp_path, shape, tokenizer="bos", padding=(2, 9)).load()
    decoder = DeraDecoder(pair)
    seeds = [3, 1, 4, 1, 5]
    sampling = Sampling(temperature=temperature, max_new_tokens=14, seed=seeds)
    together = decoder.generate(PROMPTS, LAMS, sampling, trace=trace)
    for prompt, lam, seed, answer in zip(PROMPTS, LAMS, seeds, together, strict=True):
        alone = decoder.generate(
            prompt,
            lam,
            Sampling(temperature=temperature, max_new_tokens=14, seed=seed),
            trace=trace,
        )
        assert answer.token_ids == alone.token_ids
        assert (answer.text, answer.finish_reason) == (alone.text, alone.finish_reason)
        assert (answer.usage, answer.lam, answer.seed) == (alone.usage, alone.lam, alone.seed)
        for field in ("reference", "aligned", "mixture", "kl", "entropy"):
            np.testing.assert_allclose(
                getattr(answer.trace, field), getattr(alone.trace, field), atol=2e-5
            )


def test_order_and_split_do_not_matter(pair):
    sampling = Sampling(max_new_tokens=10, seed=[1, 2, 3, 4, 5])
    whole = DeraDecoder(pair).generate(PROMPTS, LAMS, sampling)
    for size in (1, 2, 3):
        split = DeraDecoder(pair, batch_size=size).generate(PROMPTS, LAMS, sampling)
        assert [a.token_ids for a in split] == [a.token_ids for a in whole]
    backwards = DeraDecoder(pair).generate(
        PROMPTS[::-1], LAMS[::-1], Sampling(max_new_tokens=10, seed=[5, 4, 3, 2, 1])
    )
    assert [a.token_ids for a in backwards[::-1]] == [a.token_ids for a in whole]


def test_equal_rows_with_equal_seeds_give_equal_answers(decoder):
    sampling = Sampling(max_new_tokens=10, seed=[9, 8, 9, 9])
    texts = [a.text for a in decoder.generate(["The pub"] * 4, 1.2, sampling)]
    assert texts[0] == texts[2] == texts[3] != texts[1]


def test_one_seed_on_a_list_is_derived_per_row_and_recorded(decoder):
    answers = decoder.generate(["The pub"] * 3, 1.2, Sampling(max_new_tokens=10, seed=5))
    assert [a.seed for a in answers] == [derive_seed(5, row) for row in range(3)]
    assert len({a.text for a in answers}) == 3
    again = decoder.generate("The pub", 1.2, Sampling(max_new_tokens=10, seed=answers[1].seed))
    assert again.text == answers[1].text
    prefix = decoder.generate(["The pub"] * 2, 1.2, Sampling(max_new_tokens=10, seed=5))
    assert [a.token_ids for a in prefix] == [a.token_ids for a in answers[:2]]


def test_a_single_prompt_takes_the_seed_as_it_is(decoder):
    alone = decoder.generate("The pub", 1.2, Sampling(max_new_tokens=10, seed=5))
    listed = decoder.generate(["The pub"], 1.2, Sampling(max_new_tokens=10, seed=[5]))
    assert alone.seed == listed[0].seed == 5
    assert alone.token_ids == listed[0].token_ids


def test_no_seed_draws_one_that_reproduces_the_answer(decoder):
    first = decoder.generate("The pub", 1.2, Sampling(max_new_tokens=10))
    second = decoder.generate("The pub", 1.2, Sampling(max_new_tokens=10))
    assert first.seed != second.seed
    again = decoder.generate("The pub", 1.2, Sampling(max_new_tokens=10, seed=first.seed))
    assert again.token_ids == first.token_ids


def test_greedy_has_no_seed(decoder):
    answer = decoder.generate("The pub", 1.0, Sampling(temperature=0.0, max_new_tokens=3, seed=5))
    assert answer.seed is None


@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0, 2.0])
def test_sampled_tokens_follow_the_mixture(pair, decoder, lam, cases):
    """χ² of the first two tokens over many rows against softmax of the cache-free mixture."""
    count = cases(1500, 10_000)
    prompt = [40, 41, 42]
    answers = decoder.generate(
        [prompt] * count,
        lam,
        Sampling(temperature=0.7, max_new_tokens=2, seed=list(range(count))),
        trace="off",
    )
    first = [a.token_ids[0] for a in answers]
    assert _fits(first, cache_free_logits(pair, prompt, lam) / 0.7)
    common = int(np.bincount(first).argmax())
    second = [a.token_ids[1] for a in answers if a.token_ids[0] == common]
    assert len(second) > 60
    assert _fits(second, cache_free_logits(pair, [*prompt, common], lam) / 0.7)


def _fits(tokens, logits):
    """χ² with rare tokens pooled, so that every cell expects at least five."""
    expected = logits.softmax(-1).numpy().astype(float) * len(tokens)
    observed = np.bincount(tokens, minlength=len(expected))
    frequent = expected >= 5
    observed = [*observed[frequent], observed[~frequent].sum()]
    expected = np.array([*expected[frequent], expected[~frequent].sum()])
    return stats.chisquare(observed, expected * sum(observed) / expected.sum()).pvalue > 1e-3


@pytest.fixture
def generic(tmp_path):
    """A pair that runs the models as transformers does, so that their calls can be counted."""
    return write_pair(tmp_path).load(engine="generic")


def test_rows_leave_when_they_finish(generic, monkeypatch):
    """The batch each model sees shrinks to the rows that still need it."""
    sizes = []
    forward = type(generic.aligned).forward

    def counted(self, input_ids, **settings):
        sizes.append((self is generic.aligned, tuple(input_ids.shape)))
        return forward(self, input_ids=input_ids, **settings)

    monkeypatch.setattr(type(generic.aligned), "forward", counted)
    # Drafts from the first answers would change how many passes the second take.
    decoder = DeraDecoder(generic, speculation="off")
    lams = [0.0, 0.0, 1.0, 0.5]
    sampling = Sampling(temperature=0.0, max_new_tokens=6)
    full = decoder.generate([[40], [41], [42], [43]], lams, sampling)
    assert {shape for aligned, shape in sizes if aligned} == {(2, 1)}
    assert {shape for aligned, shape in sizes if not aligned} == {(3, 1)}
    sizes.clear()
    # Stop the mixed row after its second token: it leaves both models.
    stop = generic.tokenizer.decode(full[3].token_ids[:2])
    decoder.generate([[40], [41], [42], [43]], lams, sampling, stop=stop)
    assert [s[1][0] for s in sizes if s[0]] == [2, 2, 1, 1, 1, 1]
    assert [s[1][0] for s in sizes if not s[0]] == [3, 3, 2, 2, 2, 2]


def test_rows_with_one_prompt_share_its_prefill(generic, monkeypatch):
    shapes = []
    forward = type(generic.aligned).forward

    def counted(self, input_ids, **settings):
        shapes.append(tuple(input_ids.shape))
        return forward(self, input_ids=input_ids, **settings)

    monkeypatch.setattr(type(generic.aligned), "forward", counted)
    decoder = DeraDecoder(generic, speculation="off")
    prompts = [[40, 41], [50, 51, 52], [40, 41], [50, 51, 52], [40, 41]]
    lams = [0.0, 0.5, 0.5, 1.0, 2.0]
    together = decoder.generate(prompts, lams, Sampling(max_new_tokens=5, seed=[1, 2, 3, 4, 5]))
    assert shapes[:4] == [(2, 3), (2, 3), (4, 1), (4, 1)]
    for row, answer in enumerate(together):
        alone = decoder.generate(prompts[row], lams[row], Sampling(max_new_tokens=5, seed=row + 1))
        assert answer.token_ids == alone.token_ids


def test_prompts_are_read_once(generic, monkeypatch):
    lengths = []
    forward = type(generic.aligned).forward

    def counted(self, input_ids, **settings):
        lengths.append(input_ids.shape[1])
        output = forward(self, input_ids=input_ids, **settings)
        assert output.logits.shape[1] == 1  # no [L, V] logits
        assert not output.logits.requires_grad
        return output

    monkeypatch.setattr(type(generic.aligned), "forward", counted)
    decoder = DeraDecoder(generic, speculation="off")
    decoder.generate([5] * 20, 0.5, Sampling(temperature=0.0, max_new_tokens=4))
    assert lengths == [20, 20, 1, 1, 1, 1, 1, 1]
