"""LangChain documents and the passages of an index, each as the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from langchain_core.documents import Document

from dera_rag.errors import InvalidValueError
from dera_rag.retrieval import Chunk

Filter = Mapping[str, Any] | Callable[[Document], bool]

# The index keeps text as metadata; other values lie under this key as JSON.
_OTHER_METADATA = "langchain"


def suits(document: Document, wanted: Filter | None) -> bool:
    """Whether a document passes a filter; None lets all pass.

    Raises:
        InvalidValueError: A filter with operators, which would find nothing.
    """
    if wanted is None:
        return True
    if callable(wanted):
        return wanted(document)
    for name, value in wanted.items():
        inside = value if isinstance(value, Mapping) else ()
        if any(str(key).startswith("$") for key in (name, *inside)):
            raise InvalidValueError(
                f"no operators are known in a filter: {dict(wanted)!r:.120}",
                hint="values to be equal, or a function: lambda d: d.metadata[…] in {…}",
            )
    missing = object()
    return all(document.metadata.get(name, missing) == value for name, value in wanted.items())


def as_document(chunk: Chunk) -> Document:
    """A passage of an index as LangChain knows it."""
    return Document(chunk.text, id=chunk.id, metadata=unpack(chunk.metadata))


def pack(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Metadata as text, as the index keeps it.

    Raises:
        InvalidValueError: A value that JSON has no form for.
    """
    texts = {k: v for k, v in metadata.items() if isinstance(v, str) and k != _OTHER_METADATA}
    other = {name: value for name, value in metadata.items() if name not in texts}
    if other:
        try:
            texts[_OTHER_METADATA] = json.dumps(other, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise InvalidValueError(
                f"metadata {other!r:.80} is not JSON: {error}", hint="use text, numbers and lists"
            ) from error
    return texts


def unpack(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What `pack` was given."""
    made: dict[str, Any] = dict(metadata)
    other = made.pop(_OTHER_METADATA, None)
    if other is not None:
        try:
            made |= cast("dict[str, Any]", json.loads(other))
        except (TypeError, ValueError):
            # Somebody else's index has text of its own under this key.
            made[_OTHER_METADATA] = other
    return made
