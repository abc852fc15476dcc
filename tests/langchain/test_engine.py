"""One engine per pair: calls are decoded together, and none depends on the others."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import CancelledError
from contextlib import suppress

import pytest
from langchain_core.messages import HumanMessage

from dera_rag import DeraDecoder, Sampling
from dera_rag.errors import InvalidValueError, LogitsError, PromptError
from dera_rag.langchain import ChatDeRa
from dera_rag.langchain.engine import Engine
from dera_rag.langchain.following import afollow, follow
from dera_rag.langchain.source import Source
from dera_rag.testing import TablePair, tiny_tokenizer, write_adapter, write_pair

TOKENIZER = tiny_tokenizer("plain")
TALKS = [f"What is number {i}, {'and ' * (i % 5)}why?" for i in range(64)]


def table_engine(**settings):
    return Engine.of(Source(pair=TablePair(TOKENIZER, **settings)))


def sampling(seed=0, tokens=12, **more):
    return Sampling(seed=seed, max_new_tokens=tokens, **more)


class Held:
    """A pair whose passes wait until they are let go, so that calls pile up behind one."""

    def __init__(self):
        self.pair = TablePair(TOKENIZER)
        self.inside, self.go = threading.Event(), threading.Event()
        start = self.pair.start

        def held(prompts, branches):
            self.inside.set()
            assert self.go.wait(60)
            return start(prompts, branches)

        self.pair.start = held


class TestSharing:
    def test_equal_sources_share_one(self):
        assert Engine.of(Source("a", "b")) is Engine.of(Source("a", "b"))
        assert Engine.of(Source("a", "b")) is not Engine.of(Source("b", "a"))
        pair = TablePair(TOKENIZER)
        first, second = ChatDeRa(pair=pair), ChatDeRa(pair=pair, dera_lambda=2.0)
        assert first.engine is second.engine
        assert ChatDeRa(pair=TablePair(TOKENIZER)).engine is not first.engine

    def test_an_unused_one_is_forgotten(self):
        engine = Engine.of(Source("no/such", "pair"))
        gone = weakref.ref(engine)
        del engine
        gc.collect()
        assert gone() is None

    def test_an_adapter_is_a_source(self, tmp_path):
        saved = write_pair(tmp_path)
        adapter = tmp_path / "adapter"
        write_adapter(adapter, saved.reference)
        model = ChatDeRa(
            reference=str(saved.reference), adapter=str(adapter), dera_lambda=0.5, max_tokens=4
        )
        assert model.invoke("a").response_metadata["dera"]["mean_kl"] is not None
        assert model.engine.pair.one_pass
        assert model.model_name == f"{saved.reference}+{adapter}"

    @pytest.mark.parametrize(
        "names",
        [
            {},
            {"reference": "a"},
            {"aligned": "b"},
            {"adapter": "c"},
            {"reference": "a", "aligned": "b", "adapter": "c"},
            {"pair": "embedded", "adapter": "c"},
            {"pair": "other"},
        ],
    )
    def test_one_pair_is_named(self, names):
        with pytest.raises(InvalidValueError, match="pair"):
            Source(**names)


class TestBatching:
    def test_calls_that_wait_are_decoded_together(self):
        held = Held()
        engine = Engine.of(Source(pair=held.pair))
        first = engine.submit([5], 0.5, sampling(), ())
        assert held.inside.wait(60)
        rest = [engine.submit([5, 6 + i], 0.5, sampling(i)) for i in range(7)]
        held.go.set()
        for future in [first, *rest]:
            future.result(60)
        widest = max(rows for session in held.pair.sessions for rows, _ in session.passes)
        assert widest >= 7

    def test_each_row_has_settings_of_its_own(self):
        pair = TablePair(TOKENIZER)
        engine, decoder = Engine.of(Source(pair=pair)), DeraDecoder(TablePair(TOKENIZER))
        asked = [
            ([5 + i], lam, sampling(i, 8 + i, temperature=heat, top_p=top), stop)
            for i, (lam, heat, top, stop) in enumerate(
                [
                    (0.0, 1.0, 1.0, ()),
                    (1.0, 0.0, 1.0, ()),
                    (0.5, 1.0, 0.5, ("e",)),
                    (2.0, 2.0, 1.0, (" ", "a")),
                    (0.5, 0.7, 1.0, ()),
                ]
            )
        ]
        futures = [engine.submit(*call) for call in asked]
        for future, call in zip(futures, asked, strict=True):
            alone = decoder.generate(*call)
            made = future.result(60).generation
            assert (made.token_ids, made.text) == (alone.token_ids, alone.text)

    def test_plausibility_is_a_rows_own(self):
        from dera_rag.decoding import LinearMixer

        pair = TablePair(TOKENIZER)
        engine = Engine.of(Source(pair=pair))
        futures = [engine.submit([9], 3.0, sampling(), plausibility=x) for x in (0.0, 0.3)]
        for future, share in zip(futures, (0.0, 0.3), strict=True):
            decoder = DeraDecoder(TablePair(TOKENIZER), mixer=LinearMixer(share))
            alone = decoder.generate([9], 3.0, sampling())
            assert future.result(60).generation.token_ids == alone.token_ids


class TestFaults:
    def test_a_failing_row_fails_alone(self):
        engine = table_engine(bad=lambda sequence: sequence[0] == 7)
        futures = [engine.submit([token], 0.5, sampling()) for token in (5, 7, 9)]
        with pytest.raises(LogitsError):
            futures[1].result(60)
        alone = DeraDecoder(TablePair(TOKENIZER))
        for future, token in ((futures[0], 5), (futures[2], 9)):
            expected = alone.generate([token], 0.5, sampling()).token_ids
            assert future.result(60).generation.token_ids == expected

    def test_a_bad_request_is_refused_at_once(self):
        engine = table_engine()
        with pytest.raises(PromptError):
            engine.submit([], 0.5, sampling())
        with pytest.raises(InvalidValueError):
            engine.submit([5], -1.0, sampling())

    def test_a_broken_pass_is_everyones_and_the_next_call_is_well(self):
        pair = TablePair(TOKENIZER)
        engine, start = Engine.of(Source(pair=pair)), pair.start
        pair.start = lambda *_: (_ for _ in ()).throw(MemoryError("too large"))
        with pytest.raises(MemoryError, match="too large"):
            engine.submit([5], 0.5, sampling()).result(60)
        pair.start = start
        assert engine.submit([5], 0.5, sampling()).result(60).generation.text

    def test_a_listener_that_fails_loses_its_answer_alone(self):
        engine = table_engine()

        def fails(_):
            raise RuntimeError("no one listens")

        bad = engine.submit([5], 0.5, sampling(tokens=40), listener=fails)
        good = engine.submit([9], 0.5, sampling())
        with pytest.raises(RuntimeError, match="no one listens"):
            bad.result(60)
        assert good.result(60).generation.text


class TestCancellation:
    def test_a_closed_stream_frees_its_row(self):
        pair = TablePair(TOKENIZER)
        model = ChatDeRa(pair=pair, dera_lambda=0.5, max_tokens=4000, seed=1)
        stream = model.stream("a")
        next(stream)
        stream.close()
        done = model.invoke("b", max_tokens=5)
        assert done.usage_metadata["output_tokens"] <= 5
        _drained(model.engine)
        passes = sum(len(session.passes) for session in pair.sessions)
        assert passes < 4000

    async def test_a_cancelled_task_frees_its_row(self):
        held = Held()
        model = ChatDeRa(pair=held.pair, dera_lambda=0.5, max_tokens=4000, seed=1)
        task = asyncio.create_task(model.ainvoke("a"))
        assert await asyncio.to_thread(held.inside.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        held.go.set()
        await asyncio.to_thread(_drained, model.engine)
        assert sum(len(session.passes) for session in held.pair.sessions) <= 2

    async def test_an_abandoned_async_stream_frees_its_row(self):
        pair = TablePair(TOKENIZER)
        model = ChatDeRa(pair=pair, dera_lambda=0.5, max_tokens=4000, seed=1)
        stream = model.astream("a")
        await anext(stream)
        await stream.aclose()
        await asyncio.to_thread(_drained, model.engine)
        assert sum(len(session.passes) for session in pair.sessions) < 4000

    def test_a_stream_whose_loop_is_closed_frees_its_row(self):
        """Its generator can never be closed; that no one listens is seen at the next piece."""
        pair = TablePair(TOKENIZER)
        model = ChatDeRa(pair=pair, dera_lambda=0.5, max_tokens=4000, seed=1)
        call = model._read_call([HumanMessage("a")], None, {})
        loop = asyncio.new_event_loop()
        stream = afollow(call)
        loop.run_until_complete(anext(stream))
        # As a program does that ends its loop in the middle of a stream.
        loop.close()
        _drained(model.engine)
        assert sum(len(session.passes) for session in pair.sessions) < 4000
        with suppress(StopIteration):
            stream.aclose().send(None)

    def test_closing_the_engine_gives_up_what_is_under_way(self):
        engine = table_engine()
        future = engine.submit([5], 0.5, sampling(tokens=100_000))
        engine.close()
        with pytest.raises(CancelledError):
            future.result(60)
        with pytest.raises(InvalidValueError, match="shutting down"):
            engine.submit([5], 0.5, sampling())

    def test_following_ends_with_the_answer(self):
        engine = table_engine()

        class Call:
            def start(self, listener=None):
                return engine.submit([5], 0.5, sampling(), listener=listener)

        *pieces, answer = follow(Call())
        assert "".join(pieces) == answer.generation.text


def _drained(engine):
    """Wait until the decoding thread has nothing to do and is gone."""
    thread = engine._thread
    if thread is not None:
        thread.join(60)
        assert not thread.is_alive()


class TestConcurrency:
    async def test_64_tasks_equal_single_runs(self, tmp_path):
        """On a tiny Llama: float32 tokens do not depend on the rows beside them."""
        pair = write_pair(tmp_path).load()
        model = ChatDeRa(pair=pair, dera_lambda=0.5, max_tokens=10)
        lams = [0.0, 0.5, 1.0, 2.0]
        calls = [
            {"seed": i, "dera_lambda": lams[i % 4], "temperature": (0.0, 1.0, 1.5)[i % 3]}
            for i in range(64)
        ]
        together = await asyncio.gather(
            *(model.ainvoke(talk, **call) for talk, call in zip(TALKS, calls, strict=True))
        )
        for answer, talk, call in zip(together, TALKS, calls, strict=True):
            alone = model.invoke(talk, **call)
            assert answer.content == alone.content
            assert answer.usage_metadata == alone.usage_metadata
            assert answer.response_metadata["dera"]["lam"] == call["dera_lambda"]

    def test_batch_is_decoded_in_one(self):
        held = Held()
        held.go.set()
        model = ChatDeRa(pair=held.pair, dera_lambda=0.5, max_tokens=30, seed=3)
        answers = model.batch(TALKS[:24])
        assert [a.content for a in answers] == [model.invoke(t).content for t in TALKS[:24]]
        widest = max(rows for session in held.pair.sessions for rows, _ in session.passes)
        assert widest > 8
        assert len(model.batch(TALKS[:3], [{"tags": [str(i)]} for i in range(3)])) == 3
        assert model.batch([]) == []
