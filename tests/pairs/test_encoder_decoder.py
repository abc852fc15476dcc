"""Encoder–decoder pairs: the encoder reads prompts, answers begin at each model's start token."""

import json
import logging
import random

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, T5Model

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.errors import ModelLoadError, PairMismatchError, PromptError
from dera_rag.protocols import Branches
from dera_rag.testing import (
    ENCODER_DECODERS,
    cache_free_greedy,
    cache_free_logits,
    check_pair_contract,
    tiny_tokenizer,
    write_pair,
)

GREEDY = Sampling(temperature=0.0, max_new_tokens=10)
PROMPTS = [[40, 41, 42, 43, 44], [50], [60, 61, 62] * 6]
BOTH = Branches.BOTH


def random_prompts(pair, seed, count, longest=30):
    rng = random.Random(seed)
    lengths = [1] + [rng.randint(2, longest) for _ in range(count - 1)]
    return [[rng.randrange(3, pair.vocab_size) for _ in range(n)] for n in lengths]


def change_generation(folder, **settings):
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("t5"), "flan_t5").load()


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("bart"), "bart", positions=32).load()


@pytest.mark.parametrize("shape", ENCODER_DECODERS)
def test_contract(shape, tmp_path, cases):
    """Also with vocabularies padded unevenly, ends and decoder start tokens that differ."""
    folders = write_pair(tmp_path, shape, padding=(5, 16), eos=([2], [2, 17, 40]))
    change_generation(folders.aligned, decoder_start_token_id=7)
    pair = folders.load()
    assert pair.encoder_decoder
    assert pair.stop_ids == {2, 17, 40}
    ties = []
    for seed in range(cases(1, 12)):
        ties += check_pair_contract(pair, random_prompts(pair, seed, 4))
    assert ties == []


def test_an_encoder_reads_a_prompt_once_for_all_its_rows(t5, monkeypatch):
    shapes = []
    encoder = type(t5.aligned.get_encoder())
    forward = encoder.forward

    def counted(self, input_ids=None, **settings):
        if not self.is_decoder:
            shapes.append(tuple(input_ids.shape))
        return forward(self, input_ids=input_ids, **settings)

    monkeypatch.setattr(encoder, "forward", counted)
    prompts = [PROMPTS[0], PROMPTS[2], PROMPTS[0], PROMPTS[0]]
    sampling = Sampling(seed=[1, 2, 3, 4], max_new_tokens=6)
    answers = DeraDecoder(t5).generate(prompts, [0.3, 0.5, 1.7, 2.0], sampling)
    # Two distinct prompts, padded to the longer; once for each model.
    assert shapes == [(2, 18), (2, 18)]
    for row, answer in enumerate(answers):
        own = Sampling(seed=row + 1, max_new_tokens=6)
        alone = DeraDecoder(t5).generate(prompts[row], [0.3, 0.5, 1.7, 2.0][row], own)
        assert alone.token_ids == answer.token_ids


def test_what_is_attended_to_in_a_prompt_is_stored_once(t5):
    session = t5.start([PROMPTS[0]] * 6 + [PROMPTS[2]], [BOTH] * 7)
    session.prefill()
    rows = session._rows[Branches.ALIGNED]
    states = rows._prompts.layers[0][0]
    assert states.shape[0] == 2
    assert states.shape[2] == 18
    # Every row of the first prompt sees the same memory.
    session.select([0, 1, 2])
    seen = rows._groups[0].cache.cross_attention_cache.layers[0].keys
    assert seen.shape[0] == 3
    assert seen.stride(0) == 0
    # The long prompt has gone, and with it the columns it alone needed.
    assert rows._prompts.layers[0][0].shape[::2] == (1, 5)


def test_equal_lengths_share_a_forward_after_a_crop(t5):
    """Rows part when they lose unequal numbers of tokens, and meet again."""
    session = t5.start([PROMPTS[0], PROMPTS[1], PROMPTS[2]], [BOTH] * 3)
    session.prefill()
    session.extend([[70, 71, 72], [80, 81, 82], [90, 91, 92]])
    rows = session._rows[Branches.ALIGNED]
    session.crop([2, 0, 2])
    assert sorted(group.rows for group in rows._groups) == [[0, 2], [1]]
    session.crop([0, 2, 0])
    assert [group.rows for group in rows._groups] == [[0, 1, 2]]
    logits = session.step([75, 85, 95])
    answers = [[70, 75], [80, 85], [90, 95]]
    expected = [cache_free_logits(t5, p, 1.0, a) for p, a in zip(PROMPTS, answers, strict=True)]
    torch.testing.assert_close(logits.aligned, torch.stack(expected), atol=2e-4, rtol=1e-4)


