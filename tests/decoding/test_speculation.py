"""Drafts change how many passes an answer takes, and nothing else."""

import math
import random

import numpy as np
import pytest

from dera_rag import DeraDecoder, Sampling
from dera_rag.decoding.costs import CostModel
from dera_rag.decoding.drafts import Drafter, Lookup
from dera_rag.decoding.speculation import Speculator
from dera_rag.errors import InvalidValueError
from dera_rag.testing import TablePair, assert_same_tokens, cache_free_logits, tiny_tokenizer
from dera_rag.testing import write_pair as write_tiny_pair
from tests.decoding.test_engine import random_request

TOKENIZER = tiny_tokenizer()
GREEDY = Sampling(temperature=0.0, max_new_tokens=24)


def both_ways(pair, requests, speculator, rng):
    """Answers of a batch without drafts and with them, drafted a tenth wrong."""
    answers, drafts = [], [()] * len(requests)
    for own in (Speculator("off"), speculator):
        decoder = DeraDecoder(pair, batch_size=3)
        decoder._speculator = own
        engine = decoder.engine()
        handles = [
            engine.submit(**request, draft=draft)
            for request, draft in zip(requests, drafts, strict=True)
        ]
        while engine.running:
            engine.advance()
        answers.append([handle.result() for handle in handles])
        drafts = [
            [rng.choice([token] * 9 + [5]) for token in answer.token_ids] for answer in answers[0]
        ]
    return answers


class Guessing(Speculator):
    """Random drafts of random lengths, now and then the right ones."""

    def __init__(self, rng, size):
        super().__init__("always")
        self._rng, self._size = rng, size

    def _look(self, row, longest):
        draft = super()._look(row, longest)
        if self._rng.random() < 0.5:
            return draft
        tokens = [self._rng.randrange(self._size) for _ in range(self._rng.randint(0, longest))]
        return type(draft)(tokens if row.live else (), "guess 0")


def test_answers_are_those_of_plain_decoding(cases):
    """Random prompts, λ, settings, stop strings, traces and drafts; traces bit for bit too."""
    drafted = accepted = 0
    for seed in range(cases(60, 1000)):
        rng = random.Random(seed)
        pair = TablePair(TOKENIZER, seed=seed)
        speculator = rng.choice([Speculator("always"), Guessing(rng, pair.vocab_size)])
        requests = [random_request(pair, rng) for _ in range(rng.randint(1, 5))]
        plain, fast = both_ways(pair, requests, speculator, rng)
        assert fast == plain
        drafted += speculator.statistics.drafted
        accepted += speculator.statistics.accepted
    assert 0.05 * drafted < accepted < 0.95 * drafted


@pytest.mark.parametrize("shape", ["llama", "mistral", "gpt2"])
def test_answers_of_real_models_are_those_of_plain_decoding(shape, tmp_path, cases):
    """Caches are cropped after rejections, also beyond the Mistral shape's window of 12 tokens."""
    pair = write_tiny_pair(tmp_path, shape, tokenizer="bos", padding=(3, 0)).load()
    ties = []
    for seed in range(cases(3, 120)):
        rng = random.Random(seed)
        requests = [random_request(pair, rng) for _ in range(rng.randint(1, 4))]
        plain, fast = both_ways(pair, requests, Guessing(rng, pair.vocab_size), rng)
        for request, expected, answer in zip(requests, plain, fast, strict=True):
            if answer.token_ids == expected.token_ids:
                assert (answer.text, answer.finish_reason) == (
                    expected.text,
                    expected.finish_reason,
                )
                for field in ("lam", "reference", "aligned", "mixture", "kl", "entropy"):
                    np.testing.assert_allclose(
                        getattr(answer.trace, field), getattr(expected.trace, field), atol=1e-4
                    )
                continue
            assert request["sampling"].greedy, "a sampled tie needs its noise looked at"

            def scores(ids, prompt=request["prompt"], lam=request["lam"]):
                return cache_free_logits(pair, [*prompt, *ids], lam)

            ties.append(assert_same_tokens(answer.token_ids, expected.token_ids, scores))
    assert ties == []


