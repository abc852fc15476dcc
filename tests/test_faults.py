"""Faults of released implementations: each check passes on ours and fails with the fault put back.

A check takes the function under test. `holds` runs it on ours; `breaks` runs it on a variant with
the fault and demands that it fails, so that no check can go blind. The decoding faults are those
of the paper's notebook (a logits processor that runs the reference inside `generate()`) and of a
serving fork; the tokenizer faults are those of pairs in the wild.
"""

import functools
import itertools
import math

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
from wrapper_rows import generate_rows

from dera_rag import DeraDecoder, DeraForCausalLM, DeraForSeq2SeqLM, ModelPair, Sampling
from dera_rag.errors import LogitsError, PairMismatchError
from dera_rag.numerics import mix
from dera_rag.numerics.sampling import penalise
from dera_rag.pairs import two_models
from dera_rag.pairs.compatibility import check_same_ids
from dera_rag.pairs.loading import quiet
from dera_rag.pairs.rows import ModelRows
from dera_rag.pairs.session import CausalSession
from dera_rag.protocols import Branches
from dera_rag.testing import (
    ENCODER_DECODERS,
    assert_same_tokens,
    cache_free_greedy,
    cache_free_logits,
    hugging_face_greedy,
    tiny_tokenizer,
    write_adapter,
    write_pair,
)

GREEDY = Sampling(temperature=0.0, max_new_tokens=12)
PROMPTS = [[40, 41], [50, 51, 52, 53, 54, 55, 56, 57, 58], [60, 61, 62, 63]]


def holds(check, ours, *context):
    check(ours, *context)


def breaks(check, faulty, *context):
    with pytest.raises(AssertionError):
        check(faulty, *context)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"), padding=(4, 11)).load(engine="generic")


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def shaped_pair(request, tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp(request.param), request.param).load(engine="generic")


class Rewired(ModelPair):
    """A pair with the same models and another way to start a session."""

    def __init__(self, pair, start):
        super().__init__(pair.reference, pair.aligned, pair.tokenizer, name=pair.name)
        self._start = start

    def start(self, prompts, branches):
        return self._start(self, prompts, branches)


def session_with(pair, new_rows, prompts, branches):
    """A session whose rows of each branch come from `new_rows(branch, model)`."""
    models = {Branches.REFERENCE: pair.reference, Branches.ALIGNED: pair.aligned}
    made = {b: functools.partial(new_rows, b, model) for b, model in models.items()}
    return CausalSession(made, prompts, branches)


class BlindRows(ModelRows):
    """An attention mask of ones and no position ids: what the notebook passes."""

    def _forward(self, tokens, positions, count):
        self._padded = False
        past = self._cache.get_seq_length()
        columns = torch.arange(past, past + tokens.shape[1])
        return super()._forward(tokens, columns.expand(tokens.shape[0], -1), count)


class StaleRows(ModelRows):
    """Rows that go on from the cache of an earlier prompt."""

    def __init__(self, model, vocab_size, home, kept):
        super().__init__(model, vocab_size, home)
        self._kept = kept

    def _read(self, prompts):
        if self._kept:
            self._cache = self._kept[0]
        self._kept[:] = [self._cache]
        past = self._cache.get_seq_length()
        tokens = torch.tensor(prompts)
        self._mask = torch.ones(len(prompts), past + tokens.shape[1], dtype=torch.long)
        self._lengths = self._peaks = self._mask.sum(-1, keepdim=True)
        positions = torch.arange(past, past + tokens.shape[1])[None]
        return self._forward(tokens, positions, 1)[:, -1]


def check_padded_batch(pair):
    """Every row of a left-padded batch equals the row decoded without padding or cache."""
    answers = DeraDecoder(pair).generate(PROMPTS, 0.6, GREEDY)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        assert_same_tokens(
            answer.token_ids,
            cache_free_greedy(pair, prompt, 0.6, 12),
            lambda tail, prompt=prompt: cache_free_logits(pair, [*prompt, *tail], 0.6),
        )


def test_left_padding_is_masked_and_positions_count_tokens(shaped_pair, monkeypatch):
    holds(check_padded_batch, shaped_pair)
    monkeypatch.setattr(two_models, "ModelRows", BlindRows)
    breaks(check_padded_batch, shaped_pair)


def check_second_prompt(pair):
    """A decoder used twice answers the second prompt as a fresh one does."""
    decoder = DeraDecoder(pair)
    for prompt in PROMPTS[:2]:
        answer = decoder.generate(prompt, 0.6, GREEDY)
        assert answer.token_ids == cache_free_greedy(pair, prompt, 0.6, 12)


def test_no_cache_outlives_its_prompt(pair):
    kept = []

    def start_with_stale_reference(rewired, prompts, branches):
        def new_rows(branch, model):
            if branch is Branches.REFERENCE:
                return StaleRows(model, rewired.vocab_size, model.device, kept)
            return ModelRows(model, rewired.vocab_size, model.device)

        return session_with(rewired, new_rows, prompts, branches)

    holds(check_second_prompt, pair)
    breaks(check_second_prompt, Rewired(pair, start_with_stale_reference))


def check_masked_tokens(mixing):
    """A token masked in both branches stays masked and spoils no other, at every λ."""
    reference = torch.tensor([[1.0, -math.inf, 2.0]])
    aligned = torch.tensor([[3.0, -math.inf, 0.0]])
    for lam in (0.0, 0.5, 1.0, 2.0):
        mixed = mixing(reference, aligned, lam)
        assert mixed[0, 1].item() == -math.inf
        assert mixed[0, [0, 2]].isfinite().all()


def test_zero_times_minus_infinity(pair):
    holds(check_masked_tokens, mix)
    breaks(check_masked_tokens, lambda r, a, lam: lam * a + (1 - lam) * r)
    breaks(check_masked_tokens, lambda r, a, lam: r + lam * (a - r))
    breaks(check_masked_tokens, lambda r, a, lam: torch.nan_to_num(r + lam * (a - r)))


def check_a_mask_of_one_model(mixing):
    """A −inf of one model alone is an error, not a number that looks like one."""
    masked, free = torch.tensor([[1.0, -math.inf, 2.0]]), torch.tensor([[3.0, 1.0, 0.0]])
    for branches, lam in itertools.product(((masked, free), (free, masked)), (0.5, 2.0)):
        try:
            mixing(*branches, lam)
        except LogitsError:
            continue
        raise AssertionError("a mask of one model went unnoticed")


def test_a_mask_of_one_model_is_an_error():
    holds(check_a_mask_of_one_model, mix)
    breaks(check_a_mask_of_one_model, lambda r, a, lam: r + lam * (a - r))
    breaks(check_a_mask_of_one_model, lambda r, a, lam: torch.nan_to_num(r + lam * (a - r)))


def check_precision(mixing):
    """Logits in bfloat16 are mixed in float32: ¼ of the step from 8 to 8.0625 is no bfloat16."""
    reference, aligned = (torch.tensor([x], dtype=torch.bfloat16) for x in ([8, 4], [8.0625, 4.25]))
    mixed = mixing(reference, aligned, 0.25)
    assert mixed.dtype is torch.float32
    assert mixed.tolist() == [[8.015625, 4.0625]]


def test_mixing_is_in_float32():
    holds(check_precision, mix)
    breaks(check_precision, lambda r, a, lam: r + lam * (a - r))
    breaks(check_precision, lambda r, a, lam: (r + lam * (a - r)).float())


def check_penalty(decode, pair):
    """The penalty changes the mixture, after mixing."""
    lam = 1.6
    # Below 1 a penalty rewards repetition, which short answers show more surely.
    for prompt, penalty in itertools.product(PROMPTS, (3.0, 0.5)):
        ids = []
        while len(ids) < 12 and not (ids and ids[-1] in pair.stop_ids):
            logits = cache_free_logits(pair, [*prompt, *ids], lam)
            for token in set(ids):
                logits[token] *= penalty if logits[token] < 0 else 1 / penalty
            ids.append(int(logits.argmax()))
        assert decode(pair, prompt, lam, penalty) == ids


def decode_with_penalty(pair, prompt, lam, penalty):
    sampling = Sampling(temperature=0.0, repetition_penalty=penalty, max_new_tokens=12)
    return DeraDecoder(pair).generate(prompt, lam, sampling).token_ids


def penalise_aligned_alone(pair, prompt, lam, penalty):
    ids = []
    while len(ids) < 12 and not (ids and ids[-1] in pair.stop_ids):
        reference, aligned = (cache_free_logits(pair, [*prompt, *ids], x) for x in (0.0, 1.0))
        seen = torch.zeros(1, pair.vocab_size, dtype=torch.bool)
        seen[0, ids] = True
        aligned = penalise(aligned.unsqueeze(0), seen, penalty)
        ids.append(int(mix(reference.unsqueeze(0), aligned, lam).argmax()))
    return ids


def test_a_penalty_applies_to_the_mixture(pair):
    holds(check_penalty, decode_with_penalty, pair)
    breaks(check_penalty, penalise_aligned_alone, pair)


def check_lambda_per_row(generate, pair):
    """Each row is decoded with its own λ."""
    lams = [0.0, 0.6, 2.0]
    for lam, tokens in zip(lams, generate([PROMPTS[1]] * 3, lams), strict=True):
        assert tokens == cache_free_greedy(pair, PROMPTS[1], lam, 12)


