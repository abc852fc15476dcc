"""Rows with their own λ and settings that join, leave, fail and are given up beside others."""

import random

import pytest
import torch

from dera_rag import DeraDecoder, Sampling
from dera_rag.decoding.engine import Engine
from dera_rag.errors import InvalidValueError, LogitsError, PromptError
from dera_rag.protocols import LogitPair
from dera_rag.testing import TablePair, tiny_tokenizer, write_pair

TOKENIZER = tiny_tokenizer()
GREEDY = Sampling(temperature=0.0, max_new_tokens=12)


def random_settings(rng, longest=24):
    """Settings of every kind, greedy ones included."""
    return Sampling(
        temperature=rng.choice([0.0, 0.0, 0.5, 1.0]),
        top_k=rng.choice([0, 0, 5]),
        top_p=rng.choice([1.0, 0.8]),
        min_p=rng.choice([0.0, 0.0, 0.1]),
        repetition_penalty=rng.choice([1.0, 1.0, 1.3]),
        repetition_scope=rng.choice(["completion", "all"]),
        seed=rng.randrange(1000),
        max_new_tokens=rng.randint(1, longest),
    )


def random_request(pair, rng):
    """A prompt with λ, settings, stop strings and trace of its own."""
    prompt = [rng.randrange(3, pair.vocab_size) for _ in range(rng.randint(1, 9))]
    stop = pair.tokenizer.decode([rng.randrange(4, pair.vocab_size)])
    return {
        "prompt": prompt * rng.randint(1, 2),
        "lam": rng.choice([0.0, 0.3, 1.0, 1.8]),
        "sampling": random_settings(rng),
        "stop": rng.choice([None, [stop] if stop else None]),
        "trace": rng.choice(["auto", "full", "off"]),
    }


def alone(pair, prompt, lam, sampling, stop, trace):
    decoder = DeraDecoder(pair, speculation="off")
    return decoder.generate(prompt, lam, sampling, stop=stop, trace=trace)


def finish(engine, handles):
    """Advance until nothing runs; every handle must be reported as done exactly once."""
    done = []
    while engine.running:
        done += engine.advance()
    assert sorted(map(id, done)) == sorted(map(id, handles))


def test_answers_do_not_depend_on_who_else_is_there_or_when_they_joined(cases):
    """Random requests arrive at random times in batches of random size; each answers as alone."""
    for seed in range(cases(40, 400)):
        rng = random.Random(seed)
        pair = TablePair(TOKENIZER, seed=seed)
        engine = DeraDecoder(
            pair, batch_size=rng.randint(1, 6), speculation=rng.choice(["off", "auto", "always"])
        ).engine()
        requests = [random_request(pair, rng) for _ in range(rng.randint(1, 9))]
        handles, done = [], []
        while len(handles) < len(requests) or engine.running:
            if len(handles) < len(requests) and rng.random() < 0.4:
                handles.append(engine.submit(**requests[len(handles)]))
            done += engine.advance()
            assert all(len(session.rows) <= engine.batch_size for session in pair.sessions)
        assert len(done) == len(handles)
        for request, handle in zip(requests, handles, strict=True):
            assert handle.result() == alone(pair, **request)
            assert handle.text == handle.result().text
            assert handle.token_ids == handle.result().token_ids


@pytest.mark.parametrize("shape", ["llama", "mistral", "gpt2"])
def test_rows_join_a_running_decode_of_real_models(shape, tmp_path, cases):
    pair = write_pair(tmp_path, shape, tokenizer="bos").load()
    for seed in range(cases(2, 40)):
        rng = random.Random(seed)
        engine = DeraDecoder(pair, batch_size=3).engine()
        requests = [random_request(pair, rng) for _ in range(5)]
        handles = []
        for request in requests:
            handles.append(engine.submit(**request))
            engine.advance()
        while engine.running:
            engine.advance()
        for request, handle in zip(requests, handles, strict=True):
            assert handle.result().token_ids == alone(pair, **request).token_ids


def test_a_sampling_per_prompt(pair):
    prompts = ["The old harbour", "A pub", "A pub"]
    settings = [
        GREEDY,
        Sampling(seed=3, max_new_tokens=5),
        Sampling(seed=4, top_k=3, max_new_tokens=9),
    ]
    decoder = DeraDecoder(pair)
    together = decoder.generate(prompts, [0.5, 1.0, 1.7], settings)
    assert [answer.seed for answer in together] == [None, 3, 4]
    for prompt, lam, own, answer in zip(prompts, [0.5, 1.0, 1.7], settings, together, strict=True):
        assert answer.token_ids == decoder.generate(prompt, lam, own).token_ids
    with pytest.raises(InvalidValueError, match="2 samplings for 3 prompts"):
        decoder.generate(prompts, 1.0, settings[:2])


