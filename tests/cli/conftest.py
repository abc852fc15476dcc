"""A tiny random pair in the place of the embedded one: these tests are about the command line."""

import pytest
from typer.testing import CliRunner

from dera_rag.cli import app
from dera_rag.evaluation.naturalness import Calibration, NaturalnessModel
from dera_rag.pairs import ModelPair
from dera_rag.testing import tiny_model, tiny_tokenizer, write_pair


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"), positions=1024)


@pytest.fixture
def shipped(tiny_pair, monkeypatch):
    """The package as if the tiny pair were its own; short answers."""

    def pair(cls):
        return tiny_pair.load(name="venues-pair")

    def third(cls):
        tokenizer = tiny_tokenizer()
        model = tiny_model("llama", len(tokenizer), 9, positions=128)
        return NaturalnessModel(model, tokenizer, Calibration(-6.0, 0.5, 100))

    # A random model seldom ends an answer by itself.
    monkeypatch.setattr("dera_rag.rag.requests._LONGEST_ANSWER", 6)
    monkeypatch.setattr(ModelPair, "embedded", classmethod(pair))
    monkeypatch.setattr(NaturalnessModel, "embedded", classmethod(third))


@pytest.fixture
def run(monkeypatch):
    """`run("ask", "…")` as typed, at a width that wraps little."""
    monkeypatch.setenv("COLUMNS", "160")

    def invoke(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke
