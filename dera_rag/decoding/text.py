"""Token ids to text: stop strings across token boundaries, and what a stream may show already."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from dera_rag.types import FinishReason

_BYTE_TOKEN = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_INCOMPLETE = "\ufffd"


@dataclass(frozen=True)
class Vocabulary:
    """What the text of an answer needs to know of a tokenizer; made once, since it reads every id.

    Attributes:
        tokenizer: Decodes token ids.
        special: Special tokens by id.
        byte_ids: Byte-fallback tokens (`<0x0A>`), several of which make one character.
    """

    tokenizer: PreTrainedTokenizerBase
    special: Mapping[int, str]
    byte_ids: frozenset[int]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
        """Read a tokenizer's vocabulary."""
        added = tokenizer.added_tokens_decoder.items()
        return cls(
            tokenizer,
            {index: token.content for index, token in added if token.special},
            frozenset(
                i for token, i in tokenizer.get_vocab().items() if _BYTE_TOKEN.fullmatch(token)
            ),
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended.

    Attributes:
        finish_reason: `stop` (a stop id or a stop string) or `length`.
        text: The answer without special tokens and without the stop string.
    """

    finish_reason: FinishReason
    text: str


class Detokenizer:
    """Decodes answers and finds stop strings in them.

    Args:
        vocabulary: Of the pair's tokenizer.
        stops: Stop strings, none empty.
        stop_ids: Tokens that end an answer.
    """

    def __init__(
        self, vocabulary: Vocabulary, stops: Sequence[str], stop_ids: frozenset[int]
    ) -> None:
        self._vocabulary = vocabulary
        special = vocabulary.special
        self._silent = special.keys() | stop_ids
        # Text holds no special token, so a stop string that is one must be found by its id.
        self.stop_ids = stop_ids | {i for i, content in special.items() if content in stops}
        self.stops = tuple(stops)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text without special tokens and without a final stop id."""
        ids = list(token_ids)
        if ids and ids[-1] in self.stop_ids:
            ids.pop()
        # Cleaning up spaces would rewrite text that a stream has already shown.
        text = self._vocabulary.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return str(text)

    def ending(
        self, token_ids: Sequence[int], longest: int, *, cutting: bool = True
    ) -> Ending | None:
        """Whether the last token ends the answer; None if it goes on.

        Args:
            token_ids: The answer so far, at least one token.
            longest: Most tokens an answer may have.
            cutting: Whether stop strings end it.
        """
        last = token_ids[-1]
        cut = None
        if cutting and self.stops and last not in self.stop_ids:
            cut = self.cut(self.decode(token_ids))
        if last in self.stop_ids or cut is not None:
            return Ending("stop", self.decode(token_ids)[:cut])
        if len(token_ids) == longest:
            return Ending("length", self.decode(token_ids))
        return None

    def cut(self, text: str) -> int | None:
        """Where the earliest stop string starts; None if there is none."""
        found = [at for at in (text.find(stop) for stop in self.stops) if at >= 0]
        return min(found, default=None)

    def stable(self, token_ids: Sequence[int]) -> str:
        """The part of an unfinished answer that no later token can change or cut off.

        Held back: an incomplete UTF-8 sequence, a trailing run of byte-fallback tokens (decoders
        drop the whole run if a later byte makes it invalid), and the longest ending that could
        grow into a stop string.
        """
        text = self.decode(token_ids[: self._settled(token_ids)]).rstrip(_INCOMPLETE)
        held = 0
        for stop in self.stops:
            for size in range(min(len(stop) - 1, len(text)), held, -1):
                if text.endswith(stop[:size]):
                    held = size
                    break
        return text[: len(text) - held]

    def _settled(self, token_ids: Sequence[int]) -> int:
        """Number of leading tokens before a trailing run of byte-fallback tokens."""
        count = len(token_ids)
        for place in range(count - 1, -1, -1):
            if token_ids[place] in self._vocabulary.byte_ids:
                count = place
            elif token_ids[place] not in self._silent:
                break
        return count
