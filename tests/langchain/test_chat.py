"""ChatDeRa on tiny random pairs: what langchain's own suites do not notice."""

import copy
import dataclasses
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    trim_messages,
)
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import ConfigurableField
from pydantic import ValidationError

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.langchain import ChatDeRa
from dera_rag.langchain.engine import Engine
from dera_rag.langchain.evidence import policy_hash
from dera_rag.langchain.source import Source
from dera_rag.policies import Adjustment, ConstantPolicy, Cues, EvidencePolicy
from dera_rag.prompts import PLAIN_PROMPT
from dera_rag.testing import write_pair

TEMPLATE = (
    "<s>{% for m in messages %}<|user|>{{ m.role }}: {{ m.content | trim }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|user|>assistant:{% endif %}"
)
TALK = [("system", "Be short."), ("human", "What is near the river?")]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"), "llama", tokenizer="bos")


@pytest.fixture(scope="module")
def pair(saved):
    return saved.load(chat_template=TEMPLATE, name="tiny")


@pytest.fixture(scope="module")
def plain_pair(saved):
    return saved.load(name="plain")


@pytest.fixture
def model(pair):
    return ChatDeRa(pair=pair, dera_lambda=0.5, seed=3, max_tokens=12)


class TestInvoke:
    def test_is_the_decoder_on_the_chat_template(self, model, pair):
        messages = [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": TALK[1][1]},
        ]
        ids = pair.tokenizer.apply_chat_template(
            messages, chat_template=TEMPLATE, add_generation_prompt=True
        )["input_ids"]
        assert ids.count(pair.tokenizer.bos_token_id) == 1
        expected = DeraDecoder(pair).generate(ids, 0.5, Sampling(seed=3, max_new_tokens=12))
        answer = model.invoke(TALK)
        assert answer.content == expected.text
        assert answer.usage_metadata == {
            "input_tokens": len(ids),
            "output_tokens": len(expected.token_ids),
            "total_tokens": len(ids) + len(expected.token_ids),
        }

    def test_metadata(self, model):
        metadata = model.invoke(TALK).response_metadata
        assert metadata["model_name"] == "tiny"
        assert metadata["finish_reason"] in ("stop", "length")
        assert metadata["dera"]["lam"] == 0.5
        assert metadata["dera"]["mean_kl"] > 0
        kinds = {"lam", "policy", "reason", "signals", "mean_kl", "plausibility"}
        assert set(metadata["dera"]) == kinds

    def test_one_model_alone_has_no_divergence(self, model):
        assert model.invoke(TALK, dera_lambda=1).response_metadata["dera"]["mean_kl"] is None

    def test_auto_without_evidence_is_one_and_says_so(self, pair):
        auto = ChatDeRa(pair=pair, seed=3, max_tokens=4)
        dera = auto.invoke(TALK).response_metadata["dera"]
        assert (dera["lam"], dera["policy"]) == (1.0, "evidence")
        assert "no evidence" in dera["reason"]
        assert auto.invoke(TALK).content == auto.invoke(TALK, dera_lambda=1.0).content

    def test_call_settings_win(self, model, pair):
        answer = model.invoke(
            TALK, dera_lambda=0.0, temperature=0.0, max_tokens=3, top_k=5, top_p=0.9, min_p=0.1
        )
        assert answer.usage_metadata["output_tokens"] <= 3
        assert answer.response_metadata["dera"]["lam"] == 0.0
        greedy = ChatDeRa(pair=pair, dera_lambda=0.0, temperature=0.0, max_tokens=3)
        assert greedy.invoke(TALK).content == answer.content
        assert model.invoke(TALK, seed=4).content != model.invoke(TALK, seed=5).content

    def test_stop(self, model):
        whole = model.invoke(TALK).content
        stop = whole[3:5]
        expected = whole[: whole.index(stop)]
        answer = model.invoke(TALK, stop=[stop])
        assert (answer.content, answer.response_metadata["finish_reason"]) == (expected, "stop")
        assert "".join(c.content for c in model.stream(TALK, stop=[stop])) == expected
        bound = model.model_copy(update={"stop": [stop]})
        assert bound.invoke(TALK).content == expected
        assert bound.invoke(TALK, stop=[]).content == whole

    def test_one_stop_string_is_one(self, model, pair):
        """A string is a sequence of letters too, none of which ends the answer."""
        whole = model.invoke(TALK).content
        stop = whole[3:5]
        expected = whole[: whole.index(stop)]
        assert model.invoke(TALK, stop=stop).content == expected
        assert model.invoke(TALK, stop=stop[::-1] + "zz").content == whole
        field = ChatDeRa(pair=pair, dera_lambda=0.5, seed=3, max_tokens=12, stop=stop)
        assert field.stop == [stop]
        assert field.invoke(TALK).content == expected

    def test_none_is_a_setting_that_was_not_made(self, model, pair):
        nothing = dict.fromkeys(["temperature", "top_p", "max_tokens", "stop", "seed"])
        assert ChatDeRa(pair=pair, **nothing).temperature == 1.0
        assert model.invoke(TALK, **nothing).content == model.invoke(TALK).content

    def test_content_cannot_write_control_tokens(self, model):
        harmless = model.get_num_tokens_from_messages([HumanMessage("x")])
        loud = model.get_num_tokens_from_messages([HumanMessage("x</s>")])
        assert loud == harmless + len(model.get_token_ids("<")) + 3

    def test_text_blocks_are_joined(self, model):
        blocks = [{"type": "text", "text": "What is near "}, {"type": "text", "text": "the river?"}]
        talk = [SystemMessage("Be short."), HumanMessage(blocks)]
        assert model.invoke(talk).content == model.invoke(TALK).content

    def test_own_roles(self, model):
        talk = [ChatMessage("Be short.", role="system"), HumanMessage("What is near the river?")]
        assert model.invoke(talk).content == model.invoke(TALK).content


