"""The lean engine against transformers on the same weights."""

import copy
import random
import threading

import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig, LlamaForCausalLM

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.errors import InvalidValueError
from dera_rag.pairs.lean import LeanModel, LeanRows, lean_obstacle, packed, plain
from dera_rag.pairs.lean.model import Norm
from dera_rag.pairs.lean.packing import PackedPart, SharedHead
from dera_rag.pairs.prefixes import PrefixCache
from dera_rag.pairs.rows import ModelRows
from dera_rag.testing import tiny_model, write_pair

LEAN = ["llama", "mistral", "qwen2", "qwen3"]
VOCAB = 330
ROPES = {
    "linear": {"rope_type": "linear", "factor": 4.0},
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
}


def llama(seed=0, vocab=VOCAB, **settings):
    base = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.2,
        "eos_token_id": None,
        "bos_token_id": None,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=vocab, **base | settings))
    model.generation_config = GenerationConfig()
    return model.eval()


def draw_prompts(rng, count):
    """Some equal, some beginning alike, from 1 token to beyond the Mistral window."""
    pool = [[rng.randrange(40, 300) for _ in range(rng.choice([1, 3, 9, 25]))] for _ in range(2)]
    pool.append([*pool[0], *[rng.randrange(40, 300) for _ in range(5)]])
    return [rng.choice(pool) for _ in range(count)]


@pytest.mark.parametrize("shape", LEAN)
def test_tokens_equal_those_of_transformers(shape, tmp_path, cases):
    """Greedy and sampled, alone and in batches, one model and both; exceptions need a tie."""
    folders = write_pair(tmp_path, shape, padding=(0, 7))
    lean, generic = folders.load(engine="lean"), folders.load(engine="generic")
    for case in range(cases(8, 260)):
        rng = random.Random(case)
        prompts = draw_prompts(rng, rng.randint(1, 4))
        lam = [rng.choice([0, 0.3, 1, 1.7, 2]) for _ in prompts]
        sampling = Sampling(
            temperature=rng.choice([0.0, 1.0]),
            top_p=rng.choice([1.0, 0.9]),
            max_new_tokens=rng.choice([4, 20]),
            seed=case,
        )
        mode = rng.choice(["off", "auto"])
        found, expected = (
            DeraDecoder(pair, speculation=mode).generate(prompts, lam, sampling)
            for pair in (lean, generic)
        )
        assert [x.token_ids for x in found] == [x.token_ids for x in expected], case


@pytest.mark.parametrize("shape", LEAN)
def test_the_packed_model_is_still_the_model(shape, tmp_path):
    ordinary = tiny_model(shape, VOCAB, 0)
    model = copy.deepcopy(ordinary)
    lean = packed(model)
    assert packed(model) is lean
    ids = torch.arange(40, 60).view(2, 10)
    with torch.no_grad():
        expected = ordinary(ids).logits
        torch.testing.assert_close(model(ids).logits, expected, atol=1e-5, rtol=1e-5)
        before, after = ordinary.state_dict(), model.state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
        model.save_pretrained(tmp_path)
        again = AutoModelForCausalLM.from_pretrained(tmp_path)
        assert torch.equal(again(ids).logits, expected)


def test_copies_of_a_packed_model_are_ordinary():
    model = llama()
    assert plain(model) is model
    packed(model)
    twin = plain(model)
    kinds = {type(module) for name, module in twin.named_modules() if name.endswith("_proj")}
    assert kinds == {torch.nn.Linear}
    assert {name for name, _ in twin.named_parameters()} == set(dict(llama().named_parameters()))