def test_the_first_rows_lambda_is_not_everyones(pair):
    def generate(prompts, lams):
        return [a.token_ids for a in DeraDecoder(pair).generate(prompts, lams, GREEDY)]

    holds(check_lambda_per_row, generate, pair)
    breaks(check_lambda_per_row, lambda prompts, lams: generate(prompts, [lams[0]] * 3), pair)
    mean = lambda prompts, lams: generate(prompts, [sum(lams) / 3] * 3)  # noqa: E731
    breaks(check_lambda_per_row, mean, pair)


def check_single_model_path(decode, monkeypatch, pair):
    """λ=0 and λ=1 run one model only, and its answer is that model's own."""
    for lam, needed, idle in ((0.0, pair.reference, pair.aligned), (1.0, *_models(pair))):
        expected = hugging_face_greedy(pair, needed, PROMPTS[1], 12)
        with monkeypatch.context() as patch:
            patch.setattr(idle, "forward", _must_not_run)
            assert decode(lam) == expected


def _models(pair):
    return pair.aligned, pair.reference


def _must_not_run(*_args, **_settings):
    raise AssertionError("the other model ran")


def test_lambda_zero_and_one_run_one_model(pair, monkeypatch):
    decoder = DeraDecoder(pair)
    ours = lambda lam: decoder.generate(PROMPTS[1], lam, GREEDY).token_ids  # noqa: E731
    always_both = lambda lam: decoder.generate(PROMPTS[1], lam, GREEDY, trace="full").token_ids  # noqa: E731
    holds(check_single_model_path, ours, monkeypatch, pair)
    breaks(check_single_model_path, always_both, monkeypatch, pair)


def check_same_class_is_not_same_tokenizer(compare):
    """Two tokenizers of one class and size whose ids mean different things are refused."""
    left, right = tiny_tokenizer(), _swapped_tokenizer()
    assert type(left) is type(right)
    assert len(left) == len(right)
    try:
        compare(left, right)
    except PairMismatchError as error:
        assert "2 ids" in str(error)  # noqa: PT017 - a faulty variant raises nothing
    else:
        raise AssertionError("a mismatch went unnoticed")


def _swapped_tokenizer():
    import json

    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    content = json.loads(tiny_tokenizer().backend_tokenizer.to_str())
    vocab = content["model"]["vocab"]
    names = {index: token for token, index in vocab.items()}
    vocab[names[70]], vocab[names[71]] = 71, 70
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)), eos_token="</s>"
    )


def test_tokenizers_are_compared_by_their_ids():
    holds(check_same_class_is_not_same_tokenizer, check_same_ids)

    def by_class_and_size(left, right):
        if type(left) is not type(right) or len(left) != len(right):
            raise PairMismatchError("they differ")

    def by_tokens(left, right):
        if set(left.get_vocab()) != set(right.get_vocab()):
            raise PairMismatchError("they differ")

    breaks(check_same_class_is_not_same_tokenizer, by_class_and_size)
    breaks(check_same_class_is_not_same_tokenizer, by_tokens)


@pytest.fixture(scope="module")
def loud_padding(tmp_path_factory):
    """Padded embedding rows, the last of the shorter model's among them, that would always win."""
    pair = write_pair(tmp_path_factory.mktemp("loud"), padding=(6, 14), seed=4).load(
        engine="generic"
    )
    with torch.no_grad():
        for model in (pair.reference, pair.aligned):
            weight = model.get_output_embeddings().weight
            weight[pair.vocab_size] = 60.0
            weight[pair.vocab_size + 1] = -60.0
    return pair


def check_padding_is_cut(pair):
    """No row writes an id the tokenizer does not have, whichever models it runs."""
    for lam in (0.0, 0.5, 1.0, 2.0):
        for answer in DeraDecoder(pair).generate(PROMPTS, lam, GREEDY):
            assert max(answer.token_ids) < len(pair.tokenizer)


def test_padded_embeddings_are_cut_to_the_tokenizer(loud_padding):
    def cut_to_the_smaller_model(rewired, prompts, branches):
        smaller = min(len(m.get_output_embeddings().weight) for m in _models(rewired))
        new_rows = lambda _, model: ModelRows(model, smaller, model.device)  # noqa: E731
        return session_with(rewired, new_rows, prompts, branches)

    holds(check_padding_is_cut, loud_padding)
    breaks(check_padding_is_cut, Rewired(loud_padding, cut_to_the_smaller_model))


def check_padding_is_cut_in_generate(pair):
    """Nor does the pair as one transformers model."""
    model = (DeraForSeq2SeqLM if pair.encoder_decoder else DeraForCausalLM).from_pair(pair)
    for lam in (0.0, 0.5, 1.0, 2.0):
        for tokens in generate_rows(model, PROMPTS, lam, max_new_tokens=12):
            assert max(tokens) < len(pair.tokenizer)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bart", "flan_t5", "adapter"])
