"""Wrapping without copies, and both models in one folder."""

import json
import subprocess
import sys

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM
from wrapper_rows import generate_rows

from dera_rag import DeraForCausalLM, DeraForSeq2SeqLM
from dera_rag.decoding.huggingface import DeraConfig, DeraSeq2SeqConfig
from dera_rag.errors import InvalidValueError
from dera_rag.pairs import ModelPair
from dera_rag.pairs.loading import quiet
from dera_rag.testing import ScriptedPair, tiny_tokenizer, write_adapter, write_pair

PROMPTS = [[40, 41], [50, 51, 52, 53, 54, 55, 56, 57, 58]]
LAMS = [0.4, 1.8]


def test_a_pair_is_wrapped_without_copies_or_changes(pair):
    before = {
        name: (parameter.data_ptr(), parameter.clone())
        for branch in (pair.reference, pair.aligned)
        for name, parameter in branch.named_parameters(prefix=str(id(branch)))
    }
    configs = [model.config.to_dict() for model in (pair.reference, pair.aligned)]
    model = DeraForCausalLM.from_pair(pair)
    assert model.reference is pair.reference
    assert model.aligned is pair.aligned
    assert not model.training
    assert model.device == pair.aligned.device
    assert model.dtype is torch.float32
    for branch in (pair.reference, pair.aligned):
        for name, parameter in branch.named_parameters(prefix=str(id(branch))):
            place, values = before[name]
            assert parameter.data_ptr() == place
            assert torch.equal(parameter, values)
    assert [m.config.to_dict() for m in (pair.reference, pair.aligned)] == configs
    assert model.generation_config.eos_token_id == [2, 17]
    assert model.config.vocab_size == pair.vocab_size
    assert model.config.max_position_embeddings == 256
    assert pair.aligned.generation_config.eos_token_id == [2, 17]


SHAPES = ["llama", "gpt2", "gemma3", "t5", "bart"]


@pytest.mark.parametrize("shape", SHAPES)
def test_both_models_are_saved_and_loaded(shape, tmp_path):
    """Tied embeddings, two vocabularies with padding, and the settings travel along."""
    pair = write_pair(tmp_path, shape, padding=(5, 16), eos=([2], [2, 17])).load()
    kind, auto = (
        (DeraForSeq2SeqLM, AutoModelForSeq2SeqLM)
        if pair.encoder_decoder
        else (DeraForCausalLM, AutoModelForCausalLM)
    )
    model = kind.from_pair(pair, dera_lambda=1.3)
    model.generation_config.dera_lambda = 0.9
    folder = tmp_path / "both"
    with quiet():
        model.save_pretrained(folder)
        loaded = [kind.from_pretrained(folder), auto.from_pretrained(folder)]
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    expected = generate_rows(model, PROMPTS, LAMS, max_new_tokens=6)
    for other in loaded:
        assert type(other) is kind
        assert other.config.dera_lambda == 1.3
        assert other.generation_config.dera_lambda == 0.9
        assert other.generation_config.eos_token_id == [2, 17]
        assert generate_rows(other, PROMPTS, LAMS, max_new_tokens=6) == expected
        for name, parameter in model.state_dict().items():
            assert torch.equal(parameter, other.state_dict()[name])


def test_a_folder_holds_no_code_and_loads_in_half_precision(pair, tmp_path):
    with quiet():
        DeraForCausalLM.from_pair(pair).save_pretrained(tmp_path)
        half = DeraForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "dera"
    assert "auto_map" not in config
    assert config["reference"]["model_type"] == config["aligned"]["model_type"] == "llama"
    assert {half.reference.dtype, half.aligned.dtype} == {torch.bfloat16}
    logits = half(torch.tensor(PROMPTS[:1]), dera_lambda=0.5).logits
    assert logits.dtype is torch.float32


def test_weights_that_could_not_be_read_back_are_not_written(tmp_path):
    """An adapter's layers are in no configuration: loading would fill them with random numbers."""
    folders = write_pair(tmp_path)
    write_adapter(tmp_path / "adapter", folders.reference)
    pair = ModelPair.from_adapter(folders.reference, tmp_path / "adapter")
    model = DeraForCausalLM.from_pair(pair)
    with pytest.raises(InvalidValueError, match="merge the adapter"):
        model.save_pretrained(tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_what_is_no_pair_of_models_is_refused(pair, tmp_path):
    with pytest.raises(InvalidValueError, match="no single model"):
        DeraForCausalLM.from_pair(ScriptedPair(tiny_tokenizer(), "abc"))
    with pytest.raises(InvalidValueError, match="use DeraForCausalLM"):
        DeraForSeq2SeqLM.from_pair(pair)
    seq2seq = write_pair(tmp_path, "t5").load()
    with pytest.raises(InvalidValueError, match="use DeraForSeq2SeqLM"):
        DeraForCausalLM.from_pair(seq2seq)
    seq2seq.reference.generation_config.decoder_start_token_id = 5
    with pytest.raises(InvalidValueError, match="start from token 5"):
        DeraForSeq2SeqLM.from_pair(seq2seq)
    with pytest.raises(InvalidValueError, match="λ"):
        DeraForCausalLM.from_pair(pair, dera_lambda=-0.1)


def test_a_pad_token_without_embedding_pads_nothing(tmp_path):
    folders = write_pair(tmp_path)
    for folder in (folders.reference, folders.aligned):
        words = tiny_tokenizer()
        words.add_special_tokens({"pad_token": "<pad>"})
        words.save_pretrained(folder)
    pair = folders.load()
    assert pair.tokenizer.pad_token_id >= pair.vocab_size
    model = DeraForCausalLM.from_pair(pair)
    assert model.generation_config.pad_token_id is None
    torch.manual_seed(0)
    ids = torch.tensor([[40, 41], [42, 43]])
    model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=30, do_sample=True)


def test_a_configuration_needs_both_models(pair):
    for settings in ({}, {"reference": pair.reference.config}, {"reference": {}, "aligned": {}}):
        with pytest.raises(InvalidValueError, match="must be a PreTrainedConfig"):
            DeraConfig(**settings)
    attention = pair.reference.config._attn_implementation
    config = DeraConfig(reference=pair.reference.config, aligned=pair.aligned.config.to_dict())
    assert pair.reference.config._attn_implementation == attention is not None
    assert config.vocab_size == pair.reference.config.vocab_size
    assert type(config.aligned) is type(pair.aligned.config)
    assert not config.is_encoder_decoder
    assert DeraSeq2SeqConfig(
        reference=pair.reference.config, aligned=pair.aligned.config
    ).is_encoder_decoder


def test_the_auto_classes_know_the_model_once_it_is_imported(pair, tmp_path):
    with quiet():
        DeraForCausalLM.from_pair(pair).save_pretrained(tmp_path)
    assert type(AutoConfig.from_pretrained(tmp_path)) is DeraConfig


def test_the_names_load_nothing_until_they_are_used():
    code = (
        "import dera_rag, sys; assert 'transformers' not in sys.modules; dera_rag.DeraForCausalLM"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
