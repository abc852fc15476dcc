"""Published contrasts on one engine: toy logits by hand, then cache-free loops."""

import math
import random

import pytest
import torch

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.decoding.contrast import AdaCad, Cocoa, LogRatio, cad
from dera_rag.decoding.mixer import LinearMixer, Lines
from dera_rag.errors import InvalidValueError, LogitsError
from dera_rag.pairs.context import ContextContrast, ContextPair
from dera_rag.protocols import Branches, LogitPair
from dera_rag.testing import assert_same_tokens, cache_free_logits, write_pair
from dera_rag.types import BranchedPrompt

GREEDY = Sampling(temperature=0.0, max_new_tokens=10)


def lines(count):
    rows = list(range(count))
    return Lines(torch.ones(count), rows, rows, steps=[0] * count, rows=rows)


def logits_of(*probabilities):
    return torch.tensor(probabilities).log()


def random_prompts(pair, seed, count=4):
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        bare = [rng.randrange(3, pair.vocab_size) for _ in range(rng.randint(1, 8))]
        passages = [rng.randrange(3, pair.vocab_size) for _ in range(rng.randint(1, 24))]
        made.append(BranchedPrompt(passages + bare, without=bare))
    return made


def check(pair, answer, logits):
    """The greedy tokens of an oracle that gives scores after a list of generated tokens."""
    expected = []
    while len(expected) < 10 and not (expected and expected[-1] in pair.stop_ids):
        expected.append(int(logits(expected).argmax()))
    assert assert_same_tokens(answer.token_ids, expected, logits) is None


class TestCad:
    def test_strength_by_hand(self):
        assert [cad(alpha) for alpha in (0, 0.5, 1.0)] == [1.0, 1.5, 2.0]

    def test_equals_the_papers_formula(self, pair):
        """(1+α)·logits with passages − α·logits without."""
        prompts = random_prompts(pair, 1)
        answers = DeraDecoder(ContextPair(pair)).generate(prompts, cad(0.7), GREEDY)
        for prompt, answer in zip(prompts, answers, strict=True):

            def scores(tail, prompt=prompt):
                whole = cache_free_logits(pair, [*prompt, *tail], 1.0)
                return 1.7 * whole - 0.7 * cache_free_logits(pair, [*prompt.without, *tail], 1.0)

            check(pair, answer, scores)