class TestStream:
    @pytest.mark.parametrize("lam", [0.0, 0.5, "auto"])
    def test_equals_invoke(self, model, lam):
        whole = model.invoke(TALK, dera_lambda=lam)
        chunks = list(model.stream(TALK, dera_lambda=lam))
        joined = chunks[0]
        for chunk in chunks[1:]:
            joined += chunk
        assert joined.content == whole.content
        assert joined.usage_metadata == whole.usage_metadata
        assert joined.response_metadata == whole.response_metadata

    def test_only_the_last_chunk_has_metadata(self, model):
        chunks = list(model.stream(TALK))
        assert [bool(chunk.usage_metadata) for chunk in chunks].count(True) == 1
        assert all(not chunk.response_metadata for chunk in chunks[:-1])
        assert chunks[-1].response_metadata["model_name"] == "tiny"
        assert chunks[-1].chunk_position == "last"

    async def _collect(self, model):
        return [chunk async for chunk in model.astream(TALK)], await model.ainvoke(TALK)

    def test_async(self, model):
        import asyncio

        chunks, whole = asyncio.run(self._collect(model))
        assert "".join(chunk.content for chunk in chunks) == whole.content

    def test_callbacks_see_every_token(self, model):
        class Listener(BaseCallbackHandler):
            """Writes down what it is told."""

            def __init__(self):
                self.tokens = []

            def on_llm_new_token(self, token, **_):
                self.tokens.append(token)

        listener = Listener()
        text = "".join(c.content for c in model.stream(TALK, config={"callbacks": [listener]}))
        assert "".join(listener.tokens) == text

    def test_run_manager_is_told_only_if_there_is_one(self, model):
        class Manager:
            """Stands in for langchain's."""

            told = []  # noqa: RUF012

            def on_llm_new_token(self, token, chunk):
                self.told.append((token, chunk.text))

        list(model._stream([HumanMessage("a")]))
        chunks = list(model._stream([HumanMessage("a")], run_manager=Manager()))
        assert Manager.told == [(chunk.text, chunk.text) for chunk in chunks]
        assert all(isinstance(chunk.message, AIMessageChunk) for chunk in chunks)


class TestSharing:
    def test_batch_equals_singles(self, model):
        talks = [[("human", text)] for text in ("a", "b", "what is it?")]
        singles = [model.invoke(talk).content for talk in talks]
        assert [answer.content for answer in model.batch(talks)] == singles
        with ThreadPoolExecutor(3) as pool:
            assert [a.content for a in pool.map(model.invoke, talks)] == singles

    def test_lam_is_in_the_cache_key(self, pair):
        cached = ChatDeRa(pair=pair, max_tokens=8, cache=InMemoryCache(), seed=3)
        low, high = (cached.invoke(TALK, dera_lambda=lam) for lam in (0.0, 2.0))
        assert low.content != high.content
        assert cached.invoke(TALK, dera_lambda=0.0).content == low.content
        field = ChatDeRa(pair=pair, max_tokens=8, cache=cached.cache, seed=3, dera_lambda=2.0)
        assert field.invoke(TALK).content == high.content

    def test_configurable_fields_keep_the_weights(self, saved):
        base = ChatDeRa(
            reference=str(saved.reference), aligned=str(saved.aligned), max_tokens=4, seed=3
        )
        flexible = base.configurable_fields(dera_lambda=ConfigurableField(id="lam"))
        low = flexible.invoke(TALK, config={"configurable": {"lam": 0.0}})
        assert low.response_metadata["dera"]["lam"] == 0.0
        assert base.engine.pair is flexible.with_config(configurable={"lam": 1}).default.engine.pair
        assert low.content == base.invoke(TALK, dera_lambda=0.0).content

    def test_another_pair_gets_another_engine(self, model, plain_pair):
        other = model.model_copy(update={"pair": plain_pair})
        assert other.invoke(TALK).response_metadata["model_name"] == "plain"
        assert model.model_copy(update={"seed": 1}).engine is model.engine

    def test_the_constructor_loads_nothing(self):
        model = ChatDeRa(reference="no/such", aligned="no/such")
        assert not model.engine.loaded
        assert not Engine.of(Source("a", "b")).loaded
        assert "no/such" in repr(model)

    def test_in_a_chain(self, model):
        chain = ChatPromptTemplate.from_messages(TALK) | model
        assert chain.invoke({}).content == model.invoke(TALK).content
        assert chain.invoke({}, config={"tags": ["a"]}).content == model.invoke(TALK).content
        bound = ChatPromptTemplate.from_messages(TALK) | model.bind(dera_lambda=2.0)
        assert bound.invoke({}).response_metadata["dera"]["lam"] == 2.0


class TestWithoutATemplate:
    def test_all_messages_joined(self, plain_pair):
        model = ChatDeRa(pair=plain_pair, dera_lambda=0.5, seed=3, max_tokens=8)
        expected = DeraDecoder(plain_pair).generate(
            "Be short.\n\nWhat is near the river?", 0.5, Sampling(seed=3, max_new_tokens=8)
        )
        assert model.invoke(TALK).content == expected.text.lstrip()
        assert "".join(c.content for c in model.stream(TALK)) == expected.text.lstrip()

    @pytest.mark.parametrize(
        "content", ["Why?", PLAIN_PROMPT.format(passages="p", question="Why?")]
    )
    def test_last_human_message(self, plain_pair, content):
        model = ChatDeRa(pair=plain_pair, seed=3, max_tokens=8, plain_messages="last_human")
        prompt = content if content.endswith("Answer:") else "Question: Why?\nAnswer:"
        expected = DeraDecoder(plain_pair).generate(prompt, 1.0, Sampling(seed=3, max_new_tokens=8))
        talk = [SystemMessage("s"), HumanMessage("a"), AIMessage("b"), HumanMessage(content)]
        assert model.invoke(talk).content == expected.text.lstrip()

    def test_nothing_to_answer(self, plain_pair):
        model = ChatDeRa(pair=plain_pair, plain_messages="last_human")
        with pytest.raises(PromptError, match="no human message"):
            model.invoke([SystemMessage("s")])


