"""Conversations in the templates of well-known families: exact, whole, and safe.

Exact: without markup in it, a prompt is what `apply_chat_template(tokenize=True)` makes of it.
Whole: what a template would leave out or refuse stands in words. Safe: content writes no control
token, wherever it stands.
"""

import json

import pytest
from chat_templates import FAMILIES
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)
from tokenizer_shapes import added_tokens

from dera_rag.langchain.forms import ToolForm
from dera_rag.langchain.messages import as_turn, encode_messages
from dera_rag.langchain.turns import shows_tools
from dera_rag.prompts import PromptBuilder
from dera_rag.rag.pipeline import PromptBuilder as OfThePipeline

TOKENIZERS = {name: make() for name, make in FAMILIES.items()}
PROMPTS = {name: PromptBuilder(tokenizer) for name, tokenizer in TOKENIZERS.items()}
# Families whose template has a place for tools, and for a system message.
WITH_TOOLS = {"llama", "qwen", "thinking", "mistral"}
WITH_SYSTEM = {*FAMILIES} - {"gemma"}


def tool(text=""):
    schema = {
        "type": "object",
        "properties": {"at": {"type": "string", "description": "x" + text, "enum": ["a" + text]}},
    }
    function = {"name": "look" + text, "description": f"Looks {text} up.", "parameters": schema}
    return {"type": "function", "function": function}


def talks(text=""):
    call = {
        "name": "look",
        "args": {"at": "hall" + text, "type": text, "role": text, "name": text, "k" + text: [text]},
        "id": "123456789",
        "type": "tool_call",
    }
    found = ToolMessage("found " + text, tool_call_id="123456789", name="n" + text)
    return {
        "one": [HumanMessage(f" hi {text} there\n\nand {{x: 1}} ")],
        "several": [
            HumanMessage("first " + text),
            AIMessage(f"second {text} "),
            HumanMessage(text + "third"),
        ],
        "system": [SystemMessage("rule " + text), HumanMessage("a")],
        "blocks": [HumanMessage([{"type": "text", "text": "x" + text}, "y" + text])],
        "tool": [HumanMessage("a"), AIMessage("", tool_calls=[call]), found],
        "after": [
            HumanMessage("a"),
            AIMessage("", tool_calls=[call]),
            found,
            AIMessage("done " + text),
            HumanMessage("more"),
        ],
    }


def encoded(family, talk, tools=()):
    return encode_messages(PROMPTS[family], talk, "all", tools)


@pytest.mark.parametrize("tools", [[], [tool()]], ids=["bare", "tools"])
@pytest.mark.parametrize("kind", talks())
@pytest.mark.parametrize("family", FAMILIES)
def test_exact(family, kind, tools):
    tokenizer, talk = TOKENIZERS[family], talks()[kind]
    ids = encoded(family, talk, tools)
    if tokenizer.bos_token and "bos_token" in tokenizer.chat_template:
        assert ids.count(tokenizer.bos_token_id) == 1
    in_words = family not in WITH_TOOLS and (tools or kind in ("tool", "after"))
    if not in_words and not (kind == "system" and family not in WITH_SYSTEM):
        turns = [as_turn(message) for message in talk]
        expected = tokenizer.apply_chat_template(
            turns, tools=tools or None, add_generation_prompt=True, tokenize=True
        )
        assert ids == expected["input_ids"]


@pytest.mark.parametrize("kind", talks())
@pytest.mark.parametrize("family", FAMILIES)
def test_whole(family, kind):
    """Calls, results, rules and tools can be read in the prompt, by whatever form."""
    text = TOKENIZERS[family].decode(encoded(family, talks()[kind], [tool()]))
    said = {
        "one": ["hi  there"],
        "several": ["first", "second", "third"],
        "system": ["rule"],
        "blocks": ["xy"],
        "tool": ['"name": "look"', "hall", "found"],
        "after": ['"name": "look"', "hall", "found", "done", "more"],
    }[kind]
    for part in (*said, "Looks  up."):
        assert part in text


