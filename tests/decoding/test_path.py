"""The λ-path against plain decoding, against exact lines, and by its own promises."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hashed_pair import HashedPair
from hypothesis import given
from hypothesis import strategies as st
from path_checks import check_against_generate, check_cover, grid, random_prompts, score_gap

from dera_rag import DeraDecoder, LambdaPath, ModelPair, PathSegment, Sampling
from dera_rag.errors import InvalidValueError, LogitsError, PromptError
from dera_rag.testing import (
    ScriptedPair,
    cache_free_logits,
    tiny_tokenizer,
    write_adapter,
    write_pair,
)
from dera_rag.types import Usage

GREEDY = Sampling(temperature=0.0, max_new_tokens=12)
SETTINGS = {
    "greedy": Sampling(temperature=0.0, max_new_tokens=12),
    "sampled": Sampling(temperature=0.9, max_new_tokens=12, seed=5),
    "cold": Sampling(temperature=0.2, max_new_tokens=10, seed=6),
    "penalty": Sampling(temperature=0.0, repetition_penalty=1.4, max_new_tokens=14),
    "reward": Sampling(temperature=0.0, repetition_penalty=0.8, max_new_tokens=10),
    "penalty on all, sampled": Sampling(
        temperature=0.7,
        repetition_penalty=1.3,
        repetition_scope="all",
        max_new_tokens=10,
        seed=7,
    ),
}


@pytest.fixture(
    scope="session", params=["llama", "gpt2", "mistral", "qwen3", "flan_t5", "bart", "adapter"]
)
def shaped(request, tmp_path_factory):
    """Uneven padding of the vocabularies, several stop ids; prompts go beyond Mistral's window."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "adapter":
        base = write_pair(folder).reference
        write_adapter(folder / "adapter", base)
        return ModelPair.from_adapter(base=base, adapter=folder / "adapter")
    return write_pair(folder, request.param, padding=(3, 8), eos=([2], [2, 17])).load()


def gap_in(pair):
    def gap(prompt, ids, lam, sampling, seed):
        logits = cache_free_logits(pair, prompt, lam, ids)
        return score_gap(logits, prompt, ids, sampling, seed)

    return gap