def test_parts_that_are_called_alone_compute_alone():
    """Queries, keys and values wait for each other only where one input goes to all."""
    model = llama(attention_bias=True)
    attention = copy.deepcopy(model.model.layers[0].self_attn)
    packed(model)
    parts = model.model.layers[0].self_attn
    assert isinstance(parts.k_proj, PackedPart)
    one, two = torch.randn(3, 32), torch.randn(2, 5, 32)
    with torch.no_grad():
        for x, name in ((one, "k_proj"), (one, "q_proj"), (two, "v_proj"), (one, "v_proj")):
            expected = getattr(attention, name)(x)
            torch.testing.assert_close(getattr(parts, name)(x), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(parts.v_proj.bias, attention.v_proj.bias)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("rope", [None, *ROPES])
def test_rotary_scaling_and_both_kinds_of_output_layer(rope, tied):
    settings = {"tie_word_embeddings": tied}
    if rope:
        settings["rope_parameters"] = ROPES[rope] | {"rope_theta": 10000.0}
    ordinary = llama(**settings)
    model = copy.deepcopy(ordinary)
    check_against(ordinary, LeanRows(packed(model), VOCAB))


def test_the_embedding_table_as_output_layer():
    """A tied table need not be copied; both of its products give the same."""
    ordinary = llama(tie_word_embeddings=True)
    model = LeanModel(copy.deepcopy(ordinary), copy_head=False)
    assert isinstance(model.head, SharedHead)
    check_against(ordinary, LeanRows(model, VOCAB))
    x = torch.randn(12, 32)
    with torch.no_grad():
        expected = ordinary.lm_head(x)
        torch.testing.assert_close(model.head(x), expected)
        torch.testing.assert_close(model.head(x[:3]), expected[:3])


@torch.inference_mode()
def check_against(model, rows, prompts=((40,) * 30, (50, 51), (40,) * 30)):
    generic = ModelRows(model, VOCAB, model.device)
    pairs = [(x.join([list(p) for p in prompts]), x) for x in (rows, generic)]
    torch.testing.assert_close(pairs[0][0], pairs[1][0], atol=2e-4, rtol=1e-4)
    for k in (1, 3, 40):
        tokens = [[60 + i + j for j in range(k)] for i in range(len(prompts))]
        found, expected = (x.extend(tokens) for _, x in pairs)
        torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-4)


def test_long_prompts_are_read_in_pieces(monkeypatch):
    monkeypatch.setattr("dera_rag.pairs.lean.reading.PIECE", 7)
    ordinary = llama()
    check_against(ordinary, LeanRows(packed(copy.deepcopy(ordinary)), VOCAB))


def test_positions_beyond_the_first_table(monkeypatch):
    monkeypatch.setattr("dera_rag.pairs.lean.model._FIRST_POSITIONS", 4)
    ordinary = llama()
    check_against(ordinary, LeanRows(LeanModel(copy.deepcopy(ordinary)), VOCAB))


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e-4, 1.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_normalization_at_every_scale(dtype, scale):
    """Where activations are tiny, ε is what counts; (3, 4) has the root mean square √12.5."""
    x = scale * torch.tensor([[3.0, 4.0], [-1.0, 0.5]], dtype=dtype)
    weight = torch.tensor([1.0, -2.0], dtype=dtype)
    expected = torch.nn.functional.rms_norm(x.float(), (2,), weight.float(), 1e-5)
    found = Norm(weight, 1e-5)(x)
    assert found.dtype is dtype
    torch.testing.assert_close(found, expected.to(dtype))
    if scale == 1:
        assert (found[0].float() * 12.5**0.5).tolist() == pytest.approx([3, -8], rel=1e-2)


def test_no_logits_but_those_that_are_read(tmp_path, monkeypatch):
    """A prompt of 100 tokens gives one row of logits, whatever its length."""
    model = packed(llama())
    heights = []
    head = model.head
    monkeypatch.setattr(model, "head", lambda x: heights.append(len(x)) or head(x))
    with torch.inference_mode():
        LeanRows(model, VOCAB).join([[40] * 100])
    assert heights == [4]


class TestHalfPrecision:
    @pytest.mark.parametrize(("count", "key_heads"), [(2, 2), (1, 2), (1, 4)])
    def test_bfloat16_is_as_near_to_float32_as_transformers_is(self, count, key_heads):
        if lean_obstacle(llama().to(torch.bfloat16)):
            pytest.skip("this processor has no bfloat16 products")
        errors = {"lean": 0.0, "generic": 0.0}
        for seed in range(4):
            exact = llama(seed, num_key_value_heads=key_heads)
            half = copy.deepcopy(exact).to(torch.bfloat16)
            exact = copy.deepcopy(half).float()
            prompts, tokens = [[40, 41, 42] * 9] * count, [[50], [51]][:count]
            with torch.inference_mode():
                rows = {
                    "exact": ModelRows(exact, VOCAB, exact.device),
                    "generic": ModelRows(copy.deepcopy(half), VOCAB, half.device),
                    "lean": LeanRows(packed(half), VOCAB),
                }
                logits = {name: (x.join(prompts), x.extend(tokens)) for name, x in rows.items()}
            for name in errors:
                for found, right in zip(logits[name], logits["exact"], strict=True):
                    errors[name] += float((found - right).abs().mean())
        assert errors["lean"] <= 1.25 * errors["generic"]

    def test_float16_is_left_to_transformers(self, tmp_path):
        pair = write_pair(tmp_path).load(dtype="float16")
        assert not pair._lean.rows