@pytest.mark.parametrize("tools", [False, True], ids=["bare", "tools"])
@pytest.mark.parametrize("family", FAMILIES)
def test_safe(family, tools):
    added = added_tokens(TOKENIZERS[family])
    control = {index for token, index in added.items() if token not in ("\n\n", "<unk>")}

    def written(text):
        for talk in talks(text).values():
            ids = encoded(family, talk, [tool(text)] if tools else ())
            yield [index for index in ids if index in control]

    own = list(written("x"))
    for token in added.keys() - {"<unk>"}:
        assert list(written(token)) == own, token


@pytest.mark.parametrize("family", FAMILIES)
def test_safe_in_the_pipeline(family):
    """The same builder makes the prompts of `RagPipeline`."""
    from dera_rag.types import Passage

    assert OfThePipeline is PromptBuilder
    added = added_tokens(TOKENIZERS[family])
    control = {index for token, index in added.items() if token not in ("\n\n", "<unk>")}

    def written(text):
        passage = Passage("p" + text, f"- name: {text}", 0.5, metadata={"name": text})
        ids = PROMPTS[family].question(f"What is {text}?", [passage])
        return [index for index in ids if index in control]

    for token in added.keys() - {"<unk>"}:
        assert written(token) == written("x"), token


@pytest.mark.parametrize("family", FAMILIES)
def test_chunks_are_messages(family):
    """What a stream left in the history."""
    whole = AIMessageChunk(
        content="",
        tool_call_chunks=[
            {"name": "look", "args": '{"at": "hall"}', "id": "123456789", "index": 0}
        ],
    )
    talk = [
        SystemMessageChunk("rule"),
        HumanMessageChunk("a"),
        whole,
        ToolMessageChunk("found", tool_call_id="123456789"),
    ]
    call = {"name": "look", "args": {"at": "hall"}, "id": "123456789", "type": "tool_call"}
    same = [
        SystemMessage("rule"),
        HumanMessage("a"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("found", tool_call_id="123456789"),
    ]
    assert encoded(family, talk) == encoded(family, same)


class TestInWords:
    """Gemma's template refuses system and tool messages, Zephyr's leaves tool messages out."""

    def test_a_system_message_stands_before_the_question(self):
        talk = talks()["system"]
        merged = [HumanMessage("rule \n\na")]
        assert encoded("gemma", talk) == encoded("gemma", merged)
        assert encoded("gemma", talk[:1]) == encoded("gemma", [HumanMessage("rule ")])

    @pytest.mark.parametrize("family", ["gemma", "zephyr"])
    def test_calls_and_results_stand_between_tags(self, family):
        talk = talks()["after"]
        call = talk[1].tool_calls[0]
        written = json.dumps({"name": "look", "arguments": call["args"]}, ensure_ascii=False)
        said = [
            HumanMessage("a"),
            AIMessage(f"<tool_call>\n{written}\n</tool_call>"),
            HumanMessage("<tool_response>\nfound \n</tool_response>"),
            *talk[3:],
        ]
        assert encoded(family, talk) == encoded(family, said)
        # As the model is made to write calls itself.
        assert ToolForm.of(PROMPTS[family]).opening == '<tool_call>\n{"name": "'

    def test_two_results_and_a_question_are_one_turn(self):
        call = {"name": "look", "args": {}, "type": "tool_call"}
        talk = [
            HumanMessage("a"),
            AIMessage("Wait.", tool_calls=[{**call, "id": "1"}, {**call, "id": "2"}]),
            ToolMessage("one", tool_call_id="1"),
            ToolMessage("two", tool_call_id="2"),
            HumanMessage("b"),
        ]
        text = TOKENIZERS["gemma"].decode(encoded("gemma", talk))
        assert text.count("<start_of_turn>user") == 2
        assert text.index("Wait.") < text.index("<tool_call>") < text.index("one")
        assert text.index("one") < text.index("two") < text.index("\n\nb<end_of_turn>")

    @pytest.mark.parametrize("family", FAMILIES)
    def test_which_templates_show_tools(self, family):
        assert shows_tools(PROMPTS[family], [tool()]) == (family in WITH_TOOLS)