class TestAgainstGenerate:
    @pytest.mark.parametrize("name", SETTINGS)
    def test_every_answer_of_a_grid(self, shaped, name, cases):
        """Random prompts, 17 λ each, and both sides of every breakpoint.

        In full 7 kinds of pair × 6 settings × 24 prompts: 1,008 cases.
        """
        sampling = SETTINGS[name]
        decoder = DeraDecoder(shaped, batch_size=64)
        prompts = random_prompts(shaped.vocab_size, len(name), cases(1, 24), longest=30)
        paths = decoder.path(prompts, (0.0, 2.0), sampling)
        for path in paths:
            check_cover(path, 0.0, 2.0)
            assert path.inexact_ranges == ()
        ties = check_against_generate(
            decoder, prompts, paths, sampling, gap_of=gap_in(shaped), count=17
        )
        assert len(ties) <= len(prompts), ties

    @pytest.mark.parametrize("name", ["greedy", "sampled", "penalty"])
    def test_every_answer_of_a_fine_grid(self, pair, name, cases):
        """1,001 λ for each of 36 cases in full."""
        decoder = DeraDecoder(pair, batch_size=64)
        prompts = random_prompts(pair.vocab_size, 3, cases(1, 12))
        paths = decoder.path(prompts, (0.0, 2.0), SETTINGS[name])
        assert max(len(path.segments) for path in paths) > 3
        ties = check_against_generate(
            decoder,
            prompts,
            paths,
            SETTINGS[name],
            gap_of=gap_in(pair),
            count=cases(101, 1001),
        )
        assert len(ties) <= len(prompts), ties

    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    @pytest.mark.parametrize("stop", ["e", ["a", " "]])
    def test_stop_strings(self, pair, temperature, stop):
        decoder = DeraDecoder(pair)
        sampling = Sampling(temperature=temperature, max_new_tokens=12, seed=1)
        prompts = random_prompts(pair.vocab_size, 11, 3)
        paths = decoder.path(prompts, (0.0, 1.5), sampling, stop=stop)
        reasons = {segment.finish_reason for path in paths for segment in path.segments}
        assert reasons == {"stop", "length"}
        check_against_generate(decoder, prompts, paths, sampling, stop=stop, gap_of=gap_in(pair))

    def test_strings_and_lists_and_seeds(self, pair, decoder):
        sampling = Sampling(max_new_tokens=8, seed=9)
        alone = decoder.path("The café", (0.2, 1.0), sampling)
        assert isinstance(alone, LambdaPath)
        assert alone.seed == 9
        assert alone.at(0.5).usage == decoder.generate("The café", 0.5, sampling).usage
        listed = decoder.path(["The café", "A small pub"], (0.2, 1.0), sampling)
        expected = decoder.generate(["The café", "A small pub"], 0.5, sampling)
        for path, answer in zip(listed, expected, strict=True):
            assert path.seed == answer.seed
            assert path.at(0.5).token_ids == answer.token_ids
        seeds = Sampling(max_new_tokens=8, seed=[9, 9])
        for path in decoder.path(["The café", "The café"], (0.2, 1.0), seeds):
            assert [s.token_ids for s in path.segments] == [s.token_ids for s in alone.segments]

    def test_no_seed_draws_one_that_reproduces_the_path(self, decoder):
        path = decoder.path("The pub", sampling=Sampling(max_new_tokens=8))
        again = decoder.path("The pub", sampling=Sampling(max_new_tokens=8, seed=path.seed))
        assert again == path  # the very same computation: equal to the last bit

    def test_truncation_means_nothing_when_greedy(self, decoder):
        truncated = Sampling(temperature=0.0, top_k=3, top_p=0.5, min_p=0.2, max_new_tokens=8)
        plain = Sampling(temperature=0.0, max_new_tokens=8)
        assert decoder.path("The pub", sampling=truncated) == decoder.path(
            "The pub", sampling=plain
        )

    def test_prompts_do_not_disturb_each_other(self, pair):
        """Whatever shares a batch: the same tokens, and breakpoints to the rounding of a batch."""
        prompts = random_prompts(pair.vocab_size, 4, 5)
        together = DeraDecoder(pair, batch_size=64).path(prompts, sampling=GREEDY)
        for prompt, path in zip(prompts, together, strict=True):
            alone = DeraDecoder(pair, batch_size=1).path(prompt, sampling=GREEDY)
            assert [s.token_ids for s in alone.segments] == [s.token_ids for s in path.segments]
            assert alone.breakpoints == pytest.approx(path.breakpoints, abs=1e-4)

    @pytest.mark.parametrize("name", ["greedy", "sampled", "penalty on all, sampled"])
    def test_however_few_rows_a_batch_may_have(self, shaped, name):
        """Prompts and nodes put by are read again: the same tokens, and breakpoints to rounding."""
        prompts = random_prompts(shaped.vocab_size, 6, 3)
        whole = DeraDecoder(shaped, batch_size=512).path(prompts, sampling=SETTINGS[name])
        assert sum(len(path.segments) for path in whole) > 6
        for size in (2, 5):
            parts = DeraDecoder(shaped, batch_size=size).path(prompts, sampling=SETTINGS[name])
            for few, many in zip(parts, whole, strict=True):
                assert [s.token_ids for s in few.segments] == [s.token_ids for s in many.segments]
                assert few.breakpoints == pytest.approx(many.breakpoints, abs=1e-4)

    @pytest.mark.parametrize("shape", ["llama", "gpt2"])
    def test_repeats_bit_for_bit_where_asked(self, shape, tmp_path):
        """In bfloat16 neighbours and beginnings that are known change the last digits of logits."""
        pair = write_pair(tmp_path, shape).load(dtype="bfloat16")
        prompts = [[*range(40, 90), 5], list(range(40, 90)), [7]]
        decoder = DeraDecoder(pair, deterministic=True)
        alone = [decoder.path(prompt, sampling=GREEDY) for prompt in prompts]
        DeraDecoder(pair).generate(prompts, 0.5, GREEDY)
        assert decoder.path(prompts[::-1], sampling=GREEDY) == alone[::-1]
        traces = [path.trace(0.7) for path in alone]
        DeraDecoder(pair).generate(prompts[1], 0.7, GREEDY)
        assert [path.trace(0.7) for path in alone] == traces


