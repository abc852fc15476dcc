"""Generation requests of lm-evaluation-harness: its rules, in this package's settings."""

import math

import pytest

from dera_rag import Sampling
from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.interop.gen_kwargs import read_request


def asked(**kwargs):
    return read_request(kwargs, lam=1.5, max_gen_toks=32, seed=7)


def test_without_arguments_greedy_and_to_the_end():
    request = asked()
    assert (request.stops, request.lam) == ((), 1.5)
    assert request.sampling == Sampling(
        temperature=0.0, max_new_tokens=32, seed=7, repetition_scope="all"
    )


@pytest.mark.parametrize(
    ("kwargs", "temperature"),
    [
        ({}, 0.0),
        ({"temperature": 0.7}, 0.7),
        ({"temperature": 0}, 0.0),
        ({"do_sample": False, "temperature": 0.7}, 0.0),
        ({"do_sample": True}, 1.0),
        ({"do_sample": True, "temperature": 0.7}, 0.7),
        ({"do_sample": None, "temperature": None}, 0.0),
    ],
)
def test_when_it_samples(kwargs, temperature):
    assert asked(**kwargs).sampling.temperature == temperature


def test_the_names_of_a_length_in_their_order():
    assert asked(max_new_tokens=5).sampling.max_new_tokens == 5
    assert asked(max_tokens=6, max_completion_tokens=4).sampling.max_new_tokens == 6
    assert asked(max_gen_toks=7, max_new_tokens=5).sampling.max_new_tokens == 7
    assert asked(max_gen_toks=None).sampling.max_new_tokens == 32


@pytest.mark.parametrize(
    ("until", "stops"),
    [(None, ()), ("\n", ("\n",)), (["\n", "", None, "Q:", "\n"], ("\n", "Q:")), ([], ())],
)
def test_stop_strings(until, stops):
    assert asked(until=until).stops == stops


def test_everything_at_once():
    request = asked(top_k=5, top_p=0.9, min_p=0.1, repetition_penalty=1.2, lam=0.5, num_beams=1)
    sampling = request.sampling
    assert (sampling.top_k, sampling.top_p, sampling.min_p) == (5, 0.9, 0.1)
    assert sampling.repetition_penalty == 1.2
    assert request.lam == 0.5


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"temprature": 1}, "temperature"),
        ({"max_length": 9}, "unknown generation argument 'max_length'"),
        ({"num_beams": 4}, "cannot be done"),
        ({"temperature": math.nan}, "temperature must be finite"),
        ({"max_gen_toks": 0}, "max_new_tokens"),
        ({"until": [5]}, "until holds 5"),
        ({"do_sample": "yes"}, "true or false"),
        ({"lam": -1}, "λ"),
    ],
)
def test_refusals(kwargs, says):
    with pytest.raises(InvalidValueError, match=says):
        asked(**kwargs)


def test_the_harness_reads_the_same_requests_alike():
    utils = pytest.importorskip("lm_eval.models.utils", reason="needs dera-rag[lm-eval]")
    for kwargs in (
        {},
        {"temperature": 0.7, "max_tokens": 9},
        {"do_sample": False, "temperature": 0.7, "until": "\n"},
        {"do_sample": True, "temperature": 0.7, "max_gen_toks": 3, "max_new_tokens": 4},
    ):
        theirs = utils.normalize_gen_kwargs(dict(kwargs), 32)
        ours = asked(**kwargs)
        assert ours.sampling.temperature == theirs.get("temperature", 0.0)
        assert ours.sampling.max_new_tokens == theirs["max_gen_toks"]
        assert list(ours.stops) == theirs["until"]