def test_the_right_draft_takes_one_pass_in_eight_tokens():
    """17 tokens: one from the prompt's pass, then 8 and 8."""
    pair = TablePair(TOKENIZER, seed=5)
    sampling = Sampling(seed=3, max_new_tokens=17)
    expected = DeraDecoder(pair, speculation="off").generate([40, 41], 0.7, sampling)
    assert len(expected.token_ids) == 17
    decoder = DeraDecoder(pair, speculation="always")
    engine = decoder.engine()
    handle = engine.submit([40, 41], 0.7, sampling, draft=expected.token_ids)
    while engine.running:
        engine.advance()
    assert handle.result() == expected
    assert pair.sessions[-1].passes == [(1, 1), (1, 8), (1, 8)]
    assert decoder.statistics.tokens_per_step == 17 / 3
    assert decoder.statistics.accepted == decoder.statistics.drafted == 14


def test_a_sweep_over_lam_drafts_from_the_answer_before():
    """The same prompt again: what was answered at the neighbouring λ is the draft."""
    pair = TablePair(TOKENIZER, seed=5)
    decoder = DeraDecoder(pair, speculation="always")
    plain = DeraDecoder(pair, speculation="off")
    passes = []
    for lam in (0.5, 0.501, 0.502):
        assert decoder.generate([40, 41], lam, GREEDY) == plain.generate([40, 41], lam, GREEDY)
        passes.append(len(pair.sessions[-2].passes))
    assert passes[1] == passes[2] == 1 + math.ceil(23 / 8) <= passes[0]


def test_a_drafted_token_after_the_end_is_not_seen():
    """The stop token ends an answer in the middle of an accepted draft."""
    pair = TablePair(TOKENIZER, seed=5)
    decoder = DeraDecoder(pair, speculation="off")
    whole = decoder.generate([40, 41], 0.7, GREEDY)
    stop = TOKENIZER.decode(whole.token_ids[4:6])
    expected = decoder.generate([40, 41], 0.7, GREEDY, stop=stop)
    engine = DeraDecoder(pair, speculation="always").engine()
    handle = engine.submit([40, 41], 0.7, GREEDY, stop, draft=whole.token_ids)
    while engine.running:
        engine.advance()
    assert handle.result() == expected
    assert expected.finish_reason == "stop"
    assert len(expected.token_ids) < 9


def test_bad_logits_after_a_rejected_draft_harm_nobody():
    """Only sequences with token 7 give NaN; the drafts hold it, the answer does not."""
    pair = TablePair(TOKENIZER, seed=5, bad=lambda ids: 7 in ids)
    engine = DeraDecoder(pair, speculation="always").engine()
    handle = engine.submit([40, 41], 0.7, GREEDY, draft=[7] * 30)
    expected = DeraDecoder(pair, speculation="off").generate([40, 41], 0.7, GREEDY)
    assert 7 not in expected.token_ids
    # The draft answer begins with 7, so that only lookups of its own tokens would propose it.
    while engine.running:
        engine.advance()
    assert handle.result() == expected


@pytest.mark.parametrize("speculation", ["auto", "always", "off"])
def test_streams_join_to_the_answer(pair, speculation):
    decoder = DeraDecoder(pair, speculation=speculation)
    sampling = Sampling(temperature=0.0, max_new_tokens=20)
    expected = DeraDecoder(pair, speculation="off").generate("The old harbour", 1.4, sampling)
    for _ in range(2):
        chunks = list(decoder.stream("The old harbour", 1.4, sampling))
        assert "".join(chunk.text for chunk in chunks) == expected.text
        assert chunks[-1].generation.token_ids == expected.token_ids


def test_a_context_that_is_full_is_not_drafted_beyond():
    """The table pair refuses a row longer than its context."""
    pair = TablePair(TOKENIZER, seed=5, max_length=26)
    plain, fast = (
        DeraDecoder(pair, speculation=mode).generate([[40, 41], [50]], 0.7, GREEDY)
        for mode in ("off", "always")
    )
    assert plain == fast


def test_unknown_speculation():
    with pytest.raises(InvalidValueError, match="unknown speculation 'on'"):
        DeraDecoder(TablePair(TOKENIZER), speculation="on")


