"""A λ-path against plain decoding."""

import random
from dataclasses import replace

import torch

from dera_rag import DeraDecoder
from dera_rag.numerics.noise import gumbel
from dera_rag.numerics.sampling import penalise
from dera_rag.testing import TIE

# Plain decoding in float32 cannot tell a λ this close to a breakpoint from the breakpoint.
NEAR = 1e-5


def grid(path, count):
    """`count` equidistant λ, and those just left and right of every breakpoint, none too near."""
    lams = [path.lo + (path.hi - path.lo) * i / (count - 1) for i in range(count)]
    lams += [at + side * 1.05 * NEAR for at in path.breakpoints for side in (-1, 1)]
    far = [lam for lam in lams if all(abs(lam - at) > NEAR for at in path.breakpoints)]
    return [min(max(lam, path.lo), path.hi) for lam in far]


def check_cover(path, lo, hi):
    """Segments cover the interval without gaps or overlaps, and neighbours differ."""
    assert (path.lo, path.hi) == (lo, hi)
    for segment in path.segments:
        assert segment.hi - segment.lo >= 1e-6
    for left, right in zip(path.segments[:-1], path.segments[1:], strict=True):
        assert left.hi == right.lo
        same = (left.token_ids, left.finish_reason) == (right.token_ids, right.finish_reason)
        assert not same or left.exact != right.exact
    assert path.breakpoints == tuple(segment.lo for segment in path.segments[1:])


def check_against_generate(decoder, prompts, paths, sampling, *, count=17, stop=None, gap_of=None):
    """`path.at(λ)` is what `generate` gives at λ.

    `gap_of(prompt, ids, lam, sampling, seed)`, where given, is the distance of plain decoding's two
    best scores after `ids`: a difference with a gap below `TIE` there is returned and not raised.
    """
    rows = [(i, lam) for i, path in enumerate(paths) for lam in grid(path, count)]
    plain = DeraDecoder(decoder.pair, batch_size=512, mixer=decoder.mixer).generate(
        [prompts[i] for i, _ in rows],
        [lam for _, lam in rows],
        _with_seeds(sampling, [paths[i].seed for i, _ in rows]),
        stop,
        trace="off",
    )
    ties = []
    for (i, lam), expected in zip(rows, plain, strict=True):
        got = paths[i].at(lam)
        if got.token_ids == expected.token_ids:
            assert got.text == expected.text
            assert got.finish_reason == expected.finish_reason
            assert got.usage == expected.usage
            assert (got.lam, got.seed) == (expected.lam, expected.seed)
            continue
        pairs = zip(got.token_ids, expected.token_ids, strict=False)
        at = next((k for k, (a, b) in enumerate(pairs) if a != b), None)
        assert at is not None, f"λ={lam}: {got.token_ids} is not as long as {expected.token_ids}"
        gap = gap_of(prompts[i], expected.token_ids[:at], lam, sampling, got.seed) if gap_of else 1
        assert gap < TIE, (
            f"λ={lam}, gap {gap:.1e}, {got.token_ids} for {expected.token_ids}; "
            f"breakpoints {paths[i].breakpoints}"
        )
        ties.append(gap)
    return ties


def score_gap(logits, prompt, ids, sampling, seed):
    """How far the two best scores of plain decoding are apart, in units of logits."""
    seen = torch.zeros(1, len(logits), dtype=torch.bool)
    seen[0, list(ids)] = True
    if sampling.repetition_scope == "all":
        seen[0, list(prompt)] = True
    scores = penalise(logits.unsqueeze(0), seen, sampling.repetition_penalty).double()
    if not sampling.greedy:
        noise = gumbel([seed], [len(ids)], len(logits), logits.device)
        scores = scores + sampling.temperature * noise
    best = scores[0].topk(2).values
    return float(best[0] - best[1])


def random_prompts(vocab_size, seed, count, longest=20):
    rng = random.Random(seed)
    return [
        [rng.randrange(3, vocab_size) for _ in range(rng.randint(1, longest))] for _ in range(count)
    ]


def _with_seeds(sampling, seeds):
    return sampling if sampling.greedy else replace(sampling, seed=seeds)
