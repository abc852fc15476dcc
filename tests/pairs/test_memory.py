"""Sizes read from headers, and what cannot fit refused before a weight is read."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from dera_rag import ModelPair
from dera_rag.errors import InvalidValueError, MissingFileError, ModelLoadError
from dera_rag.pairs import sizes
from dera_rag.pairs.memory import check_memory, free_memory, in_words
from dera_rag.pairs.placement import Placement, place
from dera_rag.pairs.sizes import ModelSize, measure, size_of
from dera_rag.testing import write_pair


def write_model(folder, dtype=torch.float16, **config):
    folder.mkdir(parents=True)
    save_file({"a": torch.zeros(10, 4, dtype=dtype)}, folder / "model-1.safetensors")
    save_file({"b": torch.zeros(6, dtype=torch.float32)}, folder / "model-2.safetensors")
    shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32} | config
    (folder / "config.json").write_text(json.dumps(shape))
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("saved"))


class TestSizes:
    def test_by_hand(self, tmp_path):
        size = measure(write_model(tmp_path / "m", num_key_value_heads=1))
        assert size.parameters == 46
        assert size.stored == 40 * 2 + 6 * 4
        assert size.dtype == "float16"
        # 2 (key, value) × 2 layers × 1 head × 8 wide × 2 bytes
        assert size.kv_per_token == 64

    @pytest.mark.parametrize(
        ("config", "values"),
        [
            ({"n_layer": 2, "n_head": 4, "n_embd": 32}, 2 * 2 * 4 * 8),
            (
                {"text_config": {"num_hidden_layers": 3, "num_attention_heads": 2, "head_dim": 5}},
                60,
            ),
            # T5 and BART: the decoder's depth counts.
            (
                {
                    "num_layers": 9,
                    "num_decoder_layers": 2,
                    "num_heads": 4,
                    "d_kv": 8,
                    "d_model": 99,
                },
                128,
            ),
            (
                {
                    "encoder_layers": 9,
                    "decoder_layers": 2,
                    "decoder_attention_heads": 4,
                    "d_model": 32,
                },
                128,
            ),
            ({}, 0),
        ],
    )
    def test_names_of_the_shape(self, tmp_path, config, values):
        folder = write_model(tmp_path / "m")
        (folder / "config.json").write_text(json.dumps(config))
        assert measure(folder).kv_per_token == 2 * values

    def test_weights_held_twice_count_once(self, tmp_path):
        folder = write_model(tmp_path / "m")
        shutil.copy(folder / "model-1.safetensors", folder / "consolidated.safetensors")
        index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        assert measure(folder).parameters == 46

    def test_what_is_no_model(self, tmp_path):
        with pytest.raises(MissingFileError):
            measure(tmp_path / "none")
        with pytest.raises(ModelLoadError, match="no model"):
            measure(tmp_path)
        folder = write_model(tmp_path / "m")
        (folder / "model-1.safetensors").write_bytes(b"\xff" * 64)
        with pytest.raises(ModelLoadError, match="sizes"):
            measure(folder)
        assert size_of(str(folder)) is None

    def test_loaded_in_another_type(self):
        size = ModelSize(parameters=100, stored=200, dtype="float16", fixed=7)
        assert (size.loaded(), size.loaded(4), size.loaded(bits=4)) == (200, 407, 50)

    def test_a_hub_repository(self, tmp_path, monkeypatch):
        """In the cache it is read there; else headers are fetched, unless that is forbidden."""
        from types import SimpleNamespace

        import huggingface_hub

        folder = write_model(tmp_path / "m")
        (folder / "model-1.safetensors").rename(folder / "model.safetensors")
        found = str(folder / "model.safetensors")
        monkeypatch.setattr(
            huggingface_hub,
            "try_to_load_from_cache",
            lambda _, name: found if name in found else None,
        )
        assert size_of("some/model").parameters == 40
        monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
        monkeypatch.setattr(
            huggingface_hub,
            "get_safetensors_metadata",
            lambda _: SimpleNamespace(
                files_metadata={"x": SimpleNamespace(parameter_count={"BF16": 30, "I64": 2})}
            ),
        )
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        assert size_of("some/model") == ModelSize(32, 76, "bfloat16", fixed=16)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        assert size_of("some/model") is None


class TestRoom:
    def test_free_memory_is_plausible(self):
        free = free_memory()
        assert free is None or 0 < free < 2**50
        assert free_memory("mps") is None

    def test_words(self):
        assert (in_words(3 * 2**29), in_words(2**19)) == ("1.50 GiB", "0.50 MiB")

    def test_refused_with_figures(self):
        needs = {"reference": 3 * 2**30, "aligned": 2**30}
        with pytest.raises(ModelLoadError) as caught:
            check_memory(needs, Placement(), lambda device: 2**31)
        assert caught.value.message == (
            "the weights take 4.00 GiB (reference 3.00 GiB + aligned 1.00 GiB), "
            "free are 2.00 GiB on cpu"
        )
        assert "memory_probe" in caught.value.hint
        check_memory(needs, Placement(), lambda device: 4 * 2**30)
        check_memory(needs, Placement(), lambda device: None)

    def test_devices_share(self):
        spread = Placement(device_map={"a": 0, "b": "cuda:1", "c": "cpu", "d": "disk"})
        assert spread.devices() == ["cpu", "cuda:0", "cuda:1"]
        check_memory({"aligned": 9}, spread, lambda device: 3)
        with pytest.raises(ModelLoadError, match=r"on cpu, .* on cuda:0, .* on cuda:1"):
            check_memory({"aligned": 10}, spread, lambda device: 3)

    def test_before_a_weight_is_read(self, saved, monkeypatch):
        monkeypatch.setattr(
            AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("weights read")
        )
        for dtype, size in ((None, 4), ("bfloat16", 2)):
            known = measure(saved.aligned)
            asked = []

            def probe(device, asked=asked, size=size, known=known):
                asked.append(device)
                return 2 * size * known.parameters - 1

            with pytest.raises(ModelLoadError, match="the weights take"):
                saved.load(dtype=dtype, device="cpu", memory_probe=probe)
            assert asked == ["cpu"]

    def test_what_is_loaded_already_takes_nothing_more(self, saved):
        loaded = saved.load()
        pair = ModelPair.from_pretrained(
            (loaded.reference, loaded.tokenizer),
            (loaded.aligned, loaded.tokenizer),
            memory_probe=lambda device: 0,
        )
        assert pair.reference is loaded.reference

    def test_the_unknown_is_let_through(self, saved, monkeypatch):
        monkeypatch.setattr("dera_rag.pairs.pair.size_of", lambda source: None)
        assert saved.load(memory_probe=lambda device: 0).vocab_size


class TestPlacement:
    def test_device_map(self, saved):
        pair = saved.load(device_map={"": "cpu"}, dtype="bfloat16")
        assert pair.aligned.dtype is torch.bfloat16
        assert pair.aligned.device.type == "cpu"

    def test_device_and_device_map(self, saved):
        with pytest.raises(InvalidValueError, match="both device 'cpu' and device_map 'auto'"):
            saved.load(device="cpu", device_map="auto")

    def test_quantization_is_passed_through(self, saved, monkeypatch):
        seen = []

        def read(source, **settings):
            seen.append(settings)
            raise OSError("far enough")

        monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", read)
        config = BitsAndBytesConfig(load_in_4bit=True)
        with pytest.raises(ModelLoadError, match="far enough"):
            saved.load(quantization_config=config, device="cpu")
        assert seen[0]["quantization_config"] is config
        assert seen[0]["device_map"] == {"": torch.device("cpu")}
        with pytest.raises(InvalidValueError, match="quantization_config must be"):
            saved.load(quantization_config={"load_in_4bit": True})

    @pytest.mark.parametrize(
        ("settings", "bits"), [({"load_in_4bit": True}, 4), ({"load_in_8bit": True}, 8), ({}, 0)]
    )
    def test_bits(self, settings, bits):
        assert place(None, "cpu", None, BitsAndBytesConfig(**settings)).bits == bits
        assert place(None, "cpu", None, None).bits is None

    def test_a_quantized_pair_needs_less(self, saved, monkeypatch):
        known = measure(saved.aligned)
        monkeypatch.setattr(
            AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("weights read")
        )
        settings = {"quantization_config": BitsAndBytesConfig(load_in_4bit=True), "device": "cpu"}
        with pytest.raises(ModelLoadError, match="the weights take"):
            saved.load(**settings, memory_probe=lambda device: known.parameters - 2)
        with pytest.raises(pytest.fail.Exception, match="weights read"):
            saved.load(**settings, memory_probe=lambda device: known.parameters)


def test_a_hub_id_is_read_from_the_cache_without_a_network(saved, tmp_path, monkeypatch):
    from huggingface_hub import constants

    for name, folder in (("sft", saved.reference), ("dpo", saved.aligned)):
        repository = tmp_path / f"models--tiny--{name}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text("0" * 40)
        shutil.copytree(folder, repository / "snapshots" / ("0" * 40))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert sizes.size_of("tiny/sft") == measure(saved.reference)
    pair = ModelPair.from_pretrained("tiny/sft", "tiny/dpo")
    assert pair.name == "sft+dpo"
    with pytest.raises(ModelLoadError, match="the weights take"):
        ModelPair.from_pretrained("tiny/sft", "tiny/dpo", device="cpu", memory_probe=lambda _: 9)
