"""The extension points: small protocols, all in this file."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from dera_rag.types import Evidence, Json, LambdaDecision, Passage, UnsupportedSpan

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedTokenizerBase


class Branches(enum.Flag):
    """Which models a row runs."""

    REFERENCE = enum.auto()
    ALIGNED = enum.auto()
    BOTH = REFERENCE | ALIGNED


class LogitPair(NamedTuple):
    """Next-token logits of both branches, each for the rows that run it, in the batch's order.

    Attributes:
        reference: `[R, V]` float32 of the R rows that run the reference; None where R = 0.
        aligned: `[A, V]` float32 of the A rows that run the aligned model; None where A = 0.
    """

    reference: torch.Tensor | None
    aligned: torch.Tensor | None


class PairSession(Protocol):
    """One decode of a batch: owns the caches of both branches, and is discarded afterwards."""

    def prefill(self) -> LogitPair:
        """Read the prompts; logits of each row's first token. Called once, first."""
        ...

    def step(self, token_ids: Sequence[int]) -> LogitPair:
        """Append one token to every row; logits of the token after it.

        Args:
            token_ids: One per row still in the batch.
        """
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows of the batch, in this order; a row may leave or be copied.

        Args:
            rows: Positions in the present batch.
        """
        ...


@runtime_checkable
class DraftingSession(PairSession, Protocol):
    """A session that reads several tokens at once and can take tokens back."""

    def extend(self, token_ids: Sequence[Sequence[int]]) -> LogitPair:
        """Append k tokens to every row; logits after each of them.

        Args:
            token_ids: k ≥ 1 tokens for each row still in the batch, the same k for all.

        Returns:
            Logits as `[R, k, V]` and `[A, k, V]`: position j holds those of the token after
            the j-th appended one.
        """
        ...

    def crop(self, counts: Sequence[int]) -> None:
        """Forget the last tokens of every row, as if they had never been appended.

        Args:
            counts: How many to forget, ≥ 0, one number per row still in the batch; at most what
                was appended to the row since its prompt was read.
        """
        ...


@runtime_checkable
class JoiningSession(PairSession, Protocol):
    """A session that takes new rows while others are under way."""

    def join(self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]) -> LogitPair:
        """Read new prompts as rows behind the present ones; called after `prefill`.

        Args:
            prompts: Non-empty token ids of each new row.
            branches: Which models each new row runs.

        Returns:
            Logits of the first token of the new rows alone.
        """
        ...


class PairBackend(Protocol):
    """Where two branches' logits come from; what the decoder knows of a pair."""

    @property
    def name(self) -> str:
        """Identifies the pair; policies fitted to a pair recognise it by this."""
        ...

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Encodes prompts and decodes answers."""
        ...

    @property
    def vocab_size(self) -> int:
        """V: ids at and beyond it exist in no logits."""
        ...

    @property
    def max_length(self) -> int | None:
        """Longest prompt and answer together, in tokens; None without a limit.

        Of a pair with a true attribute `encoder_decoder`, the longest of each.
        """
        ...

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        ...

    def start(self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]) -> PairSession:
        """A session over token-id prompts, with the branches each row needs."""
        ...


@runtime_checkable
class RepeatableBackend(PairBackend, Protocol):
    """A backend that reuses work between sessions, and can do without."""

    def start_afresh(
        self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]
    ) -> PairSession:
        """A session that depends on nothing that was decoded before, bit for bit."""
        ...


Starter = Callable[[Sequence[Sequence[int]], Sequence[Branches]], PairSession]


def starter(pair: PairBackend, *, afresh: bool) -> Starter:
    """How sessions of a backend are started.

    Args:
        pair: The backend.
        afresh: Whether they may reuse nothing of earlier ones; a backend that never does has one
            way only.
    """
    return pair.start_afresh if afresh and isinstance(pair, RepeatableBackend) else pair.start


class Guesser(Protocol):
    """A cheap model that guesses what follows one prompt; what it guesses is verified."""

    def guess(
        self,
        token_ids: Sequence[int],
        count: int,
        draw: Callable[[torch.Tensor, int], int],
    ) -> list[int]:
        """Tokens that may follow an answer.

        Args:
            token_ids: The answer so far.
            count: How many, ≥ 1.
            draw: `[1, V]` logits and the index of a token in the answer → the token.
        """
        ...


@runtime_checkable
class GuessingBackend(PairBackend, Protocol):
    """A backend that can have a cheap model of the mixture."""

    def check_guessing(self) -> None:
        """Raise if this pair has no such model.

        Raises:
            InvalidValueError: It has none, and why.
        """
        ...

    def guesser(self, prompt: Sequence[int], lam: float) -> Guesser:
        """What guesses for a row with this prompt and λ; it has read the prompt.

        Raises:
            InvalidValueError: As `check_guessing`.
        """
        ...


@runtime_checkable
class LambdaPolicy(Protocol):
    """Chooses λ for a question before decoding; pure: equal input, equal output."""

    @property
    def name(self) -> str:
        """Registry name."""
        ...

    def decide(self, question: str, evidence: Evidence) -> LambdaDecision:
        """λ, a reason in words, and the signals behind it."""
        ...


@runtime_checkable
class ConfigurablePolicy(LambdaPolicy, Protocol):
    """A policy that can be written down as values: what the registry's `policies` hold."""

    def to_config(self) -> dict[str, Json]:
        """Its values, with its registry name under `policy`; its class has `from_config`."""
        ...


@runtime_checkable
class MeasuringPolicy(LambdaPolicy, Protocol):
    """A policy that may look at how far the two models part, which costs a short decode."""

    def measures_disagreement(self, pair: str, corpus: str) -> bool:
        """Whether a decision for this pair and corpus looks at `Evidence.disagreement`."""
        ...


@runtime_checkable
class Meter(Protocol):
    """Marks what an answer claims without support in its passages."""

    def unsupported(
        self, question: str, passages: Sequence[Passage], answer: str
    ) -> list[UnsupportedSpan]:
        """Unsupported spans in order of their start; empty when all is supported."""
        ...

    def abstained(self, answer: str) -> bool:
        """Whether the answer says that the passages do not tell."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Maps texts to unit vectors."""

    @property
    def name(self) -> str:
        """Identifies the weights: indexes built by another embedder are refused by it."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`[len(texts), dimension]` float32 rows of norm 1 (0 for a text without a known token)."""
        ...


@runtime_checkable
class QuestionEmbedder(Embedder, Protocol):
    """An embedder with another treatment for questions, as models trained with prompts have."""

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        """`[len(texts), dimension]` float32 rows of norm 1."""
        ...


@runtime_checkable
class Retriever(Protocol):
    """Finds passages for a question."""

    @property
    def corpus(self) -> str:
        """Name of the corpus; policies fitted to a corpus recognise it by this."""
        ...

    def retrieve(self, question: str, k: int = 3) -> list[Passage]:
        """At most k passages, best first."""
        ...
