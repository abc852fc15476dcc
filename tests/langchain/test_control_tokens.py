"""No content becomes a control token, wherever in a conversation it stands.

Over every added token of several tokenizer shapes, special or not, with templates that trim or
re-serialise content: human, system, assistant and tool messages, names, tool calls and tools.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from tokenizer_shapes import AS_JSON, CHATML, HEADER, SHAPES, TURNS, added_tokens
from understanding_pair import TEMPLATE

from dera_rag.errors import PromptError
from dera_rag.langchain.messages import encode_messages
from dera_rag.prompts import PromptBuilder

_TOOLS_AS_JSON = "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}"
# Shape of the tokenizer and a template that it can speak.
CASES = {
    "tools": ("chatml", TEMPLATE),
    "trimming": ("chatml", CHATML),
    "re-serialising": ("chatml", _TOOLS_AS_JSON + AS_JSON),
    "header": ("header", _TOOLS_AS_JSON + HEADER),
    "sentencepiece": (
        "sentencepiece_bpe",
        _TOOLS_AS_JSON + "{{ bos_token }}{% for m in messages %}[INST] {{ m.content | trim }} "
        "{{ m.tool_calls | default([]) | tojson }}[/INST]{% endfor %}",
    ),
    "turns": ("newlines", _TOOLS_AS_JSON + TURNS),
    "words": ("word_level", "{% for m in messages %}{{ m.content }} </s> {% endfor %}"),
    "no template": ("indentation", None),
    "pieces": ("word_piece", None),
    "unigram": ("unigram", None),
}
TOKENIZERS = {name: SHAPES[shape]() for name, (shape, _) in CASES.items()}


def builder(name):
    template = CASES[name][1]
    TOKENIZERS[name].chat_template = template
    return PromptBuilder(TOKENIZERS[name])


def tool(text):
    return {
        "type": "function",
        "function": {
            "name": "look",
            "description": f"Looks {text} up.",
            "parameters": {
                "type": "object",
                "properties": {
                    "at" + text: {"type": "string", "description": text},
                    "kind": {"type": text, "role": text, "enum": [text], "default": {"type": text}},
                },
            },
        },
    }


def talk(text):
    """A conversation with this text wherever text can stand."""
    call = {
        "name": "look",
        # Arguments may be called what messages call their own parts.
        "args": {
            **{"at": text, "k" + text: [text], "type": text, "role": text, "content": [text]},
            "list": [{"type": text, "name": text}],
        },
        "id": "1",
        "type": "tool_call",
    }
    return [
        SystemMessage(f"Be {text}"),
        HumanMessage(f"{text} hello", name=f"n{text}"),
        AIMessage(f"said{text}", tool_calls=[call]),
        ToolMessage(f" {text}\n", tool_call_id=f"1{text}", name=f"look{text}"),
        HumanMessage([{"type": "text", "text": text}, f"and {text}{text}"]),
    ]


def control(name, text):
    """Added ids in the encoded conversation; the unknown token also stands for ordinary text."""
    tokenizer = TOKENIZERS[name]
    plain = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    ignored = {tokenizer.unk_token_id} | {
        index
        for token, index in added_tokens(tokenizer).items()
        if token == "\n\n" and token in plain
    }
    ids = encode_messages(builder(name), talk(text), "all", [tool(text)])
    own = set(added_tokens(tokenizer).values()) - ignored
    return [index for index in ids if index in own]


@pytest.mark.parametrize("name", CASES)
def test_every_added_token(name):
    own = control(name, "x")
    for token in added_tokens(TOKENIZERS[name]):
        assert control(name, token) == own, token


@pytest.mark.parametrize("name", CASES)
def test_any_mixture(name, full):
    own = control(name, "x")
    texts = st.lists(
        st.one_of(
            st.sampled_from(sorted(added_tokens(TOKENIZERS[name]))),
            st.text("ab <|>[]/_\n{}\"'", max_size=5),
        ),
        max_size=5,
    ).map("".join)

    @settings(max_examples=300 if full else 15, deadline=None, derandomize=True)
    @given(texts)
    def check(text):
        assert control(name, "x" + text) == own

    check()


@pytest.mark.parametrize("name", ["tools", "trimming", "re-serialising", "header", "turns"])
def test_harmless_text_is_the_tokenizers_own_encoding(name):
    """Without added tokens in it, tools included; and one BOS."""
    tokenizer, prompts = TOKENIZERS[name], builder(name)
    messages = [
        {"role": "system", "content": "Be short. "},
        {"role": "user", "content": " What does it cost?\nAnd where? {x: 1}"},
    ]
    expected = tokenizer.apply_chat_template(
        messages, tools=[tool("a")], add_generation_prompt=True, tokenize=True
    )["input_ids"]
    asked = [SystemMessage(messages[0]["content"]), HumanMessage(messages[1]["content"])]
    if name == "trimming":
        expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
        assert encode_messages(prompts, asked, "all") == expected
    else:
        assert encode_messages(prompts, asked, "all", [tool("a")]) == expected
    if tokenizer.bos_token_id is not None:
        assert expected.count(tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("role", ["user</s>", "<|im_start|>", "a\nb", ""])
def test_roles_are_words(role):
    with pytest.raises(PromptError, match="a role must be words"):
        encode_messages(builder("tools"), [ChatMessage("a", role=role)], "all")
