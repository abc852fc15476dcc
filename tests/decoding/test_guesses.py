"""The weight average in 8 bits guesses; both models settle every token: answers stay the same."""

import random

import pytest
import torch

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.decoding.costs import CostModel
from dera_rag.decoding.drafts import Draft
from dera_rag.decoding.guesses import Guesses
from dera_rag.decoding.rows import Request, Row
from dera_rag.decoding.text import Detokenizer
from dera_rag.errors import InvalidValueError
from dera_rag.pairs import interpolated
from dera_rag.pairs.lean import averaged, packed
from dera_rag.protocols import Branches
from dera_rag.testing import TablePair, assert_same_tokens, cache_free_logits, tiny_tokenizer
from dera_rag.testing import write_pair as write_tiny_pair

TOKENIZER = tiny_tokenizer()
GREEDY = Sampling(temperature=0.0, max_new_tokens=24)


def lean(folder, shape, **options):
    """A tiny pair from disk, on the lean engine."""
    files = write_tiny_pair(folder, shape, tokenizer="bos", **options)
    return ModelPair.from_pretrained(files.reference, files.aligned, engine="lean")


@pytest.mark.parametrize("shape", ["llama", "mistral", "qwen2", "qwen3"])
def test_answers_are_those_of_plain_decoding(shape, tmp_path, cases):
    """Greedy and sampled, at any λ, also beyond the Mistral shape's window of 12 tokens."""
    pair = lean(tmp_path, shape)
    plain = DeraDecoder(pair, speculation="off")
    guessing = DeraDecoder(pair, speculation="always", int8_drafts=True)
    for seed in range(cases(8, 100)):
        rng = random.Random(seed)
        prompt = [rng.randrange(5, pair.vocab_size) for _ in range(rng.randint(1, 20))]
        lam = rng.choice([0.0, 0.4, 1.0, 1.3, 2.5])
        sampling = Sampling(
            temperature=rng.choice([0.0, 0.7, 1.0]),
            top_p=rng.choice([1.0, 0.9]),
            repetition_penalty=rng.choice([1.0, 1.2]),
            seed=seed,
            max_new_tokens=24,
        )
        expected = plain.generate(prompt, lam, sampling)
        answer = guessing.generate(prompt, lam, sampling)
        if answer.token_ids != expected.token_ids:
            assert sampling.greedy, "a sampled tie needs its noise looked at"
            assert_same_tokens(
                answer.token_ids,
                expected.token_ids,
                lambda ids, p=prompt, v=lam: cache_free_logits(pair, [*p, *ids], v),
            )
    done = guessing.statistics
    # Tiny random models differ much more from their average than trained ones; by chance it would
    # be one in sixty.
    assert done.accepted > 0.1 * done.drafted > 0


@pytest.mark.parametrize("lam", [0.0, 0.5, 1.5])
def test_the_average_is_the_interpolated_model_up_to_rounding(lam, tmp_path):
    pair = lean(tmp_path, "qwen3")
    prompt = [7, 30, 12, 9, 41]
    model = interpolated(pair, lam).aligned
    with torch.inference_mode():
        expected = model(torch.tensor([prompt])).logits[0, -1, : pair.vocab_size]
    logits = pair.guesser(prompt, lam).read([])[0]
    assert logits.argmax() == expected.argmax()
    # 8-bit weights and inputs: a few hundredths of the spread of the logits.
    assert (logits - expected).abs().mean() < 0.1 * expected.std()


def test_averages_are_made_for_half_steps_and_two_are_held(tmp_path, monkeypatch):
    pair = lean(tmp_path, "llama")
    made = []

    def average(reference, aligned, lam):
        made.append(lam)
        return averaged(reference, aligned, lam)

    monkeypatch.setattr("dera_rag.pairs.averages.averaged", average)
    for lam in (0.6, 0.4, 1.1, 7.0, 1.1, 0.5):
        pair.guesser([9, 8], lam)
    assert made == [0.5, 1.0, 2.0, 0.5]