class TestAdaCad:
    def test_by_hand(self):
        """½, ½ against ¼, ¾ gives JSD .0338…; equal branches give α = 0."""
        reference = logits_of([0.5, 0.5], [0.9, 0.1])
        aligned = logits_of([0.25, 0.75], [0.9, 0.1])
        middle = [0.375, 0.625]
        jsd = 0.5 * sum(0.5 * math.log(0.5 / m) for m in middle)
        jsd += 0.5 * sum(q * math.log(q / m) for q, m in zip((0.25, 0.75), middle, strict=True))
        mixed, lam = AdaCad().mix(LogitPair(reference, aligned), lines(2))
        assert lam.tolist() == pytest.approx([1 + jsd, 1.0], abs=1e-6)
        expected = reference[0] + (1 + jsd) * (aligned[0] - reference[0])
        torch.testing.assert_close(mixed[0], expected)
        torch.testing.assert_close(mixed[1], aligned[1])

    def test_each_line_has_its_own_alpha(self):
        """The released code averages one α over its batch: answers hang on their neighbours."""
        reference = logits_of([0.5, 0.5], [0.999, 0.001])
        aligned = logits_of([0.4, 0.6], [0.001, 0.999])
        together = AdaCad().mix(LogitPair(reference, aligned), lines(2))
        for row in range(2):
            one = slice(row, row + 1)
            alone = AdaCad().mix(LogitPair(reference[one], aligned[one]), lines(1))
            assert torch.equal(together.logits[one], alone.logits)
            assert torch.equal(together.lam[one], alone.lam)
        assert together.lam[1] - together.lam[0] > 0.5
        assert together.lam.max() <= 1 + math.log(2)

    def test_a_floor_is_the_least_alpha(self):
        same = logits_of([0.5, 0.5])
        assert AdaCad(floor=0.3).mix(LogitPair(same, same), lines(1)).lam.item() == (
            pytest.approx(1.3)
        )
        with pytest.raises(InvalidValueError, match="α must be"):
            AdaCad(floor=-0.1)

    def test_decodes_as_the_formula_and_shows_lambda(self, pair):
        """A cache-free loop with JSD of its own; batch ≡ single; the trace holds each token's λ."""
        prompts = random_prompts(pair, 2)
        decoder = DeraDecoder(ContextPair(pair), mixer=AdaCad())
        answers = decoder.generate(prompts, sampling=GREEDY)

        def strength(prompt, tail):
            whole, bare = (
                cache_free_logits(pair, [*ids, *tail], 1.0) for ids in (prompt, prompt.without)
            )
            p, q = whole.double().softmax(-1), bare.double().softmax(-1)
            m = (p + q) / 2
            jsd = ((p * (p / m).log()).sum() + (q * (q / m).log()).sum()) / 2
            return 1 + float(jsd), whole, bare

        for prompt, answer in zip(prompts, answers, strict=True):

            def scores(tail, prompt=prompt):
                lam, whole, bare = strength(prompt, tail)
                return bare + lam * (whole - bare)

            check(pair, answer, scores)
            tokens = answer.token_ids
            expected = [strength(prompt, tokens[:i])[0] for i in range(len(tokens))]
            assert answer.trace.lam == pytest.approx(expected, abs=1e-5)
            assert len(set(answer.trace.lam)) > 1
            assert decoder.generate(prompt, sampling=GREEDY).token_ids == tokens

    def test_is_not_cad(self, pair):
        prompts = random_prompts(pair, 3, count=8)
        decoders = DeraDecoder(ContextPair(pair), mixer=AdaCad()), DeraDecoder(ContextPair(pair))
        adaptive = decoders[0].generate(prompts, sampling=GREEDY)
        fixed = decoders[1].generate(prompts, cad(0.5), GREEDY)
        assert [a.token_ids for a in adaptive] != [a.token_ids for a in fixed]

    def test_samples_alike_alone_and_together(self, pair):
        prompts = random_prompts(pair, 4)
        decoder = DeraDecoder(ContextPair(pair), mixer=AdaCad())
        sampling = Sampling(temperature=0.9, max_new_tokens=8, seed=[4, 5, 6, 7])
        together = decoder.generate(prompts, sampling=sampling)
        for prompt, seed, answer in zip(prompts, (4, 5, 6, 7), together, strict=True):
            alone = decoder.generate(
                prompt, sampling=Sampling(temperature=0.9, max_new_tokens=8, seed=seed)
            )
            assert alone.token_ids == answer.token_ids


def cocoa_strength(p, q, order=0.5, gamma=1.0, peak=5.0):
    """λ of CoCoA for two lists of probabilities, with and without passages, in plain Python."""
    renyi = math.log(sum(y**order * x ** (1 - order) for x, y in zip(p, q, strict=True)))
    conflict = renyi / (order - 1)
    gap = sum(x * math.log(x) for x in p) - sum(y * math.log(y) for y in q)
    first, second = sorted(p)[-2:][::-1]
    logit = gamma * (gap + conflict / (1 + conflict)) + peak * (first - second)
    return 1 / (1 + math.exp(-logit))


