"""The mixture's log-probabilities in the form of OpenAI's chat API."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from dera_rag.langchain.jobs import Answer

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
# Least share of letters that only a byte-level vocabulary has as tokens of their own.
_BYTE_LETTERS = 256
# Stands for −∞, which JSON has no form for, in OpenAI's API too.
_LEAST = -9999.0


def logprobs_of(
    answer: Answer, tokenizer: PreTrainedTokenizerBase, *, alternatives: bool
) -> dict[str, Any]:
    """`response_metadata["logprobs"]`.

    Values are of softmax(λ·aligned + (1−λ)·reference) before temperature, penalties, truncation
    and grammar, in nats. Tokens that are no part of the text (an end token, what a stop string cut
    off) are left out.

    Args:
        answer: With the most likely tokens at each place where `alternatives`.
        tokenizer: Of the pair.
        alternatives: Whether `top_logprobs` are listed.
    """
    words = _Words(tokenizer)
    made = answer.generation
    size = _shown(made.token_ids, made.text, tokenizer)
    content = [
        words.entry(token, made.trace.mixture[i])
        | {
            "top_logprobs": [words.entry(*other) for other in answer.ranked[i]]
            if alternatives and answer.ranked
            else []
        }
        for i, token in enumerate(made.token_ids[:size])
    ]
    return {"content": content, "refusal": None}


class _Words:
    """Token ids as text and bytes."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder.items()
        self._special = {index for index, token in added if token.special}
        self._letters = _byte_letters() if _is_byte_level(tokenizer) else {}

    def entry(self, token: int, logprob: float) -> dict[str, Any]:
        """One token of the form."""
        spelled = self.spelled(token)
        return {
            "token": spelled.decode("utf-8", "replace"),
            # A special token is no part of the text.
            "bytes": None if token in self._special else list(spelled),
            "logprob": max(logprob, _LEAST),
        }

    def spelled(self, token: int) -> bytes:
        """The bytes of a token; joined over an answer they are its text."""
        text = str(self._tokenizer.convert_ids_to_tokens(token))
        if token in self._tokenizer.added_tokens_decoder:
            return text.encode()
        byte = _BYTE.fullmatch(text)
        if byte:
            return bytes([int(byte[1], 16)])
        if self._letters:
            return bytes(self._letters[letter] for letter in text if letter in self._letters)
        return text.replace("▁", " ").encode()


def _shown(token_ids: Sequence[int], text: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """How many of the tokens the text is made of."""
    size = len(token_ids)
    while size and len(_decode(tokenizer, token_ids[: size - 1])) >= len(text):
        size -= 1
    return size


def _decode(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    return str(
        tokenizer.decode(
            list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
    )


def _is_byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether every byte has a letter of its own in the vocabulary."""
    vocabulary = tokenizer.get_vocab()
    return sum(letter in vocabulary for letter in _byte_letters()) == _BYTE_LETTERS


@functools.cache
def _byte_letters() -> dict[str, int]:
    """The letters by which byte-level vocabularies spell bytes."""
    # Visible ones stand for themselves, the others are moved beyond Latin-1 in order.
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    letters = {chr(byte): byte for byte in visible}
    return letters | {chr(0x100 + i): byte for i, byte in enumerate(hidden)}
