"""Every way a path can be wrong that we could think of: put in, it must be noticed.

Each check passes on ours first; then it must fail with the fault.
"""

import bisect
import dataclasses
import itertools
from fractions import Fraction

import pytest
import torch
from hashed_pair import HashedPair
from path_checks import check_against_generate, check_cover

from dera_rag import DeraDecoder, Sampling
from dera_rag.decoding import decoder as decoder_module
from dera_rag.decoding import path as path_module
from dera_rag.decoding import path_loop, path_nodes
from dera_rag.decoding.path import LambdaPath
from dera_rag.decoding.path_loop import PathDecode
from dera_rag.numerics import AffineScores, Penalty, affine, affine_scores, envelope
from dera_rag.numerics.envelope import Piece

SEEDS = range(6)


def check_plain(**settings):
    """The path of two prompts is plain decoding, on pairs whose logits know no rounding."""
    for seed in SEEDS:
        decoder = DeraDecoder(HashedPair(seed))
        sampling = Sampling(**{"temperature": 0.0, "max_new_tokens": 5, "seed": seed} | settings)
        paths = decoder.path([[1, 2], [3]], (0.0, 2.0), sampling)
        for path in paths:
            check_cover(path, 0.0, 2.0)
        check_against_generate(decoder, [[1, 2], [3]], paths, sampling, count=41)


def check_greedy():
    check_plain()


def check_sampled():
    check_plain(temperature=0.7)


def check_penalised():
    check_plain(repetition_penalty=2.5, max_new_tokens=8)


def check_bends():
    """The tent of `test_affine`: token 0 is highest in the middle alone, around its zero."""
    scores = affine_scores(torch.tensor([[-1.0, -0.55]]), torch.tensor([[0.0, -0.05]]))
    penalty = Penalty(4.0, torch.tensor([[True, False]]))
    (pieces,) = affine.winners(scores, [(0.0, 2.0)], penalty=penalty)
    assert [piece.token for piece in pieces] == [1, 0, 1]


def check_first_breakpoints():
    """First tokens and breakpoints of quantised logits, in exact fractions."""
    for seed in range(20):
        pair = HashedPair(seed, vocab_size=6, quantum=0.5)
        path = DeraDecoder(pair).path([1], (0.0, 2.0), Sampling(0.0, max_new_tokens=1))
        r, a = ([Fraction(x) for x in row] for row in pair.logits((1,)))
        slopes = [y - x for x, y in zip(r, a, strict=True)]
        cuts = {Fraction(0), Fraction(2)}
        for i, j in itertools.combinations(range(6), 2):
            if slopes[i] != slopes[j]:
                cuts.add((r[i] - r[j]) / (slopes[j] - slopes[i]))
        winners = []
        for lo, hi in itertools.pairwise(sorted(cut for cut in cuts if 0 <= cut <= 2)):
            scores = [x + (lo + hi) / 2 * s for x, s in zip(r, slopes, strict=True)]
            winners.append((lo, scores.index(max(scores))))
        expected = [w for i, w in enumerate(winners) if not i or winners[i - 1][1] != w[1]]
        assert [s.token_ids[0] for s in path.segments] == [token for _, token in expected]
        for at, (lo, _) in zip(path.breakpoints, expected[1:], strict=True):
            assert abs(at - float(lo)) < 1e-10


def check_breakpoints_belong_right():
    path = DeraDecoder(HashedPair(3)).path([1], sampling=Sampling(0.0, max_new_tokens=4))
    for at, segment in zip(path.breakpoints, path.segments[1:], strict=True):
        assert path.at(at).token_ids == list(segment.token_ids)


def check_budget():
    decoder = DeraDecoder(HashedPair(3, vocab_size=12))
    sampling = Sampling(temperature=0.0, max_new_tokens=6)
    whole = decoder.path([1], sampling=sampling)
    path = decoder.path([1], sampling=sampling, max_segments=4)
    assert len(path.segments) <= 4
    for segment in path.segments:
        inside = [s for s in whole.segments if segment.lo < s.lo < segment.hi]
        assert not (segment.exact and inside)


