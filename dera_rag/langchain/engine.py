"""The pair behind a chat model: loaded on first use, shared by the model's copies."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dera_rag.errors import InvalidValueError

if TYPE_CHECKING:
    from dera_rag.decoding import DeraDecoder
    from dera_rag.numerics import Sampling
    from dera_rag.prompts import PromptBuilder
    from dera_rag.protocols import PairBackend
    from dera_rag.types import Generation, GenerationChunk

_EMBEDDED_NAME = "venues-pair"


@dataclass(frozen=True)
class Source:
    """Where a pair comes from.

    Attributes:
        reference: Directory or hub id.
        aligned: Directory or hub id.
        pair: A loaded pair, or "embedded"; excludes the two others.

    Raises:
        InvalidValueError: Neither two names nor a pair, or both.
    """

    reference: str | None
    aligned: str | None
    pair: PairBackend | str | None

    def __post_init__(self) -> None:
        """Refuse a source that names no pair, or two."""
        named = [name for name in (self.reference, self.aligned) if name is not None]
        if (self.pair is None and len(named) < 2) or (self.pair is not None and named):
            raise InvalidValueError(
                f"which pair? reference={self.reference!r}, aligned={self.aligned!r}, "
                f"pair={self.pair!r}",
                hint="give reference and aligned, or a loaded pair, or use ChatDeRa.embedded()",
            )
        if isinstance(self.pair, str) and self.pair != "embedded":
            raise InvalidValueError(
                f"no pair named {self.pair!r}", hint="a loaded pair, or 'embedded'"
            )

    @property
    def name(self) -> str:
        """Names the pair without loading it."""
        if self.pair is None:
            return f"{self.reference}+{self.aligned}"
        return _EMBEDDED_NAME if isinstance(self.pair, str) else self.pair.name

    def load(self) -> PairBackend:
        """The pair; as slow as its weights are large."""
        from dera_rag.pairs import ModelPair

        if self.pair is None:
            assert self.reference is not None  # noqa: S101 - __post_init__ saw to it
            assert self.aligned is not None  # noqa: S101
            return ModelPair.from_pretrained(reference=self.reference, aligned=self.aligned)
        return ModelPair.embedded() if isinstance(self.pair, str) else self.pair


class Engine:
    """Decodes for every copy of a chat model that shares it; calls take turns.

    Attributes:
        source: Where the pair comes from; nothing is loaded before the first call.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._lock = threading.RLock()

    @cached_property
    def _decoder(self) -> DeraDecoder:
        from dera_rag.decoding import DeraDecoder

        return DeraDecoder(self.source.load())

    @cached_property
    def _prompts(self) -> PromptBuilder:
        from dera_rag.prompts import PromptBuilder

        return PromptBuilder.for_pair(self._decoder.pair)

    @property
    def pair(self) -> PairBackend:
        """The pair, loaded if it was not yet."""
        with self._lock:
            return self._decoder.pair

    @property
    def prompts(self) -> PromptBuilder:
        """Builds prompts for the pair."""
        with self._lock:
            return self._prompts

    def generate(
        self, prompt: list[int], lam: float, sampling: Sampling, stop: Sequence[str]
    ) -> Generation:
        """One answer."""
        with self._lock:
            return self._decoder.generate(prompt, lam, sampling, stop)

    def stream(
        self, prompt: list[int], lam: float, sampling: Sampling, stop: Sequence[str]
    ) -> Iterator[GenerationChunk]:
        """One answer piece by piece; the lock is held while a token is decoded, not between."""
        with self._lock:
            chunks = self._decoder.stream(prompt, lam, sampling, stop)
        while True:
            with self._lock:
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk
