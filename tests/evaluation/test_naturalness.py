"""Naturalness: the batched likelihood against a token-by-token loop, and counts by hand."""

import json
import math

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from dera_rag.errors import InvalidValueError, MissingFileError, ModelLoadError
from dera_rag.evaluation.naturalness import Calibration, NaturalnessModel, length, repetition

END = "<|endoftext|>"
TEXTS = ["a pub", "the pub is a pub by the river", "", "river " * 40]


def tiny_model():
    vocabulary = {
        word: i for i, word in enumerate([END, "[UNK]", "a", "the", "pub", "is", "by", "river"])
    }
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END, unk_token="[UNK]")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        initializer_range=0.5,
    )
    return LlamaForCausalLM(config).eval(), tokenizer


@pytest.fixture(scope="module")
def naturalness():
    return NaturalnessModel(*tiny_model(), Calibration(-2.0, 0.5, 100))


@torch.no_grad()
def one_token_at_a_time(naturalness, text):
    eos = naturalness.tokenizer.eos_token_id
    ids = [eos, *naturalness.tokenizer.encode(text, add_special_tokens=False), eos][:32]
    total = 0.0
    for t in range(1, len(ids)):
        logits = naturalness.model(torch.tensor([ids[:t]])).logits[0, -1]
        total += float(logits.log_softmax(-1)[ids[t]])
    return total / (len(ids) - 1)


def test_batched_equals_token_by_token(naturalness):
    expected = [one_token_at_a_time(naturalness, text) for text in TEXTS]
    assert naturalness.log_likelihoods(TEXTS) == pytest.approx(expected, abs=1e-5)


def test_batch_size_changes_nothing(naturalness):
    small = NaturalnessModel(*tiny_model(), naturalness.calibration, batch_size=1)
    assert small.log_likelihoods(TEXTS) == pytest.approx(
        naturalness.log_likelihoods(TEXTS), abs=1e-5
    )
    assert naturalness.log_likelihoods([]) == []


def test_surrounding_space_is_not_scored(naturalness):
    assert naturalness.log_likelihoods([" a pub\n"]) == naturalness.log_likelihoods(["a pub"])


@torch.no_grad()
def test_the_end_is_scored(naturalness):
    # an empty text is one token: the end after the beginning
    logits = naturalness.model(torch.tensor([[0]])).logits[0, -1]
    assert naturalness.log_likelihoods([""])[0] == pytest.approx(
        float(logits.log_softmax(-1)[0]), abs=1e-5
    )


def test_special_tokens_in_an_answer_are_text(naturalness):
    spelled, ended = naturalness.log_likelihoods([f"a {END} pub", "a"])
    assert spelled != ended
    ids = naturalness.tokenizer.encode(
        f"a {END} pub", add_special_tokens=False, split_special_tokens=True
    )
    assert naturalness.tokenizer.eos_token_id not in ids


def test_distance_is_two_sided(naturalness):
    assert naturalness.distance(-3.0) == naturalness.distance(-1.0) == 2.0
    assert naturalness.distance(-2.0) == 0.0
    assert math.isnan(naturalness.distance(math.nan))


def test_saved_and_loaded(naturalness, tmp_path):
    naturalness.model.save_pretrained(tmp_path)
    naturalness.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(MissingFileError, match=r"calibration\.json"):
        NaturalnessModel.from_pretrained(tmp_path)
    (tmp_path / "calibration.json").write_text(json.dumps({"mean": -2.0, "sd": 0.5, "n": 100}))
    loaded = NaturalnessModel.from_pretrained(tmp_path)
    assert loaded.calibration == naturalness.calibration
    assert loaded.log_likelihoods(TEXTS) == naturalness.log_likelihoods(TEXTS)
    (tmp_path / "calibration.json").write_text("{}")
    with pytest.raises(ModelLoadError, match="mean"):
        NaturalnessModel.from_pretrained(tmp_path)


def test_a_calibration_without_spread_is_refused():
    with pytest.raises(InvalidValueError, match="sd=0"):
        Calibration(-2.0, 0.0, 10)


def test_repetition_by_hand():
    assert repetition("a b c a b c a b c") == pytest.approx(4 / 7)  # 7 runs, 3 distinct
    assert repetition("a b c d") == 0.0
    assert math.isnan(repetition("a b"))


def test_length_counts_words():
    assert length("The Kettle's pub, by the river.") == 6
