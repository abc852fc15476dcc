"""Faults of the public notebook: each check passes on the wrapper and fails on that method."""

import itertools

import pytest
import torch
from wrapper_rows import generate_rows

from dera_rag import DeraForCausalLM
from dera_rag.decoding.huggingface import causal
from dera_rag.testing import (
    ReferenceProcessor,
    cache_free_greedy,
    cache_free_logits,
    notebook_generate,
    write_pair,
)

PROMPTS = [[40, 41], [50, 51, 52, 53, 54, 55, 56, 57, 58], [60, 61, 62, 63]]
LAM = 0.6
LENGTH = 10


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def pair(request, tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp(request.param), request.param, seed=2).load()


def wrapped(pair):
    model = DeraForCausalLM.from_pair(pair)
    return lambda prompts, lam, **settings: generate_rows(model, prompts, lam, **settings)


def notebook(pair):
    return lambda prompts, lam, **settings: notebook_generate(pair, prompts, lam, **settings)


def holds_and_breaks(check, pair, faulty=None):
    check(wrapped(pair), pair)
    with pytest.raises(AssertionError):
        check(faulty or notebook(pair), pair)


def check_one_prompt(generate, pair):
    """What the notebook is right about."""
    for prompt in PROMPTS:
        expected = cache_free_greedy(pair, prompt, LAM, LENGTH)
        assert generate([prompt], LAM, max_new_tokens=LENGTH) == [expected]


def test_one_unpadded_prompt_is_right_in_both(pair):
    check_one_prompt(wrapped(pair), pair)
    check_one_prompt(notebook(pair), pair)


def check_padded_batch(generate, pair):
    expected = [cache_free_greedy(pair, prompt, LAM, LENGTH) for prompt in PROMPTS]
    assert generate(PROMPTS, LAM, max_new_tokens=LENGTH) == expected


def test_left_padding(pair, monkeypatch):
    holds_and_breaks(check_padded_batch, pair)
    # The same fault put back into the wrapper: neither branch sees the mask.
    monkeypatch.setattr(causal, "moved", lambda _tensor, _model: None)
    with pytest.raises(AssertionError):
        check_padded_batch(wrapped(pair), pair)


def test_a_second_prompt(pair):
    """The notebook's processor keeps its cache; a model used twice starts afresh."""
    used = ReferenceProcessor(pair.reference, LAM, pair.vocab_size)

    def stale(prompts, lam, **settings):
        return notebook_generate(pair, prompts, lam, used, **settings)

    holds_and_breaks(check_one_prompt, pair, stale)


def check_beams(generate, pair):
    """Beam search keeps the best of all continuations, each with its own past."""
    settings = {"max_new_tokens": LENGTH, "min_new_tokens": LENGTH, "num_beams": 4}
    for prompt in PROMPTS:
        assert generate([prompt], LAM, **settings) == [beams_without_cache(pair, prompt, 4)]


def beams_without_cache(pair, prompt, width):
    beams = [(0.0, [])]
    for _ in range(LENGTH):
        grown = []
        for total, tokens in beams:
            logs = cache_free_logits(pair, prompt, LAM, tokens).log_softmax(-1)
            logs[sorted(pair.stop_ids)] = -torch.inf
            best = logs.topk(width)
            grown += [
                (total + gain, [*tokens, token])
                for gain, token in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            ]
        beams = sorted(grown, reverse=True)[:width]
    return beams[0][1]


def test_beam_search(pair):
    holds_and_breaks(check_beams, pair)


def check_shortest_answer(generate, pair):
    """λ=0 with a shortest length is the reference with that length."""
    for prompt in PROMPTS:
        ids = torch.tensor([prompt])
        expected = pair.reference.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=LENGTH,
            max_new_tokens=LENGTH,
            pad_token_id=0,
        )[0, len(prompt) :].tolist()
        settings = {"min_new_tokens": LENGTH, "max_new_tokens": LENGTH}
        assert generate([prompt], 0.0, **settings) == [expected]


def test_lambda_zero_with_a_shortest_length(pair):
    """The mask comes before the processor: 0·−inf is NaN, and the NaN wins every argmax."""
    holds_and_breaks(check_shortest_answer, pair)


def check_penalty(generate, pair):
    """A repetition penalty counts for the mixture, not for one of its branches."""
    # Below 1 it rewards repetition, which short answers show more surely.
    for prompt, penalty in itertools.product(PROMPTS, (3.0, 0.5)):
        ids = list(prompt)
        while len(ids) < len(prompt) + LENGTH and ids[-1] not in pair.stop_ids:
            logits = cache_free_logits(pair, ids, 1.6)
            for token in set(ids):
                logits[token] *= penalty if logits[token] < 0 else 1 / penalty
            ids.append(int(logits.argmax()))
        settings = {"repetition_penalty": penalty, "max_new_tokens": LENGTH}
        assert generate([prompt], 1.6, **settings) == [ids[len(prompt) :]]


def test_penalties_apply_to_the_mixture(pair):
    holds_and_breaks(check_penalty, pair)
