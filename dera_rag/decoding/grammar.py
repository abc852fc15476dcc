"""Answers that keep to a grammar: JSON of a schema, a tool call, or text around one.

Before a token is drawn, the mixture loses every token that the grammar forbids, so λ, temperature
and noise act as ever on what is left. A grammar's state also knows one way to end (its plan): a
token after which no way fits into the tokens that are left is replaced by the plan's next one. So
a structure is closed before its budget ends, and never cut off.

The masks come from llguidance, for what an answer keeps to must hold: by its documentation a JSON
schema becomes a grammar that conforms to it, or an error, where xgrammar is known to let keywords
pass unenforced (`uniqueItems`, `multipleOf`). It needs no index before the first token, as outlines
does, reads fast tokenizers as they are, and copies and takes back its state in some two
microseconds, which the plans below live on. Measured with 330 token ids: half a millisecond to
compile a small schema, 10 µs a mask. The other two were compared by what is written of them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dera_rag.decoding.closing import LONGEST, Closer, bits
from dera_rag.errors import InvalidValueError, LogitsError, MissingDependencyError

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from transformers import PreTrainedTokenizerBase

    from dera_rag.decoding.rows import Row

# What to do about what llguidance does not know, by what it says of it.
_WAYS_OUT = {
    "uniqueItems": "leave it out and drop repeats yourself; tools and with_structured_output do "
    "that for sets of no least length",
    "Unknown format": "let it be a plain string, and read it yourself",
}


class Grammars:
    """Compiles grammars for one tokenizer.

    Args:
        tokenizer: A fast tokenizer.
        vocab_size: V, the number of token ids.
        stop_ids: Tokens that end an answer.

    Raises:
        MissingDependencyError: llguidance is not installed.
        InvalidValueError: The tokenizer has no `tokenizers` backend.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, vocab_size: int, stop_ids: Iterable[int]
    ) -> None:
        try:
            from llguidance.hf import from_tokenizer
        except ImportError as error:
            raise MissingDependencyError(
                "structured output needs llguidance", hint='pip install "dera-rag[grammar]"'
            ) from error
        self._tokenizer = tokenizer
        self.stop_ids = tuple(sorted(stop_ids))
        ends = list(self.stop_ids) or [tokenizer.eos_token_id or 0]
        try:
            self.words: LLTokenizer = from_tokenizer(tokenizer, vocab_size, ends)  # type: ignore[arg-type]
        except ValueError as error:
            raise InvalidValueError(
                f"no grammar can be followed with a {type(tokenizer).__name__}: {error}",
                hint="load the fast tokenizer",
            ) from error
        self.vocab_size = vocab_size
        self.closer = Closer(self.words, vocab_size)
        self.compile = functools.lru_cache(maxsize=64)(self._compile)

    def _compile(self, text: str) -> Grammar:
        """A grammar, read once.

        Args:
            text: Of `schemas.json_grammar`, or a Lark grammar.

        Raises:
            InvalidValueError: A grammar that is wrong or that llguidance cannot enforce.
        """
        from llguidance import LLMatcher

        if not text.lstrip().startswith("{"):
            text = LLMatcher.grammar_from_lark(text)
        wrong = LLMatcher.validate_grammar(text, self.words)
        if wrong and not wrong.startswith("WARNING"):
            ways = (way for sign, way in _WAYS_OUT.items() if sign in wrong)
            raise InvalidValueError(
                f"the schema cannot be enforced: {wrong.strip()[:400]}",
                hint=next(ways, "leave the unsupported keyword out, and check it yourself"),
            )
        return Grammar(self, LLMatcher(self.words, text, log_level=0))

    @functools.cached_property
    def control(self) -> dict[str, int]:
        """Tokens by name that a grammar has to name, for no text is made of them."""
        return {
            token.content: index
            for index, token in self._tokenizer.added_tokens_decoder.items()
            if index < self.vocab_size and self.words.is_special_token(index)
        }


class Grammar:
    """A compiled grammar; any number of answers may follow it.

    Args:
        grammars: Where it was compiled.
        matcher: At its beginning.
    """

    def __init__(self, grammars: Grammars, matcher: LLMatcher) -> None:
        self._grammars = grammars
        self._matcher = matcher

    @functools.cached_property
    def shortest(self) -> int:
        """Tokens of the shortest answer that was found.

        Raises:
            InvalidValueError: None was found.
        """
        plan = self.start().plan
        if plan is None:
            raise InvalidValueError(
                "the grammar has no ending that could be found",
                hint="bound what repeats: maxLength, maxItems",
            )
        return len(plan)

    def check(self, budget: int) -> Grammar:
        """This grammar, if an answer of it fits.

        Args:
            budget: Most tokens of an answer.

        Raises:
            InvalidValueError: None fits.
        """
        # Another way may be shorter than the first one that was found.
        if self.shortest > budget and self.start(budget).plan is None:
            raise InvalidValueError(
                f"max_tokens={budget} cannot hold the structure, which takes {self.shortest} "
                "tokens even if empty",
                hint="raise max_tokens, or ask for less",
            )
        return self

    def start(self, room: int = LONGEST) -> GrammarState:
        """A new answer.

        Args:
            room: Most tokens of it.
        """
        return GrammarState(self._grammars, self._matcher.deep_copy(), room)