class TestRefusals:
    @pytest.mark.parametrize("lam", [-1.0, float("nan"), float("inf"), "high", True])
    def test_lam(self, model, pair, lam):
        with pytest.raises(InvalidValueError, match="λ"):
            model.invoke(TALK, dera_lambda=lam)
        with pytest.raises(ValidationError, match="λ"):
            ChatDeRa(pair=pair, dera_lambda=lam)

    def test_settings(self, model):
        with pytest.raises(InvalidValueError, match="temperature"):
            model.invoke(TALK, temperature=-1)
        with pytest.raises(InvalidValueError, match="max_tokens must be an integer ≥ 1, got 0"):
            model.invoke(TALK, max_tokens=0)
        with pytest.raises(
            InvalidValueError, match=r"top_logprobs must be an integer in \[0, 20\]"
        ):
            model.invoke(TALK, logprobs=True, top_logprobs=21)
        with pytest.raises(InvalidValueError, match="non-empty string"):
            model.invoke(TALK, stop=[""])
        with pytest.raises(InvalidValueError, match="dera_lamda"):
            model.invoke(TALK, dera_lamda=2)
        with pytest.raises(ValidationError, match="dera_lamda"):
            ChatDeRa(reference="a", aligned="b", dera_lamda=2)

    @pytest.mark.parametrize(
        "setting",
        [{"temperature": -1}, {"max_tokens": 0}, {"top_p": 0}, {"top_k": -1}, {"min_p": 2}],
    )
    def test_ranges_are_those_of_sampling(self, setting):
        with pytest.raises(ValidationError, match=next(iter(setting))):
            ChatDeRa(pair="embedded", **setting)
        names = {"max_tokens": "max_new_tokens"}
        with pytest.raises(InvalidValueError):
            Sampling(**{names.get(name, name): value for name, value in setting.items()})

    @pytest.mark.parametrize(
        "names", [{}, {"reference": "a"}, {"aligned": "b", "pair": "embedded"}, {"pair": "other"}]
    )
    def test_which_pair(self, names):
        with pytest.raises(ValidationError, match="pair"):
            ChatDeRa(**names)

    def test_messages(self, model):
        with pytest.raises(PromptError, match="more than text"):
            model.invoke([HumanMessage([{"type": "image", "url": "http://localhost/a.png"}])])
        with pytest.raises(PromptError, match="no role"):
            model.invoke([RemoveMessage(id="1")])
        with pytest.raises(PromptError, match="empty"):
            model.invoke([])


def test_the_embedded_pair_is_named_as_it_is(monkeypatch):
    monkeypatch.setattr(ModelPair, "embedded", classmethod(lambda cls: pytest.fail("loaded")))
    assert ChatDeRa.embedded().model_name == "venues-pair"
    assert ChatDeRa.embedded(seed=1)._get_ls_params()["ls_model_name"] == "venues-pair"


def test_importing_it_leaves_torch_alone():
    import subprocess

    code = "import sys, dera_rag.langchain; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


POLICY = EvidencePolicy(
    pair="tiny",
    corpus="pubs",
    base=0.5,
    maximum=2.0,
    cues=Cues("name", {}),
    adjustments=(Adjustment("top_score", 1.0, "the best passage is far off", below=0.5),),
)


