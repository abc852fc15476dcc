"""JSON schemas: what is enforced of them, and the grammars they become."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_WRITTEN = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_SETTINGS: Any = {**_WRITTEN, "coerce_one_of": True}
# Keywords whose values are data, and those whose values hold schemas under names of their own.
_DATA = frozenset({"enum", "const", "default", "examples", "required"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
# Formats that say how a text is shown or kept, not which texts are valid.
_UNCHECKED = frozenset({"binary", "password", "path"})

# llguidance's own formats allow leap seconds, 29 February in any year and durations of any length:
# what readers of dates refuse.
_YEAR = r"(?:[1-9]\d{3}|0[1-9]\d{2}|00[1-9]\d|000[1-9])"
_LEAP = r"(?:\d{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2[0-8]))"
)
_DATE = rf"(?:{_YEAR}-{_DAY}|{_LEAP}-02-29)"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
_ZONE = r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_N = r"\d{1,4}"
_SPAN_OF_DAYS = rf"(?:{_N}Y(?:{_N}M)?(?:{_N}D)?|{_N}M(?:{_N}D)?|{_N}D)"
_SPAN_OF_TIME = rf"T(?:{_N}H(?:{_N}M)?(?:{_N}S)?|{_N}M(?:{_N}S)?|{_N}S)"
_PATTERNS = {
    "date": rf"^{_DATE}$",
    "time": rf"^{_CLOCK}{_ZONE}$",
    "date-time": rf"^{_DATE}T{_CLOCK}{_ZONE}$",
    "duration": rf"^P(?:{_N}W|{_SPAN_OF_DAYS}(?:{_SPAN_OF_TIME})?|{_SPAN_OF_TIME})$",
}


def json_grammar(schema: Mapping[str, Any]) -> str:
    """The grammar of JSON texts that are valid against a schema.

    Args:
        schema: A JSON schema; `{}` allows any JSON value.

    Returns:
        For `Grammars.compile`.
    """
    from llguidance import LLMatcher

    text = json.dumps(_each(schema, _format))
    return str(LLMatcher.grammar_from_json_schema(text, overrides=_SETTINGS))


def embedded_json(schema: Mapping[str, Any]) -> str:
    """The same as an expression inside a Lark grammar."""
    return "%json " + json.dumps({**_each(schema, _format), "x-guidance": _SETTINGS})


def closed(schema: Any) -> Any:
    """A schema whose objects hold what they name and nothing else, unless they say otherwise.

    Models that are made to write JSON otherwise fill their budget with invented properties.

    Args:
        schema: A JSON schema; one with `allOf` anywhere is left as it is, for the parts name
            properties of one object each.
    """
    return schema if '"allOf"' in json.dumps(schema) else _each(schema, _close)


def _each(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A schema with every schema in it changed, from the inside out."""
    if isinstance(schema, list):
        return [_each(item, change) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    out: dict[str, Any] = {}
    for name, item in schema.items():
        if name in _NAMED and isinstance(item, Mapping):
            out[name] = {key: _each(own, change) for key, own in item.items()}
        else:
            out[name] = item if name in _DATA else _each(item, change)
    return change(out)


def _close(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("properties") and "patternProperties" not in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def _format(schema: dict[str, Any]) -> dict[str, Any]:
    """Formats as patterns where the library's are too wide."""
    name = schema.get("format")
    if not isinstance(name, str):
        return schema
    if name in _UNCHECKED:
        return {key: value for key, value in schema.items() if key != "format"}
    if name in _PATTERNS and "pattern" not in schema:
        rest = {key: value for key, value in schema.items() if key != "format"}
        return {**rest, "pattern": _PATTERNS[name]}
    return schema