def check_small_batches():
    """However few rows a batch may have, no more are asked for and the paths are the same."""
    sampling = Sampling(temperature=0.0, max_new_tokens=6)
    prompts = [[1], [2, 3], [4]]
    for seed in range(3):
        expected = DeraDecoder(HashedPair(seed, vocab_size=30), batch_size=512).path(
            prompts, sampling=sampling
        )
        for size in (1, 2, 5, 13):
            pair = HashedPair(seed, vocab_size=30)
            assert DeraDecoder(pair, batch_size=size).path(prompts, sampling=sampling) == expected
            assert max(pair.steps) <= size


def check_small_batches_and_budgets():
    """What a budget cuts off does not hang on the batch size either."""
    sampling = Sampling(temperature=0.0, max_new_tokens=6)
    for seed, budget in itertools.product(SEEDS, (3, 5, 8)):
        expected, *others = (
            DeraDecoder(HashedPair(seed, vocab_size=30), batch_size=size).path(
                [1], sampling=sampling, max_segments=budget
            )
            for size in (512, 1, 2)
        )
        assert expected.inexact_ranges
        assert others == [expected] * 2


def only_the_ends(monkeypatch):
    def between(lines, lo, hi, left, right):
        rise = right.slope - left.slope
        cross = lo if rise <= 0 else (left.base - right.base) / rise
        if left is not right and lo < cross < hi:
            yield Piece(lo, cross, left.token)
            lo = cross
        yield Piece(lo, hi, right.token)

    monkeypatch.setattr(envelope, "_between", between)


def a_grid(monkeypatch):
    """Eleven λ in place of lines."""

    def winners(scores, intervals, *, noise=None, penalty=None):
        out = []
        for row, (lo, hi) in enumerate(intervals):
            at = torch.linspace(lo, hi, 12, dtype=torch.float64)
            values = scores.base[row] + at[:-1, None] * scores.slope[row]
            tokens = (values if noise is None else values + noise[row]).argmax(-1).tolist()
            ends = itertools.pairwise(at.tolist())
            out.append(
                envelope.joined(
                    [Piece(*end, token) for end, token in zip(ends, tokens, strict=True)]
                )
            )
        return out

    monkeypatch.setattr(path_loop, "winners", winners)


def single_precision(monkeypatch):
    def lines(reference, aligned, **_):
        slope = (aligned - reference).mul(1 + 1e-7)
        return AffineScores(reference.double(), slope.double())

    monkeypatch.setattr("dera_rag.decoding.mixer.affine_scores", lines)


def ties_to_the_highest_id(monkeypatch):
    def highest(lines, lam):
        return max(reversed(lines), key=lambda line: line.at(lam))

    monkeypatch.setattr(envelope, "_highest", highest)


def straight_lines_under_a_penalty(monkeypatch):
    monkeypatch.setattr(affine._Rivals, "zeros", lambda self, lo, hi: [])


def equal_ends_as_proof_under_a_penalty(monkeypatch):
    monkeypatch.setattr(affine, "_bends", lambda penalty, low, high: torch.zeros_like(low).bool())


def a_penalty_forgotten(monkeypatch):
    ours = affine.winners
    monkeypatch.setattr(
        path_loop, "winners", lambda *args, noise, penalty: ours(*args, noise=noise)
    )


def noise_of_another_position(monkeypatch):
    ours = path_loop.gumbel
    monkeypatch.setattr(
        path_loop,
        "gumbel",
        lambda seeds, indices, *rest: ours(seeds, [i + 1 for i in indices], *rest),
    )


def noise_of_the_first_prompt(monkeypatch):
    ours = path_loop.gumbel
    monkeypatch.setattr(
        path_loop,
        "gumbel",
        lambda seeds, *rest: ours([seeds[0]] * len(seeds), *rest),
    )


def noise_without_temperature(monkeypatch):
    ours = PathDecode._noise

    def noise(self, nodes, like):
        made = ours(self, nodes, like)
        return None if made is None else made / self._sampling.temperature

    monkeypatch.setattr(PathDecode, "_noise", noise)


