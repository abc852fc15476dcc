"""One base with an adapter: one forward of both branches, equal to two models."""

import copy
import json
import logging
import threading

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.errors import InvalidValueError, MissingFileError, ModelLoadError, PairMismatchError
from dera_rag.pairs.lora import LoraLinear, RowSwitch
from dera_rag.protocols import Branches
from dera_rag.testing import check_pair_contract, tiny_tokenizer, write_adapter, write_pair

PROMPTS = [[40, 41, 42, 43, 44], [50], [60, 61, 62] * 6]
LAMS = [0.0, 0.6, 1.7]
GREEDY = Sampling(temperature=0.0, max_new_tokens=10)
BOTH = Branches.BOTH

# What PEFT's configuration can say of plain low-rank additions, over the layer kinds there are.
PLAIN = {
    "all linear layers": ("llama", {}),
    "patterns": (
        "llama",
        {
            "target_modules": ["q_proj", "v_proj", "down_proj"],
            "rank_pattern": {"q_proj": 3},
            "alpha_pattern": {"v_proj": 9},
            "use_rslora": True,
        },
    ),
    "the head, some layers": (
        "mistral",
        {"target_modules": ["lm_head", "o_proj"], "layers_to_transform": [1]},
    ),
    "transposed weights": (
        "gpt2",
        {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True},
    ),
    "an encoder–decoder": ("t5", {"target_modules": ["q", "v", "wo"]}),
}
FEW = {"lams": (0.0, 0.6, 1.0), "max_new_tokens": 6}
OWN_PASS = {
    "DoRA rescales": {"use_dora": True, "target_modules": ["q_proj", "up_proj"]},
    "replaces whole modules": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "adapts a Embedding": {"target_modules": ["q_proj", "embed_tokens"]},
    "trains biases": {"target_modules": ["q_proj"], "bias": "all"},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A base, a plain adapter, and the adapted model as PEFT runs it."""
    root = tmp_path_factory.mktemp("adapter")
    base = write_pair(root).reference
    return base, root / "adapter", write_adapter(root / "adapter", base)


@pytest.fixture(scope="module")
def pair(folders):
    return ModelPair.from_adapter(base=folders[0], adapter=folders[1])


def merged_pair(pair, tuned):
    """Two whole models: the base, and PEFT's merge of the adapter into it."""
    merged = copy.deepcopy(tuned).merge_and_unload()
    return ModelPair.from_pretrained(
        (pair.reference, pair.tokenizer), (merged, pair.tokenizer), name="merged"
    )


@pytest.mark.parametrize("kind", PLAIN)
def test_contract_and_tokens_of_two_merged_models(kind, tmp_path):
    shape, settings = PLAIN[kind]
    base = write_pair(tmp_path, shape).reference
    tuned = write_adapter(tmp_path / "adapter", base, shape, **settings)
    pair = ModelPair.from_adapter(base, tmp_path / "adapter")
    assert pair.one_pass
    assert pair.name == "reference+adapter"
    assert check_pair_contract(pair, PROMPTS, **FEW) == []
    for sampling in (GREEDY, Sampling(seed=[1, 2, 3], max_new_tokens=10)):
        one, two = (
            DeraDecoder(p).generate(PROMPTS, LAMS, sampling)
            for p in (pair, merged_pair(pair, tuned))
        )
        assert [a.token_ids for a in one] == [a.token_ids for a in two]


def test_the_adapter_changes_the_model(pair):
    ids = torch.tensor([PROMPTS[0]])
    assert (pair.reference(ids).logits - pair.aligned(ids).logits).abs().max() > 1


@pytest.mark.parametrize("reason", OWN_PASS)
def test_other_adapters_take_two_passes_and_say_so(reason, tmp_path, caplog):
    base = write_pair(tmp_path).reference
    tuned = write_adapter(tmp_path / "adapter", base, **OWN_PASS[reason])
    with caplog.at_level(logging.WARNING, logger="dera_rag"):
        pair = ModelPair.from_adapter(base, tmp_path / "adapter")
    assert not pair.one_pass
    assert reason in caplog.text
    assert "a forward of its own" in caplog.text
    plain = AutoModelForCausalLM.from_pretrained(base)
    for prompt in PROMPTS:
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            assert torch.equal(pair.reference(ids).logits, plain(ids).logits)
            torch.testing.assert_close(pair.aligned(ids).logits, tuned(ids).logits)
    assert check_pair_contract(pair, PROMPTS, **FEW) == []


def test_stored_weights_of_the_base_do_not_reach_the_reference(tmp_path, caplog):
    """PEFT stores embeddings whole beside an adapter of theirs, retrained ones too."""
    from safetensors.torch import load_file, save_file

    base = write_pair(tmp_path).reference
    write_adapter(tmp_path / "adapter", base, target_modules=["lm_head", "q_proj"])
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    state = load_file(path)
    key = next(key for key in state if key.endswith("lm_head.base_layer.weight"))
    assert ModelPair.from_adapter(base, tmp_path / "adapter").one_pass
    state[key] = state[key] + 1
    save_file(state, path)
    with caplog.at_level(logging.WARNING, logger="dera_rag"):
        pair = ModelPair.from_adapter(base, tmp_path / "adapter")
    assert not pair.one_pass
    assert "replaces weights of the base" in caplog.text
    plain = AutoModelForCausalLM.from_pretrained(base)
    heads = [m.get_output_embeddings().weight for m in (pair.reference, pair.aligned, plain)]
    assert torch.equal(heads[0], heads[2])
    assert torch.equal(heads[1], heads[2] + 1)


def test_one_forward_a_step(pair, monkeypatch):
    shapes = []
    forward = type(pair.aligned).forward

    def counted(self, input_ids, **settings):
        shapes.append((self is pair.aligned, tuple(input_ids.shape)))
        return forward(self, input_ids=input_ids, **settings)

    monkeypatch.setattr(type(pair.aligned), "forward", counted)
    sampling = Sampling(temperature=0.0, max_new_tokens=4)
    DeraDecoder(pair).generate([[40], [41], [42]], [0.0, 0.5, 1.0], sampling)
    # Rows at λ=0 and λ=1 run once, the row between twice.
    assert shapes == [(True, (2, 1))] * 2 + [(True, (4, 1))] * 3


def test_bfloat16_equals_the_unmerged_adapter(folders, tmp_path):
    """Bit for bit what PEFT computes, whatever type the adapter is stored in."""
    from peft import PeftModel

    base = folders[0]
    for dtype in (torch.float32, torch.bfloat16):
        place = tmp_path / str(dtype)
        write_adapter(place, base, dtype=dtype)
        pair = ModelPair.from_adapter(base, place, dtype="bfloat16")
        plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).eval()
        ids = torch.tensor([PROMPTS[2]])
        with torch.inference_mode():
            assert torch.equal(pair.reference(ids).logits, plain(ids).logits)
        with pytest.warns(FutureWarning):
            tuned = PeftModel.from_pretrained(plain, str(place)).eval()
        with torch.inference_mode():
            assert torch.equal(pair.aligned(ids).logits, tuned(ids).logits)
        layers = [m for m in pair.aligned.modules() if isinstance(m, LoraLinear)]
        assert {layer.down.dtype for layer in layers} == {dtype}


