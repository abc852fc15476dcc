"""Whole traces of paths: held from the decode or read again, alone or together, they are one."""

import dataclasses

import pytest
from hashed_pair import HashedPair
from path_checks import random_prompts

from dera_rag import DeraDecoder, Sampling
from dera_rag.decoding import path_loop
from dera_rag.decoding.path import traces
from dera_rag.decoding.path_traces import Notes
from dera_rag.decoding.trace import COLUMNS
from dera_rag.errors import InvalidValueError
from dera_rag.testing import write_pair

SAMPLED = Sampling(temperature=0.9, max_new_tokens=12, seed=5)
GREEDY = Sampling(temperature=0.0, max_new_tokens=12)


@pytest.fixture(scope="module", params=["llama", "gpt2", "bart"])
def pair(request, tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp(request.param), request.param).load()


def assert_same(trace, expected, near=1e-4):
    assert trace.lam == expected.lam
    assert trace.reasons == expected.reasons
    for name in COLUMNS:
        assert getattr(trace, name) == pytest.approx(getattr(expected, name), abs=near)


def generated(decoder, path, lam, sampling):
    """What a decode of this prompt at this λ records."""
    settings = sampling if sampling.greedy else dataclasses.replace(sampling, seed=path.seed)
    return decoder.generate(path.prompt, lam, settings, trace="full")


class TestTogether:
    @pytest.mark.parametrize("sampling", [SAMPLED, GREEDY], ids=["sampled", "greedy"])
    def test_each_is_what_generate_records(self, pair, sampling):
        """Several λ of a segment, out of order, and prompts of several lengths."""
        decoder = DeraDecoder(pair, batch_size=5, speculation="off")
        paths = decoder.path(random_prompts(pair.vocab_size, 5, 4), (0.0, 2.0), sampling)
        asked = [(paths[i], lam) for lam in (1.9, 0.0, 1.0, 0.7, 0.701) for i in (2, 0, 3, 1)]
        for (path, lam), trace in zip(asked, traces(asked), strict=True):
            expected = generated(decoder, path, lam, sampling)
            assert path.at(lam).token_ids == expected.token_ids
            assert_same(trace, expected.trace)

    def test_paths_of_several_decoders(self):
        """On pairs that know no rounding the traces are equal to the last digit."""
        paths = [DeraDecoder(HashedPair(seed)).path([1, 2], sampling=GREEDY) for seed in (1, 2, 1)]
        asked = [(path, lam) for lam in (0.25, 1.75) for path in paths]
        assert traces(asked) == [path.trace(lam) for path, lam in asked]
        assert traces([]) == []

    def test_lam_outside_a_path(self):
        path = DeraDecoder(HashedPair(1)).path([1], (0.0, 1.0), GREEDY)
        with pytest.raises(InvalidValueError, match="outside"):
            traces([(path, 0.5), (path, 1.5)])

    def test_an_answer_is_read_once_and_no_further_than_it_goes(self, monkeypatch):
        pair = HashedPair(3)
        paths = DeraDecoder(pair, batch_size=4).path([[1, 2], [3]], sampling=GREEDY)
        own = [(path, segment) for path in paths for segment in path.segments]
        distinct = {(path.prompt, segment.token_ids) for path, segment in own}
        assert len({len(answer) for _, answer in distinct}) > 1
        pair.steps.clear()
        lams = [(p, s.lo + share * (s.hi - s.lo)) for share in (0.3, 0.6) for p, s in own]
        traces(lams)
        # One row a position of each answer, and never more rows than a batch may have.
        assert sum(pair.steps) == sum(len(answer) for _, answer in distinct)
        assert max(pair.steps) <= 4

    def test_rows_that_fill_the_context_stay_within_it(self, tmp_path):
        """Beyond the last learned position there is nothing to read."""
        pair = write_pair(tmp_path, "gpt2", eos=([], []), positions=40).load()
        decoder = DeraDecoder(pair)
        long = decoder.path([5] * 28, (0.0, 2.0), dataclasses.replace(SAMPLED, seed=1))
        short = decoder.path([6] * 3, (0.0, 2.0), Sampling(seed=1, max_new_tokens=30))
        assert len(long.prompt) + 12 == pair.max_length
        made = traces([(long, 0.5), (short, 0.5)])
        assert [len(trace.kl) for trace in made] == [12, 30]
        assert_same(made[0], long.trace(0.5))