class TestEvidence:
    """λ of "auto" is settled before decoding, by what the call or its messages bring."""

    @pytest.fixture
    def auto(self, pair):
        return ChatDeRa(pair=pair, dera_policy=POLICY, dera_corpus="pubs", seed=3, max_tokens=8)

    @staticmethod
    def dera(answer):
        return answer.response_metadata["dera"]

    @pytest.mark.parametrize(("score", "lam"), [(0.9, 0.5), (0.1, 1.5)])
    def test_given_with_the_call(self, auto, score, lam):
        evidence = [{"id": "a", "text": "- name: A", "relevance_score": score}]
        answer = auto.invoke(TALK, dera_evidence=evidence)
        assert (self.dera(answer)["lam"], self.dera(answer)["policy"]) == (lam, "evidence")
        assert self.dera(answer)["signals"]["top_score"] == score
        assert answer.content == auto.invoke(TALK, dera_lambda=lam).content
        json.dumps(answer.response_metadata)

    @pytest.mark.parametrize("as_dictionary", [False, True])
    def test_in_the_artifacts_of_a_tool(self, auto, as_dictionary):
        def talk(score):
            found = Document("- name: A", id="a", metadata={"relevance_score": score})
            if as_dictionary:
                found = {"id": "a", "text": "- name: A", "relevance_score": score}
            call = {"name": "find", "args": {}, "id": "1", "type": "tool_call"}
            return [
                HumanMessage("Where?"),
                AIMessage("", tool_calls=[call]),
                ToolMessage("A", tool_call_id="1", artifact=[found]),
            ]

        assert self.dera(auto.invoke(talk(0.9)))["lam"] == 0.5
        assert self.dera(auto.invoke(talk(0.1)))["lam"] == 1.5
        # What was found for an earlier question is no evidence for this one.
        later = [*talk(0.1), AIMessage("There."), HumanMessage("Why?")]
        assert "no evidence" in self.dera(auto.invoke(later))["reason"]

    def test_a_corpus_may_say_so_itself(self, pair):
        other = ChatDeRa(pair=pair, dera_policy=POLICY, max_tokens=2)
        item = {"id": "a", "text": "b", "relevance_score": 0.1}
        assert "not to pair" in self.dera(other.invoke(TALK, dera_evidence=[item]))["reason"]
        item["corpus"] = "pubs"
        assert self.dera(other.invoke(TALK, dera_evidence=[item]))["lam"] == 1.5
        mixed = [item, {**item, "corpus": "shops"}]
        assert "not to pair" in self.dera(other.invoke(TALK, dera_evidence=mixed))["reason"]

    def test_without_any(self, auto, pair):
        assert self.dera(auto.invoke(TALK))["lam"] == 1.0
        assert "no evidence" in self.dera(auto.invoke(TALK, dera_evidence=[]))["reason"]
        constant = ChatDeRa(pair=pair, dera_policy=ConstantPolicy(0.25), max_tokens=2)
        assert self.dera(constant.invoke(TALK))["lam"] == 0.25

    def test_disagreement_is_measured_where_the_policy_looks(self, pair):
        looks = dataclasses.replace(
            POLICY, adjustments=(Adjustment("disagreement", 1.0, "they part", above=0.0),)
        )
        model = ChatDeRa(pair=pair, dera_policy=looks, dera_corpus="pubs", max_tokens=2)
        dera = self.dera(model.invoke(TALK, dera_evidence=[{"id": "a", "text": "b"}]))
        prompt = model._read_call(_messages(TALK), None, {"dera_lambda": 1.0}).prompt
        expected = DeraDecoder(pair).disagreement([prompt])[0]
        assert dera["signals"]["disagreement"] == pytest.approx(expected, abs=1e-4)
        assert dera["lam"] == 1.5

    def test_the_cache_tells_policies_and_evidence_apart(self, auto):
        near, far = ([{"id": "a", "text": "b", "relevance_score": x}] for x in (0.9, 0.1))
        cached = auto.model_copy(update={"cache": InMemoryCache()})
        lams = [self.dera(cached.invoke(TALK, dera_evidence=x))["lam"] for x in (near, far, near)]
        assert lams == [0.5, 1.5, 0.5]
        other = dataclasses.replace(POLICY, base=0.25)
        changed = cached.model_copy(update={"dera_policy": other})
        assert self.dera(changed.invoke(TALK, dera_evidence=near))["lam"] == 0.25
        assert policy_hash(other) != policy_hash(POLICY) == policy_hash(dataclasses.replace(POLICY))

    @pytest.mark.parametrize(
        "artifact", [[{"type": "text", "text": "A"}], [{"text": 5, "relevance_score": 0.5}], [3]]
    )
    def test_what_other_tools_keep_is_none(self, auto, artifact):
        """Tools of MCP servers keep blocks of content, which no one retrieved for their score."""
        talk = [HumanMessage("a"), ToolMessage("A", tool_call_id="1", artifact=artifact)]
        assert "no evidence" in auto.invoke(talk).response_metadata["dera"]["reason"]

    def test_the_cache_tells_artifacts_apart(self, auto):
        cached = auto.model_copy(update={"cache": InMemoryCache()})
        for score, lam in ((0.9, 0.5), (0.1, 1.5)):
            found = Document("- name: A", metadata={"relevance_score": score})
            talk = [HumanMessage("a"), ToolMessage("A", tool_call_id="1", artifact=[found])]
            assert self.dera(cached.invoke(talk))["lam"] == lam

    def test_scores_are_relevance(self, auto):
        """Of numpy or negative cosines too; a distance or a logit would turn λ upside down."""

        def top(score):
            item = {"id": "a", "text": "- name: A", "relevance_score": score}
            return self.dera(auto.invoke(TALK, dera_evidence=[item]))["signals"]["top_score"]

        assert top(np.float32(0.5)) == 0.5
        assert (top(-0.2), top(1.0005), top(1)) == (0.0, 1.0, 1.0)
        assert top(None) is top(float("nan")) is None
        for other in (3.2, -7.0, float("inf")):
            with pytest.raises(InvalidValueError, match=r"must be in \[0, 1\]"):
                top(other)

    @pytest.mark.parametrize(
        "evidence", ["text", {"id": "a"}, [{"id": "a"}], [{"text": "a", "relevance_score": "high"}]]
    )
    def test_other_forms_are_refused(self, auto, evidence):
        with pytest.raises(InvalidValueError):
            auto.invoke(TALK, dera_evidence=evidence)
        with pytest.raises(ValidationError, match="policy"):
            ChatDeRa(pair="embedded", dera_policy="mine")


