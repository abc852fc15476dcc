"""Several aligned models at once, against the formula on cache-free logits."""

import random

import pytest
import torch
from path_checks import check_against_generate, check_cover

from dera_rag import DeraDecoder, Sampling
from dera_rag.decoding.contrast import AdaCad
from dera_rag.errors import DeraRagError, InvalidValueError, LogitsError, PairMismatchError
from dera_rag.pairs import ModelPair
from dera_rag.pairs.several import SeveralPair
from dera_rag.protocols import Branches, DraftingSession, JoiningSession
from dera_rag.testing import assert_same_tokens, cache_free_logits, write_pair

GREEDY = Sampling(temperature=0.0, max_new_tokens=10)
# Random models change their answer every few hundredths of λ.
SHORT = Sampling(temperature=0.0, max_new_tokens=4)
R, A, BOTH = Branches.REFERENCE, Branches.ALIGNED, Branches.BOTH
PROMPTS = [[40, 41, 42, 43], [50], [60, 61, 62] * 6]
NAMES = ("faithful", "fluent", "short")


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    root = tmp_path_factory.mktemp("several")
    folders = [write_pair(root / str(seed), padding=(0, seed), seed=seed) for seed in range(3)]
    aligned = {name: pair.aligned for name, pair in zip(NAMES, folders, strict=True)}
    return SeveralPair.from_pretrained(folders[0].reference, aligned)


@pytest.fixture(scope="module")
def members(several):
    """Each aligned model with the one reference: what the oracle runs."""
    return {name: part.pair for name, part in zip(NAMES, several._parts, strict=True)}


def on_transformers(pair):
    """The same models, each run by its own `forward`."""
    return ModelPair(pair.reference, pair.aligned, pair.tokenizer, name=pair.name)


def expected_logits(members, ids, lam):
    """h_ref + Σ λ_i (h_i − h_ref): the formula, by full forwards."""
    reference = cache_free_logits(members["faithful"], ids, 0.0)
    mixed = reference.clone()
    for name, value in lam.items():
        mixed += value * (cache_free_logits(members[name], ids, 1.0) - reference)
    return mixed


def check_row(members, prompt, lam, answer, limit=10):
    """Tokens of the slowest loop there is."""
    expected = []
    stops = {2}
    while len(expected) < limit and not (expected and expected[-1] in stops):
        expected.append(int(expected_logits(members, [*prompt, *expected], lam).argmax()))
    tie = assert_same_tokens(
        answer.token_ids, expected, lambda tail: expected_logits(members, [*prompt, *tail], lam)
    )
    assert tie is None
    assert answer.lam == pytest.approx(sum(lam.values()))


def test_the_reference_is_held_once(several, members):
    assert len({id(pair.reference) for pair in members.values()}) == 1
    assert several.aligned_names == NAMES
    assert several.shares == dict.fromkeys(NAMES, pytest.approx(1 / 3))
    assert several.name == "reference+aligned:several(faithful, fluent, short)"


def test_each_row_has_its_own_strengths(several, members):
    lams = [
        {"faithful": 0.5, "fluent": 0.7},
        {"short": 1.0},
        {"faithful": 0.3, "fluent": 0.4, "short": 1.1},
    ]
    together = DeraDecoder(several).generate(PROMPTS, lams, GREEDY)
    for prompt, lam, answer in zip(PROMPTS, lams, together, strict=True):
        check_row(members, prompt, lam, answer)
        alone = DeraDecoder(several).generate(prompt, lam, GREEDY)
        assert (alone.token_ids, alone.lam) == (answer.token_ids, answer.lam)


def test_random_strengths_equal_the_formula(several, members, cases):
    rng = random.Random(4)
    decoder = DeraDecoder(several)
    for _ in range(cases(6, 300)):
        prompt = [rng.randrange(3, several.vocab_size) for _ in range(rng.randint(1, 20))]
        names = rng.sample(NAMES, rng.randint(1, 3))
        lam = {name: round(rng.uniform(0, 1.2), 2) for name in names}
        check_row(members, prompt, lam, decoder.generate(prompt, lam, GREEDY))


