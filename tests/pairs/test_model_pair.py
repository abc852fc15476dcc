"""Loading and checking a pair; every fault is raised in `from_pretrained`."""

import json
import logging
import shutil

import pytest
import torch
from tokenizers import pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
)

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.errors import (
    DeraRagError,
    InvalidValueError,
    MissingFileError,
    ModelLoadError,
    PairMismatchError,
    PromptError,
)
from dera_rag.testing import tiny_model, tiny_tokenizer, write_pair

GREEDY = Sampling(temperature=0.0, max_new_tokens=8)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def folders(tmp_path):
    """A fresh pair to spoil."""
    return write_pair(tmp_path)


def test_loads_by_path(saved):
    for convert in (str, lambda path: path):
        pair = ModelPair.from_pretrained(
            reference=convert(saved.reference), aligned=convert(saved.aligned)
        )
        assert pair.name == "reference+aligned"
        assert pair.vocab_size == len(pair.tokenizer)
        assert pair.max_length == 256
        assert not pair.reference.training
        assert not pair.aligned.training
        assert repr(pair) == f"ModelPair(name='reference+aligned', vocab_size={pair.vocab_size})"


def test_accepts_loaded_objects_and_leaves_them_alone(saved):
    sides = [
        (AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path))
        for path in (saved.reference, saved.aligned)
    ]
    sides[1][0].train()
    before = [{k: v.clone() for k, v in model.state_dict().items()} for model, _ in sides]
    loaded = ModelPair.from_pretrained(*sides, name="mine")
    assert loaded.name == "mine"
    assert loaded.aligned is sides[1][0]
    assert not loaded.aligned.training
    by_path = DeraDecoder(saved.load()).generate("The pub", 0.7, GREEDY)
    assert DeraDecoder(loaded).generate("The pub", 0.7, GREEDY).token_ids == by_path.token_ids
    for (model, _), state in zip(sides, before, strict=True):
        assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    half = ModelPair.from_pretrained(reference=sides[0], aligned=str(saved.aligned))
    assert DeraDecoder(half).generate("The pub", 0.7, GREEDY).token_ids == by_path.token_ids


def test_dtype_is_the_checkpoints_unless_told(folders):
    model = AutoModelForCausalLM.from_pretrained(folders.aligned, dtype=torch.bfloat16)
    model.save_pretrained(folders.aligned)
    pair = folders.load()
    assert (pair.reference.dtype, pair.aligned.dtype) == (torch.float32, torch.bfloat16)
    assert folders.load(dtype="float32").aligned.dtype is torch.float32
    assert folders.load(dtype=torch.bfloat16).reference.dtype is torch.bfloat16


@pytest.mark.parametrize("dtype", ["float33", "int8", 5])
def test_unknown_dtype(saved, dtype):
    with pytest.raises(InvalidValueError, match="dtype"):
        saved.load(dtype=dtype)


def test_unknown_device(saved):
    with pytest.raises(InvalidValueError, match="device 'warp'"):
        saved.load(device="warp")