class GrammarState:
    """How far an answer has come in its grammar.

    Attributes:
        plan: Tokens that would end it from here; None if no way was found.
        ended: Whether nothing can follow.
        begun: Whether something has to be closed, or had to be: not so in text around a structure.
    """

    def __init__(self, grammars: Grammars, matcher: LLMatcher, room: int) -> None:
        self._grammars = grammars
        self._matcher = matcher
        self.plan = grammars.closer.find(matcher, min(room, LONGEST))
        self.ended = False
        self.begun = bool(self.plan)

    def mask(self) -> Tensor:
        """`[V]` bool: which tokens may come next.

        Raises:
            LogitsError: None may: the grammar is broken or beyond the library's limits.
        """
        allowed = self._allowed()
        if not allowed.any():
            reason = self._matcher.get_error() or self._matcher.stop_reason()
            raise LogitsError(f"the grammar allows no token: {reason}")
        return torch.from_numpy(allowed)

    def settle(self, token: int, room: int) -> int:
        """Take the drawn token, or the plan's where the drawn one would leave no way to end.

        Args:
            token: One that the mask allows.
            room: How many tokens the answer may still have, this one included.

        Returns:
            The token that was taken.
        """
        if token in self._grammars.stop_ids:
            return token
        if self._matcher.try_consume_tokens([token]):
            plan = self._next_plan(token, room - 1)
            if plan is not None:
                self.plan = plan
                self.begun = self.begun or bool(plan)
                self.ended = self._matcher.is_stopped()
                return token
            self._matcher.rollback(1)
        return self._follow(room)

    def _next_plan(self, token: int, room: int) -> list[int] | None:
        """How to end within the room, now that this token was taken."""
        if self.plan and self.plan[0] == token:
            return self.plan[1:]
        return self._grammars.closer.find(self._matcher, room, self.plan)

    def _follow(self, room: int) -> int:
        """The plan's next token; where the plan is to end here, that."""
        if self.plan:
            token, self.plan = self.plan[0], self.plan[1:]
            self._matcher.consume_token(token)
            self.ended = self._matcher.is_stopped()
            return token
        if self._grammars.stop_ids:
            return self._grammars.stop_ids[0]
        # Nothing ends an answer of this pair but its length: anything that may be followed by it.
        for token in np.flatnonzero(self._allowed()).tolist():
            if self._matcher.try_consume_tokens([token]):
                plan = self._grammars.closer.find(self._matcher, room - 1)
                if plan is not None:
                    self.plan = plan
                    return int(token)
                self._matcher.rollback(1)
        raise LogitsError("the grammar can neither end nor go on")

    def _allowed(self) -> np.ndarray:
        """`[V]` bool."""
        allowed = bits(self._matcher, self._grammars.vocab_size)
        if not self._grammars.stop_ids:
            allowed[self._grammars.words.eos_tokens] = False
        return allowed


def permitted(mixture: Tensor, rows: Sequence[Row], width: int) -> Tensor:
    """The mixture with −inf at each row's next token where its grammar forbids it.

    Args:
        mixture: `[len(rows)·width, V]` logits, a row's positions beside each other.
        rows: The rows; one that follows no grammar, or that cannot go on, is left as it is.
        width: Positions of each row. Only the first of a row with a grammar is ever used.
    """
    masks: dict[int, Tensor] = {}
    for i, row in enumerate(rows):
        if row.structure is not None and row.live:
            try:
                masks[i * width] = ~row.structure.mask()
            except LogitsError as error:
                row.error = error
    if not masks:
        return mixture
    out = mixture.clone()
    for line, forbidden in masks.items():
        out[line].masked_fill_(forbidden.to(out.device), -torch.inf)
    return out


def settle(
    rows: Sequence[Row], drawn: Sequence[list[int]], failed: Iterable[int]
) -> Sequence[list[int]]:
    """Let every grammar take its row's token, or put another in its place.

    Args:
        rows: The rows.
        drawn: K tokens of each.
        failed: Lines without a mixture.
    """
    lines = {*failed}
    for i, (row, tokens) in enumerate(zip(rows, drawn, strict=True)):
        if row.structure is None or not row.live or i * len(tokens) in lines:
            continue
        try:
            tokens[0] = row.structure.settle(tokens[0], row.room)
        except LogitsError as error:
            row.error = error
    return drawn