def test_a_number_is_split_by_the_shares(several, members):
    pair = SeveralPair(members, shares={"faithful": 3, "short": 1})
    assert pair.shares == {"faithful": 0.75, "fluent": 0.0, "short": 0.25}
    answer = DeraDecoder(pair).generate(PROMPTS[0], 1.6, GREEDY)
    check_row(members, PROMPTS[0], {"faithful": 1.2, "short": 0.4}, answer)


def test_the_path_runs_over_the_sum(several):
    decoder = DeraDecoder(several)
    paths = decoder.path(PROMPTS, (0.0, 2.0), SHORT)
    assert sum(len(path.segments) for path in paths) > len(paths)
    for path in paths:
        check_cover(path, 0.0, 2.0)
    check_against_generate(decoder, PROMPTS, paths, SHORT)


def test_streams_alike(several):
    decoder = DeraDecoder(several)
    lam = {"fluent": 0.6, "short": 0.8}
    chunks = list(decoder.stream(PROMPTS[0], lam, GREEDY))
    whole = decoder.generate(PROMPTS[0], lam, GREEDY)
    assert chunks[-1].generation.token_ids == whole.token_ids
    assert chunks[-1].generation.lam == whole.lam


def test_nothing_but_the_reference_at_zero(several, members):
    answer = DeraDecoder(several).generate(PROMPTS[0], {"fluent": 0.0}, GREEDY)
    alone = DeraDecoder(members["fluent"]).generate(PROMPTS[0], 0.0, GREEDY)
    assert (answer.token_ids, answer.lam) == (alone.token_ids, alone.lam)


def test_a_model_without_a_share_does_not_run(several, members, monkeypatch):
    """λ for one name alone is that model's own pair: the others are not asked."""
    # The generic engine: it calls each model's own forward.
    generic = SeveralPair({name: on_transformers(pair) for name, pair in members.items()})
    seen = []
    owners = {id(pair.aligned): name for name, pair in members.items()}
    forward = type(members["short"].aligned).forward

    def counted(self, *args, **settings):
        seen.append(owners.get(id(self), "reference"))
        return forward(self, *args, **settings)

    monkeypatch.setattr(type(members["short"].aligned), "forward", counted)
    answer = DeraDecoder(generic).generate(PROMPTS[0], {"fluent": 0.6}, GREEDY)
    assert set(seen) == {"reference", "fluent"}
    pair = DeraDecoder(members["fluent"]).generate(PROMPTS[0], 0.6, GREEDY)
    assert answer.token_ids == pair.token_ids
    seen.clear()
    DeraDecoder(generic).generate(PROMPTS[0], {"fluent": 0.5, "short": 0.5}, GREEDY)
    assert set(seen) == {"fluent", "short"}


def test_sessions_draft_crop_join_and_select(several, members):
    """Every capability of the parts is one of the sum."""
    session = several.start(PROMPTS[:2], [BOTH, A])
    assert isinstance(session, DraftingSession)
    assert isinstance(session, JoiningSession)
    shares = dict.fromkeys(NAMES, 1 / 3)

    def close(logits, rows, lam):
        expected = [expected_logits(members, ids, lam) for ids in rows]
        torch.testing.assert_close(logits, torch.stack(expected), atol=2e-4, rtol=1e-4)

    session.prefill()
    drafted = session.extend([[70, 71], [80, 81]])
    close(drafted.aligned[:, 0], [[*PROMPTS[0], 70], [*PROMPTS[1], 80]], shares)
    close(drafted.aligned[:, 1], [[*PROMPTS[0], 70, 71], [*PROMPTS[1], 80, 81]], shares)
    close(drafted.reference[:, 1], [[*PROMPTS[0], 70, 71]], {})
    session.crop([1, 2])
    joined = session.join([PROMPTS[2]], [BOTH])
    close(joined.aligned, [PROMPTS[2]], shares)
    close(joined.reference, [PROMPTS[2]], {})
    session.select([2, 0, 1, 0])
    rows = [[*PROMPTS[2], 90], [*PROMPTS[0], 70, 91], [*PROMPTS[1], 92], [*PROMPTS[0], 70, 93]]
    logits = session.step([90, 91, 92, 93])
    close(logits.aligned, rows, shares)
    close(logits.reference, [rows[0], rows[1], rows[3]], {})