def test_an_absent_device(saved, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(InvalidValueError, match=r"'cuda:1' is not here: torch sees 1"):
        saved.load(device="cuda:1")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(InvalidValueError, match="'cuda' is not here"):
        saved.load(device=torch.device("cuda"))


@pytest.mark.parametrize("template", ["alligned", "", 5, None])
def test_a_chat_template_that_shows_no_message(saved, template):
    with pytest.raises(InvalidValueError, match="neither a side nor a template"):
        saved.load(chat_template=template)


@pytest.mark.parametrize("side", ["reference", "aligned"])
def test_unknown_places(saved, tmp_path, side):
    sources = {"reference": str(saved.reference), "aligned": str(saved.aligned)}
    for missing in (str(tmp_path / "absent"), tmp_path / "absent", "./absent", "a/b/c"):
        with pytest.raises(MissingFileError, match=f"absent.*{side}|a/b/c.*{side}"):
            ModelPair.from_pretrained(**sources | {side: missing})
    with pytest.raises(ModelLoadError, match="HF_HUB_OFFLINE") as caught:
        ModelPair.from_pretrained(**sources | {side: "nobody/no-such-model"})
    assert side in str(caught.value)
    file = saved.reference / "config.json"
    with pytest.raises(ModelLoadError, match="is a file"):
        ModelPair.from_pretrained(**sources | {side: file})
    for odd in (None, 5, "", (1, 2), (tiny_model("llama", 9, 0),)):
        with pytest.raises(InvalidValueError, match=side):
            ModelPair.from_pretrained(**sources | {side: odd})


def test_pickled_weights_are_not_read(folders):
    weights = folders.aligned / "model.safetensors"
    state = AutoModelForCausalLM.from_pretrained(folders.aligned).state_dict()
    weights.unlink()
    torch.save(state, folders.aligned / "pytorch_model.bin")
    with pytest.raises(ModelLoadError, match=r"no safetensors for the aligned model.*save_pretr"):
        folders.load()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_an_incomplete_directory(folders, name):
    for file in folders.aligned.glob(name.replace(".json", "*")):
        file.unlink()
    with pytest.raises(ModelLoadError, match="aligned"):
        folders.load()


def test_missing_and_broken_weights(folders):
    """transformers would fill a missing weight with random numbers."""
    from safetensors.torch import load_file, save_file

    path = folders.aligned / "model.safetensors"
    state = load_file(path)
    dropped = {k: v for k, v in state.items() if "layers.1.mlp" not in k}
    save_file(dropped, path, metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"lacks 3 weights, first 'model.layers.1.mlp"):
        folders.load()
    path.write_bytes(b"not safetensors")
    with pytest.raises(DeraRagError, match="aligned"):
        folders.load()


def test_weights_of_another_size(folders):
    config = folders.aligned / "config.json"
    config.write_text(
        config.read_text().replace('"intermediate_size": 48', '"intermediate_size": 64')
    )
    with pytest.raises(ModelLoadError, match="aligned"):
        folders.load()


@pytest.mark.parametrize("value", ["false", "true", 1, None])
def test_remote_code_is_asked_for_by_a_bool_alone(saved, value):
    with pytest.raises(InvalidValueError, match="trust_remote_code must be True or False"):
        saved.load(trust_remote_code=value)


def test_remote_code_is_off_unless_asked_for(folders, tmp_path):
    marker = tmp_path / "ran"
    config = json.loads((folders.aligned / "config.json").read_text())
    config["model_type"] = "homemade"
    config["auto_map"] = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
    (folders.aligned / "config.json").write_text(json.dumps(config))
    (folders.aligned / "code.py").write_text(f"open({str(marker)!r}, 'w')\n")
    with pytest.raises(ModelLoadError, match="trust_remote_code"):
        folders.load()
    assert not marker.exists()


class TestVocabularies:
    def spoil(self, folders, change):
        path = folders.aligned / "tokenizer.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    def test_swapped_ids(self, folders):
        def swap(content):
            vocab = content["model"]["vocab"]
            by_id = {index: token for token, index in vocab.items()}
            vocab[by_id[60]], vocab[by_id[61]] = 61, 60

        self.spoil(folders, swap)
        match = (
            r"2 ids name another token \(reference ≠ aligned: 60: '(.+)' ≠ '(.+)', 61: '\2' ≠ '\1'"
        )
        with pytest.raises(PairMismatchError, match=match):
            folders.load()

    def test_an_added_token(self, folders):
        tokenizer = AutoTokenizer.from_pretrained(folders.aligned)
        tokenizer.add_tokens(["<pad>"])
        tokenizer.save_pretrained(folders.aligned)
        with pytest.raises(PairMismatchError, match=r"1 ids exist in the aligned tokenizer alone"):
            folders.load()

    def test_a_smaller_vocabulary(self, folders):
        def shorten(content):
            vocab = content["model"]["vocab"]
            last = max(vocab, key=vocab.get)
            del vocab[last]
            content["model"]["merges"] = [
                m for m in content["model"]["merges"] if "".join(m) != last
            ]

        self.spoil(folders, shorten)
        with pytest.raises(PairMismatchError, match=r"1 ids exist in the reference tokenizer"):
            folders.load()

    def test_loaded_objects_too(self, saved):
        tokenizer = tiny_tokenizer("byte_fallback")
        model = tiny_model("llama", len(tokenizer), 0)
        with pytest.raises(PairMismatchError):
            ModelPair.from_pretrained(reference=str(saved.reference), aligned=(model, tokenizer))

    def test_a_mismatch_is_found_before_weights_are_read(self, folders, monkeypatch):
        self.spoil(folders, lambda content: content["model"]["vocab"].update({"zzz": 330}))
        monkeypatch.setattr(
            AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("weights read")
        )
        with pytest.raises(PairMismatchError):
            folders.load()

    def test_same_ids_but_another_encoding_is_logged(self, folders, caplog):
        tokenizer = AutoTokenizer.from_pretrained(folders.reference)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.save_pretrained(folders.reference)
        with caplog.at_level(logging.WARNING, logger="dera_rag"):
            pair = folders.load()
        assert "encode text differently" in caplog.text
        assert pair.tokenizer("abc") == AutoTokenizer.from_pretrained(folders.aligned)("abc")

    def test_embeddings_smaller_than_the_tokenizer(self, saved):
        tokenizer = AutoTokenizer.from_pretrained(saved.aligned)
        small = (tiny_model("llama", len(tokenizer) - 1, 0), tokenizer)
        with pytest.raises(PairMismatchError, match="embedding rows"):
            ModelPair.from_pretrained(reference=small, aligned=small)

    def test_a_special_token_without_embedding_is_out_of_reach(self, caplog):
        tokenizer = tiny_tokenizer()
        size = len(tokenizer)
        tokenizer.add_special_tokens({"pad_token": "<pad>"})
        sides = [(tiny_model("llama", size, seed), tokenizer) for seed in (0, 1)]
        with caplog.at_level(logging.WARNING, logger="dera_rag"):
            pair = ModelPair.from_pretrained(*sides)
        assert "<pad>" in caplog.text
        assert pair.vocab_size == size
        with pytest.raises(PromptError, match=f"token id {size}"):
            DeraDecoder(pair).generate("a<pad>", 1.0, GREEDY)


class TestEnds:
    def test_union_of_both_generation_configs(self, tmp_path):
        pair = write_pair(tmp_path, eos=([2, 9], [31])).load()
        assert pair.stop_ids == {2, 9, 31}

    def test_one_side_without_an_end(self, folders):
        GenerationConfig(eos_token_id=7).save_pretrained(folders.reference)
        GenerationConfig().save_pretrained(folders.aligned)
        config = folders.aligned / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"eos_token_id": None}))
        assert folders.load().stop_ids == {7}

    def test_no_end_at_all_is_logged(self, folders, caplog):
        for folder in (folders.reference, folders.aligned):
            GenerationConfig().save_pretrained(folder)
        with caplog.at_level(logging.WARNING, logger="dera_rag"):
            pair = folders.load()
        assert pair.stop_ids == frozenset()
        assert "end-of-sequence" in caplog.text
        answer = DeraDecoder(pair).generate("The pub", 1.0, GREEDY)
        assert len(answer.token_ids) == 8