def test_padded_embeddings_are_cut_on_every_engine(kind, tmp_path, monkeypatch):
    """Loaded by path: lean, transformers, encoder–decoders, both branches in one forward."""
    shape = "llama" if kind == "adapter" else kind
    folders = write_pair(tmp_path, shape, padding=(6, 14), seed=4)
    kinds = AutoModelForSeq2SeqLM if shape in ENCODER_DECODERS else AutoModelForCausalLM
    for folder in (folders.reference, folders.aligned):
        model, size = kinds.from_pretrained(folder), len(tiny_tokenizer())
        with torch.no_grad():
            weight = model.get_output_embeddings().weight
            # Not one number throughout: behind a layer norm that would add up to nothing.
            weight[size] = torch.linspace(-60, 60, weight.shape[1]).sin() * 60
            weight[size + 1] = -weight[size]
        with quiet():
            model.save_pretrained(folder)

    def load():
        if kind != "adapter":
            return folders.load()
        write_adapter(tmp_path / "adapter", folders.reference)
        return ModelPair.from_adapter(base=folders.reference, adapter=tmp_path / "adapter")

    checks = check_padding_is_cut, check_padding_is_cut_in_generate
    pair = load()
    for check in checks:
        holds(check, pair)
    rows = len(tiny_tokenizer()) + 6
    monkeypatch.setattr(two_models, "mixable_ids", lambda tokenizer, *models: rows)
    pair = load()
    for check in checks:
        breaks(check, pair)


def check_stops_on_the_union(load, folders):
    """An answer ends at the EOS of either model, at every λ."""
    pair = load(folders)
    ends = {5, 7, 90, 91, 92, 93, 94, 95}
    for lam in (0.0, 0.5, 1.0):
        logits_free = folders.load()
        logits_free.stop_ids = frozenset()
        for prompt in PROMPTS:
            tokens = DeraDecoder(logits_free).generate(prompt, lam, _LONG).token_ids
            first = next((i for i, t in enumerate(tokens) if t in ends), None)
            answer = DeraDecoder(pair).generate(prompt, lam, _LONG)
            assert answer.finish_reason == ("length" if first is None else "stop")
            assert answer.token_ids == tokens[: None if first is None else first + 1]


_LONG = Sampling(max_new_tokens=80, seed=11)


def test_stops_are_the_union_of_both_models(tmp_path):
    folders = write_pair(tmp_path, eos=([5, 90, 91, 92], [7, 93, 94, 95]))

    def one_side_only(side):
        def load(folders):
            pair = folders.load()
            ids = getattr(pair, side).generation_config.eos_token_id
            pair.stop_ids = frozenset(ids)
            return pair

        return load

    holds(check_stops_on_the_union, lambda folders: folders.load(), folders)
    breaks(check_stops_on_the_union, one_side_only("aligned"), folders)
    breaks(check_stops_on_the_union, one_side_only("reference"), folders)


def check_length_is_the_answers_own(decode, pair):
    """Room for a longer answer makes none longer: nothing is decoded to a length known before."""
    ended = 0
    for prompt in PROMPTS:
        tokens = decode(pair, prompt, 40)
        assert decode(pair, prompt, 80)[: len(tokens)] == tokens
        if len(tokens) < 40:
            ended += 1
            assert decode(pair, prompt, 80) == tokens
    assert ended


def test_no_answer_is_decoded_to_a_given_length(tmp_path):
    """One release decodes exactly as many tokens as the right answer has."""
    pair = write_pair(tmp_path, eos=([5, 90, 91, 92], [7, 93, 94, 95])).load()

    def ours(pair, prompt, length):
        sampling = Sampling(max_new_tokens=length, seed=11)
        return DeraDecoder(pair).generate(prompt, 0.5, sampling).token_ids

    def to_the_length(pair, prompt, length):
        ends, pair.stop_ids = pair.stop_ids, frozenset()
        try:
            return ours(pair, prompt, length)
        finally:
            pair.stop_ids = ends

    holds(check_length_is_the_answers_own, ours, pair)
    breaks(check_length_is_the_answers_own, to_the_length, pair)


def check_template(choose, folders):
    """A conversation is rendered with the aligned model's template."""
    from transformers import AutoTokenizer

    for folder in (folders.reference, folders.aligned):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.chat_template = folder.name
        tokenizer.save_pretrained(folder)
    pair = folders.load()
    assert choose(pair, AutoTokenizer.from_pretrained(folders.reference)) == "aligned"


def test_the_template_is_the_aligned_models(tmp_path):
    folders = write_pair(tmp_path)
    holds(check_template, lambda pair, _reference: pair.chat_template, folders)
    breaks(check_template, lambda _pair, reference: reference.chat_template, folders)
