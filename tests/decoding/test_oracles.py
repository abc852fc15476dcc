"""The decoder against oracles that share none of its code: `generate()` and a cache-free loop."""

import random

import pytest
import torch
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    UnbatchedClassifierFreeGuidanceLogitsProcessor,
)

from dera_rag import DeraDecoder, Sampling
from dera_rag.numerics import choose
from dera_rag.protocols import Branches
from dera_rag.testing import (
    SHAPES,
    assert_same_tokens,
    cache_free_logits,
    check_pair_contract,
    hugging_face_greedy,
    write_pair,
)

GREEDY = Sampling(temperature=0.0, max_new_tokens=12)


def random_prompts(pair, seed, count, longest=30):
    """Token-id prompts of mixed lengths, one of them a single token."""
    rng = random.Random(seed)
    lengths = [1] + [rng.randint(2, longest) for _ in range(count - 1)]
    return [[rng.randrange(3, pair.vocab_size) for _ in range(n)] for n in lengths]


@pytest.mark.parametrize("shape", SHAPES)
def test_contract_of_every_shape(shape, tmp_path, cases):
    """λ=0, 1 ≡ generate(); λ=.5, 1.7 ≡ the cache-free loop; batch ≡ single.

    Prompts reach beyond the Mistral shape's window of 12 tokens, vocabularies are padded unevenly
    and the models stop on different tokens.
    """
    pair = write_pair(
        tmp_path, shape, padding=(5, 16), eos=([2], [2, 17, 40]), seed=SHAPES.index(shape)
    ).load()
    assert pair.stop_ids == {2, 17, 40}
    ties = []
    for seed in range(cases(1, 12)):
        ties += check_pair_contract(pair, random_prompts(pair, seed, 4))
    assert ties == []


@pytest.mark.parametrize("kind", ["bos", "byte_fallback"])
@pytest.mark.parametrize("shape", ["llama", "gpt2"])
def test_contract_with_other_tokenizers(shape, kind, tmp_path):
    pair = write_pair(tmp_path, shape, tokenizer=kind, padding=(0, 3)).load()
    texts = ["The old café", "A pub near the river is cheap and", "x"]
    prompts = [pair.tokenizer(text)["input_ids"] for text in texts]
    assert all(ids[0] == pair.tokenizer.bos_token_id for ids in prompts)
    assert check_pair_contract(pair, prompts, max_new_tokens=10) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_string_prompts_are_encoded_as_the_tokenizer_does(shape, tmp_path):
    pair = write_pair(tmp_path, shape, tokenizer="bos").load()
    # Drafts, which an earlier answer provides, would change the last digits of the trace.
    decoder = DeraDecoder(pair, speculation="off")
    text = "A small pub near the river"
    ids = pair.tokenizer(text)["input_ids"]
    by_text, by_ids = (decoder.generate(prompt, 0.0, GREEDY) for prompt in (text, ids))
    assert by_text == by_ids
    assert by_text.usage.prompt_tokens == len(ids)
    assert by_text.token_ids == hugging_face_greedy(pair, pair.reference, ids, 12)


@pytest.mark.parametrize("lam", [0.5, 1.7])
def test_agrees_with_classifier_free_guidance_in_transformers(pair, decoder, lam):
    """The same formula by another door: guidance γ=λ, the reference reading the whole prompt."""
    for prompt in random_prompts(pair, 5, 3):
        ids = torch.tensor([prompt])
        guide = UnbatchedClassifierFreeGuidanceLogitsProcessor(
            lam,
            pair.reference,
            unconditional_ids=ids,
            unconditional_attention_mask=torch.ones_like(ids),
        )
        settings = GenerationConfig(
            do_sample=False, max_new_tokens=12, eos_token_id=[*pair.stop_ids], pad_token_id=0
        )
        output = pair.aligned.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=settings,
            logits_processor=LogitsProcessorList([guide]),
        )
        expected = output[0, len(prompt) :].tolist()
        answer = decoder.generate(prompt, lam, GREEDY)
        assert_same_tokens(
            answer.token_ids,
            expected,
            lambda tail, prompt=prompt: cache_free_logits(pair, [*prompt, *tail], lam),
        )