class TestFailures:
    def bad_pair(self, word):
        """NaN for every sequence whose prompt starts with a word, after its second token."""
        return TablePair(TOKENIZER, bad=lambda ids: ids[0] == word and len(ids) == 5)

    @pytest.mark.parametrize("speculation", ["off", "always"])
    @pytest.mark.parametrize("lam", [0.5, 1.0])
    def test_a_row_with_nan_logits_fails_alone(self, lam, speculation):
        pair = self.bad_pair(50)
        engine = DeraDecoder(pair, speculation=speculation).engine()
        prompts = [[40, 41, 42], [50, 51, 52], [60, 61, 62]]
        handles = [engine.submit(prompt, lam, GREEDY) for prompt in prompts]
        finish(engine, handles)
        assert isinstance(handles[1].error, LogitsError)
        with pytest.raises(LogitsError, match="aligned logits of row 1 at step 2: NaN"):
            handles[1].result()
        assert len(handles[1].token_ids) == 2
        for place in (0, 2):
            assert handles[place].result() == alone(pair, prompts[place], lam, GREEDY, None, "auto")

    def test_generate_raises_what_failed(self):
        decoder = DeraDecoder(self.bad_pair(50))
        with pytest.raises(LogitsError, match="row 1 at step 2"):
            decoder.generate([[40, 41, 42], [50, 51, 52]], 0.5, GREEDY)

    def test_a_reference_row_beside_a_bad_aligned_one_goes_on(self):
        """At λ=0 the aligned model does not run, whatever it would say."""
        engine = Engine(TablePair(TOKENIZER, bad=lambda ids: True))
        fine, broken = (engine.submit([40, 41], lam, GREEDY) for lam in (0.0, 0.7))
        finish(engine, [fine, broken])
        assert len(fine.result().token_ids) == 12
        assert "step 0" in str(broken.error)

    def test_a_bad_request_is_refused_at_the_door(self):
        engine = Engine(TablePair(TOKENIZER, max_length=20))
        handle = engine.submit([40, 41], 0.5, GREEDY)
        for error, settings in [
            (PromptError, {"prompt": [40] * 9, "sampling": GREEDY}),
            (PromptError, {"prompt": ""}),
            (InvalidValueError, {"prompt": [40], "lam": -1.0, "sampling": GREEDY}),
            (InvalidValueError, {"prompt": [40], "stop": "", "sampling": GREEDY}),
            (InvalidValueError, {"prompt": [40], "trace": "some", "sampling": GREEDY}),
            (InvalidValueError, {"prompt": [[40]], "sampling": GREEDY}),
        ]:
            with pytest.raises(error):
                engine.submit(**settings)
        finish(engine, [handle])
        assert len(handle.result().token_ids) == 12

    def test_a_pass_that_breaks_fails_the_rows_in_it(self, monkeypatch):
        pair = TablePair(TOKENIZER)
        engine = Engine(pair)
        handles = [engine.submit([40 + i], 0.5, GREEDY) for i in range(2)]
        engine.advance()

        def broken(token_ids):
            raise RuntimeError("out of memory")

        monkeypatch.setattr(pair.sessions[0], "step", broken)
        finish(engine, handles)
        for handle in handles:
            with pytest.raises(RuntimeError, match="out of memory"):
                handle.result()
        later = engine.submit([40], 0.5, GREEDY)
        finish(engine, [later])
        assert later.result().token_ids == alone(pair, [40], 0.5, GREEDY, None, "auto").token_ids


class TestLeaving:
    def test_cancelling_frees_the_row(self):
        pair = TablePair(TOKENIZER)
        engine = Engine(pair, batch_size=2)
        first, second, third = (engine.submit([40 + i], 0.5, GREEDY) for i in range(3))
        engine.advance()
        assert third.token_ids == []
        first.cancel()
        assert first.done
        assert first.cancelled
        assert engine.advance() == [first]
        assert len(third.token_ids) == 1
        with pytest.raises(InvalidValueError, match="was cancelled"):
            first.result()
        finish(engine, [second, third])
        assert len(second.result().token_ids) == len(third.result().token_ids) == 12
        first.cancel()
        second.cancel()
        assert not second.cancelled

    def test_cancelling_what_waits(self):
        engine = Engine(TablePair(TOKENIZER), batch_size=1)
        first, second = (engine.submit([40 + i], 0.5, GREEDY) for i in range(2))
        second.cancel()
        assert engine.advance() == [second]
        with pytest.raises(InvalidValueError, match="has not ended"):
            first.result()
        finish(engine, [first])

    def test_ended_rows_leave_once_a_quarter_is_idle(self):
        """Of nine rows one ends at each token: they leave in threes, then faster."""
        pair = TablePair(TOKENIZER, max_length=1000)
        engine = Engine(pair)
        for row in range(9):
            engine.submit([40 + row], 0.5, Sampling(temperature=0.0, max_new_tokens=row + 2))
        while engine.running:
            engine.advance()
        rows = [size for size, _ in pair.sessions[0].passes]
        assert rows == [9, 9, 9, 9, 6, 6, 4, 3, 2, 1]

    def test_an_ended_row_never_runs_out_of_positions(self):
        """The session refuses a row beyond the context, even one that nobody reads any more."""
        pair = TablePair(TOKENIZER, max_length=14)
        engine = Engine(pair)
        full = engine.submit([40] * 12, 0.5, Sampling(temperature=0.0, max_new_tokens=2))
        others = [engine.submit([50 + i], 0.5, GREEDY) for i in range(8)]
        finish(engine, [full, *others])
        assert [handle.error for handle in (full, *others)] == [None] * 9

    def test_a_model_without_rows_left_is_not_run(self):
        """One aligned row among eight of the reference: when it ends, the aligned model stops."""
        pair = TablePair(TOKENIZER)
        engine = Engine(pair)
        short = Sampling(temperature=0.0, max_new_tokens=2)
        engine.submit([40], 1.0, short)
        for i in range(8):
            engine.submit([50 + i], 0.0, GREEDY)
        engine.advance()
        engine.advance()
        first = [ids[0] for ids in pair.sessions[0].rows]
        assert first
        assert 40 not in first


