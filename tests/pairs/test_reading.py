"""Several prompts read in one pass, and what they have in common read once."""

import copy

import pytest
import torch

from dera_rag.pairs.lean import packed
from dera_rag.pairs.lean.reading import PromptReader
from dera_rag.pairs.prefixes import FEWEST, PrefixCache
from dera_rag.testing import tiny_model

VOCAB = 330
# Beyond the tiny Mistral's window, within it, and a single token.
LENGTHS = (40, 3, 1, 25, 17)


def prompts(lengths=LENGTHS, beginning=()):
    """Prompts of different tokens behind a common beginning."""
    return [
        (*beginning, *(50 + (7 * i + 3 * j) % 250 for j in range(length)))
        for i, length in enumerate(lengths)
    ]


@pytest.fixture
def passes(monkeypatch):
    """Makes a reader of a tiny model, and lists the tokens of each of its passes."""
    counts = []

    def make(shape="llama", prefixes=None):
        model = copy.copy(packed(tiny_model(shape, VOCAB, 0)))
        forward = model.forward
        monkeypatch.setattr(
            model,
            "forward",
            lambda tokens, *rest: counts.append(len(tokens)) or forward(tokens, *rest),
        )
        return PromptReader(model, VOCAB, prefixes), counts

    return make


@pytest.mark.parametrize("shape", ["llama", "mistral", "qwen2", "qwen3"])
@torch.inference_mode()
def test_prompts_read_together_are_as_if_read_alone(shape, passes):
    reader, counts = passes(shape)
    together = reader.read(prompts())
    assert counts == [sum(LENGTHS)]
    for prompt, found in zip(prompts(), together, strict=True):
        (alone,) = reader.read([prompt])
        assert found.store.length == len(prompt)
        torch.testing.assert_close(found.logits, alone.logits, atol=1e-5, rtol=1e-5)
        for mine, theirs in zip(
            found.store.part(0, len(prompt)), alone.store.part(0, len(prompt)), strict=True
        ):
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_pass_stays_bounded(passes, monkeypatch):
    """At most 28 tokens: the long one in two pieces, the next two together, two by themselves."""
    monkeypatch.setattr("dera_rag.pairs.lean.reading.PIECE", 28)
    reader, counts = passes()
    reader.read(prompts())
    assert counts == [28, 12, 3 + 1, 25, 17]


@torch.inference_mode()
def test_a_common_beginning_is_read_once(passes):
    """The first prompt is read whole; the others, together, only behind what it has given them."""
    beginning = tuple(range(60, 60 + FEWEST))
    asked = prompts((5, 4, 3), beginning)
    reader, counts = passes(prefixes=PrefixCache(10**9))
    found = reader.read(asked)
    assert counts == [FEWEST + 5, 4 + 3]
    plain, _ = passes()
    for prompt, one in zip(asked, found, strict=True):
        (alone,) = plain.read([prompt])
        torch.testing.assert_close(one.logits, alone.logits, atol=1e-5, rtol=1e-5)
    # The beginning is known now: newcomers with it are read together at once.
    counts.clear()
    reader.read([*prompts((6, 7), beginning), asked[0]])
    assert counts == [1 + 3]


@torch.inference_mode()
def test_a_beginning_that_is_too_short_is_not_waited_for(passes):
    asked = prompts((5, 4), tuple(range(60, 60 + FEWEST - 1)))
    reader, counts = passes(prefixes=PrefixCache(10**9))
    reader.read(asked)
    assert counts == [2 * (FEWEST - 1) + 9]


@torch.inference_mode()
def test_nothing_is_shared_where_nothing_can_be_kept(passes):
    """Without a cache, and with one that is too small for a prompt, all still get read."""
    asked = prompts((5, 4, 3), tuple(range(60, 80)))
    for prefixes in (None, PrefixCache(0)):
        reader, _ = passes(prefixes=prefixes)
        assert [one.store.length for one in reader.read(asked)] == [25, 24, 23]