def test_a_row_joins_models_whose_rows_have_all_left(several):
    session = several.start([PROMPTS[0]], [R])
    assert session.prefill().aligned is None
    first = session.join([PROMPTS[1]], [BOTH])
    assert first.aligned.shape == first.reference.shape
    session.select([1])
    logits = session.step([70])
    fresh = several.start([[*PROMPTS[1], 70]], [BOTH])
    torch.testing.assert_close(logits.aligned, fresh.prefill().aligned, atol=2e-4, rtol=1e-4)


def test_a_fault_of_one_model_is_refused_with_row_and_step(several, members, monkeypatch):
    generic = SeveralPair({name: on_transformers(pair) for name, pair in members.items()})
    model = members["fluent"].aligned
    forward = model.forward

    def broken(*args, **settings):
        output = forward(*args, **settings)
        output.logits[..., 7] = -torch.inf
        return output

    monkeypatch.setattr(model, "forward", broken)
    with pytest.raises(LogitsError, match=r"aligned logits of row 0 at step 0: NaN"):
        DeraDecoder(generic).generate(PROMPTS[0], {"fluent": 0.5, "short": 0.4}, GREEDY)


@pytest.mark.parametrize(
    ("lam", "reason"),
    [
        ({"bold": 1.0}, r"λ for \['bold'\].*faithful"),
        ({"fluent": -1.0}, "finite and ≥ 0"),
        ({"fluent": "much"}, "must be a number"),
        ([{"fluent": 1.0}] * 2, "2 λ for 1 prompts"),
    ],
)
def test_refuses_other_names_and_values(several, lam, reason):
    with pytest.raises(InvalidValueError, match=reason):
        DeraDecoder(several).generate([PROMPTS[0]], lam, GREEDY)


def test_one_aligned_model_has_no_names(members):
    with pytest.raises(InvalidValueError, match="one aligned model"):
        DeraDecoder(members["short"]).generate(PROMPTS[0], {"short": 1.0}, GREEDY)


def test_refuses_shares_that_are_none(members):
    for shares in ({"bold": 1.0}, {"fluent": -1.0}, {"fluent": 0.0}, {}):
        with pytest.raises(InvalidValueError, match="shares"):
            SeveralPair(members, shares=shares)
    with pytest.raises(InvalidValueError, match="no aligned models"):
        SeveralPair({})


def test_refuses_two_references(members, tmp_path):
    other = write_pair(tmp_path / "other").load()
    with pytest.raises(PairMismatchError, match="different reference objects"):
        SeveralPair({"faithful": members["faithful"], "other": other})
    stranger = write_pair(tmp_path / "stranger", tokenizer="byte_fallback").load()
    mixed = ModelPair.from_pretrained(
        reference=(stranger.reference, stranger.tokenizer),
        aligned=(stranger.aligned, stranger.tokenizer),
    )
    mixed.reference = members["faithful"].reference
    with pytest.raises(DeraRagError, match="vocabulary"):
        SeveralPair({"faithful": members["faithful"], "stranger": mixed})


def test_a_mixer_that_chooses_lambda_takes_none(several):
    with pytest.raises(InvalidValueError, match="no λ to choose"):
        DeraDecoder(several, mixer=AdaCad()).generate(PROMPTS[0], {"fluent": 0.5}, GREEDY)