class TestCocoa:
    def test_by_hand(self):
        """½, ½ against ¼, ¾; equal branches of peak 0 give λ = ½, whatever the weights."""
        reference = logits_of([0.5, 0.5], [0.5, 0.5])
        aligned = logits_of([0.25, 0.75], [0.5, 0.5])
        mixed, lam = Cocoa().mix(LogitPair(reference, aligned), lines(2))
        conflict = -2 * math.log(math.sqrt(1 / 8) + math.sqrt(3 / 8))
        gap = math.log(2) - (0.25 * math.log(4) + 0.75 * math.log(4 / 3))
        logit = gap + conflict / (1 + conflict) + 5 * 0.5
        expected = 1 / (1 + math.exp(-logit))
        assert lam.tolist() == pytest.approx([expected, 0.5], abs=1e-6)
        torch.testing.assert_close(
            mixed[0], (1 - expected) * reference[0] + expected * aligned[0], atol=1e-6, rtol=0
        )

    def test_trusts_passages_that_make_the_model_sure(self):
        """λ rises with peak and entropy gap, and falls where passages leave the model unsure."""
        even = logits_of([0.25] * 4)
        sure, split, torn = (
            Cocoa().mix(LogitPair(*map(logits_of, rows)), lines(1)).lam.item()
            for rows in (
                ([0.25] * 4, [0.97, 0.01, 0.01, 0.01]),
                ([0.25] * 4, [0.49, 0.49, 0.01, 0.01]),
                ([0.97, 0.01, 0.01, 0.01], [0.25] * 4),
            )
        )
        assert 0 < torn < 0.5 < split < sure < 1
        same = Cocoa().mix(LogitPair(even, even), lines(1))
        torch.testing.assert_close(same.logits, even)

    def test_never_leaves_the_two_branches(self):
        """Unlike CAD: every log-probability lies between both branches', up to the normaliser."""
        rng = torch.Generator().manual_seed(3)
        reference, aligned = (torch.randn(20, 30, generator=rng) * 6 for _ in range(2))
        mixed, lam = Cocoa(gamma=3.0).mix(LogitPair(reference, aligned), lines(20))
        assert ((lam >= 0) & (lam <= 1)).all()
        assert (mixed <= torch.maximum(reference, aligned) + 1e-5).all()
        assert (mixed >= torch.minimum(reference, aligned) - 1e-5).all()
        assert lam.max() - lam.min() > 0.1

    def test_decodes_as_the_formula_and_shows_lambda(self, pair):
        """A cache-free loop in plain Python; batch ≡ single; the trace holds each token's λ."""
        prompts = random_prompts(pair, 10)
        settings = {"order": 0.3, "gamma": 1.5, "peak": 2.0}
        decoder = DeraDecoder(ContextPair(pair), mixer=Cocoa(**settings))
        answers = decoder.generate(prompts, sampling=GREEDY)

        def strength(prompt, tail):
            whole, bare = (
                cache_free_logits(pair, [*ids, *tail], 1.0) for ids in (prompt, prompt.without)
            )
            p, q = (x.double().softmax(-1).tolist() for x in (whole, bare))
            return cocoa_strength(p, q, **settings), whole, bare

        for prompt, answer in zip(prompts, answers, strict=True):

            def scores(tail, prompt=prompt):
                lam, whole, bare = strength(prompt, tail)
                return bare + lam * (whole - bare)

            check(pair, answer, scores)
            tokens = answer.token_ids
            expected = [strength(prompt, tokens[:i])[0] for i in range(len(tokens))]
            assert answer.trace.lam == pytest.approx(expected, abs=1e-5)
            assert len(set(answer.trace.lam)) > 1
            assert decoder.generate(prompt, sampling=GREEDY).token_ids == tokens

    @pytest.mark.parametrize(
        "settings",
        [{"order": 0}, {"order": 1}, {"order": math.nan}, {"gamma": -1}, {"peak": math.inf}],
    )
    def test_refuses_values_out_of_range(self, settings):
        with pytest.raises(InvalidValueError, match=next(iter(settings))):
            Cocoa(**settings)