def true_line(pair, prompt, ids, token):
    """(reference, slope) of a token after a prefix, by both models in float64 and no cache."""
    with torch.inference_mode():
        tokens = torch.tensor([[*prompt, *ids]])
        r, a = (
            model(input_ids=tokens).logits[0, -1, : pair.vocab_size]
            for model in (pair.reference, pair.aligned)
        )
    assert r.dtype == torch.float64
    return r[token].item(), (a - r)[token].item(), r, a - r


def test_breakpoints_are_where_lines_cross_in_float64(tmp_path, cases):
    """At each breakpoint the first tokens that differ have equal scores, and nobody has more."""
    folders = write_pair(tmp_path)
    single, double = folders.load(), folders.load(dtype="float64")
    prompts = random_prompts(single.vocab_size, 21, cases(3, 40))
    worst, count = 0.0, 0
    for prompt, path in zip(
        prompts, DeraDecoder(single).path(prompts, sampling=GREEDY), strict=True
    ):
        for left, right in itertools.pairwise(path.segments):
            at = next(
                i
                for i, (x, y) in enumerate(zip(left.token_ids, right.token_ids, strict=False))
                if x != y
            )
            prefix = left.token_ids[:at]
            base, slope, r, s = true_line(double, prompt, prefix, left.token_ids[at])
            other, steeper, *_ = true_line(double, prompt, prefix, right.token_ids[at])
            cross = (base - other) / (steeper - slope)
            # The error of a breakpoint is the error of logits over how fast the lines part.
            worst = max(worst, abs(right.lo - cross) * (steeper - slope))
            assert steeper > slope
            assert (r + cross * s).max().item() - (base + cross * slope) < 1e-4
            count += 1
    assert count > 5 * len(prompts)
    assert worst < 1e-4


class TestExactly:
    """A pair of hashed logits has no rounding of batches: nothing is excused."""

    @given(
        seed=st.integers(0, 10**6),
        quantum=st.sampled_from([None, 0.25, 1.0]),
        hi=st.sampled_from([0.5, 2.0, 7.0]),
        temperature=st.sampled_from([0.0, 0.7]),
        penalty=st.sampled_from([1.0, 1.0, 0.5, 2.0]),
    )
    def test_at_is_generate_and_segments_cover(self, seed, quantum, hi, temperature, penalty):
        decoder = DeraDecoder(HashedPair(seed, quantum=quantum))
        sampling = Sampling(
            temperature=temperature, repetition_penalty=penalty, max_new_tokens=5, seed=seed
        )
        prompts = [[1, 2], [3]]
        paths = decoder.path(prompts, (0.25, hi), sampling)
        for path in paths:
            check_cover(path, 0.25, hi)
            assert path.inexact_ranges == ()
        # Lines through one point leave plain float32 a gap of its rounding there, and no more.
        gap = _hashed_gap(decoder.pair)
        check_against_generate(decoder, prompts, paths, sampling, count=9, gap_of=gap)

    @pytest.mark.parametrize("quantum", [0.5, 1.0])
    def test_all_segments_in_exact_fractions(self, quantum, cases):
        """Rational lines, all crossings of all pairs, every prefix: nothing shared with ours."""
        for seed in range(cases(12, 300)):
            pair = HashedPair(seed, vocab_size=6, quantum=quantum)
            path = DeraDecoder(pair).path([1], (0.0, 2.0), Sampling(0.0, max_new_tokens=4))
            expected = exact_segments(pair, (1,), Fraction(0), Fraction(2), 4)
            assert [segment.token_ids for segment in path.segments] == [e[1] for e in expected]
            assert path.breakpoints == pytest.approx([float(e[0]) for e in expected[1:]], abs=1e-9)

    def test_one_row_per_distinct_prefix(self):
        pair = HashedPair(3, vocab_size=7)
        pair.stop_ids = frozenset()
        path = DeraDecoder(pair, batch_size=64).path([1], sampling=Sampling(0.0, max_new_tokens=6))
        prefixes = [{s.token_ids[:count] for s in path.segments} for count in range(6)]
        assert pair.steps == [len(some) for some in prefixes]
        assert len(path.segments) > 5

    def test_finished_nodes_leave(self):
        pair = HashedPair(3, vocab_size=5)
        path = DeraDecoder(pair).path([1], sampling=Sampling(0.0, max_new_tokens=8))
        longer = [
            {s.token_ids[:count] for s in path.segments if len(s.token_ids) > count}
            for count in range(8)
        ]
        assert pair.steps == [len(some) for some in longer if some]
        assert {s.finish_reason for s in path.segments} == {"stop", "length"}


