"""Two encoder–decoders as one."""

import pytest
import torch
from wrapper_rows import generate_rows, padded

from dera_rag import DeraDecoder, DeraForSeq2SeqLM, Sampling
from dera_rag.errors import InvalidValueError
from dera_rag.testing import (
    ENCODER_DECODERS,
    assert_same_tokens,
    cache_free_greedy,
    cache_free_logits,
    hugging_face_greedy,
    write_pair,
)

PROMPTS = [[40, 41], [50, 51, 52, 53, 54, 55, 56, 57, 58], [60, 61, 62, 63]]
LAMS = [0.0, 0.6, 1.7]


@pytest.fixture(scope="module", params=ENCODER_DECODERS)
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return write_pair(folder, request.param, padding=(5, 16), eos=([2], [2, 17])).load()


@pytest.fixture
def model(pair):
    return DeraForSeq2SeqLM.from_pair(pair)


@pytest.mark.parametrize("cache", [{}, {"use_cache": False}, {"cache_implementation": "static"}])
def test_padded_rows_with_their_own_lambda(pair, model, cache):
    rows = generate_rows(model, PROMPTS, LAMS, max_new_tokens=8, **cache)
    for prompt, lam, tokens in zip(PROMPTS, LAMS, rows, strict=True):
        assert_same_tokens(
            tokens,
            cache_free_greedy(pair, prompt, lam, 8),
            lambda tail, prompt=prompt, lam=lam: cache_free_logits(pair, prompt, lam, tail),
        )


def test_our_own_decoder_gives_the_same(pair, model):
    rows = generate_rows(model, PROMPTS, 1.4, max_new_tokens=8)
    answers = DeraDecoder(pair).generate(PROMPTS, 1.4, Sampling(temperature=0, max_new_tokens=8))
    assert rows == [answer.token_ids for answer in answers]


@pytest.mark.parametrize(("lam", "idle"), [(0.0, "aligned"), (1.0, "reference")])
def test_lambda_zero_and_one_run_one_model(pair, model, monkeypatch, lam, idle):
    needed = pair.aligned if lam else pair.reference
    expected = [hugging_face_greedy(pair, needed, prompt, 6) for prompt in PROMPTS]

    def must_not_run(*_args, **_settings):
        raise AssertionError("the other model ran")

    other = getattr(pair, idle)
    for part in (other, other.get_encoder()):
        monkeypatch.setattr(part, "forward", must_not_run)
    assert generate_rows(model, PROMPTS, lam, max_new_tokens=6) == expected


def test_each_encoder_runs_once(pair, model, monkeypatch):
    calls = []
    for name in ("reference", "aligned"):
        encoder = getattr(pair, name).get_encoder()
        forward = encoder.forward

        def counted(*args, name=name, forward=forward, **settings):
            calls.append(name)
            return forward(*args, **settings)

        monkeypatch.setattr(encoder, "forward", counted)
    generate_rows(model, PROMPTS, LAMS, max_new_tokens=6, num_beams=2)
    assert calls == ["reference", "aligned"]


def test_several_answers_to_each_prompt(pair, model):
    torch.manual_seed(1)
    rows = generate_rows(
        model, PROMPTS[:2], [0.3, 1.5], max_new_tokens=5, do_sample=True, num_return_sequences=2
    )
    assert len(rows) == 4
    assert rows[0] != rows[1]


def test_a_forward_pass_without_generate(pair, model):
    ids, mask = padded(PROMPTS[:2], "right")
    start = model.generation_config.decoder_start_token_id
    tail = torch.tensor([[start, 30, 31]] * 2)
    with torch.inference_mode():
        output = model(ids, mask, decoder_input_ids=tail, dera_lambda=[0.3, 2.0])
    for row, lam in enumerate([0.3, 2.0]):
        for at in range(3):
            answer = tail[row, 1 : at + 1].tolist()
            expected = cache_free_logits(pair, PROMPTS[row], lam, answer)
            torch.testing.assert_close(output.logits[row, at], expected, atol=5e-5, rtol=0)


def test_what_is_missing_is_said(model):
    ids = torch.tensor(PROMPTS[:1])
    with pytest.raises(InvalidValueError, match="decoder_input_ids"):
        model(ids)
    with pytest.raises(InvalidValueError, match="need input_ids"):
        model(decoder_input_ids=ids)
    encoded = model.get_encoder()(input_ids=ids, dera_lambda=1.0)
    with pytest.raises(InvalidValueError, match="lack the reference"):
        model(encoder_outputs=encoded, decoder_input_ids=ids, dera_lambda=0.5)
