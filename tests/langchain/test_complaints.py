"""What users of ChatHuggingFace complain of, one test each: ours does otherwise.

The table in `dera_rag/langchain/README.md` lists both sides by these numbers.
"""

import asyncio
import re
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from transformers import AutoTokenizer
from understanding_pair import UnderstandingPair

import dera_rag.langchain
from dera_rag.langchain import ChatDeRa
from dera_rag.testing import TablePair, tiny_tokenizer, write_pair

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|user|>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|user|>assistant:{% endif %}"
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("pair"), tokenizer="bos")


@pytest.fixture(scope="module")
def pair(saved):
    return saved.load(chat_template=TEMPLATE)


@pytest.fixture
def model(pair):
    return ChatDeRa(pair=pair, dera_lambda=0.5, seed=3, max_tokens=10)


def test_1_the_prompt_is_not_echoed(model):
    prompt = "a question that is longer than its answer can be, by far and by design"
    answer = model.invoke(prompt)
    assert prompt[:20] not in answer.content
    assert answer.usage_metadata["output_tokens"] <= 10


def test_2_one_bos(model, pair):
    ids = model._read_call([HumanMessage("a")], None, {}).prompt
    assert list(ids).count(pair.tokenizer.bos_token_id) == 1


def test_3_stop_is_honoured(model):
    whole = model.invoke("a").content
    answer = model.invoke("a", stop=[whole[3:5]])
    assert answer.content == whole[: whole.index(whole[3:5])]
    assert answer.response_metadata["finish_reason"] == "stop"


def test_4_async_works_and_does_not_block(model):
    async def both():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        answer = await model.ainvoke("a")
        pieces = [chunk.content async for chunk in model.astream("a")]
        ticking.cancel()
        return answer.content, "".join(pieces), ticks

    whole, streamed, ticks = asyncio.run(both())
    assert whole == streamed == model.invoke("a").content
    assert ticks > 10


def test_5_tools_reach_the_template():
    standing_in = UnderstandingPair()
    tool = {"name": "look_up", "description": "Looks it up.", "parameters": {}}
    ChatDeRa(pair=standing_in, dera_lambda=0.5).bind_tools([tool]).invoke("a")
    assert "Looks it up." in standing_in.prompts[-1]


def test_6_tool_messages_are_read():
    standing_in = UnderstandingPair()
    call = {"name": "look_up", "args": {"at": "b"}, "id": "1", "type": "tool_call"}
    talk = [HumanMessage("a"), AIMessage("", tool_calls=[call]), ToolMessage("c", tool_call_id="1")]
    ChatDeRa(pair=standing_in, dera_lambda=0.5).invoke(talk)
    assert "tool\nc" in standing_in.prompts[-1]
    assert '"at": "b"' in standing_in.prompts[-1]


def test_7_usage_is_exact(model, pair):
    answer = model.invoke("a")
    ids = pair.tokenizer.apply_chat_template(
        [{"role": "user", "content": "a"}], chat_template=TEMPLATE, add_generation_prompt=True
    )["input_ids"]
    assert answer.usage_metadata["input_tokens"] == len(ids)
    assert 1 <= answer.usage_metadata["output_tokens"] <= 10


def test_8_call_keywords_are_honoured(model):
    assert model.invoke("a", max_tokens=2).usage_metadata["output_tokens"] <= 2
    assert model.invoke("a", dera_lambda=2.0).response_metadata["dera"]["lam"] == 2.0
    bound = model.bind(seed=9)
    assert bound.invoke("a").content == model.invoke("a", seed=9).content
    with pytest.raises(ValueError, match="max_new_tokenz"):
        model.invoke("a", max_new_tokenz=2)


def test_9_a_list_is_decoded_in_one_batch():
    table = TablePair(tiny_tokenizer("plain"))
    batching = ChatDeRa(pair=table, dera_lambda=0.5, seed=1, max_tokens=100)
    answers = batching.batch([f"question {i}" for i in range(16)])
    assert max(rows for session in table.sessions for rows, _ in session.passes) > 4
    assert answers[3].content == batching.invoke("question 3").content


def test_10_the_tokenizer_is_loaded_once(saved, monkeypatch):
    loaded = []
    load = AutoTokenizer.from_pretrained
    monkeypatch.setattr(
        AutoTokenizer, "from_pretrained", lambda name, **k: loaded.append(name) or load(name, **k)
    )
    names = {"reference": str(saved.reference), "aligned": str(saved.aligned), "max_tokens": 2}
    first, second = ChatDeRa(**names), ChatDeRa(**names, dera_lambda=2.0)
    for asked in (first, second, first.bind_tools([]), second.with_config(tags=["a"])):
        asked.invoke("a")
    assert sorted(loaded) == sorted([names["reference"], names["aligned"]])


def test_the_table_lists_all_ten():
    text = (Path(dera_rag.langchain.__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|", text, re.M)
    assert rows == [str(number) for number in range(1, 11)]
    tests = [name for name in globals() if re.match(r"test_\d+_", name)]
    assert len(tests) == 10