def test_memory_is_the_base_and_the_file(pair, folders):
    stored = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for model in (pair.reference, pair.aligned)
        for tensor in (*model.parameters(), *model.buffers())
    }
    base = AutoModelForCausalLM.from_pretrained(folders[0])
    weights = {
        t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in base.parameters()
    }
    file = (folders[1] / "adapter_model.safetensors").stat().st_size
    assert sum(stored.values()) <= 1.02 * (sum(weights.values()) + file)


def test_a_loaded_base_is_left_alone(folders):
    model = AutoModelForCausalLM.from_pretrained(folders[0])
    tokenizer = AutoTokenizer.from_pretrained(folders[0])
    model.model.norm.weight.requires_grad_(False)
    before = {k: (v.clone(), v.requires_grad) for k, v in model.named_parameters()}
    pair = ModelPair.from_adapter((model, tokenizer), folders[1], name="mine")
    assert (pair.reference, pair.tokenizer, pair.name) == (model, tokenizer, "mine")
    DeraDecoder(pair).generate(PROMPTS, LAMS, GREEDY)
    after = dict(model.named_parameters())
    assert after.keys() == before.keys()
    for name, (value, trainable) in before.items():
        assert torch.equal(after[name], value)
        assert after[name].requires_grad == trainable
    assert not any(isinstance(module, LoraLinear) for module in model.modules())