class TestHeld:
    @pytest.mark.parametrize("sampling", [SAMPLED, GREEDY], ids=["sampled", "greedy"])
    def test_a_segment_knows_its_middle(self, pair, sampling, monkeypatch):
        decoder = DeraDecoder(pair, batch_size=6, speculation="off")
        prompts = random_prompts(pair.vocab_size, 6, 3)
        paths = decoder.path(prompts, (0.0, 2.0), sampling, trace="full")
        expected = [
            generated(decoder, path, s.middle, sampling).trace
            for path in paths
            for s in path.segments
        ]
        monkeypatch.setattr(type(pair), "start", None)
        middles = [(path, s.middle) for path in paths for s in path.segments]
        for (path, lam), trace, known in zip(middles, expected, traces(middles), strict=True):
            assert_same(known, trace)
            assert path.at(lam).trace is known
            assert path.trace(lam) is known

    def test_away_from_the_middle_nothing_is_claimed(self):
        path = DeraDecoder(HashedPair(3)).path([1, 2], sampling=GREEDY, trace="full")
        segment = path.segments[0]
        lam = segment.lo + 0.25 * (segment.hi - segment.lo)
        assert "mixture" in path.at(lam).trace.reasons
        assert path.trace(lam).lam == (lam,) * len(segment.token_ids)
        assert path.trace(lam).kl != segment.trace.kl

    def test_nothing_else_changes(self):
        for seed in range(6):
            decoder = DeraDecoder(HashedPair(seed), batch_size=3)
            plain = decoder.path([[1, 2], [3]], sampling=GREEDY)
            whole = decoder.path([[1, 2], [3]], sampling=GREEDY, trace="full")
            for one, other in zip(plain, whole, strict=True):
                assert all(segment.trace is None for segment in one.segments)
                bare = [dataclasses.replace(segment, trace=None) for segment in other.segments]
                assert list(one.segments) == bare

    @pytest.mark.parametrize("most", [0, 60, 200])
    def test_what_memory_does_not_hold_is_read_again(self, most, monkeypatch):
        pair = HashedPair(3)
        decoder = DeraDecoder(pair)
        expected = decoder.path([[1, 2], [3]], sampling=GREEDY, trace="full")
        alone = sum(pair.steps)
        monkeypatch.setattr(path_loop, "Notes", lambda: Notes(most))
        pair.steps.clear()
        assert decoder.path([[1, 2], [3]], sampling=GREEDY, trace="full") == expected
        assert sum(pair.steps) > alone
        if most == 0:
            again = {(p.prompt, s.token_ids) for p in expected for s in p.segments}
            assert sum(pair.steps) == alone + sum(len(answer) for _, answer in again)

    @pytest.mark.parametrize("most", [1, 3])
    def test_segments_beyond_the_budget(self, most):
        """Their answer is that of their lower end, but judged where it is shown: in the middle."""
        for seed in range(6):
            decoder = DeraDecoder(HashedPair(seed))
            plain = decoder.path([1, 2], sampling=GREEDY, max_segments=most)
            whole = decoder.path([1, 2], sampling=GREEDY, max_segments=most, trace="full")
            assert whole.inexact_ranges
            middles = [(plain, segment.middle) for segment in plain.segments]
            assert [segment.trace for segment in whole.segments] == traces(middles)

    def test_modes(self):
        decoder = DeraDecoder(HashedPair(3))
        assert decoder.path([1], sampling=GREEDY, trace="off").segments[0].trace is None
        with pytest.raises(InvalidValueError, match="unknown trace"):
            decoder.path([1], sampling=GREEDY, trace="all")
