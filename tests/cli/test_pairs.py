"""`dera-rag pairs`: the catalog, and what fits here."""

import json

import pytest

from dera_rag.pairs.catalog import CATALOG


@pytest.fixture(autouse=True)
def four_gibibytes(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr(
        "dera_rag.cli.pairs.free_memory", lambda device: 2**32 if device == "cpu" else None
    )


def test_json(run):
    result = run("pairs", "--json")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert data["free"] == {"cpu": 2**32, "cuda:0": None}
    fits = {row["name"]: row["fits"] for row in data["pairs"]}
    assert fits["smollm2-135m"] == ["cpu"]
    assert fits["zephyr-7b-beta"] == []
    unknown = next(row for row in data["pairs"] if row["name"] == "tulu-3-8b")
    assert unknown["beta"] is None
    assert "parameters" in unknown["unchecked"]


def test_table(run):
    shown = run("pairs").stdout
    for pair in CATALOG:
        assert pair.name in shown
        assert pair.aligned in shown
    assert "cpu 4.00 GiB, cuda:0 unknown" in shown
    lines = {line.split()[0]: line for line in shown.splitlines() if line.split()}
    assert lines["zephyr-7b-beta"].split()[1:6] == ["26.98", "GiB", "no", "0.1", "mit"]
    # Hearsay is marked, the unknown is a dash.
    assert lines["tulu-3-8b"].split()[1:6] == ["29.91", "GiB?", "no", "–", "llama3.1"]
