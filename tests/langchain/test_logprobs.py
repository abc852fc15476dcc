"""Log-probabilities of the mixture, in the form that uncertainty tools read."""

import json
import math

import pytest
import torch

from dera_rag import DeraDecoder, Sampling
from dera_rag.errors import InvalidValueError
from dera_rag.langchain import ChatDeRa, DeRaLLM
from dera_rag.langchain.logprobs import _Words
from dera_rag.testing import TablePair, cache_free_logits, tiny_tokenizer, write_pair
from dera_rag.types import LambdaDecision


@pytest.fixture(scope="module", params=["plain", "byte_fallback"])
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return write_pair(folder, tokenizer=request.param).load()


@pytest.fixture
def model(pair):
    return ChatDeRa(
        pair=pair, dera_lambda=0.5, seed=3, max_tokens=12, logprobs=True, top_logprobs=4
    )


def content(answer):
    return answer.response_metadata["logprobs"]["content"]


def test_values_are_the_mixtures(model, pair):
    """Against full forwards of both models, before temperature and truncation."""
    answer = model.invoke("What is near?", temperature=0.7, top_k=3)
    prompt = model.engine.prompts.plain("What is near?")
    made = DeraDecoder(pair).generate(
        prompt, 0.5, Sampling(seed=3, max_new_tokens=12, temperature=0.7, top_k=3)
    )
    for i, entry in enumerate(content(answer)):
        logits = cache_free_logits(pair, prompt, 0.5, made.token_ids[:i])
        logs = torch.as_tensor(logits).double().log_softmax(-1)
        assert entry["logprob"] == pytest.approx(float(logs[made.token_ids[i]]), abs=1e-3)
        best = [other["logprob"] for other in entry["top_logprobs"]]
        assert best == pytest.approx(logs.topk(4).values.tolist(), abs=1e-3)


def test_form(model):
    """langchain-openai's: strings, bytes, numbers, alternatives best first; JSON-able."""
    logprobs = model.invoke("What is near?").response_metadata["logprobs"]
    assert set(logprobs) == {"content", "refusal"}
    for entry in logprobs["content"]:
        assert set(entry) == {"token", "bytes", "logprob", "top_logprobs"}
        assert isinstance(entry["token"], str)
        assert all(0 <= byte < 256 for byte in entry["bytes"] or ())
        assert entry["logprob"] <= 0
        values = [other["logprob"] for other in entry["top_logprobs"]]
        assert values == sorted(values, reverse=True)
        assert sum(map(math.exp, values)) <= 1 + 1e-6
        assert all(set(other) == {"token", "bytes", "logprob"} for other in entry["top_logprobs"])


def test_what_cannot_follow_is_json_too(pair):
    """A policy's plausibility mask leaves few tokens; the others have −∞, which JSON does not."""

    class Strict:
        name = "strict"

        def decide(self, question, evidence):
            return LambdaDecision(1.5, "to test", plausibility=0.9)

    model = ChatDeRa(pair=pair, dera_policy=Strict(), seed=3, max_tokens=6)
    answer = model.invoke(
        "What is near?", logprobs=True, top_logprobs=20, dera_evidence=[{"id": "a", "text": "b"}]
    )
    json.dumps(answer.response_metadata, allow_nan=False)
    assert min(x["logprob"] for y in content(answer) for x in y["top_logprobs"]) == -9999.0


@pytest.mark.parametrize("kind", ["plain", "bos", "byte_fallback"])
def test_bytes_spell_the_text(kind):
    tokenizer, text = tiny_tokenizer(kind), "naïve façades, 東京 🍜\nfresh"
    words = _Words(tokenizer)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert b"".join(map(words.spelled, ids)).decode().removeprefix(" ") == text
    assert words.entry(ids[0], -0.5)["bytes"] == list(words.spelled(ids[0]))


def test_an_answer_is_spelled_by_its_tokens():
    """Half characters too: bytes say what text cannot."""
    pair = TablePair(tiny_tokenizer("plain"))
    asked = ChatDeRa(pair=pair, dera_lambda=0.5, max_tokens=20, logprobs=True, temperature=2.0)
    for seed in range(6):
        answer = asked.invoke("a", seed=seed)
        spelled = b"".join(bytes(entry["bytes"] or ()) for entry in content(answer))
        assert spelled.decode("utf-8", "replace").lstrip() == answer.content


def test_what_is_no_text_is_left_out(model):
    whole = model.invoke("What is near?")
    stop = whole.content[4:6]
    cut = model.invoke("What is near?", stop=[stop])
    assert len(content(cut)) < len(content(whole))
    kept = [entry["token"] for entry in content(cut)]
    assert kept == [entry["token"] for entry in content(whole)][: len(kept)]


def test_stream_equals_invoke(model):
    joined = None
    for chunk in model.stream("What is near?"):
        joined = chunk if joined is None else joined + chunk
    whole = model.invoke("What is near?")
    assert [entry["token"] for entry in content(joined)] == [e["token"] for e in content(whole)]
    # A prompt that was read before changes the last digits.
    values = [entry["logprob"] for entry in content(whole)]
    assert [entry["logprob"] for entry in content(joined)] == pytest.approx(values, abs=1e-4)


def test_only_when_asked(model, pair):
    silent = model.invoke("a", logprobs=False)
    assert "logprobs" not in silent.response_metadata
    bare = ChatDeRa(pair=pair, dera_lambda=0.5, seed=3, max_tokens=4).invoke("a", logprobs=True)
    assert all(entry["top_logprobs"] == [] for entry in content(bare))
    with pytest.raises(InvalidValueError, match="top_logprobs"):
        model.invoke("a", top_logprobs=21)


def test_completions_have_them_too(pair):
    llm = DeRaLLM(pair=pair, dera_lambda=0.5, seed=3, max_tokens=4)
    made = llm.generate(["a"], logprobs=True, top_logprobs=2).generations[0][0]
    assert [len(e["top_logprobs"]) for e in made.generation_info["logprobs"]["content"]] == [
        2
    ] * len(made.generation_info["logprobs"]["content"])


def test_special_tokens_are_spelled_as_they_are():
    words = _Words(tiny_tokenizer("plain"))
    assert words.spelled(tiny_tokenizer("plain").eos_token_id) == b"</s>"