class TestLogRatio:
    def test_by_hand(self):
        """Ratios 2, ½, 5, 5: the third and fourth fall short of half of .6; the first wins."""
        reference = logits_of([0.3, 0.66, 0.02, 0.02])
        aligned = logits_of([0.6, 0.33, 0.1, 0.1]) - math.log(1.13)
        mixed, lam = LogRatio(0.5).mix(LogitPair(reference, aligned), lines(1))
        assert lam is None
        assert mixed[0, :2].exp().tolist() == pytest.approx([2 / 1.13, 0.5 / 1.13])
        assert mixed[0, 2:].tolist() == [-math.inf] * 2
        wide, _ = LogRatio(0.1).mix(LogitPair(reference, aligned), lines(1))
        assert wide.argmax() == 2

    @pytest.mark.parametrize("plausibility", [0.1, 0.5])
    def test_alignment_aware_decoding(self, pair, plausibility):
        """argmax of the aligned/reference log-ratio among plausible tokens, by full forwards."""
        prompts = [list(prompt) for prompt in random_prompts(pair, 5)]
        decoder = DeraDecoder(pair, mixer=LogRatio(plausibility))
        for prompt, answer in zip(prompts, decoder.generate(prompts, sampling=GREEDY), strict=True):
            check(
                pair, answer, lambda tail, p=prompt: masked_ratio(pair, [*p, *tail], plausibility)
            )
            assert decoder.generate(prompt, sampling=GREEDY).token_ids == answer.token_ids

    def test_contrastive_decoding_of_two_sizes(self, tmp_path):
        """A small and a large model of different architectures, which share a vocabulary."""
        small = write_pair(tmp_path / "small", "gpt2").load()
        large = write_pair(tmp_path / "large", "llama", seed=4).load()
        pair = ModelPair.from_pretrained(
            reference=(small.aligned, small.tokenizer), aligned=(large.aligned, large.tokenizer)
        )
        prompts = [list(prompt) for prompt in random_prompts(pair, 6)]
        answers = DeraDecoder(pair, mixer=LogRatio()).generate(prompts, sampling=GREEDY)
        for prompt, answer in zip(prompts, answers, strict=True):
            check(pair, answer, lambda tail, p=prompt: masked_ratio(pair, [*p, *tail], 0.1))

    def test_is_where_lambda_goes(self, pair):
        """A large λ under the same mask gives the same tokens."""
        prompts = [list(prompt) for prompt in random_prompts(pair, 7)]
        ratio = DeraDecoder(pair, mixer=LogRatio(0.3)).generate(prompts, sampling=GREEDY)
        far = DeraDecoder(pair, mixer=LinearMixer(0.3)).generate(prompts, 1e4, GREEDY)
        assert [a.token_ids for a in ratio] == [a.token_ids for a in far]

    @pytest.mark.parametrize("plausibility", [0, -0.1, 1.1, math.nan, "0.1"])
    def test_refuses_a_plausibility_that_is_none(self, plausibility):
        with pytest.raises(InvalidValueError, match="plausibility"):
            LogRatio(plausibility)


def masked_ratio(pair, ids, plausibility):
    reference, aligned = (cache_free_logits(pair, ids, lam).softmax(-1) for lam in (0.0, 1.0))
    inside = aligned >= plausibility * aligned.max()
    return (aligned / reference).log().masked_fill(~inside, -math.inf)


