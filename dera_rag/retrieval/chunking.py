"""Cutting documents into passages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dera_rag.errors import InvalidValueError
from dera_rag.retrieval.documents import Document


@dataclass(frozen=True, slots=True)
class Chunking:
    """How long a passage may be.

    Attributes:
        size: Most characters a passage has, ≥ 1. A document of at most this length stays whole. The
            default, about 150 tokens, lets three passages and an answer fit the window of a small
            model.
        overlap: Characters that neighbouring passages may share, in [0, size).

    Raises:
        InvalidValueError: A value out of range.
    """

    size: int = 600
    overlap: int = 80

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be cut to."""
        if self.size < 1 or not 0 <= self.overlap < self.size:
            raise InvalidValueError(
                f"cannot cut passages of size {self.size} with overlap {self.overlap}",
                hint="size ≥ 1 and 0 ≤ overlap < size",
            )


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage as an index stores it.

    Attributes:
        id: The document's id where it stayed whole, else `<document id>#<n>` with n from 0.
        document: Id of the document it was cut from.
        text: The passage.
        metadata: The document's metadata.
        source: Key of the file it came from in the index's sources; "" if it came from memory.
    """

    id: str
    document: str
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    @property
    def searchable(self) -> str:
        """What retrieval compares a question with: the title, where there is one, and the text."""
        title = self.metadata.get("title", "")
        return f"{title}\n{self.text}" if title else self.text


def chunk(document: Document, chunking: Chunking | None = None, source: str = "") -> list[Chunk]:
    """The passages of a document, in order; at least one.

    Args:
        document: What to cut. Cuts fall at blank lines, line ends, sentence ends or blanks, in this
            order of preference.
        chunking: Sizes; None for the default ones.
        source: Kept on every passage.
    """
    sizes = chunking or Chunking()
    if len(document.text) <= sizes.size:
        return [Chunk(document.id, document.id, document.text, document.metadata, source)]
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        chunk_size=sizes.size,
        chunk_overlap=sizes.overlap,
        separators=["\n\n", "\n", ". ", " ", ""],
        keep_separator="end",
    )
    return [
        Chunk(f"{document.id}#{n}", document.id, text, document.metadata, source)
        for n, text in enumerate(splitter.split_text(document.text))
    ]