def test_the_models_stay_what_they_are(tmp_path):
    pair = lean(tmp_path, "llama")
    models = packed(pair.reference), packed(pair.aligned)
    before = [model.head.parameters()[0].clone() for model in models]
    DeraDecoder(pair, speculation="always", int8_drafts=True).generate([9, 8, 7], 0.5, GREEDY)
    after = [model.head.parameters()[0] for model in models]
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(old, new, rtol=0, atol=0)


def test_pairs_without_an_average_are_refused(tmp_path):
    generic = write_tiny_pair(tmp_path / "gpt2", "gpt2").load()
    with pytest.raises(InvalidValueError, match="lean engine"):
        DeraDecoder(generic, int8_drafts=True)
    with pytest.raises(InvalidValueError, match="ModelPair"):
        DeraDecoder(TablePair(TOKENIZER, seed=1), int8_drafts=True)


class TestWhetherItPays:
    """Plain steps of 10 ms, and 1 ms for each further position."""

    def costs(self):
        costs = CostModel()
        for width in (1, 2, 3, 4, 6, 8):
            for _ in range(4):
                costs.passed(1, width, 0.009 + 0.001 * width, 1.0)
        return costs

    def row(self, prompt=400):
        request = Request(0, tuple(range(prompt)), 0.5, None, Sampling(max_new_tokens=100))
        return Row(request, Detokenizer.__new__(Detokenizer), Branches.BOTH, token_ids=[3])

    def test_right_and_cheap_guesses_are_wanted(self):
        guesses = Guesses(TablePair(TOKENIZER, seed=1), self.costs())
        guesses._each.append(0.001)
        width, rate = guesses.offer(self.row(), 7, None)
        # At .8 three guesses give 2.952 tokens for 13 + 3 ms, five give 3.689 for 15 + 5.
        assert width == 4
        assert rate == pytest.approx(2.952 * 10 / 16)

    def test_dear_guesses_are_not(self):
        guesses = Guesses(TablePair(TOKENIZER, seed=1), self.costs())
        guesses._each.append(0.012)
        assert guesses.offer(self.row(), 7, None)[0] == 1

    def test_wrong_guesses_end_it(self):
        costs = self.costs()
        guesses = Guesses(TablePair(TOKENIZER, seed=1), costs)
        for _ in range(20):
            costs.judged("average 5", 0, 3)
        assert guesses.offer(self.row(), 7, None)[0] == 1

    def test_a_prompt_that_takes_longer_than_the_answer_saves_is_not_read(self):
        guesses = Guesses(TablePair(TOKENIZER, seed=1), self.costs())
        guesses._each.append(0.001)
        guesses._starts.append(0.0005)
        # 400 tokens of the prompt take 200 ms. At 1.845 times plain 29 tokens save 133 ms, 59 save
        # 270.
        assert guesses.offer(self.row(), 7, 30.0)[0] == 1
        assert guesses.offer(self.row(), 7, 60.0)[0] > 1
        assert guesses.offer(self.row(prompt=100), 7, 30.0)[0] > 1
        begun = self.row()
        begun.guesser = object()
        assert guesses.offer(begun, 7, 30.0)[0] > 1


def test_a_guess_is_a_draft_of_its_own_source(tmp_path):
    pair = lean(tmp_path, "llama")
    guesses = Guesses(pair, CostModel())
    request = Request(0, (9, 8, 7), 0.5, None, Sampling(temperature=0.0))
    row = Row(request, Detokenizer.__new__(Detokenizer), Branches.BOTH, token_ids=[3])
    draft = guesses.draft(row, 3)
    assert isinstance(draft, Draft)
    assert draft.source == "average 5"
    logits = pair.guesser((9, 8, 7), 0.5)
    answer = [3]
    for _ in range(3):
        answer.append(int(logits.read(answer).argmax()))
    assert draft.tokens == answer[1:]
