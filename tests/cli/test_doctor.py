"""`dera-rag doctor`: what is missing, and sizes read from headers."""

import json

import pytest
import torch
from safetensors.torch import save_file

from dera_rag.cli import doctor as doctor_module
from dera_rag.cli.memory import free_memory, measure
from dera_rag.errors import MissingFileError, ModelLoadError


def write_model(folder, dtype=torch.float16, **config):
    folder.mkdir()
    save_file({"a": torch.zeros(10, 4, dtype=dtype)}, folder / "model-1.safetensors")
    save_file({"b": torch.zeros(6, dtype=torch.float32)}, folder / "model-2.safetensors")
    shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32} | config
    (folder / "config.json").write_text(json.dumps(shape))
    return folder


def test_sizes_by_hand(tmp_path):
    size = measure(write_model(tmp_path / "m", num_key_value_heads=1))
    assert size.parameters == 46
    assert size.stored == 40 * 2 + 6 * 4
    assert size.dtype == "float16"
    # 2 (key, value) × 2 layers × 1 head × 8 wide × 2 bytes
    assert size.kv_per_token == 64


def test_older_names_of_the_shape(tmp_path):
    folder = write_model(tmp_path / "m")
    (folder / "config.json").write_text('{"n_layer": 2, "n_head": 4, "n_embd": 32}')
    assert measure(folder).kv_per_token == 2 * 2 * 4 * 8 * 2


def test_what_is_no_model(tmp_path):
    with pytest.raises(MissingFileError):
        measure(tmp_path / "none")
    with pytest.raises(ModelLoadError, match="no model"):
        measure(tmp_path)
    folder = write_model(tmp_path / "m")
    (folder / "model-1.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(ModelLoadError, match="sizes"):
        measure(folder)


def test_free_memory_is_plausible():
    free = free_memory()
    assert free is None or 0 < free < 2**50


@pytest.fixture
def complete(monkeypatch):
    monkeypatch.setattr(doctor_module, "_size", lambda path: 1024)


def test_all_well(run, complete, tiny_pair):
    result = run("doctor", "--reference", tiny_pair.reference, "--aligned", tiny_pair.aligned)
    assert result.exit_code == 0, result.output
    assert "All well." in result.stdout
    for word in ("torch", "cores", "HF_HUB_OFFLINE", "M parameters in float32", "MiB"):
        assert word in result.stdout


def test_json(run, complete):
    result = run("doctor", "--json")
    data = json.loads(result.stdout)
    assert data["problems"] == []
    assert data["libraries"]["torch"]["ok"] is True
    assert data["devices"]["cpu"]["cores"] >= 1


def test_a_missing_part_is_a_problem(run, monkeypatch):
    monkeypatch.setattr(doctor_module, "_size", lambda path: 0 if path.name == "pair" else 1)
    monkeypatch.setattr(doctor_module.metadata, "requires", lambda name: ["no-such-lib>=1"])
    result = run("doctor")
    assert result.exit_code == 1
    assert "the embedded pair is missing" in result.stdout
    assert "no-such-lib is not installed" in result.stdout


def test_a_pair_too_large_for_this_machine(run, complete, tmp_path, monkeypatch):
    monkeypatch.setattr("dera_rag.cli.memory.free_memory", lambda: 10)
    folder = write_model(tmp_path / "m")
    result = run("doctor", "--reference", folder, "--aligned", folder)
    assert result.exit_code == 1
    assert "the pair needs" in result.stdout