class PlainSession:
    """A session without drafts and without newcomers."""

    def __init__(self, session):
        self.prefill, self.step, self.select = session.prefill, session.step, session.select


def test_a_pair_whose_sessions_take_no_newcomers_gets_another_session(monkeypatch):
    pair = TablePair(TOKENIZER)
    start = pair.start
    monkeypatch.setattr(pair, "start", lambda *rows: PlainSession(start(*rows)))
    engine = DeraDecoder(pair, batch_size=4, speculation="always").engine()
    first = engine.submit([40], 0.5, GREEDY)
    engine.advance()
    second = engine.submit([50], 0.5, GREEDY)
    finish(engine, [first, second])
    assert len(pair.sessions) == 2
    assert second.result() == alone(pair, [50], 0.5, GREEDY, None, "auto")


@pytest.mark.parametrize("shape", ["llama", "gpt2"])
def test_deterministic_answers_repeat_bit_for_bit_in_bfloat16(shape, tmp_path):
    """Traces too: neighbours, order and time of joining leave every float as it is."""
    pair = write_pair(tmp_path, shape).load(dtype="bfloat16")
    decoder = DeraDecoder(pair, deterministic=True)
    prompts = [[40, 41, 42], [50], [60] * 20, [40, 41, 42]]
    lams = [0.4, 1.0, 1.6, 0.0]
    settings = [GREEDY, Sampling(seed=2, max_new_tokens=9), GREEDY, GREEDY]
    single = [
        decoder.generate(*row, trace="full") for row in zip(prompts, lams, settings, strict=True)
    ]
    assert decoder.generate(prompts, lams, settings, trace="full") == single
    assert decoder.generate(prompts[::-1], lams[::-1], settings[::-1], trace="full") == single[::-1]
    assert decoder.statistics.drafted == 0


def test_deterministic_answers_reuse_no_earlier_prompt(tmp_path, monkeypatch):
    """The second prompt begins like the first: its prefill must not start in the middle."""
    pair = write_pair(tmp_path).load(dtype="bfloat16")
    decoder = DeraDecoder(pair, deterministic=True)
    prompt = list(range(40, 90))
    first = decoder.generate([*prompt, 5], 0.5, GREEDY, trace="full")
    usual = DeraDecoder(pair)
    usual.generate(prompt, 0.5, GREEDY)

    def refused(*_rows):
        raise AssertionError("a session that may reuse prompts")

    monkeypatch.setattr(type(pair), "start", refused)
    assert decoder.generate([*prompt, 5], 0.5, GREEDY, trace="full") == first


def test_mixture_of_a_batch_with_bad_lines_keeps_the_others(pair):
    """Line by line mixing gives what the batch would have given."""
    from dera_rag.decoding.lines import mix_lines, subset
    from dera_rag.decoding.mixer import LinearMixer, Lines

    generator = torch.Generator().manual_seed(0)
    reference, aligned = torch.randn(2, 3, 7, generator=generator)
    lines = Lines(torch.tensor([0.5, 1.0, 0.0, 2.0]), [0, 2, 3], [0, 1, 3], [0] * 4, [5, 6, 7, 8])
    good, errors = mix_lines(LinearMixer(), LogitPair(reference, aligned), lines)
    assert errors == {}
    broken = aligned.clone()
    broken[2, 4] = torch.inf
    mixed, errors = mix_lines(LinearMixer(), LogitPair(reference, broken), lines)
    assert list(errors) == [3]
    assert "row 8" in str(errors[3])
    assert torch.equal(mixed.logits[:3], good.logits[:3])
    part, own = subset(LogitPair(reference, aligned), lines, [1])
    assert part.reference is None
    assert own.rows == [6]