def test_threads_switch_rows_for_themselves(pair):
    decoder = DeraDecoder(pair)
    cases = [(PROMPTS, LAMS), (PROMPTS[::-1], [1.0, 0.0, 0.4])]
    expected = [[a.token_ids for a in decoder.generate(*case, GREEDY)] for case in cases]
    found = [None, None]

    def work(i):
        found[i] = [
            [a.token_ids for a in DeraDecoder(pair).generate(*cases[i], GREEDY)] for _ in range(3)
        ]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[own] * 3 for own in expected]


class TestRowSwitch:
    """W = 1, B·A = 2, s = 10: a row gives x with the adapter off and 21·x with it on."""

    @pytest.fixture
    def layer(self):
        base = torch.nn.Linear(1, 1, bias=False)
        base.weight.data.fill_(1.0)
        two = torch.tensor([[2.0]])
        switch = RowSwitch()
        made = LoraLinear(base, two, two / 2, bias=None, scaling=10.0, switch=switch)
        return made, switch

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            ([0, 1, 2], [21.0, 42.0, 63.0]),
            ([], [1.0, 2.0, 3.0]),
            ([0, 1], [21.0, 42.0, 3.0]),
            ([1], [1.0, 42.0, 3.0]),
        ],
    )
    @torch.inference_mode()
    def test_by_hand(self, layer, rows, expected):
        made, switch = layer
        x = torch.tensor([[[1.0]], [[2.0]], [[3.0]]])
        with switch.on(rows, 3):
            assert made(x).flatten().tolist() == expected
            with switch.narrowed([2, 1]):
                narrowed = made(x[[2, 1]]).flatten().tolist()
            assert narrowed == [expected[2], expected[1]]
        assert made(x).flatten().tolist() == [21.0, 42.0, 63.0]

    def test_the_layer_answers_for_its_base(self, layer):
        made, _ = layer
        assert made.in_features == 1
        assert made.weight is made.base.weight
        with pytest.raises(AttributeError, match="no_such"):
            _ = made.no_such


class TestTokenizer:
    def test_one_beside_the_adapter_is_the_aligned_models(self, folders, tmp_path):
        tokenizer = AutoTokenizer.from_pretrained(folders[0])
        tokenizer.chat_template = "A"
        write_adapter(tmp_path, folders[0])
        tokenizer.save_pretrained(tmp_path)
        assert ModelPair.from_adapter(folders[0], tmp_path).chat_template == "A"
        plain = ModelPair.from_adapter(folders[0], tmp_path, chat_template="reference")
        assert plain.chat_template is None

    def test_another_vocabulary_is_refused(self, folders, tmp_path):
        write_adapter(tmp_path, folders[0])
        tiny_tokenizer("byte_fallback").save_pretrained(tmp_path)
        with pytest.raises(PairMismatchError):
            ModelPair.from_adapter(folders[0], tmp_path)