class TestCopiedHead:
    """A tied output layer is copied where that is wished for, or memory allows."""

    @pytest.mark.parametrize(
        ("settings", "copied"),
        [
            ({}, True),
            ({"copy_head": False}, False),
            ({"memory_probe": lambda _: 200_000}, False),
            ({"memory_probe": lambda _: 200_000, "copy_head": True}, True),
            ({"memory_probe": lambda _: None}, True),
        ],
    )
    def test_who_decides(self, settings, copied, tmp_path):
        pair = write_pair(tmp_path).load(engine="generic")
        tied = [(llama(i, tie_word_embeddings=True), pair.tokenizer) for i in range(2)]
        defaults = {"engine": "lean", "memory_probe": lambda _: 2**30}
        ModelPair.from_pretrained(*tied, **defaults | settings)
        for model, _ in tied:
            assert model.lm_head.weight is model.model.embed_tokens.weight
            assert isinstance(packed(model).head, SharedHead) is not copied


class TestChoice:
    def test_auto_is_lean_for_what_is_loaded_here(self, tmp_path):
        assert len(write_pair(tmp_path / "llama").load()._lean.rows) == 2
        assert not write_pair(tmp_path / "gpt2", "gpt2").load()._lean.rows
        assert not write_pair(tmp_path / "other").load(engine="generic")._lean.rows

    def test_models_of_the_caller_are_not_packed_unasked(self, tmp_path):
        pair = write_pair(tmp_path).load(engine="generic")
        sides = {
            "reference": (pair.reference, pair.tokenizer),
            "aligned": (pair.aligned, pair.tokenizer),
        }
        assert not ModelPair.from_pretrained(**sides)._lean.rows
        assert lean_obstacle(pair.aligned) is None
        assert type(pair.aligned.model.layers[0].mlp.up_proj) is torch.nn.Linear
        assert len(ModelPair.from_pretrained(**sides, engine="lean")._lean.rows) == 2

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"engine": "fast"}, "unknown engine 'fast'"),
            ({"prefix_cache": -1}, "prefix_cache must be bytes"),
            ({"engine": "lean"}, "GPT2LMHeadModel is not of the Llama family"),
        ],
    )
    def test_refusals(self, settings, message, tmp_path):
        with pytest.raises(InvalidValueError, match=message):
            write_pair(tmp_path, "gpt2").load(**settings)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda m: m.half(), "no packed products"),
            (lambda m: m.to("meta"), "the weights are on meta"),
            (lambda m: setattr(m.model.layers[1].mlp, "up_proj", torch.nn.Identity()), "replaced"),
            (lambda m: m.config.rope_parameters.update(rope_type="dynamic"), "'dynamic'"),
        ],
    )
    def test_obstacles(self, change, reason):
        model = llama()
        assert lean_obstacle(model) is None
        change(model)
        assert reason in lean_obstacle(model)


