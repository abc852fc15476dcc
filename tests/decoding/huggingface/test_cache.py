"""One cache for two branches: whatever is done to it is done to both."""

import pytest
import torch
from transformers import DynamicCache, EncoderDecoderCache

from dera_rag.decoding.huggingface import PairCache
from dera_rag.errors import InvalidValueError


def filled(rows=3, tokens=4, layers=2, seed=0):
    """A cache of one model with random states `[rows, 2 heads, tokens, 3]`."""
    made = torch.Generator().manual_seed(seed)
    cache = DynamicCache()
    for layer in range(layers):
        keys, values = torch.randn(2, rows, 2, tokens, 3, generator=made)
        cache.update(keys, values, layer)
    return cache


def pair_cache():
    return PairCache(filled(), filled(layers=3, seed=1))


def keys(cache):
    return [layer.keys for layer in cache.layers]


def test_length_and_layers_are_those_of_both():
    cache = pair_cache()
    assert cache.get_seq_length() == 4
    assert cache.get_max_length() == -1
    assert len(cache) == len(cache.layers) == 5
    assert cache.is_sliding == [False] * 5
    assert cache.is_croppable
    assert not cache.is_compileable
    assert "reference=" in repr(cache)
    assert "aligned=" in repr(cache)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c.reorder_cache(torch.tensor([2, 2, 0])), lambda k: k[[2, 2, 0]]),
        (lambda c: c.batch_select_indices(torch.tensor([1])), lambda k: k[[1]]),
        (lambda c: c.batch_repeat_interleave(2), lambda k: k[[0, 0, 1, 1, 2, 2]]),
        (lambda c: c.crop(-1), lambda k: k[:, :, :3]),
        (lambda c: c.activate_past_recording(), lambda k: k),
    ],
    ids=["reorder", "select", "repeat", "crop", "record"],
)
def test_rows_and_tokens_change_in_both(change, expected):
    cache, before = pair_cache(), keys(pair_cache())
    change(cache)
    for now, then in zip(keys(cache), before, strict=True):
        assert torch.equal(now, expected(then))


def test_reset_empties_both():
    cache = pair_cache()
    cache.reset()
    assert cache.get_seq_length() == 0
    assert cache.aligned.get_seq_length() == 0


@pytest.mark.parametrize("branch", ["reference", "aligned"])
def test_one_branch_alone(branch):
    cache = PairCache(**({"reference": None, "aligned": None} | {branch: filled()}))
    assert cache.get_seq_length() == 4
    cache.crop(-2)
    assert cache.get_seq_length() == 2
    assert len(cache.layers) == 2


def test_cross_attention_is_reordered_and_not_cropped():
    branches = [EncoderDecoderCache(filled(seed=i), filled(tokens=7, seed=i)) for i in (1, 2)]
    cache = PairCache(*branches)
    before = [branch.cross_attention_cache.layers[0].keys for branch in branches]
    assert cache.get_seq_length() == 4
    assert len(cache.layers) == 4
    cache.reorder_cache(torch.tensor([1, 0, 0]))
    cache.crop(-1)
    assert cache.get_seq_length() == 3
    for branch, then in zip(branches, before, strict=True):
        assert torch.equal(branch.cross_attention_cache.layers[0].keys, then[[1, 0, 0]])


def test_it_is_no_models_cache():
    with pytest.raises(InvalidValueError, match="at least one branch"):
        PairCache(None, None)
    for call in (lambda c: c.update(None, None, 0), lambda c: c.get_mask_sizes(1, 0)):
        with pytest.raises(NotImplementedError, match="branch"):
            call(pair_cache())
