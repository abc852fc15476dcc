"""Beam search on the mixture: exhaustive on a tiny vocabulary, and a plain loop of narrow beams."""

import functools
import itertools

import pytest
import torch
from transformers import GenerationConfig
from wrapper_rows import generate_rows, padded

from dera_rag import DeraForCausalLM, DeraForSeq2SeqLM
from dera_rag.decoding.huggingface import PairCache
from dera_rag.testing import cache_free_logits, tiny_model, tiny_tokenizer, write_pair

LETTERS = 5
END = 4
LENGTH = 3


class Tiny:
    """Two models over five ids, of which the last ends an answer: what `from_pair` needs."""

    def __init__(self, shape):
        self.reference, self.aligned = (tiny_model(shape, LETTERS, seed) for seed in (11, 12))
        for model in (self.reference, self.aligned):
            start = 0 if model.config.is_encoder_decoder else None
            model.generation_config = GenerationConfig(
                eos_token_id=[END], decoder_start_token_id=start
            )
        self.encoder_decoder = bool(self.aligned.config.is_encoder_decoder)
        self.tokenizer = tiny_tokenizer()
        self.vocab_size = LETTERS
        self.stop_ids = frozenset([END])


def wrap(pair):
    kind = DeraForSeq2SeqLM if pair.aligned.config.is_encoder_decoder else DeraForCausalLM
    return kind.from_pair(pair)


def exhaustive(pair, prompt, lam, length_penalty):
    """Every answer of at most three tokens with its score, best first."""
    logs = functools.cache(
        lambda *tokens: cache_free_logits(pair, prompt, lam, tokens).log_softmax(-1).tolist()
    )
    scored = []
    for size in range(1, LENGTH + 1):
        for tokens in itertools.product(range(LETTERS), repeat=size):
            if END in tokens[:-1] or (size < LENGTH and tokens[-1] != END):
                continue
            score = sum(logs(*tokens[:i])[token] for i, token in enumerate(tokens))
            scored.append((score / size**length_penalty, list(tokens)))
    return sorted(scored, reverse=True)


# Prefixes of two tokens that go on: 4·4; with that many beams nothing is ever dropped.
ALL_BEAMS = 16


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("shape", ["llama", "gpt2", "t5", "bart"])
def test_wide_beams_find_what_an_exhaustive_search_finds(shape, penalty):
    pair = Tiny(shape)
    prompts, lams = [[1], [2, 0, 3, 1]], [0.6, 1.8]
    ids, mask = padded(prompts, "right" if pair.encoder_decoder else "left")
    output = wrap(pair).generate(
        ids,
        attention_mask=mask,
        dera_lambda=lams,
        max_new_tokens=LENGTH,
        num_beams=ALL_BEAMS,
        num_return_sequences=4,
        length_penalty=penalty,
        pad_token_id=0,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    start = 1 if pair.encoder_decoder else ids.shape[1]
    for row, (prompt, lam) in enumerate(zip(prompts, lams, strict=True)):
        best = exhaustive(pair, prompt, lam, penalty)[:4]
        for rank, (score, tokens) in enumerate(best):
            found = 4 * row + rank
            assert output.sequences[found, start:][: len(tokens)].tolist() == tokens
            assert output.sequences_scores[found].item() == pytest.approx(score, abs=1e-4)


@functools.cache
def plain_beams(pair, prompt, lam, width, length):
    """Beam search without ends: the best `width` of all continuations, step by step."""
    beams = [(0.0, [])]
    for _ in range(length):
        grown = []
        for score, tokens in beams:
            logs = cache_free_logits(pair, prompt, lam, tokens).log_softmax(-1)
            best = logs.topk(width)
            grown += [
                (score + gain, [*tokens, token])
                for gain, token in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            ]
        beams = sorted(grown, reverse=True)[:width]
    return [tokens for _, tokens in beams]


def check_narrow_beams(model, pair):
    """Padded rows with their own λ, past the window of a sliding shape."""
    prompts, lams = [[40, 41], [50, 51, 52, 53, 54, 55], [60, 61, 62]], [0.5, 1.0, 1.7]
    for lam in (lams, 0.0):
        rows = generate_rows(
            model, prompts, lam, max_new_tokens=8, num_beams=3, num_return_sequences=3
        )
        each = lam if isinstance(lam, list) else [lam] * 3
        expected = [
            plain_beams(pair, tuple(p), x, 3, 8) for p, x in zip(prompts, each, strict=True)
        ]
        assert rows == list(itertools.chain.from_iterable(expected))


@pytest.fixture(scope="module", params=["llama", "mistral", "gpt2", "t5", "bart"])
def endless(request, tmp_path_factory):
    """A pair whose answers never end, so that beams are compared to their full length."""
    pair = write_pair(tmp_path_factory.mktemp(request.param), request.param, seed=1).load()
    pair.stop_ids = frozenset()
    return pair


def test_narrow_beams_are_those_of_a_plain_loop(endless):
    check_narrow_beams(wrap(endless), endless)


@pytest.mark.parametrize("branch", ["reference", "aligned"])
def test_the_check_notices_a_branch_that_is_not_reordered(endless, branch, monkeypatch):
    """The notebook's fault: the cache of one model keeps the past of other beams."""
    other = {"reference": "aligned", "aligned": "reference"}[branch]

    def reorder_one(self, beam_idx):
        cache = getattr(self, other)
        if cache is not None:
            cache.reorder_cache(beam_idx)

    monkeypatch.setattr(PairCache, "reorder_cache", reorder_one)
    with pytest.raises(AssertionError):
        check_narrow_beams(wrap(endless), endless)


def test_sampled_beams_run(pair, model):
    torch.manual_seed(2)
    rows = generate_rows(
        model, [[40, 41], [50]], [0.3, 1.4], max_new_tokens=5, num_beams=3, do_sample=True
    )
    assert [len(row) > 0 for row in rows] == [True, True]