def _hashed_gap(pair):
    def gap(prompt, ids, lam, sampling, seed):
        r, a = (torch.tensor(x) for x in pair.logits([*prompt, *ids]))
        return score_gap(r + lam * (a - r), prompt, ids, sampling, seed)

    return gap


def exact_segments(pair, prefix, lo, hi, left):
    """(start, tokens) of every greedy answer in [lo, hi], by brute force over rationals."""
    if not left or (prefix[-1] in pair.stop_ids and len(prefix) > 1):
        return [(lo, prefix[1:])]
    r, a = ([Fraction(x) for x in row] for row in pair.logits(prefix))
    slopes = [y - x for x, y in zip(r, a, strict=True)]
    cuts = {lo, hi}
    for i, j in itertools.combinations(range(len(r)), 2):
        if slopes[i] != slopes[j]:
            cuts.add((r[i] - r[j]) / (slopes[j] - slopes[i]))
    pieces = []
    for start, end in itertools.pairwise(sorted(cut for cut in cuts if lo <= cut <= hi)):
        scores = [x + (start + end) / 2 * s for x, s in zip(r, slopes, strict=True)]
        token = scores.index(max(scores))
        if pieces and pieces[-1][2] == token:
            pieces[-1][1] = end
        else:
            pieces.append([start, end, token])
    return [
        segment
        for start, end, token in pieces
        for segment in exact_segments(pair, (*prefix, token), start, end, left - 1)
    ]


class TestBudget:
    def test_what_is_left_is_the_decode_at_its_lower_end(self, cases):
        for seed in range(cases(6, 60)):
            decoder = DeraDecoder(HashedPair(seed, vocab_size=12))
            sampling = Sampling(temperature=0.0, max_new_tokens=6)
            whole = decoder.path([1], sampling=sampling)
            for budget in range(1, len(whole.segments) + 1):
                path = decoder.path([1], sampling=sampling, max_segments=budget)
                check_cover(path, 0.0, 2.0)
                assert len(path.segments) <= budget
                for segment in path.segments:
                    # At a breakpoint the right-hand answer.
                    assert segment.token_ids == whole.segment(segment.lo).token_ids
                    if segment.exact:
                        inside = [s for s in whole.segments if segment.lo < s.lo < segment.hi]
                        assert inside == []
            assert path == whole
            assert path.inexact_ranges == ()

    def test_inexact_ranges(self):
        decoder = DeraDecoder(HashedPair(3, vocab_size=12))
        sampling = Sampling(temperature=0.0, max_new_tokens=6)
        path = decoder.path([1], sampling=sampling, max_segments=1)
        assert [(s.lo, s.hi, s.exact) for s in path.segments] == [(0.0, 2.0, False)]
        assert path.inexact_ranges == ((0.0, 2.0),)
        assert path.at(0.0).token_ids == decoder.generate([1], 0.0, sampling).token_ids
        path = decoder.path([1], sampling=sampling, max_segments=4)
        covered = sum(hi - lo for lo, hi in path.inexact_ranges)
        assert covered == pytest.approx(sum(s.hi - s.lo for s in path.segments if not s.exact))
        assert 0 < covered < 2

    def test_each_prompt_has_its_own(self):
        decoder = DeraDecoder(HashedPair(3, vocab_size=12))
        sampling = Sampling(temperature=0.0, max_new_tokens=6)
        prompts = [[1], [2], [3]]
        together = decoder.path(prompts, sampling=sampling, max_segments=5)
        assert together == [decoder.path(p, sampling=sampling, max_segments=5) for p in prompts]