class TestLookup:
    def test_the_longest_match_wins_and_the_latest_of_equal_ones(self):
        #              0  1  2  3  4  5  6  7  8  9
        lookup = Lookup([1, 2, 3, 4, 9, 2, 3, 5, 3, 6])
        assert lookup.find([8, 3], 2) == ([6], 1)
        assert lookup.find([2, 3], 2) == ([5, 3], 2)
        assert lookup.find([1, 2, 3], 3) == ([4, 9, 2], 3)
        assert lookup.find([7], 3) == ((), 0)

    def test_the_end_of_the_text_matches_nothing_after_it(self):
        lookup = Lookup([1, 2])
        assert lookup.find([1, 2], 3) == ((), 0)
        lookup.extend([5, 1, 2])
        assert lookup.find([1, 2], 3) == ([5, 1, 2], 2)

    def test_drafts_come_from_the_prompt_and_from_an_answer(self):
        drafter = Drafter([10, 11, 12, 13], answer=[20, 11, 22, 23])
        assert [(list(d.tokens), d.source) for d in drafter.propose([20], 2)] == [
            ([11, 22], "answer 6")
        ]
        assert [(list(d.tokens), d.source) for d in drafter.propose([20, 11], 2)] == [
            ([12, 13], "prompt 1"),
            ([22, 23], "answer 6"),
        ]
        # The answer has gone another way; one common token finds its place again.
        assert [(list(d.tokens), d.source) for d in drafter.propose([20, 11, 5, 22], 2)] == [
            ([23], "answer 1")
        ]


class TestCosts:
    def measured(self, slope, passes=5):
        """A model that has seen plain steps of 1 ms, each further position costing `slope` ms."""
        costs = CostModel()
        for width in (1, 2, 3, 4, 6, 8):
            for _ in range(passes):
                costs.passed(1, width, 1e-3 * (1 + slope * (width - 1)), width)
        return costs

    def test_nothing_is_drafted_before_a_plain_step_was_timed(self):
        assert CostModel().best_width([(1.0, 7)]) == 1

    def test_width_is_where_a_pass_gives_most_tokens_a_second(self):
        """p = ½, a position costs 10 %: 1.5/1.1, 1.75/1.2, 1.875/1.3, … tokens a ms."""
        costs = self.measured(0.1)
        assert costs.seconds(1, 4) == pytest.approx(1.3e-3)
        assert costs.best_width([(0.5, 7)]) == 3
        assert costs.best_width([(0.95, 7)]) == 8
        assert costs.best_width([(0.5, 1)]) == 2
        assert costs.best_width([(0.05, 7)]) == 1

    def test_a_dear_pass_is_not_made(self):
        assert self.measured(1.0).best_width([(0.9, 7)]) == 1

    def test_rows_without_a_draft_count(self):
        """One row of four may gain .9 tokens for 10 % of time; of eight that would not pay."""
        costs = CostModel()
        for rows in (4, 8):
            for width in (1, 2):
                for _ in range(3):
                    costs.passed(rows, width, 1e-3 * (1 + 0.2 * (width - 1)), width)
        assert costs.best_width([(0.9, 1)] + [(0.0, 0)] * 3) > 1
        assert costs.best_width([(0.9, 1)] + [(0.0, 0)] * 7) == 1

    def test_acceptance_is_learnt_and_fades(self):
        costs = CostModel()
        assert costs.acceptance("prompt 5") > costs.acceptance("prompt 1")
        for _ in range(50):
            costs.judged("prompt 5", 0, 4)
        assert costs.acceptance("prompt 5") < 0.1
        for _ in range(50):
            costs.judged("prompt 5", 4, 4)
        assert costs.acceptance("prompt 5") > 0.7

    @pytest.mark.parametrize("slope", [0.1, 0.5, 2.0])
    def test_text_that_defeats_every_draft_costs_less_than_three_percent(self, slope):
        """A simulated clock: drafts are always there and always wrong, looking costs 2 % a step."""
        costs, plain, spent = CostModel(), 1e-3, 0.0
        tokens = 2000
        for _ in range(tokens):
            width = 1
            if costs.solvent:
                costs.looked(0.02 * plain)
                spent += 0.02 * plain
                width = costs.best_width([(costs.acceptance("prompt 3"), 7)])
            seconds = plain * (1 + slope * (width - 1))
            spent += seconds
            costs.passed(1, width, seconds, 1.0)
            if width > 1:
                costs.judged("prompt 3", 0, width - 1)
        assert spent < 1.03 * tokens * plain

    def test_text_that_helps_is_drafted_nearly_always(self):
        costs, drafted = CostModel(), 0
        for _ in range(200):
            width = costs.best_width([(costs.acceptance("prompt 3"), 7)]) if costs.solvent else 1
            drafted += width > 1
            kept = min(width, 4)
            costs.passed(1, width, 1e-3 * (1 + 0.05 * (width - 1)), kept)
            if width > 1:
                costs.judged("prompt 3", kept - 1, width - 1)
        assert drafted > 180