class TestRefusals:
    @pytest.fixture
    def spoiled(self, folders, tmp_path):
        """A fresh adapter to spoil, and a way to change its configuration."""
        write_adapter(tmp_path, folders[0])

        def change(**settings):
            path = tmp_path / "adapter_config.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | settings))

        return tmp_path, change

    @pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
    def test_incomplete(self, folders, spoiled, missing):
        (spoiled[0] / missing).unlink()
        with pytest.raises(ModelLoadError, match="adapter"):
            ModelPair.from_adapter(folders[0], spoiled[0])

    def test_pickled_weights_are_not_read(self, folders, spoiled):
        (spoiled[0] / "adapter_model.safetensors").unlink()
        torch.save({}, spoiled[0] / "adapter_model.bin")
        with pytest.raises(ModelLoadError, match="pickled weights are not read"):
            ModelPair.from_adapter(folders[0], spoiled[0])

    def test_the_lean_engine(self, folders):
        for engine in ("auto", "generic"):
            assert ModelPair.from_adapter(*folders[:2], engine=engine, prefix_cache=0).one_pass
        with pytest.raises(InvalidValueError, match=r"runs no adapters.*merge the adapter"):
            ModelPair.from_adapter(*folders[:2], engine="lean")
        with pytest.raises(InvalidValueError, match="unknown engine 'fast'"):
            ModelPair.from_adapter(*folders[:2], engine="fast")
        with pytest.raises(InvalidValueError, match="prefix_cache"):
            ModelPair.from_adapter(*folders[:2], prefix_cache=-1)

    def test_absent(self, folders, tmp_path):
        with pytest.raises(MissingFileError, match="no directory"):
            ModelPair.from_adapter(folders[0], tmp_path / "absent")
        with pytest.raises(ModelLoadError, match="HF_HUB_OFFLINE"):
            ModelPair.from_adapter(folders[0], "nobody/no-such-adapter")
        with pytest.raises(InvalidValueError, match="adapter"):
            ModelPair.from_adapter(folders[0], 5)

    def test_one_that_rewrites_the_base(self, folders, spoiled):
        spoiled[1](init_lora_weights="pissa_niter_16")
        with pytest.raises(ModelLoadError, match="'pissa_niter_16', which rewrites the base"):
            ModelPair.from_adapter(folders[0], spoiled[0])

    def test_one_that_changes_the_prompt(self, folders, tmp_path):
        from peft import PromptTuningConfig
        from safetensors.torch import save_file

        PromptTuningConfig(num_virtual_tokens=2).save_pretrained(tmp_path)
        save_file({"prompt_embeddings": torch.zeros(2, 32)}, tmp_path / "adapter_model.safetensors")
        with pytest.raises(ModelLoadError, match="PROMPT_TUNING: it changes the prompt"):
            ModelPair.from_adapter(folders[0], tmp_path)

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            (lambda state: state.popitem(), "lacks 'base_model"),
            (lambda state: state.update(extra=torch.zeros(1)), "have no place in the base, first"),
            (
                lambda state: state.update({next(iter(state)): torch.zeros(9, 9)}),
                r"has shape \(9, 9\) for",
            ),
        ],
    )
    def test_weights_that_do_not_fit(self, folders, spoiled, change, match):
        from safetensors.torch import load_file, save_file

        path = spoiled[0] / "adapter_model.safetensors"
        state = load_file(path)
        change(state)
        save_file(state, path)
        with pytest.raises(ModelLoadError, match=match):
            ModelPair.from_adapter(folders[0], spoiled[0])

    def test_another_base(self, tmp_path, folders):
        other = write_pair(tmp_path, "gpt2").reference
        with pytest.raises(ModelLoadError, match="adapter"):
            ModelPair.from_adapter(other, folders[1])

    def test_memory(self, folders):
        with pytest.raises(ModelLoadError, match=r"base .* \+ adapter .* free are 0.00 MiB on cpu"):
            ModelPair.from_adapter(*folders[:2], device="cpu", memory_probe=lambda device: 0)