class TestDecoder:
    def test_stream_equals_generate(self, t5):
        decoder = DeraDecoder(t5)
        sampling = Sampling(seed=3, max_new_tokens=12)
        answer = decoder.generate("The old harbour café", 0.6, sampling)
        pieces = list(decoder.stream("The old harbour café", 0.6, sampling))
        assert "".join(piece.text for piece in pieces) == answer.text
        assert pieces[-1].generation.token_ids == answer.token_ids
        assert answer.usage.prompt_tokens == len(t5.tokenizer("The old harbour café")["input_ids"])
        assert answer.usage.completion_tokens == len(answer.token_ids)

    def test_disagreement(self, t5):
        (value,) = DeraDecoder(t5).disagreement([PROMPTS[0]], tokens=3)
        divergences, answer = [], []
        while len(answer) < 3 and not (answer and answer[-1] in t5.stop_ids):
            r, a = (
                cache_free_logits(t5, PROMPTS[0], lam, answer).double().log_softmax(-1)
                for lam in (0.0, 1.0)
            )
            divergences.append(float((a.exp() * (a - r)).sum()))
            answer.append(int(a.argmax()))
        assert value == pytest.approx(sum(divergences) / len(divergences), abs=2e-5)

    def test_a_penalty_may_count_the_prompt(self, bart):
        sampling = Sampling(
            temperature=0.0, repetition_penalty=1.5, repetition_scope="all", max_new_tokens=6
        )
        plain = DeraDecoder(bart).generate(PROMPTS[0], 0.7, sampling)
        assert (
            plain.token_ids == DeraDecoder(bart).generate([PROMPTS[0]], 0.7, sampling)[0].token_ids
        )


class TestLimits:
    def test_relative_positions_have_none(self, t5):
        assert t5.max_length is None
        answer = DeraDecoder(t5).generate([5] * 300, 0.5, GREEDY)
        assert answer.token_ids == cache_free_greedy(t5, [5] * 300, 0.5, 10)

    def test_prompt_and_answer_have_one_each(self, bart):
        assert bart.max_length == 32
        decoder = DeraDecoder(bart)
        longest = Sampling(temperature=0.0, max_new_tokens=32)
        answer = decoder.generate([5] * 32, 0.5, longest)
        assert answer.token_ids == cache_free_greedy(bart, [5] * 32, 0.5, 32)
        with pytest.raises(PromptError, match=r"33 tokens and max_new_tokens is 10.*32 of each"):
            decoder.generate([5] * 33, 0.5, GREEDY)
        with pytest.raises(PromptError, match="max_new_tokens is 33"):
            decoder.generate([5], 0.5, Sampling(max_new_tokens=33))


class TestGenerationConfig:
    def test_forced_tokens_are_not_honoured_and_a_forced_first_one_is_logged(
        self, tmp_path, caplog
    ):
        folders = write_pair(tmp_path, "bart")
        plain = folders.load()
        change_generation(
            folders.aligned, forced_bos_token_id=9, forced_eos_token_id=2, num_beams=4
        )
        with caplog.at_level(logging.WARNING, logger="dera_rag"):
            forced = folders.load()
        assert "forces the first token 9, which is not honoured" in caplog.text
        assert forced.aligned.generation_config.forced_bos_token_id == 9
        one, two = (DeraDecoder(p).generate(PROMPTS[0], 1.0, GREEDY) for p in (plain, forced))
        assert one.token_ids == two.token_ids

    def test_the_model_configuration_stands_in(self, tmp_path):
        folders = write_pair(tmp_path, "bart")
        GenerationConfig(eos_token_id=2).save_pretrained(folders.aligned)
        pair = folders.load()
        assert check_pair_contract(pair, PROMPTS, max_new_tokens=4) == []

    def test_no_start_token_is_an_error(self, tmp_path):
        folders = write_pair(tmp_path, "t5")
        for file in ("config.json", "generation_config.json"):
            path = folders.aligned / file
            content = json.loads(path.read_text()) | {"decoder_start_token_id": None}
            path.write_text(json.dumps(content | {"bos_token_id": None}))
        with pytest.raises(ModelLoadError, match=r"T5ForCond.*decoder start token"):
            folders.load()


class TestMismatches:
    def test_one_causal_model(self, tmp_path, monkeypatch):
        causal = write_pair(tmp_path / "causal")
        folders = write_pair(tmp_path / "t5", "t5")
        monkeypatch.setattr(
            AutoModelForSeq2SeqLM, "from_pretrained", lambda *_, **__: pytest.fail("weights read")
        )
        match = "the reference is an encoder–decoder, the aligned model a causal model"
        with pytest.raises(PairMismatchError, match=match):
            ModelPair.from_pretrained(reference=folders.reference, aligned=causal.aligned)

    def test_loaded_objects(self, tmp_path, t5):
        causal = write_pair(tmp_path).load()
        with pytest.raises(PairMismatchError, match="an encoder–decoder"):
            ModelPair.from_pretrained(
                reference=(causal.reference, causal.tokenizer), aligned=(t5.aligned, t5.tokenizer)
            )

    def test_no_head(self, t5):
        headless = T5Model(t5.aligned.config)
        with pytest.raises(ModelLoadError, match="T5Model has no language-model head"):
            ModelPair.from_pretrained(
                reference=(headless, tiny_tokenizer()), aligned=(t5.aligned, t5.tokenizer)
            )


def test_bfloat16_stays_close(tmp_path):
    folders = write_pair(tmp_path, "flan_t5")
    exact, half = folders.load(), folders.load(dtype="bfloat16")
    session = half.start(PROMPTS, [BOTH] * 3)
    session.prefill()
    logits = session.step([11, 12, 13])
    for row, prompt in enumerate(PROMPTS):
        expected = cache_free_logits(exact, prompt, 1.0, [11 + row])
        error = (logits.aligned[row] - expected).abs().max() / expected.abs().max()
        assert error < 0.08
