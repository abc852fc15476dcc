"""LangChain messages as the dictionaries that chat templates read, or as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from langchain_core.messages import BaseMessage, ChatMessage

from dera_rag.errors import PromptError
from dera_rag.prompts import PLAIN_PROMPT, PromptBuilder

PlainMessages = Literal["all", "last_human"]

_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
_ASKS = "Answer:"


def encode_messages(
    prompts: PromptBuilder, messages: Sequence[BaseMessage], plain: PlainMessages
) -> list[int]:
    """Token ids of a conversation.

    Args:
        prompts: Of the pair; its chat template is used where it has one.
        messages: The conversation.
        plain: What a pair without a chat template reads; see `ChatDeRa.plain_messages`.

    Raises:
        PromptError: No messages, content that is not text, or a template that refuses the
            conversation.
    """
    if not messages:
        raise PromptError("the conversation is empty", hint="pass at least one message")
    if prompts.has_chat_template:
        return prompts.chat([{"role": _role(m), "content": _text(m)} for m in messages])
    if plain == "all":
        return prompts.plain("\n\n".join(_text(message) for message in messages))
    asked = [_text(message) for message in messages if message.type == "human"]
    if not asked:
        raise PromptError("no human message to answer", hint="add one, or plain_messages='all'")
    return prompts.plain(_as_prompt(asked[-1]))


def _as_prompt(text: str) -> str:
    """A text that ends as the plain prompt does is one; any other asks without passages."""
    if text.rstrip().endswith(_ASKS):
        return text.rstrip()
    return PLAIN_PROMPT.replace("{passages}\n\n", "").replace("{question}", text.strip())


def _role(message: BaseMessage) -> str:
    if isinstance(message, ChatMessage):
        return message.role
    if message.type not in _ROLES:
        raise PromptError(
            f"no role for a message of type {message.type!r}", hint=f"one of {sorted(_ROLES)}"
        )
    return _ROLES[message.type]


def _text(message: BaseMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    parts = [block if isinstance(block, str) else block.get("text") for block in message.content]
    if not all(isinstance(part, str) for part in parts):
        raise PromptError(
            f"a {message.type} message holds more than text", hint="the pair reads text only"
        )
    return "".join(part for part in parts if part)
