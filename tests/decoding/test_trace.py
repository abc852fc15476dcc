"""Per-token view of both models, against values computed without cache or batch."""

import math

import pytest
import torch

from dera_rag import DeraDecoder, Sampling
from dera_rag.errors import LogitsError
from dera_rag.protocols import Branches
from dera_rag.testing import ScriptedPair, cache_free_logits, tiny_tokenizer

PROMPT = [40, 41, 42]
FIELDS = ("reference", "aligned", "mixture", "kl", "entropy")


def expected_trace(pair, answer):
    """The definitions, token by token, in float64."""
    rows = []
    for place, token in enumerate(answer.token_ids):
        ids = PROMPT + answer.token_ids[:place]
        r, a = (cache_free_logits(pair, ids, lam).double() for lam in (0.0, 1.0))
        m = r + answer.lam * (a - r)
        r, a, m = (x.log_softmax(-1) for x in (r, a, m))
        p = m.exp()
        rows.append((r[token], a[token], m[token], (p * (m - r)).sum(), -(p * m).sum()))
    return [tuple(float(x) for x in column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0, 2.5])
def test_full_trace(pair, decoder, lam):
    """Temperature, penalty and truncation change tokens, not what the trace says of them."""
    sampling = Sampling(
        temperature=0.6, top_k=20, repetition_penalty=1.4, max_new_tokens=10, seed=2
    )
    answer = decoder.generate(PROMPT, lam, sampling, trace="full")
    assert answer.trace.lam == (lam,) * len(answer.token_ids)
    assert not answer.trace.reasons
    for field, expected in zip(FIELDS, expected_trace(pair, answer), strict=True):
        assert getattr(answer.trace, field) == pytest.approx(expected, abs=2e-5)
    ratio = [a - r for r, a in zip(answer.trace.reference, answer.trace.aligned, strict=True)]
    assert answer.trace.log_ratio == pytest.approx(ratio)


def test_one_model_rows_have_nan_and_a_reason(pair, decoder):
    sampling = Sampling(max_new_tokens=8, seed=2)
    low, high, mixed = decoder.generate([PROMPT] * 3, [0.0, 1.0, 0.5], sampling)
    known = {
        "reference": low.trace,
        "aligned": high.trace,
    }
    for name, trace in known.items():
        assert trace.mixture == getattr(trace, name)
        assert all(math.isfinite(x) for x in trace.entropy)
    assert set(low.trace.reasons) == {"aligned"}
    assert set(high.trace.reasons) == {"reference", "kl"}
    assert low.trace.kl == (0.0,) * len(low.token_ids)
    for trace in (low.trace, high.trace):
        for field in FIELDS:
            values = getattr(trace, field)
            assert all(math.isnan(x) for x in values) == (field in trace.reasons)
            assert "trace='full'" in trace.reasons.get(field, "trace='full'")
    assert not mixed.trace.reasons
    assert all(math.isfinite(x) for field in FIELDS for x in getattr(mixed.trace, field))


def test_trace_off(decoder):
    answer = decoder.generate(PROMPT, 0.5, Sampling(max_new_tokens=8, seed=2), trace="off")
    assert set(answer.trace.reasons) == set(FIELDS)
    assert answer.trace.lam == (0.5,) * len(answer.token_ids)
    assert all(len(getattr(answer.trace, field)) == len(answer.token_ids) for field in FIELDS)


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_a_full_trace_changes_no_token(decoder, lam):
    sampling = Sampling(max_new_tokens=15, seed=6)
    auto, full = (decoder.generate(PROMPT, lam, sampling, trace=mode) for mode in ("auto", "full"))
    assert auto.token_ids == full.token_ids
    assert auto.trace.entropy == pytest.approx(full.trace.entropy, abs=1e-5)


@pytest.mark.parametrize(
    ("trace", "lams", "branches"),
    [
        ("auto", [0, 1, 0.5], [Branches.REFERENCE, Branches.ALIGNED, Branches.BOTH]),
        ("off", [0, 1, 0.5], [Branches.REFERENCE, Branches.ALIGNED, Branches.BOTH]),
        ("full", [0, 1, 0.5], [Branches.BOTH] * 3),
    ],
)
def test_models_a_row_runs(trace, lams, branches):
    pair = ScriptedPair(tiny_tokenizer(), "ab")
    DeraDecoder(pair).generate([[50]] * 3, lams, Sampling(max_new_tokens=2, seed=1), trace=trace)
    assert pair.started == [tuple(branches)]


def test_traces_compare_and_become_json(decoder):
    sampling = Sampling(max_new_tokens=5, seed=1)
    first, second = (decoder.generate(PROMPT, 1.0, sampling) for _ in range(2))
    assert first == second
    assert first.to_dict()["trace"]["kl"] == [None] * len(first.token_ids)


def test_disagreement_is_the_mean_divergence_over_the_aligned_start(pair, decoder):
    """KL(aligned ‖ reference) by its definition, over greedy aligned tokens."""
    prompts = [PROMPT, "A small pub", [60]]
    ids = [PROMPT, pair.tokenizer(prompts[1])["input_ids"], [60]]
    for prompt, value in zip(ids, decoder.disagreement(prompts, tokens=3), strict=True):
        tokens, divergences = [], []
        while len(tokens) < 3 and not (tokens and tokens[-1] in pair.stop_ids):
            r, a = (
                cache_free_logits(pair, [*prompt, *tokens], lam).double().log_softmax(-1)
                for lam in (0.0, 1.0)
            )
            divergences.append(float((a.exp() * (a - r)).sum()))
            tokens.append(int(a.argmax()))
        assert value == pytest.approx(sum(divergences) / len(divergences), abs=2e-5)


def test_equal_models_do_not_disagree():
    decoder = DeraDecoder(ScriptedPair(tiny_tokenizer(), "abc"))
    assert decoder.disagreement(["x", "y"]) == [0.0, 0.0]
    other = DeraDecoder(ScriptedPair(tiny_tokenizer(), "abc", "xyz"))
    assert other.disagreement(["x"])[0] > 5


@pytest.mark.parametrize("branch", ["reference", "aligned"])
def test_broken_logits_name_the_callers_row(branch, pair):
    """Rows are sorted and leave the batch; the error still names the row that was passed."""

    class Broken(ScriptedPair):
        def start(self, prompts, branches):
            session = super().start(prompts, branches)
            logits = session._logits
            hurt = [list(prompt) == [55] for prompt in prompts]

            def spoiled(which):
                values = logits(which)
                if session._step == 2 and which.name == branch.upper():
                    values[hurt.index(True)] = math.nan
                return values

            session._logits = spoiled
            return session

    decoder = DeraDecoder(Broken(tiny_tokenizer(), "abcdef"))
    prompts = [[50, 51], [55], [52, 53, 54]]
    with pytest.raises(LogitsError, match=f"{branch} logits of row 1 at step 2"):
        decoder.generate(prompts, 0.5, Sampling(temperature=0.0, max_new_tokens=6))


def test_nothing_is_recorded_for_gradients(pair, decoder):
    assert any(p.requires_grad for p in pair.aligned.parameters())
    decoder.generate(PROMPT, 0.5, Sampling(max_new_tokens=3, seed=1))
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in pair.aligned.parameters())
