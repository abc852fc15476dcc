"""Sets in schemas: an array that forbids repeats is decoded with them, and loses them when read.

No grammar keeps items apart from one another. An array without its repeats is as valid as before
but for its length, so where a least length is asked for there is no such way.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from dera_rag.decoding.schemas import each_schema

_UNIQUE, _LEAST = "uniqueItems", "minItems"


def with_repeats(schema: Any) -> Any:
    """A schema whose arrays may repeat items, where `without_repeats` can put that right.

    Args:
        schema: A JSON schema.
    """
    return each_schema(schema, _allow)


def without_repeats(value: Any, schema: Any) -> Any:
    """A value without the repeats that its schema forbids, the first of equal items kept.

    Args:
        value: What was decoded by `with_repeats(schema)`, or the beginning of it.
        schema: A JSON schema.
    """
    return _Reader(schema).read(value, schema)


class _Reader:
    """Goes through a value along its schema.

    Args:
        root: Where the schema's references lead.
    """

    def __init__(self, root: Any) -> None:
        self._root = root

    def read(self, value: Any, schema: Any) -> Any:
        """The value without repeats."""
        if not isinstance(schema, Mapping) or not isinstance(value, (list, dict)):
            return value
        if isinstance(schema.get("$ref"), str):
            value = self.read(value, self._at(schema["$ref"]))
        for part in ("anyOf", "oneOf", "allOf"):
            for other in schema.get(part) or ():
                value = self.read(value, other)
        if isinstance(value, dict):
            named = schema.get("properties") or {}
            more = schema.get("additionalProperties")
            return {key: self.read(own, named.get(key, more)) for key, own in value.items()}
        first = schema.get("prefixItems") or ()
        items = [*first, *[schema.get("items")] * (len(value) - len(first))]
        made = [self.read(own, item) for own, item in zip(value, items, strict=False)]
        return _distinct(made) if _is_set(schema) else made

    def _at(self, reference: str) -> Any:
        """The schema that a reference names; None where it leads elsewhere."""
        found = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if reference.startswith("#") else None


def _allow(schema: dict[str, Any]) -> dict[str, Any]:
    if _is_set(schema):
        return {key: item for key, item in schema.items() if key != _UNIQUE}
    return schema


def _is_set(schema: Mapping[str, Any]) -> bool:
    """Whether it forbids repeats, and an array may lose them."""
    return schema.get(_UNIQUE) is True and schema.get(_LEAST, 0) <= 1


def _distinct(items: list[Any]) -> list[Any]:
    first: dict[Hashable, Any] = {}
    for item in items:
        first.setdefault(_key(item), item)
    return list(first.values())


def _key(value: Any) -> Hashable:
    """Equal for what JSON schema calls equal: 1 is 1.0, and true is not 1."""
    if isinstance(value, list):
        return ("array", *map(_key, value))
    if isinstance(value, dict):
        return "object", frozenset((name, _key(own)) for name, own in value.items())
    return isinstance(value, bool), value
