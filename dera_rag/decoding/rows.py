"""What is asked of one row, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dera_rag.decoding.drafts import Drafter
from dera_rag.decoding.text import Detokenizer, Ending
from dera_rag.decoding.trace import TraceMode, build_trace
from dera_rag.numerics import Sampling
from dera_rag.protocols import Branches, Guesser
from dera_rag.types import BranchedPrompt, FinishReason, Generation, Usage

if TYPE_CHECKING:
    from dera_rag.decoding.grammar import Grammar, GrammarState


@dataclass(frozen=True)
class Request:
    """One answer to decode.

    Attributes:
        row: The caller's row number; errors name it.
        prompt: Token ids.
        lam: λ of the row.
        seed: Row seed of the noise; None when greedy.
        sampling: Settings of the row; its own `seed` is not read.
        stops: Strings that end the answer.
        trace: What to record.
        draft: Token ids of an answer that this one may resemble, e.g. at a neighbouring λ; a hint
            that saves time and changes nothing.
        grammar: What the answer keeps to; None for any text. Such a row is never drafted for.
        alternatives: How many of the most likely tokens are kept at each place, ≥ 0.
    """

    row: int
    prompt: tuple[int, ...]
    lam: float
    seed: int | None
    sampling: Sampling = field(default_factory=Sampling)
    stops: tuple[str, ...] = ()
    trace: TraceMode = "auto"
    draft: tuple[int, ...] = ()
    grammar: Grammar | None = None
    alternatives: int = 0


@dataclass(eq=False)
class Row:
    """A request in progress.

    Attributes:
        request: What was asked.
        words: Decodes its text and knows what ends it.
        branches: Which models it runs.
        token_ids: The answer so far.
        columns: Trace values of each token; empty where the trace is off.
        lams: λ used at each token.
        passes: Passes of the models the answer took, the prompt's included.
        idle: Positions read for the row after it ended, while it stays in its batch.
        drafter: Finds drafts for it in texts, once one was asked for.
        guesser: A cheap model that drafts for it, once one was asked for.
        structure: How far it has come in its grammar; None without one.
        ranked: The most likely tokens at each place; empty unless asked for.
        text: The whole answer, once it has ended.
        finish_reason: Why it ended; None before.
        error: Why it failed; None unless it did.
        cancelled: Whether the caller has given it up.
    """

    request: Request
    words: Detokenizer
    branches: Branches
    token_ids: list[int] = field(default_factory=list)
    columns: list[Sequence[float]] = field(default_factory=list)
    lams: list[float] = field(default_factory=list)
    passes: int = 0
    idle: int = 0
    drafter: Drafter | None = None
    guesser: Guesser | None = None
    structure: GrammarState | None = None
    ranked: list[Sequence[tuple[int, float]]] = field(default_factory=list)
    text: str = ""
    finish_reason: FinishReason | None = None
    error: Exception | None = None
    cancelled: bool = False

    @property
    def live(self) -> bool:
        """Whether it needs more tokens."""
        return self.finish_reason is None and self.error is None and not self.cancelled

    @property
    def room(self) -> int:
        """How many more tokens the answer may have."""
        return self.request.sampling.max_new_tokens - len(self.token_ids)

    def length(self, *, shared: bool) -> int:
        """Positions of a model's context that it has filled.

        Args:
            shared: Whether prompt and answer stand in one context; not so in encoder–decoders,
                whose answers begin with a start token.
        """
        answer = len(self.token_ids) + self.idle
        if not shared:
            return answer
        prompt = self.request.prompt
        without = prompt.without if isinstance(prompt, BranchedPrompt) else None
        return max(len(prompt), len(without or ())) + answer - 1

    def append(self, token: int, lam: float, columns: Sequence[float]) -> None:
        """Take a token, and end the answer if that ends it."""
        self.token_ids.append(token)
        self.lams.append(lam)
        self.columns.append(columns)
        # A stop string in a structure, a brace in JSON, would cut it in half.
        cutting = self.structure is None or not self.structure.begun
        ending = self.words.ending(
            self.token_ids, self.request.sampling.max_new_tokens, cutting=cutting
        )
        if self.structure is not None and self.structure.ended:
            ending = Ending("stop", self.words.decode(self.token_ids))
        if ending is not None:
            self.text, self.finish_reason = ending.text, ending.finish_reason

    def generation(self) -> Generation:
        """The finished answer."""
        return Generation(
            text=self.text,
            token_ids=self.token_ids,
            finish_reason=self.finish_reason or "length",
            usage=Usage(len(self.request.prompt), len(self.token_ids)),
            trace=build_trace(self.lams, self.columns, self.branches),
            lam=self.request.lam,
            seed=self.request.seed,
        )
