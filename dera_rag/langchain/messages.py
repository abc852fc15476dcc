"""LangChain messages as the dictionaries that chat templates read, or as plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from dera_rag.errors import PromptError
from dera_rag.langchain.turns import Tool, announcement, call_text, fitted
from dera_rag.prompts import PLAIN_PROMPT, PromptBuilder

PlainMessages = Literal["all", "last_human"]

_ROLES: tuple[tuple[type[BaseMessage], str], ...] = (
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
    (SystemMessage, "system"),
    (ToolMessage, "tool"),
)
_ROLE = re.compile(r"[\w .-]+")
# Blocks of an assistant's turn that `tool_calls` holds as well, or that a later turn is not shown.
_BESIDE_TEXT = frozenset({"tool_use", "tool_call", "tool_call_chunk", "reasoning", "thinking"})
# What stands around the question in `PLAIN_PROMPT` and, without the end, in `CHAT_PROMPT`.
_BEFORE, _ASKS = "\n\nQuestion: ", "Answer:"


def encode_messages(
    prompts: PromptBuilder,
    messages: Sequence[BaseMessage],
    plain: PlainMessages,
    tools: Sequence[Tool] = (),
) -> list[int]:
    """Token ids of a conversation.

    Args:
        prompts: Of the pair; its chat template is used where it has one.
        messages: The conversation.
        plain: What a pair without a chat template reads; see `ChatDeRa.plain_messages`.
        tools: What the model may call, in OpenAI's form.

    Raises:
        PromptError: No messages, content that is not text, or a template that refuses the
            conversation.
    """
    if not messages:
        raise PromptError("the conversation is empty", hint="pass at least one message")
    if prompts.has_chat_template:
        return fitted(prompts, [as_turn(message) for message in messages], tools)
    before = [announcement(tools)] if tools else []
    if plain == "all":
        return prompts.plain("\n\n".join(before + [_plain(message) for message in messages]))
    question = _as_prompt(asked(messages))
    return prompts.plain("\n\n".join([*before, question]))


def asked(messages: Sequence[BaseMessage]) -> str:
    """The text of the last human message.

    Raises:
        PromptError: There is none.
    """
    for message in reversed(messages):
        if is_human(message):
            return text_of(message)
    raise PromptError("no human message to answer", hint="add one, or plain_messages='all'")


def is_human(message: BaseMessage) -> bool:
    """Whether a user wrote it; chunks, which a stream leaves in a history, are of other types."""
    return isinstance(message, HumanMessage)


def question_in(text: str) -> str:
    """The question alone, of a text that may be a whole prompt, plain or for a chat."""
    asked = text.rstrip().removesuffix(_ASKS)
    return asked.rpartition(_BEFORE)[2].strip() if _BEFORE in asked else text


def as_turn(message: BaseMessage) -> dict[str, Any]:
    """A message as chat templates read it.

    Raises:
        PromptError: Content that is not text, or a role that is none.
    """
    turn: dict[str, Any] = {"role": _role(message), "content": text_of(message)}
    if message.name:
        turn["name"] = message.name
    if isinstance(message, AIMessage) and message.tool_calls:
        turn["tool_calls"] = [
            {
                "type": "function",
                "id": call["id"],
                "function": {"name": call["name"], "arguments": call["args"]},
            }
            for call in message.tool_calls
        ]
    if isinstance(message, ToolMessage):
        turn["tool_call_id"] = message.tool_call_id
    return turn


def text_of(message: BaseMessage) -> str:
    """The text of a message.

    Raises:
        PromptError: It holds more than text.
    """
    if isinstance(message.content, str):
        return message.content
    parts = []
    for block in message.content:
        part = block if isinstance(block, str) else block.get("text")
        if not isinstance(part, str):
            if isinstance(block, dict) and block.get("type") in _BESIDE_TEXT:
                continue
            raise PromptError(
                f"a {message.type} message holds more than text", hint="the pair reads text only"
            )
        parts.append(part)
    return "".join(parts)


def _plain(message: BaseMessage) -> str:
    """A message as plain text; an assistant's calls are what it wrote."""
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    written = (call_text(call["name"], call["args"]) for call in calls)
    return "\n".join(part for part in (text_of(message), *written) if part)


def _as_prompt(text: str) -> str:
    """A text that ends as the plain prompt does is one; any other asks without passages."""
    if text.rstrip().endswith(_ASKS):
        return text.rstrip()
    return PLAIN_PROMPT.replace("{passages}\n\n", "").replace("{question}", text.strip())


def _role(message: BaseMessage) -> str:
    if isinstance(message, ChatMessage):
        # Templates write a role where control tokens stand: markup in it would be theirs.
        if not _ROLE.fullmatch(message.role):
            raise PromptError(
                f"a role must be words, got {message.role!r}", hint="e.g. 'user' or 'developer'"
            )
        return message.role
    for kind, role in _ROLES:
        if isinstance(message, kind):
            return role
    names = [kind.__name__ for kind, _ in _ROLES]
    raise PromptError(f"no role for a message of type {message.type!r}", hint=f"one of {names}")
