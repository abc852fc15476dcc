"""A conversation as a chat template can show it: what the template leaves out is put into words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dera_rag.errors import PromptError
from dera_rag.prompts import PromptBuilder

Tool = Mapping[str, Any]
Turn = dict[str, Any]

TOOLS_PROMPT = (
    "You may call tools. To call one, answer with its name and its arguments as JSON between "
    "<tool_call> and </tool_call>. The tools:\n"
)
"""What stands before the tools where the chat template does not show them."""

CALL_BEGINS, CALL_ENDS = "<tool_call>\n", "\n</tool_call>"
"""Around a call, and likewise around a result, where the template has no form of its own."""

_RESULT_BEGINS, _RESULT_ENDS = "<tool_response>\n", "\n</tool_response>"
# What a template is asked to show, to see whether it does.
_ASKED, _RULE, _RESULT = "a_0question", "a_0rule", "a_0result"
_CALL = {
    "type": "function",
    "id": "first0idx",
    "function": {"name": "first_0name", "arguments": {"an_0argument": "its_0value"}},
}
_USER: Turn = {"role": "user", "content": _ASKED}


def fitted(prompts: PromptBuilder, turns: list[Turn], tools: Sequence[Tool]) -> list[int]:
    """Token ids of a conversation, in whose words stands what the template would not show.

    A system message goes before the first question where there are none, calls and results of tools
    are written as text between tags, and tools are announced.

    Args:
        prompts: Of a pair with a chat template.
        turns: The conversation as templates read it.
        tools: What the model may call, in OpenAI's form.

    Raises:
        PromptError: The template refuses the conversation.
    """
    native = not tools or shows_tools(prompts, tools)
    shown = tools if native else ()
    if any(turn["role"] == "tool" or turn.get("tool_calls") for turn in turns):
        talk: list[Turn] = [
            _USER,
            {"role": "assistant", "content": "", "tool_calls": [_CALL]},
            {"role": "tool", "content": _RESULT, "tool_call_id": _CALL["id"], "name": "a"},
        ]
        if not _shows(prompts, talk, shown, "first_0name", "its_0value", _RESULT):
            turns = _in_words(turns)
    if not native:
        turns = _announced(turns, tools)
    if turns[0]["role"] == "system":
        talk = [{"role": "system", "content": _RULE}, _USER]
        if not _shows(prompts, talk, shown, _RULE, _ASKED):
            turns = _without_system(turns)
    return prompts.chat(turns, shown)


def shows_tools(prompts: PromptBuilder, tools: Sequence[Tool]) -> bool:
    """Whether the chat template shows the tools it is given."""
    return prompts.rendered([_USER]) != prompts.rendered([_USER], tools)


def announcement(tools: Sequence[Tool]) -> str:
    """The tools in words."""
    lines = (json.dumps(tool["function"], ensure_ascii=False) for tool in tools)
    return TOOLS_PROMPT + "\n".join(lines)


def call_text(name: str, arguments: Any) -> str:
    """A call where the template has no form of its own."""
    written = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"{CALL_BEGINS}{written}{CALL_ENDS}"


def _shows(
    prompts: PromptBuilder, talk: Sequence[Mapping[str, Any]], tools: Sequence[Tool], *parts: str
) -> bool:
    """Whether the template takes a conversation and shows these parts of it."""
    try:
        text = prompts.rendered(talk, tools)
    except PromptError:
        return False
    return all(part in text for part in parts)


def _in_words(turns: Sequence[Turn]) -> list[Turn]:
    """Calls as the assistant's words, and results as the user's."""
    made: list[Turn] = []
    for turn in turns:
        if turn["role"] == "tool":
            result = f"{_RESULT_BEGINS}{turn['content']}{_RESULT_ENDS}"
            made.append({"role": "user", "content": result})
        elif turn.get("tool_calls"):
            calls = [call["function"] for call in turn["tool_calls"]]
            written = [call_text(call["name"], call["arguments"]) for call in calls]
            rest = {name: item for name, item in turn.items() if name != "tool_calls"}
            made.append(rest | {"content": _joined("\n", turn["content"], *written)})
        else:
            made.append(turn)
    return _alternating(made)


def _alternating(turns: Sequence[Turn]) -> list[Turn]:
    """Neighbouring turns of the user as one: many templates want turns to alternate."""
    made: list[Turn] = []
    for turn in turns:
        if made and turn["role"] == made[-1]["role"] == "user":
            content = _joined("\n\n", made[-1]["content"], turn["content"])
            made[-1] = {**made[-1], "content": content}
        else:
            made.append(turn)
    return made


def _announced(turns: Sequence[Turn], tools: Sequence[Tool]) -> list[Turn]:
    """The conversation with the tools in its system message."""
    text, first = announcement(tools), turns[0]
    if first["role"] != "system":
        return [{"role": "system", "content": text}, *turns]
    return [{**first, "content": _joined("\n\n", text, first["content"])}, *turns[1:]]


def _without_system(turns: Sequence[Turn]) -> list[Turn]:
    """The conversation with its system message before the first question."""
    first = {"role": "user", "content": turns[0]["content"]}
    return _alternating([first, *turns[1:]])


def _joined(between: str, *parts: str) -> str:
    return between.join(part for part in parts if part)
