"""`dera-rag doctor`: what is missing, and what a pair takes."""

import json

import pytest
import torch
from safetensors.torch import save_file

from dera_rag.cli import doctor as doctor_module


def write_model(folder, dtype=torch.float16, **config):
    folder.mkdir()
    save_file({"a": torch.zeros(10, 4, dtype=dtype)}, folder / "model-1.safetensors")
    save_file({"b": torch.zeros(6, dtype=torch.float32)}, folder / "model-2.safetensors")
    shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32} | config
    (folder / "config.json").write_text(json.dumps(shape))
    return folder


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
    monkeypatch.setattr("dera_rag.pairs.memory.free_memory", lambda device="cpu": 10)
    folder = write_model(tmp_path / "m")
    result = run("doctor", "--reference", folder, "--aligned", folder)
    assert result.exit_code == 1
    assert "the pair needs" in result.stdout
