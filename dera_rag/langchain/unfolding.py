"""Calls and results in content blocks, as Anthropic's API has them, as LangChain's messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    ToolCall,
    ToolMessage,
)

from dera_rag.errors import PromptError


def unfolded(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """A conversation without `tool_use` and `tool_result` blocks.

    As in LangChain's `convert_to_openai_messages`: results become tool messages, which stand before
    the rest of their human message, and calls become `tool_calls`.

    Args:
        messages: The conversation; left as it is.

    Raises:
        PromptError: A result that does not say of which call.
    """
    made: list[BaseMessage] = []
    for message in messages:
        if isinstance(message, HumanMessage) and _blocks(message, "tool_result"):
            made += [_result(block) for block in _blocks(message, "tool_result")]
            rest = [block for block in message.content if _kind(block) != "tool_result"]
            if rest:
                made.append(message.model_copy(update={"content": rest}))
        elif isinstance(message, AIMessage) and _blocks(message, "tool_use"):
            known = {call["id"] for call in message.tool_calls}
            new = [
                ToolCall(name=block["name"], args=block["input"], id=block["id"], type="tool_call")
                for block in _blocks(message, "tool_use")
                if block["id"] not in known
            ]
            made.append(message.model_copy(update={"tool_calls": [*message.tool_calls, *new]}))
        else:
            made.append(message)
    return made


def _result(block: Mapping[str, Any]) -> ToolMessage:
    if "tool_use_id" not in block:
        raise PromptError(
            f"a tool_result without its call: {dict(block)!r:.120}",
            hint='{"type": "tool_result", "tool_use_id": "…", "content": "…"}, or a ToolMessage',
        )
    status = "error" if block.get("is_error") else "success"
    content = block.get("content") or ""
    return ToolMessage(content, tool_call_id=block["tool_use_id"], status=status)


def _blocks(message: BaseMessage, kind: str) -> list[dict[str, Any]]:
    content = message.content if isinstance(message.content, list) else []
    return [block for block in content if isinstance(block, dict) and _kind(block) == kind]


def _kind(block: object) -> object:
    return block.get("type") if isinstance(block, dict) else None
