"""Beginnings of prompts that are read once, on the generic engine and under an adapter.

`test_lean.py` holds the same of the lean engine, and the bounds of the cache.
"""

import random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.pairs.cache import HISTORY
from dera_rag.protocols import Branches
from dera_rag.testing import SHAPES, cache_free_logits, write_adapter, write_pair

PASSAGES = tuple(range(40, 90))
QUESTIONS = ([*PASSAGES, 100, 101], [*PASSAGES, 110, 111, 112], [*PASSAGES, 110, 111, 120])
BOTH = Branches.BOTH


@pytest.fixture(params=["llama", "gpt2", "adapter", "dora"])
def pair(request, tmp_path):
    kind = request.param
    if kind in {"llama", "gpt2"}:
        return write_pair(tmp_path, kind).load(engine="generic")
    base = write_pair(tmp_path).reference
    write_adapter(tmp_path / "adapter", base, use_dora=kind == "dora")
    return ModelPair.from_adapter(base, tmp_path / "adapter")


@pytest.fixture
def read(pair, monkeypatch):
    """Number of tokens of each forward."""
    counts = []
    for kind in {type(model) for model in (pair.reference, pair.aligned)}:
        forward = kind.forward

        def counted(self, input_ids, forward=forward, **settings):
            counts.append(input_ids.shape[1])
            return forward(self, input_ids=input_ids, **settings)

        monkeypatch.setattr(kind, "forward", counted)
    return counts


def first_logits(pair, prompt):
    return pair.start([prompt], [BOTH]).prefill()


def check(pair, prompt):
    logits = first_logits(pair, prompt)
    for found, lam in zip(logits, (0.0, 1.0), strict=True):
        expected = cache_free_logits(pair, prompt, lam)
        torch.testing.assert_close(found[0], expected, atol=2e-4, rtol=1e-4)


def test_a_second_question_reads_its_own_tokens_only(pair, read):
    for prompt in QUESTIONS:
        first_logits(pair, prompt)
    assert read == [52, 52, 3, 3, 1, 1]
    for prompt in QUESTIONS:
        check(pair, prompt)


def test_the_same_question_again_reads_nothing(pair, read):
    kept = [x.clone() for x in first_logits(pair, PASSAGES)]
    read.clear()
    again = first_logits(pair, PASSAGES)
    assert read == []
    assert all(torch.equal(x, y) for x, y in zip(again, kept, strict=True))


def test_where_answers_must_repeat_every_prompt_is_read_whole(pair, read):
    sampling = Sampling(temperature=0.0, max_new_tokens=1)
    for prompt in QUESTIONS[:2]:
        DeraDecoder(pair, deterministic=True).generate(prompt, 0.5, sampling)
    assert read == [52, 52, 53, 53]


def test_what_an_answer_appends_and_rows_that_are_copied_leave_it_as_it_was(pair):
    session = pair.start([QUESTIONS[0]], [BOTH])
    session.prefill()
    session.extend([[100, 101, 102]])
    session.crop([2])
    session.select([0, 0])
    session.extend([[103], [104]])
    check(pair, QUESTIONS[0])
    check(pair, QUESTIONS[1])


@pytest.mark.parametrize("shape", SHAPES)
def test_answers_are_those_without_it(shape, tmp_path, cases):
    """Prompts beyond the sliding windows of 12 tokens, one at a time and together."""
    folders = write_pair(tmp_path, shape)
    kept, without = folders.load(engine="generic"), folders.load(engine="generic", prefix_cache=0)
    sampling = Sampling(temperature=0.0, max_new_tokens=8)
    for case in range(cases(4, 60)):
        rng = random.Random(case % 3)
        passages = [rng.randrange(40, 300) for _ in range(30)]
        rng = random.Random(case)
        prompts = [[*passages, rng.randrange(300), i] for i in range(3, 3 + rng.choice([1, 1, 3]))]
        found, expected = (
            [answer.token_ids for answer in DeraDecoder(pair).generate(prompts, 0.6, sampling)]
            for pair in (kept, without)
        )
        assert found == expected, case
    assert without._prefixes == {}
    assert all(cache.reused for cache in kept._prefixes.values())
    kept.forget_prefixes()
    assert not any(cache.used for cache in kept._prefixes.values())


def test_what_has_left_a_window_is_not_taken_for_a_beginning(tmp_path):
    """A row that goes on behind a long beginning forgets what its window has left behind."""
    pair = write_pair(tmp_path, "mistral", positions=2048).load(engine="generic")
    rng = random.Random(1)
    start = [rng.randrange(40, 300) for _ in range(12 + 2 * HISTORY + 50)]
    for end in ([7] * 3, [*[7] * 3, 8], [*[7] * 3, 9, 10]):
        check(pair, [*start, *end])
    cache = pair._prefixes[Branches.REFERENCE]
    assert cache.reused == 2 * len(start) + 2 * 3


def test_who_has_none(tmp_path):
    """Weights of loaded objects may change, and an encoder reads its prompt both ways."""
    folders = write_pair(tmp_path / "causal")
    sides = [
        (AutoModelForCausalLM.from_pretrained(x), AutoTokenizer.from_pretrained(x))
        for x in (folders.reference, folders.aligned)
    ]
    assert ModelPair.from_pretrained(*sides)._prefixes == {}
    write_adapter(tmp_path / "adapter", folders.reference)
    assert ModelPair.from_adapter(sides[0], tmp_path / "adapter")._prefixes == {}
    assert write_pair(tmp_path / "t5", "t5").load()._prefixes == {}