class TestTemplates:
    @pytest.fixture
    def templated(self, folders):
        for folder, template in ((folders.reference, "R"), (folders.aligned, "A")):
            tokenizer = AutoTokenizer.from_pretrained(folder)
            tokenizer.chat_template = template
            tokenizer.save_pretrained(folder)
        return folders

    def test_the_aligned_models_unless_told_otherwise(self, templated):
        assert templated.load().chat_template == "A"
        assert templated.load(chat_template="reference").chat_template == "R"
        own = templated.load(chat_template="{{ messages }}")
        assert own.chat_template == "{{ messages }}"

    def test_none(self, saved):
        assert saved.load().chat_template is None


@pytest.mark.parametrize("shape", ["llama", "gpt2", "mistral"])
def test_the_context_is_the_smaller_of_both(shape, tmp_path):
    long = write_pair(tmp_path / "long", shape, positions=64)
    short = write_pair(tmp_path / "short", shape, positions=32)
    pair = ModelPair.from_pretrained(reference=str(short.reference), aligned=str(long.aligned))
    assert pair.max_length == 32
    decoder = DeraDecoder(pair)
    with pytest.raises(PromptError, match="25 tokens and max_new_tokens is 8"):
        decoder.generate([5] * 25, 0.5, GREEDY)
    # The last position is used, in a batch too.
    answers = decoder.generate([[5] * 24, [6] * 3], 0.5, GREEDY)
    assert all(answer.finish_reason for answer in answers)


def test_the_embedded_pair_says_when_it_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    with pytest.raises(MissingFileError, match="embedded pair"):
        ModelPair.embedded()


def test_the_embedded_pair(monkeypatch, tmp_path):
    """Stored in half precision, decoded in float32, recognised by its name."""
    folders = write_pair(tmp_path / "made")
    for folder in (folders.reference, folders.aligned):
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16).save_pretrained(folder)
        shutil.copytree(folder, tmp_path / "embedded" / "pair" / folder.name)
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    pair = ModelPair.embedded()
    assert pair.name == "venues-pair"
    assert pair.aligned.dtype is torch.float32
