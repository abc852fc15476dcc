"""`generate()` over two models against loops that share none of its code."""

import logging

import numpy as np
import pytest
import torch
from scipy import stats
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TextStreamer,
    pipeline,
)
from wrapper_rows import generate_rows, padded

from dera_rag import DeraDecoder, DeraForCausalLM, Sampling
from dera_rag.errors import InvalidValueError, LogitsError
from dera_rag.testing import (
    assert_same_tokens,
    cache_free_greedy,
    cache_free_logits,
    hugging_face_greedy,
    write_pair,
)

PROMPTS = [[40, 41], [50, 51, 52, 53, 54, 55, 56, 57, 58], [60, 61, 62, 63]]
LAMS = [0.0, 0.6, 1.7]


def assert_rows(pair, prompts, lams, rows, length):
    for prompt, lam, tokens in zip(prompts, lams, rows, strict=True):
        assert_same_tokens(
            tokens,
            cache_free_greedy(pair, prompt, lam, length),
            lambda tail, prompt=prompt, lam=lam: cache_free_logits(pair, prompt, lam, tail),
        )


@pytest.mark.parametrize("cache", [{}, {"use_cache": False}, {"cache_implementation": "static"}])
@pytest.mark.parametrize("shape", ["llama", "mistral", "gpt2"])
def test_padded_rows_with_their_own_lambda(shape, cache, tmp_path):
    """Whatever keeps the past, beyond the Mistral shape's window of 12 tokens too."""
    pair = write_pair(tmp_path, shape, padding=(5, 16), eos=([2], [2, 17])).load()
    prompts = [*PROMPTS, list(range(70, 90))]
    lams = [*LAMS, 1.0]
    rows = generate_rows(DeraForCausalLM.from_pair(pair), prompts, lams, max_new_tokens=8, **cache)
    assert_rows(pair, prompts, lams, rows, 8)


@pytest.mark.parametrize(("lam", "idle"), [(0.0, "aligned"), (1.0, "reference")])
def test_lambda_zero_and_one_run_one_model(pair, model, monkeypatch, lam, idle):
    needed = pair.aligned if lam else pair.reference
    expected = [hugging_face_greedy(pair, needed, prompt, 8) for prompt in PROMPTS]

    def must_not_run(*_args, **_settings):
        raise AssertionError("the other model ran")

    monkeypatch.setattr(getattr(pair, idle), "forward", must_not_run)
    assert generate_rows(model, PROMPTS, lam, max_new_tokens=8) == expected
    assert generate_rows(model, PROMPTS, [lam] * 3, max_new_tokens=8) == expected
    with pytest.raises(AssertionError, match="the other model"):
        generate_rows(model, PROMPTS, [lam, lam, 0.5], max_new_tokens=8)


def test_the_nearest_default_of_lambda_wins(pair):
    """The call, then the settings passed, then the model's settings, then its configuration."""
    model = DeraForCausalLM.from_pair(pair, dera_lambda=0.0)
    expected = {lam: cache_free_greedy(pair, PROMPTS[1], lam, 6) for lam in (0.0, 0.7, 1.7, 3.0)}
    assert len({tuple(tokens) for tokens in expected.values()}) == 4

    def got(lam=None, **settings):
        return generate_rows(model, PROMPTS[1:2], lam, max_new_tokens=6, **settings)[0]

    assert got() == expected[0.0]
    model.generation_config.dera_lambda = 0.7
    assert got() == expected[0.7]
    passed = GenerationConfig(max_new_tokens=6, do_sample=False, pad_token_id=0, dera_lambda=1.7)
    ids = torch.tensor(PROMPTS[1:2])
    for lam, wanted in ((None, 1.7), (3.0, 3.0), ([3.0], 3.0)):
        output = model.generate(
            ids,
            passed,
            attention_mask=torch.ones_like(ids),
            **({} if lam is None else {"dera_lambda": lam}),
        )
        assert output[0, len(PROMPTS[1]) :].tolist() == expected[wanted]


@pytest.mark.parametrize("lam", [-1.0, float("nan"), "1", True, [], [1.0, -1.0, 0.0], [0.5, 1.0]])
def test_a_lambda_that_cannot_be_is_refused(model, lam):
    with pytest.raises(InvalidValueError, match=r"λ|dera_lambda"):
        generate_rows(model, PROMPTS, lam, max_new_tokens=2)