@pytest.fixture(scope="module")
def path():
    return DeraDecoder(HashedPair(3)).path([1, 2], (0.25, 2.0), Sampling(0.0, max_new_tokens=4))


class TestAt:
    def test_a_breakpoint_gives_the_right_hand_segment(self, path):
        for at, segment in zip(path.breakpoints, path.segments[1:], strict=True):
            assert path.segment(at) is segment
            assert path.segment(math.nextafter(at, 0)) is not segment

    def test_both_ends_belong_to_the_path(self, path):
        assert path.segment(0.25) is path.segments[0]
        assert path.segment(2.0) is path.segments[-1]

    @pytest.mark.parametrize("lam", [0.2, 2.0001, -1, math.nan, "1"])
    def test_outside_is_an_error(self, path, lam):
        for method in (path.at, path.segment, path.trace):
            with pytest.raises(InvalidValueError, match="λ"):
                method(lam)

    @pytest.mark.parametrize("make", [np.float32, np.float64, np.array, torch.tensor])
    def test_numbers_of_libraries_are_numbers(self, path, make):
        for method in (path.at, path.segment, path.trace):
            assert method(make(1.5)) == method(1.5)
        assert type(path.at(make(1.5)).lam) is float

    def test_usage_and_what_the_trace_knows(self, path):
        answer = path.at(1.5)
        assert answer.usage == Usage(2, len(answer.token_ids))
        assert answer.trace.lam == (1.5,) * len(answer.token_ids)
        assert set(answer.trace.reasons) == {"mixture", "kl", "entropy"}
        for field in ("mixture", "kl", "entropy"):
            assert all(math.isnan(x) for x in getattr(answer.trace, field))
            assert "path.trace" in answer.trace.reasons[field]
        assert answer == path.at(1.5)  # NaN or not

    def test_json(self, path):
        data = path.to_dict()
        assert [s["lo"] for s in data["segments"]][1:] == list(path.breakpoints)
        assert data["segments"][0]["logprobs"]["aligned"] == list(path.segments[0].logprobs.aligned)
        assert data["inexact_ranges"] == []


class TestTrace:
    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    def test_is_the_full_trace_of_generate(self, shaped, temperature):
        decoder = DeraDecoder(shaped)
        sampling = Sampling(temperature=temperature, max_new_tokens=12, seed=2)
        prompt = random_prompts(shaped.vocab_size, 5, 1)[0]
        path = decoder.path(prompt, (0.0, 2.0), sampling)
        for lam in (0.0, 0.7, 1.0, 1.9):
            expected = decoder.generate(prompt, lam, sampling, trace="full")
            assert path.at(lam).token_ids == expected.token_ids
            trace = path.trace(lam)
            assert trace.reasons == {}
            assert trace.lam == expected.trace.lam
            known = path.at(lam).trace
            for field in ("reference", "aligned", "mixture", "kl", "entropy"):
                values = getattr(trace, field)
                assert values == pytest.approx(getattr(expected.trace, field), abs=1e-4)
                if field not in known.reasons:
                    assert getattr(known, field) == pytest.approx(values, abs=1e-4)

    def test_sessions_without_drafts_are_stepped(self):
        """The hashed pair's sessions know prefill, step and select only."""
        decoder = DeraDecoder(HashedPair(3))
        sampling = Sampling(temperature=0.0, max_new_tokens=6)
        path = decoder.path([1, 2], sampling=sampling)
        expected = decoder.generate([1, 2], 0.4, sampling, trace="full").trace
        assert path.trace(0.4).kl == pytest.approx(expected.kl, abs=1e-6)
        assert path.trace(0.4).mixture == pytest.approx(expected.mixture, abs=1e-6)

    def test_prompt_and_answer_are_read_once(self, pair, decoder, monkeypatch):
        path = decoder.path([5] * 20, sampling=Sampling(temperature=0.0, max_new_tokens=6))
        calls = []
        start = type(pair).start

        def watched(self, prompts, branches):
            session = start(self, prompts, branches)
            extend = session.extend
            session.extend = lambda tokens: calls.append(tokens) or extend(tokens)
            session.step = None
            calls.append(prompts)
            return session

        monkeypatch.setattr(type(pair), "start", watched)
        path.trace(0.5)
        assert calls == [[(5,) * 20], [tuple(path.at(0.5).token_ids[:-1])]]


