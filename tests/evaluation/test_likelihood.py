"""Log-likelihoods of given continuations are those of full forwards, whatever shares a batch."""

import math

import pytest

from dera_rag import DeraDecoder, Sampling
from dera_rag.decoding.mixer import LinearMixer
from dera_rag.errors import InvalidValueError, LogitsError, PromptError
from dera_rag.evaluation.interop import likelihood
from dera_rag.evaluation.interop.likelihood import Likelihood, likelihoods
from dera_rag.pairs.context import ContextPair
from dera_rag.testing import TablePair, cache_free_logits, tiny_tokenizer, write_pair

LAMS = (0.0, 0.5, 1.0, 1.7)
# Contexts of several lengths, two of them shared; continuations from none to many tokens.
ASKED = [
    ([40, 41, 42], [50, 51]),
    ([40, 41, 42], [60]),
    ([40, 41, 42], [70, 71, 72, 73, 74]),
    ([45], [46, 47, 48]),
    ([40, 41, 42, 43, 44, 45, 46], []),
    (list(range(30, 60)), [61, 62]),
    ([45], [46, 47, 48]),
]


def by_hand(pair, context, continuation, lam):
    """Token by token, each with a full forward of its own."""
    total, greedy = 0.0, True
    for i, token in enumerate(continuation):
        logits = cache_free_logits(pair, context, lam, continuation[:i])
        total += float(logits.log_softmax(-1)[token])
        greedy &= int(logits.argmax()) == token
    return total, greedy


@pytest.fixture(scope="module", params=["llama", "mistral", "gpt2", "t5"])
def pair(request, tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"), request.param, padding=(5, 0)).load()


@pytest.mark.parametrize("lam", LAMS)
def test_equal_to_full_forwards(pair, lam):
    found = likelihoods(pair, ASKED, lam)
    for one, (context, continuation) in zip(found, ASKED, strict=True):
        total, greedy = by_hand(pair, context, continuation, lam)
        assert one.log_probability == pytest.approx(total, abs=1e-4)
        assert one.greedy == greedy


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_batch_and_the_width_of_a_forward_do_not_matter(pair, size, monkeypatch):
    whole = likelihoods(pair, ASKED, 1.3)
    monkeypatch.setattr(likelihood, "_NUMBERS", 2 * pair.vocab_size)
    for one, other in zip(likelihoods(pair, ASKED, 1.3, batch_size=size), whole, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
        assert one.greedy == other.greedy


def test_what_greedy_decoding_writes_is_greedy_and_nothing_else_is(pair):
    prompt = [40, 41, 42]
    greedy = Sampling(temperature=0.0, max_new_tokens=6)
    ids = DeraDecoder(pair).generate(prompt, 0.7, greedy, trace="full").token_ids
    other = [*ids[:-1], (ids[-1] + 1) % pair.vocab_size]
    found = likelihoods(pair, [(prompt, ids), (prompt, other)], 0.7)
    assert [one.greedy for one in found] == [True, False]


def test_the_trace_of_a_decode_says_the_same(pair):
    sampling = Sampling(seed=3, max_new_tokens=8)
    made = DeraDecoder(pair, speculation="off").generate([40, 41], 1.7, sampling)
    (one,) = likelihoods(pair, [([40, 41], made.token_ids)], 1.7)
    assert one.log_probability == pytest.approx(math.fsum(made.trace.mixture), abs=1e-3)


def test_numbers_by_hand():
    # Two tokens count: reference (½, ½), aligned (¾, ¼); at λ=2 the odds 3:1 become 9:1.
    pair = TablePair(tiny_tokenizer())
    for table, logit in zip(pair.tables.values(), (0.0, math.log(3)), strict=True):
        table.fill_(-1e4)
        table[:, 50], table[:, 51] = logit, 0.0
    for lam, odds in ((0.0, 1), (1.0, 3), (2.0, 9)):
        found = likelihoods(pair, [([40], [50, 50, 51])], lam)[0]
        p = odds / (odds + 1)
        assert found.log_probability == pytest.approx(2 * math.log(p) + math.log(1 - p), abs=1e-5)


def test_single_models_run_alone(pair, monkeypatch):
    seen = []
    mix = LinearMixer.mix

    def noting(self, logits, lines):
        seen.append([part is not None for part in logits])
        return mix(self, logits, lines)

    monkeypatch.setattr(LinearMixer, "mix", noting)
    for lam in (0.0, 1.0, 0.5):
        likelihoods(pair, ASKED[:2], lam)
    assert [seen[0], seen[-1]] == [[True, False], [True, True]]
    assert [False, True] in seen


def test_nothing_asked(pair):
    assert likelihoods(pair, [], 1.0) == []
    assert likelihoods(pair, [([40], [])], 1.0) == [Likelihood(0.0, True)]


def test_progress_counts_what_is_read(pair):
    told = []
    likelihoods(pair, ASKED, 1.0, batch_size=4, progress=told.append)
    assert told == [4, 2]


def test_bad_input_is_refused_before_any_model_runs(tmp_path):
    pair = write_pair(tmp_path, "gpt2", positions=16).load()
    with pytest.raises(InvalidValueError, match="λ"):
        likelihoods(pair, ASKED, -1.0)
    with pytest.raises(PromptError, match="context 1 is empty"):
        likelihoods(pair, [([40], [41]), ([], [41])], 1.0)
    with pytest.raises(PromptError, match=r"take 17 tokens, but .* takes 16"):
        likelihoods(pair, [([40] * 8, [41] * 10)], 1.0)
    # The last token is asked for and not read.
    assert likelihoods(pair, [([40] * 8, [41] * 9)], 1.0)[0].log_probability < 0
    with pytest.raises(InvalidValueError, match="with and without passages"):
        likelihoods(ContextPair(pair), ASKED[:1], 1.0)


def test_a_broken_model_names_row_and_branch(pair, monkeypatch):
    start = type(pair).start

    def broken(self, prompts, branches):
        session = start(self, prompts, branches)
        prefill = session.prefill

        def poisoned():
            logits = prefill()
            logits.reference[-1, 7] = math.nan
            return logits

        session.prefill = poisoned
        return session

    monkeypatch.setattr(type(pair), "start", broken)
    with pytest.raises(LogitsError, match="reference logits of row 1 at step 0"):
        likelihoods(pair, [([40], [50]), ([40, 41], [50])], 0.5)
