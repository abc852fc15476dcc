"""The catalog of public pairs says what is known, and no more."""

import json
import subprocess
import sys
from dataclasses import fields

import pytest

from dera_rag.errors import UnknownNameError
from dera_rag.pairs.catalog import CATALOG, PublicPair, find


def test_entries():
    names = [pair.name for pair in CATALOG]
    assert len(set(names)) == len(names)
    assert [pair.parameters for pair in CATALOG] == sorted(pair.parameters for pair in CATALOG)
    known = {field.name for field in fields(PublicPair)}
    for pair in CATALOG:
        assert pair.reference.count("/") == pair.aligned.count("/") == 1
        assert pair.reference != pair.aligned
        assert set(pair.unchecked) < known
        # What is unknown cannot be hearsay.
        assert all(getattr(pair, name) is not None for name in pair.unchecked)
        assert json.loads(json.dumps(pair.to_dict()))["name"] == pair.name


def test_what_it_knows_of_one():
    pair = find("zephyr-7b-beta")
    assert (pair.reference, pair.beta, pair.licence) == (
        "HuggingFaceH4/mistral-7b-sft-beta",
        0.1,
        "mit",
    )
    # Two models of 7.242 billion weights, two bytes each.
    assert pair.memory() == 28_968_000_000
    assert pair.to_dict()["memory_bfloat16"] == pair.memory()


def test_an_unknown_name_lists_all():
    with pytest.raises(UnknownNameError, match="zephyr-7b-beta"):
        find("zephyr")


def test_it_loads_no_deep_learning_library():
    code = "import sys, dera_rag.pairs.catalog; print({'torch', 'transformers'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