@pytest.mark.parametrize("mixer", [AdaCad(), Cocoa(), LogRatio()])
class TestBoth:
    def test_the_path_refuses_them(self, pair, mixer):
        """λ that changes per token, and scores that are no lines in λ."""
        with pytest.raises(InvalidValueError, match=type(mixer).__name__):
            DeraDecoder(pair, mixer=mixer).path([40, 41], (0.0, 2.0), GREEDY)

    def test_have_no_lambda_to_choose(self, pair, mixer):
        decoder = DeraDecoder(pair, mixer=mixer)
        with pytest.raises(InvalidValueError, match=r"no λ to choose, got 0\.5"):
            decoder.generate([40, 41], 0.5, GREEDY)

    def test_run_both_branches_and_say_so_of_faults(self, mixer):
        assert mixer.branches(1.0) is Branches.BOTH
        broken = torch.zeros(2, 3)
        broken[1, 2] = math.nan
        with pytest.raises(LogitsError, match="reference logits of row 1 at step 0: NaN"):
            mixer.mix(LogitPair(broken, torch.zeros(2, 3)), lines(2))
        with pytest.raises(LogitsError, match="both branches"):
            mixer.mix(LogitPair(None, torch.zeros(2, 3)), lines(2))

    def test_compose_with_a_fixed_alpha(self, pair, mixer):
        """Any mixer runs on any pair of branches."""
        prompt = random_prompts(pair, 8, count=1)[0]
        answer = DeraDecoder(ContextContrast(pair, 0.5), mixer=mixer).generate(
            prompt, sampling=GREEDY
        )
        assert answer.token_ids


def check_context_is_dropped(bare_view, pair):
    """The branch without passages says what the model says of the question alone."""
    for prompt in random_prompts(pair, 9):
        given = BranchedPrompt(prompt, without=bare_view(prompt))
        session = ContextPair(pair).start([given], [Branches.REFERENCE])
        expected = cache_free_logits(pair, prompt.without, 1.0)
        torch.testing.assert_close(session.prefill().reference[0], expected, atol=1e-4, rtol=1e-4)


def check_alpha_is_each_rows_own(mixer):
    """A row's λ is the same alone and beside another."""
    reference = logits_of([0.5, 0.5], [0.999, 0.001])
    aligned = logits_of([0.4, 0.6], [0.001, 0.999])
    together = mixer.mix(LogitPair(reference, aligned), lines(2)).lam
    alone = [
        mixer.mix(LogitPair(reference[i : i + 1], aligned[i : i + 1]), lines(1)).lam
        for i in range(2)
    ]
    torch.testing.assert_close(together, torch.cat(alone))


class OneAlphaForAll(AdaCad):
    """The released AdaCAD: the mean of the batch's divergences is everyone's α."""

    def mix(self, logits, given):
        mixture = super().mix(logits, given)
        return mixture._replace(lam=mixture.lam.mean().expand_as(mixture.lam))


class FixedWeight(Cocoa):
    """The released CoCoA: its weight is replaced by ½ and the whole contrast is added."""

    def mix(self, logits, given):
        mixture = super().mix(logits, given)
        lam = torch.full_like(mixture.lam, 1.5)
        mixed = logits.reference + 1.5 * (logits.aligned - logits.reference)
        return mixture._replace(logits=mixed, lam=lam)


def check_cocoa_adapts(mixer):
    """Its weight differs from token to token and stays between the branches."""
    reference = logits_of([0.5, 0.5], [0.9, 0.1])
    aligned = logits_of([0.01, 0.99], [0.5, 0.5])
    lam = mixer.mix(LogitPair(reference, aligned), lines(2)).lam
    assert lam.max() <= 1
    assert lam[0] - lam[1] > 0.3


class TestReleasedFaults:
    """Each check passes on ours and fails with the fault put back."""

    def test_cad_drops_the_context_not_one_token(self, pair):
        check_context_is_dropped(lambda prompt: prompt.without, pair)
        with pytest.raises(AssertionError):
            check_context_is_dropped(lambda prompt: prompt[1:], pair)

    def test_adacad_has_an_alpha_per_row(self):
        check_alpha_is_each_rows_own(AdaCad())
        with pytest.raises(AssertionError):
            check_alpha_is_each_rows_own(OneAlphaForAll())

    def test_cocoa_is_not_cad_with_one_half(self):
        check_cocoa_adapts(Cocoa())
        with pytest.raises(AssertionError):
            check_cocoa_adapts(FixedWeight())
