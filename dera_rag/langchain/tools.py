"""What may be called: tools in OpenAI's form, the choice among them, and calls read back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolCall

from dera_rag.decoding.schemas import closed
from dera_rag.errors import InvalidValueError
from dera_rag.langchain.repeats import without_repeats
from dera_rag.langchain.turns import Tool

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Beside `properties`, what says which values an object has.
_HOLDING = frozenset(
    {"$ref", "anyOf", "oneOf", "allOf", "additionalProperties", "patternProperties"}
)


def parameters(tool: Tool) -> dict[str, Any]:
    """The JSON schema of a tool's arguments; a tool without any takes an empty object.

    Args:
        tool: In OpenAI's form.

    Raises:
        InvalidValueError: They are no object.
    """
    schema = {"type": "object", **(tool["function"].get("parameters") or {})}
    if schema["type"] != "object":
        raise InvalidValueError(
            f"the arguments of {tool['function']['name']!r} are of type {schema['type']!r}",
            hint="a tool takes an object: give the value a name, or ask for it by 'json_schema'",
        )
    if not schema.get("properties") and not _HOLDING & schema.keys():
        return {"type": "object", "properties": {}, "additionalProperties": False}
    return dict(closed(schema))


def read_choice(choice: object) -> str:
    """A tool choice as "auto", "any", "none" or a name.

    Args:
        choice: None for "auto", True or "required" for "any", False for "none", or one of these,
            also in the dictionaries of OpenAI and Anthropic.

    Raises:
        InvalidValueError: Another form.
    """
    told = choice
    if isinstance(choice, Mapping):
        function = choice.get("function")
        named = function if isinstance(function, Mapping) else choice
        told = named.get("name", choice.get("type"))
    if told is None and not isinstance(choice, Mapping):
        return "auto"
    if isinstance(told, bool):
        return "any" if told else "none"
    if not isinstance(told, str):
        raise InvalidValueError(
            f"no tool choice: {choice!r:.120}", hint="'auto', 'any', 'none' or a tool's name"
        )
    return "any" if told == "required" else told


def chosen_tools(tools: Sequence[Tool], choice: object) -> tuple[Sequence[Tool], bool]:
    """The tools a choice leaves, and whether one must be called.

    Args:
        tools: In OpenAI's form.
        choice: As `read_choice` takes it.

    Raises:
        InvalidValueError: Another choice, or one that no tool is there for.
    """
    choice = read_choice(choice)
    if choice == "auto":
        return tools, False
    if choice == "none":
        return (), False
    if choice == "any" and tools:
        return tools, True
    named = [tool for tool in tools if tool["function"]["name"] == choice]
    if not named:
        names = [tool["function"]["name"] for tool in tools]
        raise InvalidValueError(
            f"no tool for tool_choice={choice!r}", hint=f"'auto', 'any', 'none' or one of {names}"
        )
    return named, True


def parsed_calls(
    tokenizer: PreTrainedTokenizerBase, written: str, prompt: str, tools: Sequence[Tool]
) -> tuple[str, list[ToolCall]] | None:
    """Text and calls as the tokenizer's response template reads them; None without one.

    Args:
        tokenizer: Of the pair.
        written: The answer, special tokens included.
        prompt: What came before it.
        tools: What could be called.
    """
    if getattr(tokenizer, "response_template", None) is None:
        return None
    try:
        message = tokenizer.parse_response(written, prefix=prompt, tools=[dict(t) for t in tools])
    except (ValueError, KeyError, TypeError):
        return None
    names = {tool["function"]["name"] for tool in tools}
    calls = [call.get("function", call) for call in message.get("tool_calls") or ()]
    made = [
        new_call(call["name"], call["arguments"], tools)
        for call in calls
        if call.get("name") in names and isinstance(call.get("arguments"), dict)
    ]
    return (message.get("content") or "", made) if made else None


def new_call(name: str, arguments: dict[str, Any], tools: Sequence[Tool]) -> ToolCall:
    """A call with an id of its own.

    Args:
        name: Of one of the tools.
        arguments: As they were decoded.
        tools: What could be called.
    """
    schemas = (parameters(tool) for tool in tools if tool["function"]["name"] == name)
    arguments = without_repeats(arguments, next(schemas))
    # Nine letters and digits: the strictest templates take no other id.
    return ToolCall(name=name, args=arguments, id=uuid.uuid4().hex[:9], type="tool_call")
