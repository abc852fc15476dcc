"""Rows that are copied share what was read before, on transformers as it is."""

import random

import pytest
import torch

from dera_rag import DeraDecoder, Sampling
from dera_rag.pairs.cache import GrowingLayer
from dera_rag.pairs.forked import ForkedLayer
from dera_rag.pairs.rows import ModelRows
from dera_rag.testing import tiny_model

VOCAB = 300
PROMPT = list(range(40, 140))


def rows_over(shape="gpt2"):
    model = tiny_model(shape, VOCAB, 3)
    return ModelRows(model, VOCAB, model.device)


def expected(rows, sequences):
    """Last logits by full forwards."""
    with torch.inference_mode():
        return torch.stack([rows._model(torch.tensor([ids])).logits[0, -1] for ids in sequences])


def held(rows):
    """Bytes of the cache, what several layers or views share counted once."""
    states = [
        x
        for layer in rows._cache.layers
        for x in (layer.keys, layer.values, *getattr(layer, "_trunk", ()))
    ]
    return sum(
        {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in states}.values()
    )


@pytest.mark.parametrize("shape", ["gpt2", "llama", "gemma3"])
@torch.inference_mode()
def test_by_the_book(shape):
    """Copies of copies, rows that leave, tokens taken back, prompts that join."""
    rng = random.Random(5)
    for _ in range(8):
        rows = rows_over(shape)
        book = [[rng.randrange(VOCAB) for _ in range(rng.randint(1, 20))] for _ in range(2)]
        rows.join(book)
        forked = 0
        for _ in range(12):
            change = rng.choice(["select", "select", "crop", "join"])
            if change == "select":
                kept = [rng.randrange(len(book)) for _ in range(rng.randint(1, 5))]
                rows.select(kept)
                book = [list(book[row]) for row in kept]
            elif change == "crop":
                counts = [rng.randint(0, min(2, len(ids) - 1)) for ids in book]
                rows.crop(counts)
                book = [ids[: len(ids) - count] for ids, count in zip(book, counts, strict=True)]
            elif len(book) < 6:
                book.append([rng.randrange(VOCAB) for _ in range(rng.randint(1, 20))])
                rows.join([book[-1]])
            tokens = [[rng.randrange(VOCAB) for _ in range(2)] for _ in book]
            logits = rows.extend(tokens)
            book = [ids + new for ids, new in zip(book, tokens, strict=True)]
            torch.testing.assert_close(logits[:, -1], expected(rows, book), atol=3e-4, rtol=1e-3)
            forked += any(isinstance(layer, ForkedLayer) for layer in rows._cache.layers)
        assert forked


@torch.inference_mode()
def test_a_prompt_is_stored_once_and_a_split_copies_what_came_since():
    rows = rows_over()
    rows.join([PROMPT])
    alone = held(rows)
    rows.select([0] * 16)
    assert held(rows) == alone
    rows.extend([[7]] * 16)
    rows.select([*range(16), *range(16)])
    rows.extend([[8]] * 32)
    # Room for new tokens comes in steps of 128 columns: 32 rows of 101 columns would be larger.
    one_column = alone // (len(PROMPT) + 128)
    assert held(rows) <= alone + 32 * (128 + 2) * one_column
    layer = rows._cache.layers[0]
    assert layer.keys.shape[-2] == 2
    assert layer.get_seq_length() == len(PROMPT) + 2


@torch.inference_mode()
def test_once_nothing_is_shared_layers_are_ordinary():
    """Then no step puts old and new columns together."""
    rows = rows_over()
    rows.join([[1, 2, 3], [4, 5]])
    rows.select([0, 0, 1])
    assert all(isinstance(layer, ForkedLayer) for layer in rows._cache.layers)
    rows.extend([[6], [7], [8]])
    rows.select([1, 2])
    assert {type(layer) for layer in rows._cache.layers} == {GrowingLayer}
    logits = rows.extend([[9], [10]])
    whole = expected(rows, [[1, 2, 3, 7, 9], [4, 5, 8, 10]])
    torch.testing.assert_close(logits[:, -1], whole, atol=2e-4, rtol=1e-4)


@torch.inference_mode()
def test_rows_of_the_trunk_that_nobody_reads_go():
    rows = rows_over()
    rows.join([[i, i + 1] for i in range(8)])
    rows.select([3, 3])
    assert {len(layer._trunk[0]) for layer in rows._cache.layers} == {1}
    logits = rows.extend([[20], [21]])
    whole = expected(rows, [[3, 4, 20], [3, 4, 21]])
    torch.testing.assert_close(logits[:, -1], whole, atol=2e-4, rtol=1e-4)


def test_a_path_copies_no_prompt(tmp_path, monkeypatch):
    """However many answers there are."""
    from dera_rag.testing import write_pair

    pair = write_pair(tmp_path, "gpt2").load()
    widths = []
    select = ForkedLayer.batch_select_indices

    def noted(self, indices):
        widths.append(self.keys.shape[-2])
        return select(self, indices)

    monkeypatch.setattr(ForkedLayer, "batch_select_indices", noted)
    path = DeraDecoder(pair).path(PROMPT, sampling=Sampling(0.0, max_new_tokens=10))
    assert len(path.segments) > 4
    assert widths
    assert max(widths) < 10
