"""Prompts as token ids: the plain prompt, the pair's chat template, a prompt of the user's own."""

from dera_rag.prompts.builder import (
    CHAT_PROMPT,
    PLAIN_PROMPT,
    FittedPrompt,
    Message,
    Prompt,
    PromptBuilder,
    check_question,
    number_passages,
)
from dera_rag.prompts.encoding import SafeEncoder

__all__ = [
    "CHAT_PROMPT",
    "PLAIN_PROMPT",
    "FittedPrompt",
    "Message",
    "Prompt",
    "PromptBuilder",
    "SafeEncoder",
    "check_question",
    "number_passages",
]