@pytest.mark.parametrize("scope", ["completion", "all"])
@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_repetition_penalty_counts_the_answer_or_as_transformers_all(pair, lam, scope):
    """`all` is what `generate()` does; `completion` is it with the prompt ignored."""
    model = pair.aligned if lam else pair.reference
    prompt = random_prompts(pair, 8, 2)[1] * 2
    ids = torch.tensor([prompt])
    settings = {"repetition_penalty": 1.8}
    if scope == "completion":
        settings = {}
    config = GenerationConfig(
        do_sample=False, max_new_tokens=20, eos_token_id=[2], pad_token_id=0, **settings
    )
    processors = LogitsProcessorList()
    if scope == "completion":
        processors.append(RepetitionPenaltyLogitsProcessor(1.8, prompt_ignore_length=len(prompt)))
    output = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        generation_config=config,
        logits_processor=processors,
    )
    sampling = Sampling(
        temperature=0.0, repetition_penalty=1.8, repetition_scope=scope, max_new_tokens=20
    )
    answer = DeraDecoder(pair).generate(prompt, lam, sampling)
    assert answer.token_ids == output[0, len(prompt) :].tolist()


def test_a_penalty_never_counts_padding(pair, decoder):
    """Token 0 pads: a short prompt beside a long one must not see it punished."""
    long, short = [5] * 30, [7, 8]
    sampling = Sampling(
        temperature=0.0, repetition_penalty=5.0, repetition_scope="all", max_new_tokens=8
    )
    together = decoder.generate([long, short], 0.5, sampling)
    assert together[1].token_ids == decoder.generate(short, 0.5, sampling).token_ids


@pytest.mark.parametrize("lam", [0.0, 0.6, 1.0, 2.0])
def test_sampled_tokens_equal_a_cache_free_loop_with_the_same_noise(pair, decoder, lam):
    sampling = Sampling(temperature=0.8, top_p=0.95, max_new_tokens=12, seed=77)
    prompt = random_prompts(pair, 3, 2)[1]
    ids = []
    while len(ids) < 12 and not (ids and ids[-1] in pair.stop_ids):
        logits = cache_free_logits(pair, [*prompt, *ids], lam).unsqueeze(0)
        ids.append(int(choose(logits, sampling, seeds=[77], indices=[len(ids)])))
    assert decoder.generate(prompt, lam, sampling).token_ids == ids


def test_of_the_generation_config_only_the_end_is_honoured(tmp_path):
    folders = write_pair(tmp_path)
    plain = folders.load()
    GenerationConfig(
        do_sample=True,
        temperature=0.1,
        top_k=1,
        repetition_penalty=9.0,
        suppress_tokens=list(range(50, 300)),
        forced_bos_token_id=7,
        max_new_tokens=2,
        min_new_tokens=2,
        bad_words_ids=[[9]],
        eos_token_id=[2],
    ).save_pretrained(folders.aligned)
    loaded = folders.load()
    assert loaded.aligned.generation_config.repetition_penalty == 9.0
    sampling = Sampling(max_new_tokens=15, seed=4)
    decoders = (DeraDecoder(pair, speculation="off") for pair in (plain, loaded))
    answers = [decoder.generate("The old harbour", 1.0, sampling) for decoder in decoders]
    assert answers[0] == answers[1]


# Cached bfloat16 logits against cache-free float32 ones, as a share of the largest logit; the worst
# seen is .062 (rounding of weights included; these random models attend sharply).
BF16_TOLERANCE = 0.08


@pytest.mark.parametrize("shape", SHAPES)
def test_bfloat16_logits_within_tolerance(shape, tmp_path):
    folders = write_pair(tmp_path, shape)
    exact, half = folders.load(), folders.load(dtype="bfloat16")
    assert half.aligned.dtype is torch.bfloat16
    prompts = random_prompts(exact, 2, 3)
    session = half.start(prompts, [Branches.BOTH] * 3)
    tails = [[11, 12, 13], [14, 15, 16], [17, 18, 19]]
    steps = [session.prefill(), *(session.step(column) for column in zip(*tails, strict=True))]
    for count, logits in enumerate(steps):
        for row, prompt in enumerate(prompts):
            for lam, branch in ((0.0, logits.reference), (1.0, logits.aligned)):
                expected = cache_free_logits(exact, [*prompt, *tails[row][:count]], lam)
                error = (branch[row] - expected).abs().max() / expected.abs().max()
                assert error < BF16_TOLERANCE