class TestRefusals:
    @pytest.mark.parametrize(
        "lam", [1.0, (1.0,), (0, 1, 2), (1.0, 1.0), (2.0, 1.0), (-1, 1), (0, math.inf), "01", None]
    )
    def test_intervals(self, decoder, lam):
        with pytest.raises(InvalidValueError, match="λ"):
            decoder.path("The pub", lam)

    @pytest.mark.parametrize("setting", [{"top_k": 5}, {"top_p": 0.9}, {"min_p": 0.1}])
    def test_truncation_at_a_temperature(self, decoder, setting):
        with pytest.raises(InvalidValueError, match="changes with λ"):
            decoder.path("The pub", sampling=Sampling(temperature=1.0, **setting))

    @pytest.mark.parametrize("budget", [0, -1, 2.5, True, None])
    def test_budgets(self, decoder, budget):
        with pytest.raises(InvalidValueError, match="max_segments"):
            decoder.path("The pub", max_segments=budget)

    def test_a_budget_of_numpy(self, decoder):
        few, many = (
            decoder.path("The pub", max_segments=n, sampling=GREEDY) for n in (np.int64(2), 2)
        )
        assert few == many

    def test_prompts_and_stops_as_generate(self, decoder):
        with pytest.raises(PromptError):
            decoder.path("")
        with pytest.raises(InvalidValueError):
            decoder.path("The pub", stop="")
        assert decoder.path([], sampling=GREEDY) == []

    def test_a_mixer_without_lines(self, pair):
        class PerToken:
            """λ changes per token, so a token's score is no line in the λ asked for."""

            def branches(self, lam):
                raise NotImplementedError

            def mix(self, logits, lines):
                raise NotImplementedError

        with pytest.raises(InvalidValueError, match="PerToken"):
            DeraDecoder(pair, mixer=PerToken()).path("The pub")

    def test_broken_logits_name_the_prompt(self):
        class Broken(HashedPair):
            def logits(self, prefix):
                made = super().logits(prefix)
                if prefix[0] == 2 and len(prefix) == 3:
                    made[1][0] = math.nan
                return made

        prompts = [[1], [2], [3]]
        with pytest.raises(LogitsError, match="aligned logits of row 1 at step 2"):
            DeraDecoder(Broken(3)).path(prompts, sampling=Sampling(0.0, max_new_tokens=5))


def test_two_scripts_cross_in_the_middle():
    """Each branch's token leads by 10 in its own branch: both score equally at λ = ½."""
    pair = ScriptedPair(tiny_tokenizer(), aligned="no", reference="yes")
    path = DeraDecoder(pair).path("x", (0.0, 1.0), GREEDY)
    assert [segment.text for segment in path.segments] == ["yes", "no"]
    assert path.breakpoints == (0.5,)
    first = path.segments[0]
    assert isinstance(first, PathSegment)
    assert first.finish_reason == "stop"
    log_z = math.log(math.exp(10) + pair.vocab_size - 1)
    assert first.logprobs.reference[0] == pytest.approx(10 - log_z, abs=1e-5)
    assert first.logprobs.aligned[0] == pytest.approx(-log_z, abs=1e-5)


def test_different_tokens_of_one_text_stay_apart():
    """Special tokens are no text: an answer with one reads like the answer without it."""
    tokenizer = tiny_tokenizer()
    word = tokenizer("no")["input_ids"]
    pair = ScriptedPair(tokenizer, aligned=[tokenizer.bos_token_id, *word], reference=word)
    path = DeraDecoder(pair).path("x", (0.0, 1.0), GREEDY)
    assert {segment.text for segment in path.segments} >= {"no"}
    ids = [segment.token_ids for segment in path.segments]
    assert len(set(ids)) == len(ids)


def test_grid_stays_clear_of_breakpoints():
    path = DeraDecoder(HashedPair(3)).path([1], sampling=Sampling(0.0, max_new_tokens=3))
    lams = grid(path, 9)
    assert len(lams) >= 9 + len(path.breakpoints)
    assert all(abs(lam - at) > 1e-5 for lam in lams for at in path.breakpoints)
