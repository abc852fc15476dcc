"""Where a model's pair comes from, named before anything is loaded."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dera_rag.errors import InvalidValueError

if TYPE_CHECKING:
    from dera_rag.protocols import PairBackend

_EMBEDDED_NAME = "venues-pair"
_TOKENS: weakref.WeakKeyDictionary[PairBackend, str] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Source:
    """Where a pair comes from.

    Attributes:
        reference: Directory or hub id.
        aligned: Directory or hub id; excludes `adapter`.
        adapter: Directory or hub id of a PEFT adapter on the reference.
        pair: A loaded pair, or "embedded"; excludes the others.

    Raises:
        InvalidValueError: No pair is named, or two are.
    """

    reference: str | None = None
    aligned: str | None = None
    adapter: str | None = None
    pair: PairBackend | str | None = None

    def __post_init__(self) -> None:
        """Refuse a source that names no pair, or two."""
        if isinstance(self.pair, str) and self.pair != "embedded":
            raise InvalidValueError(
                f"pair is no pair: {self.pair!r}", hint='pass a ModelPair, or "embedded"'
            )
        beside = (self.aligned is None) != (self.adapter is None)
        named = (self.reference, self.aligned, self.adapter) != (None, None, None)
        if named if self.pair is not None else self.reference is None or not beside:
            raise InvalidValueError(
                f"which pair? reference={self.reference!r}, aligned={self.aligned!r}, "
                f"adapter={self.adapter!r}, pair={self.pair!r}",
                hint="give reference and aligned, or reference and adapter, or a loaded pair, "
                "or use embedded()",
            )

    @property
    def key(self) -> Hashable:
        """Equal for sources of the same pair."""
        pair = self.pair if self.pair is None or isinstance(self.pair, str) else id(self.pair)
        return self.reference, self.aligned, self.adapter, pair

    @property
    def token(self) -> str | None:
        """Tells loaded pairs apart, whose names may be equal; None where the name does.

        Another process, and another loading of the same weights, has another token.
        """
        if self.pair is None or isinstance(self.pair, str):
            return None
        try:
            return _TOKENS.setdefault(self.pair, uuid.uuid4().hex)
        except TypeError:
            # A backend of somebody's own may be unhashable.
            return f"{id(self.pair):x}"

    @property
    def name(self) -> str:
        """Names the pair without loading it."""
        if self.pair is None:
            return f"{self.reference}+{self.aligned or self.adapter}"
        return _EMBEDDED_NAME if isinstance(self.pair, str) else self.pair.name

    def load(self) -> PairBackend:
        """The pair; as slow as its weights are large."""
        from dera_rag.pairs import ModelPair

        if isinstance(self.pair, str):
            return ModelPair.embedded()
        if self.pair is not None:
            return self.pair
        reference = str(self.reference)
        if self.adapter is not None:
            return ModelPair.from_adapter(reference, self.adapter)
        return ModelPair.from_pretrained(reference, str(self.aligned))
