"""The list of scorers: whole, told by the scorers themselves, and the same in the documentation."""

import re

import pytest

from dera_rag import registry
from dera_rag.evaluation.contract import Score
from dera_rag.evaluation.instruments.base import Instrument
from dera_rag.evaluation.report.axes import DEFAULTS
from dera_rag.evaluation.scorers.catalog import Option, catalog, to_markdown
from dera_rag.evaluation.scorers.ragas_metrics import METRICS


@pytest.fixture(scope="module")
def entries():
    return {entry.name: entry for entry in catalog()}


def test_every_registered_scorer_is_listed_and_documented(entries):
    assert list(entries) == registry.names("scorers")
    for entry in entries.values():
        assert entry.about.endswith("."), entry.name
        assert "|" not in entry.about
        assert entry.direction in {"higher", "lower", "neither"}
        for option in entry.options:
            assert option.about, f"{entry.name}: {option.name} is not explained"


def test_what_a_scorer_asks_of_its_user_is_said(entries):
    needs = {name: "; ".join(entry.needs) for name, entry in entries.items()}
    for entry in entries.values():
        must = {option.name for option in entry.options if option.required}
        assert ("judge" in must) <= ("LLM" in needs[entry.name])
        assert ("model" in must) <= ("downloaded" in needs[entry.name])
        assert ("weights" in must) <= ("command" in needs[entry.name])
        # A need that only says "columns" sends the reader into the code.
        assert "columns of its own" not in needs[entry.name], entry.name
    assert needs["copy_rate"] == "passages"
    assert needs["exact_match"] == "a reference text"
    assert needs["length"] == ""
    assert "slots" in needs["slot_wrong"]
    assert "context_answers" in needs["conflict_memory"]
    assert "signals: full" in needs["kl_mean"]
    for name in ("overlap", "ragas"):
        assert "the extra `eval`" in needs[name]


def test_axes_options_and_names_in_a_run(entries):
    assert {n for n, one in entries.items() if one.axis == "factuality"} == set(
        DEFAULTS["factuality"]
    )
    assert entries["learned_naturalness"].axis == "naturalness"
    assert [(o.name, o.default) for o in entries["distinct_n"].options] == [
        ("n", "2"), ("words", "20"),
    ]  # fmt: skip
    assert entries["distinct_n"].column == "distinct_2_of_20"
    assert entries["overlap"].column == "chrf"
    assert entries["minicheck"].column == "minicheck_MODEL"
    model = entries["minicheck"].options[0]
    assert model == Option("model", "…", required=True, about="Hub id or folder.")
    told = entries["ragas"].options[0].about
    assert set(re.findall(r"`(\w+)`", told)) == set(METRICS)


def test_a_scorer_of_a_third_party_is_listed(monkeypatch):
    def mine(*, most: int = 3):
        """Share of things; higher is better.

        Needs luck.

        Args:
            most: Of them,
                counted.
        """
        needs = frozenset({"passages"})
        return Instrument("mine", "1", "higher", (0.0, 1.0), needs, lambda item: Score(1.0))

    monkeypatch.setattr(registry, "names", lambda kind: ["mine"])
    monkeypatch.setattr(registry, "resolve", lambda kind, name: mine)
    (entry,) = catalog()
    assert (entry.about, entry.needs) == (
        "Share of things; higher is better.",
        ("passages", "luck"),
    )
    assert entry.options == (Option("most", "3", required=False, about="Of them, counted."),)
    row = "| `mine` | Share of things; higher is better. | ↑ |  | passages; luck | `most: 3` |"
    assert to_markdown((entry,)).splitlines()[-1] == row


def test_the_documentation_holds_the_list(root):
    text = (root / "dera_rag" / "evaluation" / "scorers" / "README.md").read_text("utf-8")
    assert to_markdown(catalog()) in text, "run `make docs`"