@pytest.mark.parametrize(
    "settings",
    [{"guidance_scale": 1.5}, {"output_attentions": True}, {"output_hidden_states": True}],
)
def test_what_one_model_alone_could_do_is_refused(model, settings):
    with pytest.raises(InvalidValueError, match=next(iter(settings))):
        generate_rows(model, PROMPTS, 0.5, max_new_tokens=2, **settings)


def test_embeddings_fit_one_model_only(model):
    with pytest.raises(InvalidValueError, match="input_ids"):
        model.generate(inputs_embeds=torch.zeros(1, 3, 32), max_new_tokens=2)


@pytest.mark.parametrize("lam", [0.4, [0.0, 1.7]])
def test_several_answers_to_each_prompt(pair, model, lam):
    """λ is repeated with its prompt, and the answers of a prompt differ."""
    torch.manual_seed(1)
    rows = generate_rows(
        model, PROMPTS[:2], lam, max_new_tokens=5, do_sample=True, num_return_sequences=3
    )
    assert len(rows) == 6
    assert len({tuple(row) for row in rows}) == 6
    greedy = generate_rows(
        model, PROMPTS[:2], lam, max_new_tokens=5, do_sample=True, top_k=1, num_return_sequences=3
    )
    lams = lam if isinstance(lam, list) else [lam, lam]
    repeated = [(p, x) for p, x in zip(PROMPTS[:2], lams, strict=True) for _ in range(3)]
    assert_rows(pair, *zip(*repeated, strict=True), greedy, 5)


@pytest.mark.parametrize("lam", [0.0, 0.6, 2.0])
def test_samples_follow_the_mixture_and_our_own_decoder(pair, model, lam, cases):
    """χ² of the first token over many rows: against softmax, and of both decoders together."""
    count = cases(600, 6000)
    prompt = [40, 41, 42]
    torch.manual_seed(5)
    rows = generate_rows(
        model, [prompt] * count, lam, max_new_tokens=1, do_sample=True, top_k=0, temperature=0.7
    )
    ours = DeraDecoder(pair).generate(
        [prompt] * count,
        lam,
        Sampling(temperature=0.7, max_new_tokens=1, seed=list(range(count))),
        trace="off",
    )
    logits = cache_free_logits(pair, prompt, lam) / 0.7
    expected = logits.softmax(-1).numpy().astype(float) * count
    often = expected >= 5
    cells = []
    for tokens in ([row[0] for row in rows], [answer.token_ids[0] for answer in ours]):
        seen = np.bincount(tokens, minlength=len(expected))
        cells.append([*seen[often], seen[~often].sum()])
    wanted = np.array([*expected[often], expected[~often].sum()])
    assert stats.chisquare(cells[0], wanted * count / wanted.sum()).pvalue > 1e-3
    table = np.array(cells)
    assert stats.chi2_contingency(table[:, table.sum(0) > 0]).pvalue > 1e-3


class Spy(LogitsProcessor):
    """Keeps the scores it is shown, and forbids a token."""

    def __init__(self, token):
        self.token = token
        self.seen = []

    def __call__(self, input_ids, scores):
        self.seen.append(scores.clone())
        scores[:, self.token] = -torch.inf
        return scores


def test_processors_see_the_mixture_in_float32(pair, model):
    best = int(cache_free_logits(pair, PROMPTS[1], 0.6).argmax())
    spy = Spy(best)
    rows = generate_rows(
        model, PROMPTS[1:2], 0.6, max_new_tokens=1, logits_processor=LogitsProcessorList([spy])
    )
    expected = cache_free_logits(pair, PROMPTS[1], 0.6)
    assert spy.seen[0].dtype is torch.float32
    torch.testing.assert_close(spy.seen[0][0], expected, atol=2e-5, rtol=0)
    expected[best] = -torch.inf
    assert rows == [[int(expected.argmax())]]


def test_prompt_lookup_changes_no_token(pair, model):
    """`generate()` drafts from the prompt, and takes back what both caches read too much."""
    prompt = [50, 51, 52, 50, 51, 52, 50, 51]
    for lam in (0.6, 1.0):
        plain = generate_rows(model, [prompt], lam, max_new_tokens=12)
        assert (
            generate_rows(model, [prompt], lam, max_new_tokens=12, prompt_lookup_num_tokens=3)
            == plain
        )