class TestLangChain:
    """What the framework promises of every model, where it depends on this one."""

    async def test_events(self, model):
        events = [event async for event in model.astream_events(TALK, version="v2")]
        pieces = [e["data"]["chunk"].content for e in events if e["event"].endswith("_stream")]
        assert "".join(pieces) == model.invoke(TALK).content
        end = events[-1]["data"]["output"]
        assert end.usage_metadata == model.invoke(TALK).usage_metadata
        assert end.response_metadata == model.invoke(TALK).response_metadata

    def test_invoke_that_is_routed_through_stream(self, model):
        assert model.invoke(TALK, stream=True).content == model.invoke(TALK).content
        streamed = model.invoke(TALK, stream=True).response_metadata
        assert streamed == model.invoke(TALK).response_metadata

    def test_rate_limiter(self, model):
        class Limiter(BaseRateLimiter):
            """Counts."""

            asked = 0

            def acquire(self, *, blocking=True):
                Limiter.asked += 1
                return True

            async def aacquire(self, *, blocking=True):
                return self.acquire()

        limited = model.model_copy(update={"rate_limiter": Limiter()})
        limited.invoke(TALK)
        list(limited.stream(TALK))
        assert Limiter.asked == 2

    def test_tracing(self, model):
        params = model._get_ls_params(stop=["x"], temperature=0.25)
        assert params == {
            "ls_provider": "dera",
            "ls_model_type": "chat",
            "ls_model_name": "tiny",
            "ls_temperature": 0.25,
            "ls_max_tokens": 12,
            "ls_stop": ["x"],
        }

    def test_callbacks_of_a_call_see_usage(self, model):
        usage = UsageMetadataCallbackHandler()
        model.invoke(TALK, config={"callbacks": [usage]})
        list(model.stream(TALK, config={"callbacks": [usage]}))
        once = model.invoke(TALK).usage_metadata["total_tokens"]
        assert usage.usage_metadata["tiny"]["total_tokens"] == 2 * once

    def test_a_repetition_penalty_is_a_setting(self, model, pair):
        ids = model._read_call(_messages(TALK), None, {}).prompt
        expected = DeraDecoder(pair).generate(
            ids, 0.5, Sampling(seed=3, max_new_tokens=12, repetition_penalty=1.8)
        )
        assert model.invoke(TALK, repetition_penalty=1.8).content == expected.text

    def test_trimming_by_the_models_own_count(self, saved):
        """LangChain counts parts of a conversation that a strict template would refuse."""
        strict = (
            "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
            "{{ raise_exception('turns alternate') }}{% endif %}{{ m.content }}</s>{% endfor %}"
        )
        model = ChatDeRa(pair=saved.load(chat_template=strict))
        talk = [
            HumanMessage("one two three"),
            AIMessage("four five six"),
            HumanMessage("seven"),
        ]
        most = model.get_num_tokens_from_messages(talk) - 1
        kept = trim_messages(talk, max_tokens=most, token_counter=model, start_on="human")
        assert kept == talk[2:]
        with pytest.raises(PromptError, match="more than text"):
            model.get_num_tokens_from_messages([HumanMessage([{"type": "image"}])])

    def test_with_config_and_deep_copies(self, model):
        assert model.with_config(tags=["a"]).invoke(TALK).content == model.invoke(TALK).content
        named = ChatDeRa(reference="a", aligned="b")
        assert copy.deepcopy(named).engine is named.engine


def _messages(talk):
    return ChatPromptTemplate.from_messages(talk).format_messages()
