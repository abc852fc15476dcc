"""Where a text asserts attribute values of a venue record.

The reading conventions are those of :mod:`dera_rag.evaluation.slots`, the door to this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.slot_corpus import PASSED_OVER
from dera_rag.evaluation.slot_lexicon import WORDINGS, compiled
from dera_rag.evaluation.slot_names import is_near, read_name, read_near
from dera_rag.evaluation.slot_text import Span, blank, fold, negation, phrase, unasserted

_COMPILED = {
    published: {attribute: compiled(attribute, published=published) for attribute in WORDINGS}
    for published in (False, True)
}
_Found = tuple[str, tuple[str, ...], Span]


@dataclass(frozen=True)
class Mention:
    """One asserted value.

    Attributes:
        attribute: Key of the E2E scheme.
        value: The usual value of the wording, in the data's normal form; for a name, the known
            name, or the phrase as written.
        start: First character in the text.
        end: One past the last character.
        also: Further values that the same wording can stand for.
    """

    attribute: str
    value: str
    start: int
    end: int
    also: tuple[str, ...] = ()

    @property
    def readings(self) -> tuple[str, ...]:
        """All values that the wording can stand for, the usual one first."""
        return (self.value, *self.also)


def mentions(
    text: str, name: str | None = None, near: str | None = None, *, published: bool = False
) -> list[Mention]:
    """Find every attribute value that a text asserts.

    Args:
        text: Any text.
        name: The place's name, found as a whole phrase whatever its case, accents and
            apostrophes. Where it is absent or not given, a name is read by pattern. A known name
            that the text puts after "near" is read as what is near.
        near: The nearby place, found likewise; places after "near", "next to" and the like are
            read in any case.
        published: Keep to the published corpus' conventions; see :mod:`dera_rag.evaluation.slots`.

    Returns:
        Mentions in the order of the text; repeated and contradictory values are all listed.

    Raises:
        InvalidValueError: The text or a name is no string.
    """
    for what, value in (("text", text), ("name", name or ""), ("near", near or "")):
        if not isinstance(value, str):
            raise InvalidValueError(f"{what} must be a string, got {value!r:.80}")
    folded = fold(text)
    cased, lower = folded.cased, folded.lower
    found = list(_known(lower, name, near, published=published))
    for _, _, span in found:
        cased, lower = blank(cased, span), blank(lower, span)
    if not (published and (name or near)):
        named = any(attribute == "name" for attribute, _, _ in found)
        for attribute, span in _open(cased, named=named, article=published):
            lower = blank(lower, span)
            found.append((attribute, (text[slice(*folded.span(*span))],), span))
    for attribute, (pattern, groups) in _COMPILED[published].items():
        for match in pattern.finditer(lower):
            if published and PASSED_OVER.search(match.group()):
                continue
            found.append((attribute, groups[match.lastgroup or ""], match.span()))
    found.sort(key=lambda item: item[2])
    if not published:
        found = list(_asserted(found, lower))
    return [Mention(a, r[0], *folded.span(*span), also=r[1:]) for a, r, span in found]


def _known(lower: str, name: str | None, near: str | None, *, published: bool) -> Iterator[_Found]:
    """Find the known names, the longer first: one may be part of the other."""
    hints = [(a, v) for a, v in (("name", name), ("near", near)) if v]
    for attribute, value in sorted(hints, key=lambda hint: -len(hint[1])):
        pattern = phrase(value)
        spans = [match.span() for match in pattern.finditer(lower)] if pattern else []
        for start, end in spans:
            swapped = attribute == "name" and not published and is_near(lower, start)
            yield "near" if swapped else attribute, (value,), (start, end)
            lower = blank(lower, (start, end))


def _open(cased: str, *, named: bool, article: bool) -> Iterator[tuple[str, Span]]:
    """Read names that are not known."""
    for near in read_near(cased, article=article):
        yield "near", near
        cased = blank(cased, near)
    name = read_name(cased, called_only=named)
    if name:
        yield "name", name


def _asserted(found: list[_Found], lower: str) -> Iterator[_Found]:
    """Leave out what is said to be unknown or denied; turn a denied "yes" into "no"."""
    silent = unasserted(lower)
    for attribute, readings, (start, end) in found:
        if any(first <= start < last for first, last in silent):
            continue
        denied = negation(lower, start) if attribute != "name" else None
        if denied is None:
            yield attribute, readings, (start, end)
        elif readings == ("yes",):
            yield attribute, ("no",), (denied, end)
