"""What is retrieved from: texts with an id.

Ids and metadata are text from outside: they are kept as they are, never used as paths, formats or
commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dera_rag.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class Document:
    """One text to retrieve from, before it is cut into passages.

    Attributes:
        id: Unique within an index; any non-blank text.
        text: The text; not blank.
        metadata: What is known about it. A `title` is searched together with the text.

    Raises:
        InvalidValueError: Blank id or text, metadata that is not text, or text that UTF-8 cannot
            encode.
    """

    id: str
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what could not be stored and found again."""
        for name, value in (("id", self.id), ("text", self.text)):
            if not isinstance(value, str) or not value.strip():
                raise InvalidValueError(
                    f"the {name} of a document must be text that is not blank, got {value!r:.80}",
                    hint=f"document id {self.id!r:.80}",
                )
        if not isinstance(self.metadata, Mapping):
            raise InvalidValueError(
                f"metadata of document {self.id!r:.80} must map text to text, "
                f"got {self.metadata!r:.80}",
                hint="{} for none",
            )
        strings = [self.id, self.text]
        for key, value in self.metadata.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise InvalidValueError(
                    f"metadata of document {self.id!r:.80} must map text to text, "
                    f"got {key!r:.80}: {value!r:.80}",
                    hint="convert the value with str()",
                )
            strings += [key, value]
        try:
            "".join(strings).encode()
        except UnicodeEncodeError as error:
            raise InvalidValueError(
                f"document {self.id!r:.80} holds a lone surrogate, which UTF-8 cannot encode",
                hint="decode its source with errors='replace'",
            ) from error


def checked(document: object) -> Document:
    """A document, and not what only looks like one to a caller in a hurry.

    Raises:
        InvalidValueError: It is something else, such as a bare string.
    """
    if not isinstance(document, Document):
        raise InvalidValueError(
            f"no Document: {document!r:.80}", hint='give a list of Document("id", "text")'
        )
    return document


def refuse_duplicate(document_id: str, known: str | None, source: str) -> None:
    """Refuse an id that is already taken, naming both sources.

    Raises:
        InvalidValueError: `known` is not None.
    """
    if known is not None:
        raise InvalidValueError(
            f"document id {document_id!r:.80} is used twice: in {known!r} and in {source!r}",
            hint="ids must be unique within an index: rename one, or index the folder above both",
        )
