"""One KV cache per branch: prefill and steps against full forwards, rows leaving and copied."""

import pytest
import torch

from dera_rag.pairs.cache import GrowingLayer, new_cache
from dera_rag.protocols import Branches
from dera_rag.testing import SHAPES, cache_free_logits, write_pair

PROMPTS = [[40, 41, 42, 43, 44], [50], [60, 61, 62] * 6]
R, A, BOTH = Branches.REFERENCE, Branches.ALIGNED, Branches.BOTH


def close(logits, pair, sequences, lam):
    expected = torch.stack([cache_free_logits(pair, ids, lam) for ids in sequences])
    torch.testing.assert_close(logits, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_prefill_and_steps_equal_full_forwards(shape, tmp_path):
    """Left padding, positions and the Mistral window of 12 tokens leave every row as alone."""
    pair = write_pair(tmp_path, shape, padding=(0, 7)).load()
    session = pair.start(PROMPTS, [BOTH, R, A])
    sequences = [list(prompt) for prompt in PROMPTS]
    logits = session.prefill()
    for step in range(16):
        assert logits.reference.dtype is torch.float32
        close(logits.reference, pair, [sequences[0], sequences[1]], 0.0)
        close(logits.aligned, pair, [sequences[0], sequences[2]], 1.0)
        tokens = [70 + step, 80 + step, 90 + step]
        for row, token in zip(sequences, tokens, strict=True):
            row.append(token)
        logits = session.step(tokens)


@pytest.mark.parametrize("shape", ["llama", "mistral", "gpt2"])
def test_rows_leave_and_are_copied(shape, tmp_path):
    pair = write_pair(tmp_path, shape).load()
    session = pair.start(PROMPTS, [BOTH, R, BOTH])
    session.prefill()
    session.step([70, 71, 72])
    session.select([2, 0, 2])
    logits = session.step([80, 81, 82])
    rows = [[*PROMPTS[2], 72, 80], [*PROMPTS[0], 70, 81], [*PROMPTS[2], 72, 82]]
    close(logits.reference, pair, rows, 0.0)
    close(logits.aligned, pair, rows, 1.0)
    session.select([1])
    logits = session.step([83])
    close(logits.aligned, pair, [[*rows[1], 83]], 1.0)


def test_a_branch_whose_rows_have_left_runs_no_more(tmp_path):
    pair = write_pair(tmp_path).load()
    session = pair.start(PROMPTS, [R, A, A])
    session.prefill()
    session.select([1, 2])
    logits = session.step([70, 71])
    assert logits.reference is None
    close(logits.aligned, pair, [[*PROMPTS[1], 70], [*PROMPTS[2], 71]], 1.0)


class TestGrowingLayer:
    def states(self, seed, length, rows=2):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(rows, 3, length, 4, generator=generator)

    def test_appends_like_the_layer_it_replaces(self):
        layer, parts = GrowingLayer(), []
        for seed, length in enumerate([5, 1, 1, 200, 1]):
            parts.append(self.states(seed, length))
            keys, values = layer.update(parts[-1], -parts[-1])
            assert torch.equal(keys, torch.cat(parts, dim=-2))
            assert torch.equal(values, -torch.cat(parts, dim=-2))
        assert layer.get_seq_length() == 208

    def test_grows_in_place(self):
        layer = GrowingLayer()
        layer.update(self.states(0, 5), self.states(0, 5))
        place = layer.keys.data_ptr()
        for _ in range(50):
            layer.update(self.states(1, 1), self.states(1, 1))
        assert layer.keys.data_ptr() == place

    def test_selecting_and_cropping_start_from_what_is_left(self):
        layer = GrowingLayer()
        first, second = self.states(0, 5), self.states(1, 1, rows=1)
        layer.update(first, first)
        layer.batch_select_indices(torch.tensor([1]))
        layer.crop(-2)
        keys, _ = layer.update(second, second)
        assert torch.equal(keys, torch.cat([first[1:, :, :3], second], dim=-2))

    def test_only_plain_layers_are_replaced(self, tmp_path):
        llama, mistral = (
            write_pair(tmp_path / shape, shape).load().aligned.config
            for shape in ("llama", "mistral")
        )
        assert {type(layer) for layer in new_cache(llama).layers} == {GrowingLayer}
        assert not any(isinstance(x, GrowingLayer) for x in new_cache(mistral).layers)


@pytest.mark.gpu
def test_branches_on_two_devices(tmp_path):
    from dera_rag import DeraDecoder, ModelPair, Sampling

    folders = write_pair(tmp_path)
    cpu = folders.load(device="cpu")
    gpu = folders.load(device="cuda")
    split = ModelPair.from_pretrained(
        reference=(cpu.reference, cpu.tokenizer), aligned=(gpu.aligned, gpu.tokenizer)
    )
    for sampling in (
        Sampling(temperature=0.0, max_new_tokens=12),
        Sampling(seed=3, repetition_penalty=1.2, top_p=0.9, max_new_tokens=12),
    ):
        answers = [
            [
                answer.token_ids
                for answer in DeraDecoder(pair).generate(PROMPTS, [0, 0.7, 1.6], sampling)
            ]
            for pair in (cpu, gpu, split)
        ]
        assert answers[0] == answers[1] == answers[2]
