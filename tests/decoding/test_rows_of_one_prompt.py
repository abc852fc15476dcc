"""Rows of one prompt share what was read of it, and each answers as it does alone.

On transformers' own models of every architecture, saved and loaded by path, with prompts on both
sides of the sliding windows' 12 tokens. A difference needs a tie at the first token that differs.
"""

import itertools
from dataclasses import replace

import pytest
from path_checks import check_against_generate, check_cover, random_prompts, score_gap

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.pairs.forked import ForkedLayer
from dera_rag.testing import (
    ENCODER_DECODERS,
    SHAPES,
    TIE,
    cache_free_logits,
    write_adapter,
    write_pair,
)

WINDOW = 12
LAMS = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
SETTINGS = {
    "greedy": Sampling(temperature=0.0),
    "sampled": Sampling(temperature=1.0, seed=5),
    "penalty": Sampling(temperature=0.0, repetition_penalty=1.3),
}
SEVERAL = [*SHAPES, *ENCODER_DECODERS, "llama+adapter", "mistral+adapter", "t5+adapter"]


@pytest.fixture(scope="module", params=SEVERAL)
def shape(request):
    return request.param


@pytest.fixture(scope="module")
def pair(shape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    kind, _, adapter = shape.partition("+")
    folders = write_pair(folder, kind, padding=(3, 8), eos=([2], [2, 17]))
    if not adapter:
        return folders.load(engine="generic")
    write_adapter(folder / "adapter", folders.reference, kind)
    made = ModelPair.from_adapter(base=folders.reference, adapter=folder / "adapter")
    assert made.one_pass
    return made


@pytest.fixture(params=SETTINGS)
def sampling(request, cases):
    return replace(SETTINGS[request.param], max_new_tokens=cases(6, 14))


def prompts_of(pair, count):
    """Random ones, every second longer than a window."""
    short = random_prompts(pair.vocab_size, count, count, longest=WINDOW)
    return [
        prompt if i % 2 else prompt + random_prompts(pair.vocab_size, i, 1)[0] * WINDOW
        for i, prompt in enumerate(short)
    ]


def gap_in(pair):
    def gap(prompt, ids, lam, sampling, seed):
        return score_gap(cache_free_logits(pair, prompt, lam, ids), prompt, ids, sampling, seed)

    return gap


def check_rows(pair, prompts, lams, settings, *batches):
    """The rows of each batch are the answers that prompts get alone; returns gaps of ties."""
    ties = []
    for prompt, lam, own, *rows in zip(prompts, lams, settings, *batches, strict=True):
        alone = DeraDecoder(pair, speculation="off").generate(prompt, lam, own)
        for row in rows:
            if row.token_ids == alone.token_ids:
                assert (row.text, row.finish_reason) == (alone.text, alone.finish_reason)
                continue
            pairs = itertools.zip_longest(row.token_ids, alone.token_ids)
            at = next(i for i, (a, b) in enumerate(pairs) if a != b)
            gap = gap_in(pair)(prompt, alone.token_ids[:at], lam, own, own.seed)
            assert gap < TIE, f"λ={lam}, gap {gap:.1e}: {row.token_ids} for {alone.token_ids}"
            ties.append(gap)
    return ties


@pytest.fixture
def shared(monkeypatch):
    """How many rows each select of shared layers made."""
    counts = []
    ours = ForkedLayer.batch_select_indices

    def noted(self, indices):
        counts.append(len(indices))
        return ours(self, indices)

    monkeypatch.setattr(ForkedLayer, "batch_select_indices", noted)
    return counts


def has_shared_layers(shape):
    """Whether some layer attends to a whole prompt, and is not an encoder's."""
    return shape.partition("+")[0] not in (*ENCODER_DECODERS, "mistral", "phi3")


def test_a_path_is_every_answer(shape, pair, sampling, shared, cases):
    """Several prompts' nodes in one batch, on a grid and on both sides of every breakpoint."""
    prompts = prompts_of(pair, cases(2, 6))
    decoder = DeraDecoder(pair)
    paths = decoder.path(prompts, (0.0, 2.0), sampling)
    assert bool(shared) == has_shared_layers(shape)
    for path in paths:
        check_cover(path, 0.0, 2.0)
        assert path.inexact_ranges == ()
    assert sum(len(path.segments) for path in paths) > 2 * len(prompts)
    ties = check_against_generate(
        decoder, prompts, paths, sampling, count=cases(5, 17), gap_of=gap_in(pair)
    )
    assert len(ties) <= len(prompts), ties


def test_nine_lambdas_are_nine_answers(shape, pair, sampling, shared, cases):
    """Drafts take tokens back from rows that share their prompt."""
    own = replace(sampling, seed=[5] * len(LAMS))
    for prompt in prompts_of(pair, cases(1, 3)):
        rows = [prompt] * len(LAMS)
        batches = [
            DeraDecoder(pair, speculation=mode).generate(rows, LAMS, own)
            for mode in ("off", "always")
        ]
        ties = check_rows(pair, rows, LAMS, [sampling] * len(LAMS), *batches)
        assert len(ties) <= len(batches), ties
    assert bool(shared) == has_shared_layers(shape)


def test_several_answers_to_each_prompt(shape, pair, shared, cases):
    """Each has its own noise; rows leave as they end."""
    prompts = prompts_of(pair, 2) * 3
    for seed in range(cases(1, 4)):
        settings = [
            Sampling(temperature=1.0, max_new_tokens=length, seed=6 * seed + i)
            for i, length in enumerate([2, 9, 4, 7, 3, 8])
        ]
        rows = DeraDecoder(pair, speculation="off").generate(prompts, 0.6, settings)
        assert len({row.token_ids[0] for row in rows}) > 2
        ties = check_rows(pair, prompts, [0.6] * 6, settings, rows)
        assert len(ties) <= 1, ties
    assert bool(shared) == has_shared_layers(shape)


def test_prompts_are_drawn_beyond_the_windows(pair):
    lengths = [len(prompt) for prompt in prompts_of(pair, 2)]
    assert min(lengths) < WINDOW < max(lengths)
