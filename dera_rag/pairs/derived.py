"""Backends made from other backends: each of their branches is a weighted sum of others' branches.

The sums are fixed while a row is decoded, so λ still mixes two branches linearly, and everything
that decodes a pair decodes these.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from dera_rag.pairs.combined import CombinedSession, Part, start_combined
from dera_rag.protocols import Branches, PairBackend


class DerivedPair:
    """A `PairBackend` whose branches are sums of other backends' branches.

    Args:
        base: The backend that stands for all of them: its tokenizer is used.
        parts: What is summed.
        name: Identifies the combination; no policy fitted to `base` takes it for `base`.
        stop_ids: Tokens that end an answer; the base's by default.
        max_length: Longest prompt and answer together; the base's by default.
    """

    def __init__(
        self,
        base: PairBackend,
        parts: Sequence[Part],
        *,
        name: str,
        stop_ids: frozenset[int] | None = None,
        max_length: int | None = None,
    ) -> None:
        self._parts = tuple(parts)
        self.name = name
        self.tokenizer: PreTrainedTokenizerBase = base.tokenizer
        self.chat_template: str | None = getattr(base, "chat_template", None)
        self.vocab_size = base.vocab_size
        self.stop_ids = base.stop_ids if stop_ids is None else stop_ids
        self.max_length = base.max_length if max_length is None else max_length
        self.aligned_names: tuple[str, ...] = getattr(base, "aligned_names", ())
        self.encoder_decoder: bool = getattr(base, "encoder_decoder", False)

    @property
    def two_views(self) -> bool:
        """Whether prompts must be `BranchedPrompt`s with a view without passages."""
        return any(getattr(part.pair, "two_views", False) for part in self._parts)

    def start(
        self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]
    ) -> CombinedSession:
        """A session over token-id prompts.

        Args:
            prompts: Non-empty token ids of each row.
            branches: Which branches of the combination each row runs.

        Returns:
            A `DraftingSession` and `JoiningSession` if those of all parts are.
        """
        return start_combined(self._parts, prompts, branches)

    def start_afresh(
        self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]
    ) -> CombinedSession:
        """A session none of whose parts reuses what it decoded before.

        Args:
            prompts: As for `start`.
            branches: As for `start`.
        """
        return start_combined(self._parts, prompts, branches, afresh=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, vocab_size={self.vocab_size})"
