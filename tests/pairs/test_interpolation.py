"""The weight-interpolation baseline: one model, exact at both ends."""

import pytest
import torch

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.errors import InvalidValueError, PairMismatchError
from dera_rag.pairs.interpolation import interpolated
from dera_rag.pairs.lean import plain
from dera_rag.testing import SHAPES, tiny_model, write_pair

GREEDY = Sampling(temperature=0.0, max_new_tokens=10)


@pytest.mark.parametrize("shape", SHAPES)
def test_is_the_models_themselves_at_both_ends(shape, tmp_path):
    pair = write_pair(tmp_path, shape, padding=(0, 7)).load()
    for lam in (0.0, 1.0):
        baseline = DeraDecoder(interpolated(pair, lam)).generate([40, 41, 42], sampling=GREEDY)
        own = DeraDecoder(pair).generate([40, 41, 42], lam, GREEDY)
        assert baseline.token_ids == own.token_ids
        assert baseline.trace.entropy == pytest.approx(own.trace.entropy, abs=1e-5)


def test_is_exact_at_both_ends(tmp_path):
    pair = write_pair(tmp_path).load(dtype="bfloat16")
    for lam, model in ((0.0, pair.reference), (1.0, pair.aligned)):
        own = dict(plain(model).named_parameters())
        made = interpolated(pair, lam).aligned.named_parameters()
        assert all(torch.equal(weight, own[name]) for name, weight in made)


@pytest.mark.parametrize("lam", [0.3, 0.5, 1.4, 10.0])
def test_weights_follow_the_formula(tmp_path, lam):
    pair = write_pair(tmp_path).load()
    before = {name: w.clone() for name, w in pair.aligned.state_dict().items()}
    baseline = interpolated(pair, lam)
    first, second = (dict(plain(m).named_parameters()) for m in (pair.reference, pair.aligned))
    for name, weight in baseline.aligned.named_parameters():
        expected = first[name].double() + lam * (second[name].double() - first[name].double())
        torch.testing.assert_close(weight.double(), expected, atol=1e-5, rtol=1e-5)
    assert all(torch.equal(w, before[name]) for name, w in pair.aligned.state_dict().items())


def test_is_one_model_and_says_so(tmp_path, monkeypatch):
    pair = write_pair(tmp_path).load()
    baseline = interpolated(pair, 0.5)
    assert baseline.reference is baseline.aligned
    assert baseline.name == "reference+aligned:weights(λ=0.5)"
    calls = []
    forward = type(pair.aligned).forward

    def counted(self, *args, **settings):
        calls.append(self)
        return forward(self, *args, **settings)

    monkeypatch.setattr(type(pair.aligned), "forward", counted)
    DeraDecoder(baseline, speculation="off").generate([40, 41], sampling=GREEDY)
    assert set(calls) == {baseline.aligned}
    assert len(calls) == 10


def test_is_not_what_mixing_logits_gives(tmp_path):
    """Labelled apart because it differs, all the more beyond λ=1."""
    pair = write_pair(tmp_path).load()
    prompts = [[40, 41, 42], [50, 60], [70]]
    mixed = DeraDecoder(pair).generate(prompts, 1.7, GREEDY)
    weights = DeraDecoder(interpolated(pair, 1.7)).generate(prompts, sampling=GREEDY)
    assert [a.token_ids for a in mixed] != [a.token_ids for a in weights]


def test_saves_and_loads_as_safetensors(tmp_path):
    pair = write_pair(tmp_path).load()
    baseline = interpolated(pair, 0.6)
    folder = tmp_path / "baseline"
    baseline.aligned.save_pretrained(folder)
    baseline.tokenizer.save_pretrained(folder)
    assert [path.suffix for path in folder.glob("*model*")] == [".safetensors"]
    loaded = ModelPair.from_pretrained(reference=folder, aligned=folder)
    answers = [DeraDecoder(p).generate("The old", sampling=GREEDY) for p in (baseline, loaded)]
    assert answers[0].token_ids == answers[1].token_ids


def test_keeps_the_checkpoints_dtype(tmp_path):
    pair = write_pair(tmp_path).load(dtype="bfloat16")
    baseline = interpolated(pair, 0.5)
    name, weight = next(iter(baseline.aligned.named_parameters()))
    assert weight.dtype is torch.bfloat16
    first, second = (
        dict(plain(m).named_parameters())[name] for m in (pair.reference, pair.aligned)
    )
    assert torch.equal(weight, ((first.float() + second.float()) / 2).bfloat16())


def paired(pair, model):
    return ModelPair.from_pretrained(
        reference=(model, pair.tokenizer), aligned=(pair.aligned, pair.tokenizer)
    )


def test_refuses_another_architecture(tmp_path):
    pair = write_pair(tmp_path).load()
    size = len(pair.tokenizer)
    with pytest.raises(PairMismatchError, match="exist in one model alone"):
        interpolated(paired(pair, tiny_model("gpt2", size, 3)), 0.5)
    small = tiny_model("llama", size, 3)
    small.model.norm.weight = torch.nn.Parameter(torch.ones(16))
    with pytest.raises(PairMismatchError, match=r"norm.weight' is \(16,\) .* \(32,\)"):
        interpolated(paired(pair, small), 0.5)


def test_refuses_other_positions(tmp_path):
    pair = write_pair(tmp_path).load()
    model = tiny_model("llama", len(pair.tokenizer), 3)
    model.model.rotary_emb.inv_freq *= 2
    with pytest.raises(PairMismatchError, match="buffer"):
        interpolated(paired(pair, model), 0.5)


def test_refuses_quantized_weights(tmp_path):
    pair = write_pair(tmp_path).load()
    model = tiny_model("llama", len(pair.tokenizer), 3)
    weight = model.model.layers[0].mlp.up_proj.weight
    weight.requires_grad = False
    model.model.layers[0].mlp.up_proj.weight = torch.nn.Parameter(
        weight.to(torch.int8), requires_grad=False
    )
    with pytest.raises(InvalidValueError, match="quantization"):
        interpolated(paired(pair, model), 0.5)


@pytest.mark.parametrize("lam", [-1.0, float("nan"), "half"])
def test_refuses_a_lambda_that_is_none(tmp_path, lam):
    with pytest.raises(InvalidValueError, match="λ must be"):
        interpolated(write_pair(tmp_path).load(), lam)