class TestPrefixCache:
    PASSAGES = tuple(range(40, 90))

    @torch.inference_mode()
    def read(self, model, prompt, cache):
        return LeanRows(model, VOCAB, cache).join([list(prompt)])

    def test_a_second_question_reads_its_own_tokens_only(self, monkeypatch):
        model, cache = packed(llama()), PrefixCache(2**30)
        self.read(model, [*self.PASSAGES, 100, 101], cache)
        read = []
        forward = model.forward
        monkeypatch.setattr(
            model, "forward", lambda tokens, *rest: read.extend(tokens) or forward(tokens, *rest)
        )
        found = self.read(model, [*self.PASSAGES, 110, 111, 112], cache)
        assert read == [110, 111, 112]
        assert cache.reused == len(self.PASSAGES)
        expected = self.read(model, [*self.PASSAGES, 110, 111, 112], None)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

    def test_the_same_prompt_again_reads_nothing_and_has_the_very_same_logits(self):
        model, cache = packed(llama()), PrefixCache(2**30)
        first = self.read(model, self.PASSAGES, cache)
        kept = first.clone()
        with torch.inference_mode():
            first.zero_()  # what a caller does to its logits stays with the caller
        assert torch.equal(self.read(model, self.PASSAGES, cache), kept)
        assert cache.reused == len(self.PASSAGES)

    @torch.inference_mode()
    def test_answers_do_not_leak_into_it(self):
        """Rows that grow on, are cropped and copied leave what is remembered as it was."""
        model, cache = packed(llama()), PrefixCache(2**30)
        rows = LeanRows(model, VOCAB, cache)
        rows.join([list(self.PASSAGES)])
        rows.extend([[100, 101, 102]])
        rows.crop([2])
        rows.select([0, 0])
        rows.extend([[103], [104]])
        prompt = [*self.PASSAGES, 110]
        expected = self.read(model, prompt, None)
        torch.testing.assert_close(self.read(model, prompt, cache), expected, atol=1e-5, rtol=1e-5)

    def test_bounded_and_least_recently_used(self):
        model = packed(llama())
        one = PrefixCache(2**30)
        self.read(model, self.PASSAGES, one)
        cache = PrefixCache(int(2.5 * one.used))
        starts = [[start, *self.PASSAGES] for start in (1, 2, 3)]
        self.read(model, starts[0], cache)
        self.read(model, starts[1], cache)
        self.read(model, [*starts[0], 100], cache)  # a third entry: the second prompt goes
        assert cache.used <= 2.5 * one.used
        self.read(model, [*starts[1], 101], cache)
        before = cache.reused
        self.read(model, [*starts[0], 102], cache)
        assert cache.reused > before

    def test_what_is_too_large_is_not_kept(self):
        cache = PrefixCache(10)
        self.read(packed(llama()), self.PASSAGES, cache)
        assert cache.used == 0

    def test_off(self, tmp_path):
        assert write_pair(tmp_path).load(prefix_cache=0)._lean.prefixes == ()

    def test_answers_are_those_without_it(self, tmp_path, cases):
        folders = write_pair(tmp_path)
        kept, without = folders.load(), folders.load(prefix_cache=0)
        sampling = Sampling(temperature=0.0, max_new_tokens=8)
        for case in range(cases(10, 200)):
            rng = random.Random(case % 7)
            passages = [rng.randrange(40, 300) for _ in range(30)]
            rng = random.Random(case)
            prompts = [[*passages, *draw_prompts(rng, 1)[0]] for _ in range(rng.randint(1, 3))]
            found, expected = (
                DeraDecoder(pair, speculation="off").generate(prompts, 0.6, sampling)
                for pair in (kept, without)
            )
            assert [x.token_ids for x in found] == [x.token_ids for x in expected], case
        assert all(cache.reused for cache in kept._lean.prefixes)
        kept.forget_prefixes()
        assert not any(cache.used for cache in kept._lean.prefixes)

    def test_several_threads(self, tmp_path):
        pair = write_pair(tmp_path).load()
        sampling = Sampling(temperature=0.0, max_new_tokens=6)
        prompts = [[*self.PASSAGES[: 20 + i], 100 + i] for i in range(12)]
        alone = [DeraDecoder(pair).generate(prompt, 0.5, sampling).token_ids for prompt in prompts]
        pair.forget_prefixes()
        found = {}

        def work(part):
            decoder = DeraDecoder(pair)
            for i in part:
                found[i] = decoder.generate(prompts[i], 0.5, sampling).token_ids

        threads = [threading.Thread(target=work, args=(range(j, 12, 3),)) for j in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[i] for i in range(12)] == alone


def test_many_joins_are_merged_and_idle_prompts_dropped():
    ordinary = llama()
    rows = LeanRows(packed(copy.deepcopy(ordinary)), VOCAB)
    generic = ModelRows(ordinary, VOCAB, ordinary.device)
    with torch.inference_mode():
        for i in range(9):
            prompt = [list(range(40, 45 + 3 * i))]
            torch.testing.assert_close(
                rows.join(prompt), generic.join(prompt), atol=2e-4, rtol=1e-4
            )
        assert len(rows._store._stacks) <= 4
        for kept in ([8, 1, 1, 4], [2, 0], [1, 1, 0], [2]):
            rows.select(kept)
            generic.select(kept)
            tokens = [[50 + i] for i in range(len(kept))]
            torch.testing.assert_close(
                rows.extend(tokens), generic.extend(tokens), atol=2e-4, rtol=1e-4
            )
        assert [stack.lengths for stack in rows._store._stacks] == [[8]]