def test_a_cache_continues_a_conversation(pair, model):
    """The cache an answer leaves is read by the next call, at another λ too."""
    ids, mask = padded(PROMPTS, "left")
    first = model.generate(
        ids,
        attention_mask=mask,
        dera_lambda=0.6,
        do_sample=False,
        min_new_tokens=3,
        max_new_tokens=3,
        pad_token_id=0,
        return_dict_in_generate=True,
    )
    cache, told = first.past_key_values, first.sequences
    assert cache.get_seq_length() == told.shape[1] - 1
    more = model.generate(
        told,
        attention_mask=torch.cat([mask, torch.ones(3, 3, dtype=mask.dtype)], 1),
        past_key_values=cache,
        dera_lambda=1.7,
        do_sample=False,
        max_new_tokens=4,
        pad_token_id=0,
    )
    for row, prompt in enumerate(PROMPTS):
        whole = [*prompt, *told[row, -3:].tolist()]
        expected = cache_free_greedy(pair, whole, 1.7, 4)
        assert more[row, told.shape[1] :][: len(expected)].tolist() == expected


def test_a_cache_is_refused_where_it_cannot_continue(pair, model):
    ids = torch.tensor(PROMPTS[1:2])
    past = model(ids, dera_lambda=1.0).past_key_values
    with pytest.raises(InvalidValueError, match="without the reference"):
        model(ids[:, -1:], past_key_values=past, dera_lambda=0.5)
    with pytest.raises(InvalidValueError, match="PairCache"):
        model(ids[:, -1:], past_key_values=pair.aligned(ids).past_key_values)


def test_a_forward_pass_gives_the_mixture_everywhere(pair, model):
    ids = torch.tensor(PROMPTS[1:2] * 2)
    with torch.inference_mode():
        output = model(ids, dera_lambda=[0.3, 2.0])
        tail = model(ids, dera_lambda=torch.tensor([0.3, 2.0]), logits_to_keep=1, use_cache=False)
        logits, *_ = model(ids, dera_lambda=[0.3, 2.0], return_dict=False)
    assert output.logits.shape == (2, 9, pair.vocab_size)
    torch.testing.assert_close(tail.logits, output.logits[:, -1:], atol=1e-5, rtol=0)
    assert torch.equal(logits, output.logits)
    assert tail.past_key_values is None
    for row, lam in enumerate([0.3, 2.0]):
        for at in range(9):
            expected = cache_free_logits(pair, PROMPTS[1][: at + 1], lam)
            torch.testing.assert_close(output.logits[row, at], expected, atol=2e-5, rtol=0)
    with pytest.raises(InvalidValueError, match="2 rows"):
        model(ids, dera_lambda=torch.tensor([0.3, 2.0, 1.0]))


def test_broken_logits_name_the_branch_and_the_row(pair, model, monkeypatch):
    forward = pair.reference.forward

    def broken(**settings):
        output = forward(**settings)
        output.logits[1, -1, 7] = torch.nan
        return output

    monkeypatch.setattr(pair.reference, "forward", broken)
    with pytest.raises(LogitsError, match=r"reference logits of row 1 .* NaN \(token id 7\)"):
        generate_rows(model, PROMPTS, 0.5, max_new_tokens=2)


def test_the_text_generation_pipeline(pair, model, caplog):
    """With a batch, a streamer's text, and no complaint about an unknown model."""
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)
    try:
        words = pair.tokenizer
        write = pipeline("text-generation", model=model, tokenizer=words, device="cpu")
        texts = ["The old harbour café", "A pub"]
        settings = {"do_sample": False, "max_new_tokens": 6, "return_full_text": False}
        for lam in (0.0, 0.6):
            answers = write(texts, dera_lambda=lam, **settings)
            for text, (answer,) in zip(texts, answers, strict=True):
                ids = cache_free_greedy(pair, words(text)["input_ids"], lam, 6)
                assert answer["generated_text"] == words.decode(ids, skip_special_tokens=True)
    finally:
        logger.removeHandler(caplog.handler)
    assert "not supported" not in caplog.text


def test_a_streamer_is_given_the_text(pair, model, capsys):
    words = pair.tokenizer
    ids = words("A pub near", return_tensors="pt")
    streamer = TextStreamer(words, skip_prompt=True, skip_special_tokens=True)
    model.generate(
        **ids, dera_lambda=0.6, do_sample=False, max_new_tokens=6, pad_token_id=0, streamer=streamer
    )
    expected = cache_free_greedy(pair, ids["input_ids"][0].tolist(), 0.6, 6)
    assert capsys.readouterr().out.strip() == words.decode(expected).strip()