def rows_of_the_wrong_parent(monkeypatch):
    """A split keeps the number of rows and forgets whose they are."""
    ours = PathDecode._keep

    def keep(self, batch, rows):
        first = min(row for row, _ in rows)
        ours(self, batch, [(first, node) for _, node in rows])

    monkeypatch.setattr(PathDecode, "_keep", keep)


def budget_called_exact(monkeypatch):
    ours = path_nodes._children

    def children(*args):
        return [dataclasses.replace(child, exact=True) for child in ours(*args)]

    monkeypatch.setattr(path_nodes, "_children", children)


def budget_of_each_batch_alone(monkeypatch):
    """Nodes of one prompt in several batches take from the budget one batch after the other."""
    ours, sizes = PathDecode.__init__, []

    def noted(self, *args, batch_size, **settings):
        sizes.append(batch_size)
        ours(self, *args, batch_size=batch_size, **settings)

    def grown(nodes, found, max_segments):
        return [
            children
            for start in range(0, len(nodes), sizes[-1])
            for children in path_nodes.grown(
                nodes[start : start + sizes[-1]], found[start : start + sizes[-1]], max_segments
            )
        ]

    monkeypatch.setattr(PathDecode, "__init__", noted)
    monkeypatch.setattr(path_loop, "grown", grown)


def prompts_put_by_forgotten(monkeypatch):
    monkeypatch.setattr(PathDecode, "_fitting", lambda self, kept: [kept[0][: self._batch_size]])


def prefixes_not_read_again(monkeypatch):
    monkeypatch.setattr(path_loop, "appended", lambda session, token_ids: iter(()))


def no_limit_of_rows(monkeypatch):
    ours = PathDecode.__init__

    def unlimited(self, *args, batch_size, **settings):
        ours(self, *args, batch_size=10_000, **settings)

    monkeypatch.setattr(PathDecode, "__init__", unlimited)


def budget_ignored(monkeypatch):
    monkeypatch.setattr(decoder_module, "check_budget", lambda budget: 256)


def the_left_hand_segment(monkeypatch):
    def segment(self, lam):
        return self.segments[bisect.bisect_left(self.breakpoints, lam)]

    monkeypatch.setattr(LambdaPath, "segment", segment)


def neighbours_of_one_length_made_one(monkeypatch):
    """Merged by something else than ids and finish reason."""
    ours = itertools.groupby
    monkeypatch.setattr(
        path_module.itertools,
        "groupby",
        lambda segments, key: ours(segments, key=lambda segment: len(segment.token_ids)),
    )


FAULTS = [
    (only_the_ends, check_greedy),
    (only_the_ends, check_first_breakpoints),
    (a_grid, check_greedy),
    (a_grid, check_first_breakpoints),
    (single_precision, check_first_breakpoints),
    (ties_to_the_highest_id, check_first_breakpoints),
    (straight_lines_under_a_penalty, check_bends),
    (equal_ends_as_proof_under_a_penalty, check_bends),
    (a_penalty_forgotten, check_penalised),
    (noise_of_another_position, check_sampled),
    (noise_of_the_first_prompt, check_sampled),
    (noise_without_temperature, check_sampled),
    (rows_of_the_wrong_parent, check_greedy),
    (budget_called_exact, check_budget),
    (budget_ignored, check_budget),
    (budget_of_each_batch_alone, check_small_batches_and_budgets),
    (prompts_put_by_forgotten, check_small_batches),
    (prefixes_not_read_again, check_small_batches),
    (no_limit_of_rows, check_small_batches),
    (the_left_hand_segment, check_breakpoints_belong_right),
    (neighbours_of_one_length_made_one, check_greedy),
]


@pytest.mark.parametrize("check", dict.fromkeys(check for _, check in FAULTS))
def test_ours_passes(check):
    check()


@pytest.mark.parametrize(("fault", "check"), FAULTS)
def test_is_noticed(fault, check, monkeypatch):
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        check()
