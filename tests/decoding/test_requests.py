"""Bad input is refused before any compute."""

import math

import numpy as np
import pytest
import torch

from dera_rag import DeraDecoder, Sampling
from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.testing import ScriptedPair, tiny_tokenizer

SHORT = Sampling(temperature=0.0, max_new_tokens=4)


class Untouchable(ScriptedPair):
    """Fails the test when a model would run."""

    def start(self, prompts, branches):
        raise AssertionError("compute before the input was checked")


@pytest.fixture(params=["generate", "stream"])
def refused(request):
    """`refused(error, prompt, **settings)`: both doors refuse, at the call itself."""
    decoder = DeraDecoder(Untouchable(tiny_tokenizer("bos"), "abc", max_length=16))

    def check(error, match, prompt, **settings):
        with pytest.raises(error, match=match):
            getattr(decoder, request.param)(prompt, **{"sampling": SHORT} | settings)

    return check


@pytest.mark.parametrize("lam", [math.nan, math.inf, -math.inf, -0.1, True, "1", None, [-1.0]])
def test_lambda(refused, lam):
    refused(InvalidValueError, "λ", "x", lam=lam)


@pytest.mark.parametrize("lam", [[], [1.0, 2.0]])
def test_number_of_lambdas(refused, lam):
    refused(InvalidValueError, f"{len(lam)} λ for 1 prompts", "x", lam=lam)


@pytest.mark.parametrize("prompt", ["", [[]]])
def test_empty_prompt(refused, prompt):
    refused(PromptError, "prompt 0 is empty", prompt)


def test_a_prompt_that_leaves_no_room(refused):
    refused(PromptError, r"prompt 0 has 13 tokens and max_new_tokens is 4.*16", [5] * 13)
    refused(PromptError, "max_new_tokens is 256", "x", sampling=Sampling())


@pytest.mark.parametrize("prompt", [[1, 9999], [-1], [[3], [1, -7]]])
def test_token_ids_that_do_not_exist(refused, prompt):
    refused(PromptError, "holds token id", prompt)


@pytest.mark.parametrize(
    "prompt", [None, 5, {"a": 1}, b"x", ["x", None], ["x", 5], [True], [[1.5]]]
)
def test_prompts_of_another_kind(refused, prompt):
    refused(InvalidValueError, "prompt", prompt)


@pytest.mark.parametrize("stop", ["", [""], ["ok", ""], [5], 5, 0, b"ok"])
def test_stop_strings(refused, stop):
    refused(InvalidValueError, "stop string", "x", stop=stop)


def test_trace_sampling_and_seeds(refused):
    refused(InvalidValueError, "unknown trace 'all'", "x", trace="all")
    refused(InvalidValueError, "must be a Sampling", "x", sampling={"temperature": 0})
    refused(InvalidValueError, "2 seeds for 1 prompts", "x", sampling=Sampling(seed=[1, 2]))


def test_a_stream_takes_one_prompt():
    decoder = DeraDecoder(Untouchable(tiny_tokenizer(), "abc"))
    with pytest.raises(InvalidValueError, match="one prompt"):
        decoder.stream(["x", "y"])


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_batch_size(size):
    with pytest.raises(InvalidValueError, match="batch_size"):
        DeraDecoder(Untouchable(tiny_tokenizer(), "abc"), batch_size=size)


@pytest.mark.parametrize("pair", [None, "model-dir", 5])
def test_what_is_no_pair(pair):
    with pytest.raises(InvalidValueError, match="pair must be a ModelPair"):
        DeraDecoder(pair)


def test_the_last_position_can_be_used():
    decoder = DeraDecoder(ScriptedPair(tiny_tokenizer(), [5] * 9, max_length=16))
    assert len(decoder.generate([5] * 12, sampling=SHORT).token_ids) == 4


def test_without_a_limit_any_length_fits():
    decoder = DeraDecoder(ScriptedPair(tiny_tokenizer(), [5], max_length=None))
    assert decoder.generate([5] * 5000, sampling=SHORT).usage.prompt_tokens == 5000


def test_what_comes_back():
    decoder = DeraDecoder(ScriptedPair(tiny_tokenizer(), "abc"))
    one = decoder.generate("x", sampling=SHORT)
    assert decoder.generate([45, 46], sampling=SHORT).text == one.text == "abc"
    assert decoder.generate([], sampling=SHORT) == []
    assert [g.text for g in decoder.generate(["x"], sampling=SHORT)] == ["abc"]
    assert len(decoder.generate([[45], [46, 47]], sampling=SHORT)) == 2
    assert len(decoder.generate(["x", [46, 47]], lam=[0, 2], sampling=SHORT)) == 2


def test_arrays_and_tensors_are_lists():
    decoder = DeraDecoder(ScriptedPair(tiny_tokenizer(), "abc"))
    for convert in (np.array, torch.tensor):
        ids, lam = convert([[45, 46], [47, 48]]), convert([0.5, 1.0])
        answers = decoder.generate(ids, lam, SHORT)
        assert [a.lam for a in answers] == [0.5, 1.0]
        assert decoder.generate(convert([45]), convert(0.5), SHORT).usage.prompt_tokens == 1


def test_the_default_is_the_aligned_model():
    pair = ScriptedPair(tiny_tokenizer(), "abc", "xyz")
    assert DeraDecoder(pair).generate("x", sampling=SHORT).text == "abc"
    assert DeraDecoder(pair).generate("x", 0.0, SHORT).text == "xyz"
    assert DeraDecoder(pair).generate("x", 0.4, SHORT).text == "xyz"
