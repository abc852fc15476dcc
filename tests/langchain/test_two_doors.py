"""One pair, two doors: a `RagPipeline` or a `DeraDecoder` beside a chat model's engine.

Nothing is locked, for nothing is shared that a decode changes: a session owns its caches, and what
pairs keep between sessions (read beginnings, rotary tables) is replaced and never changed in place.
"""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from letter_embedder import LetterEmbedder

from dera_rag import DeraDecoder, ModelPair, RagPipeline, Sampling, VectorIndex
from dera_rag.langchain import ChatDeRa
from dera_rag.langchain.engine import Engine
from dera_rag.langchain.source import Source
from dera_rag.retrieval import Document
from dera_rag.testing import TablePair, tiny_tokenizer, write_adapter, write_pair

SHARED = "the old harbour café serves fresh bread and soup until nine in the evening. "


def load(kind, folder):
    saved = write_pair(folder, "t5" if kind == "t5" else "llama", positions=1024)
    if kind != "adapter":
        return saved.load(engine=kind if kind in ("lean", "generic") else "auto")
    write_adapter(folder / "adapter", saved.reference)
    return ModelPair.from_adapter(saved.reference, folder / "adapter")


@pytest.mark.parametrize("kind", ["lean", "generic", "adapter", "t5"])
def test_answers_are_those_of_one_door_alone(kind, tmp_path, cases):
    """Prompts share long beginnings, so that each thread reads what another has just kept."""
    pair = load(kind, tmp_path)
    prompts = [SHARED * (1 + i % 3) + f"number {i % 5}?" for i in range(12)]
    settings = [Sampling(seed=i, max_new_tokens=12) for i in range(12)]
    decoder = DeraDecoder(pair)
    alone = [decoder.generate(x, 0.5, own) for x, own in zip(prompts, settings, strict=True)]
    engine = Engine.of(Source(pair=pair))

    def through_the_engine():
        ids = [pair.tokenizer(prompt)["input_ids"] for prompt in prompts]
        futures = [engine.submit(x, 0.5, own) for x, own in zip(ids, settings, strict=True)]
        return [future.result(120).generation.token_ids for future in futures]

    def through_a_decoder():
        mine = DeraDecoder(pair)
        return [
            mine.generate(x, 0.5, own).token_ids for x, own in zip(prompts, settings, strict=True)
        ]

    for _ in range(cases(1, 5)):
        if kind == "lean":
            pair.forget_prefixes()
        doors = [through_the_engine, through_a_decoder] * 2
        with ThreadPoolExecutor(len(doors)) as pool:
            made = list(pool.map(lambda door: door(), doors))
        assert all(answers == [answer.token_ids for answer in alone] for answers in made)


def test_a_pipeline_beside_a_chat_model(tmp_path):
    pair = write_pair(tmp_path, positions=1024).load(engine="lean")
    documents = [Document(str(i), SHARED + f"- name: {i}") for i in range(6)]
    index = VectorIndex.build(documents, LetterEmbedder())
    pipeline = RagPipeline(pair, index, lam=0.5, sampling=Sampling(max_new_tokens=12, seed=0))
    model = ChatDeRa(pair=pair, dera_lambda=0.5, seed=3, max_tokens=12)
    questions = [f"What is {i}?" for i in range(6)]
    answers = [pipeline.ask(question).text for question in questions]
    texts = [model.invoke(SHARED + question).content for question in questions]
    pair.forget_prefixes()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(pipeline.ask, question) for question in questions]
        invoked = [pool.submit(model.invoke, SHARED + question) for question in questions]
        streamed = pool.submit(lambda: ["".join(pipeline.stream(x)) for x in questions])
        assert [future.result(120).text for future in asked] == answers
        assert [future.result(120).content for future in invoked] == texts
        assert streamed.result(120) == answers


def test_a_shorter_rotary_table_of_another_thread_does_no_harm(tmp_path, monkeypatch):
    from dera_rag.pairs.lean import model as lean

    monkeypatch.setattr(lean, "_FIRST_POSITIONS", 2)
    pair = write_pair(tmp_path, positions=4096).load(engine="lean")
    packed = lean.packed(pair.aligned)
    expected = packed._table(1000)[999]

    class Interfered(type(packed)):
        """Whatever table is put here, a shorter one replaces it at once."""

        @property
        def _turns(self):
            return self.__dict__["kept"]

        @_turns.setter
        def _turns(self, table):
            self.__dict__["kept"] = table[:2]

    packed.__dict__["kept"] = packed.__dict__.pop("_turns")
    packed.__class__ = Interfered
    cos, sin = packed._rotation(torch.tensor([999]))
    assert torch.equal(torch.stack([cos[0], sin[0]]), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_answers_by_itself():
    """It has the engine, but not its thread: what was under way in the parent is not taken up."""
    pair = TablePair(tiny_tokenizer("plain"))
    inside, go, start = threading.Event(), threading.Event(), pair.start

    def held(prompts, branches):
        inside.set()
        assert go.wait(60)
        return start(prompts, branches)

    pair.start = held
    model = ChatDeRa(pair=pair, dera_lambda=0.5, seed=1, max_tokens=5)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(model.invoke, "of the parent")
        assert inside.wait(60)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            signal.alarm(60)
            go.set()
            told = f"{model.invoke('of the child').content!r} {len(pair.sessions)}"
            os.write(writing, told.encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read().decode()
        go.set()
        assert waiting.result(60).content == model.invoke("of the parent").content
    assert told == f"{model.invoke('of the child').content!r} 1"
