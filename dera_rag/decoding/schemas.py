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
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
# A network has zeros behind its prefix.
_NETWORK = rf"(?:{_IPV4}/32|(?:{_BYTE}\.){{3}}0/24|(?:{_BYTE}\.){{2}}0\.0/16|{_BYTE}\.0\.0\.0/8)"
_INTERFACE = rf"{_IPV4}/(?:3[0-2]|[12]?\d)"
_PATTERNS = {
    "date": rf"^{_DATE}$",
    "time": rf"^{_CLOCK}{_ZONE}$",
    "date-time": rf"^{_DATE}T{_CLOCK}{_ZONE}$",
    "duration": rf"^P(?:{_N}W|{_SPAN_OF_DAYS}(?:{_SPAN_OF_TIME})?|{_SPAN_OF_TIME})$",
    # Names of pydantic, which the library does not know; what reads both versions gets the older.
    "ipvanyaddress": rf"^{_IPV4}$",
    "ipv4network": rf"^{_NETWORK}$",
    "ipvanynetwork": rf"^{_NETWORK}$",
    "ipv4interface": rf"^{_INTERFACE}$",
    "ipvanyinterface": rf"^{_INTERFACE}$",
    "base64": r"^(?:[A-Za-z0-9+/]{4})*$",
    **{
        f"uuid{n}": rf"^[\da-f]{{8}}-[\da-f]{{4}}-{n}[\da-f]{{3}}-[89ab][\da-f]{{3}}-[\da-f]{{12}}$"
        for n in range(1, 9)
    },
}

# Unbounded numbers lie within ±LARGEST: JSON's 1e999 is infinity to Python, which reads no whole
# number of more than 4300 digits either. It is about the widest range that the library takes.
LARGEST = 10**18
_BOUNDS = (("minimum", "exclusiveMinimum", -1), ("maximum", "exclusiveMaximum", 1))
# The places of values of any kind, and keywords that leave the kind to other schemas.
_PLACES = {"array": "items", "object": "additionalProperties"}
_ELSEWHERE = frozenset({"$ref", "anyOf", "oneOf", "allOf", "enum", "const", "not"})
_ANY = "dera_any"


def json_grammar(schema: Mapping[str, Any]) -> str:
    """The grammar of JSON texts that are valid against a schema.

    Args:
        schema: A JSON schema; `{}` allows any JSON value.

    Returns:
        For `Grammars.compile`.
    """
    from llguidance import LLMatcher

    text = json.dumps(_enforced(schema))
    return str(LLMatcher.grammar_from_json_schema(text, overrides=_SETTINGS))


def embedded_json(schema: Mapping[str, Any]) -> str:
    """The same as an expression inside a Lark grammar."""
    return "%json " + json.dumps({**_enforced(schema), "x-guidance": _SETTINGS})


def closed(schema: Any) -> Any:
    """A schema whose objects hold what they name and nothing else, unless they say otherwise.

    Models that are made to write JSON otherwise fill their budget with invented properties.

    Args:
        schema: A JSON schema; one with `allOf` anywhere is left as it is, for the parts name
            properties of one object each.
    """
    return schema if '"allOf"' in json.dumps(schema) else each_schema(schema, _close)


def each_schema(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A schema with every schema in it changed, from the inside out.

    Args:
        schema: A JSON schema.
        change: Makes another of a schema whose parts are changed already.
    """
    # Where schemas stand beside each other, true is the one that allows everything.
    if isinstance(schema, list):
        return [each_schema({} if item is True else item, change) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    out: dict[str, Any] = {}
    for name, item in schema.items():
        if name in _NAMED and isinstance(item, Mapping):
            named = {key: {} if own is True else own for key, own in item.items()}
            out[name] = {key: each_schema(own, change) for key, own in named.items()}
        else:
            out[name] = item if name in _DATA else each_schema(item, change)
    return change(out)


def _enforced(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as the library is to take it."""
    made: dict[str, Any] = each_schema(schema, lambda own: _finite(_format(_unique(own))))
    # The library does not get to the end of parts of one object that each name it.
    if '"allOf"' not in json.dumps(schema):
        made = each_schema(made, _any_finite)
        if f"#/$defs/{_ANY}" in json.dumps(made):
            made["$defs"] = {**made.get("$defs", {}), _ANY: _any_finite(_finite({}))}
    return made


def _unique(schema: dict[str, Any]) -> dict[str, Any]:
    """Without `uniqueItems`, which the library does not know, where it forbids nothing."""
    if schema.get("uniqueItems") is True and schema.get("maxItems", 2) > 1:
        return schema
    return {key: item for key, item in schema.items() if key != "uniqueItems"}


def _finite(schema: dict[str, Any]) -> dict[str, Any]:
    """Numbers within ±LARGEST."""
    if not _kinds(schema) & {"number", "integer"}:
        return schema
    bounds = {}
    for bound, exclusive, sign in _BOUNDS:
        given = schema.get(bound, sign * LARGEST)
        if exclusive not in schema and sign * given >= LARGEST:
            bounds[bound] = sign * LARGEST
    return schema | bounds


def _any_finite(schema: dict[str, Any]) -> dict[str, Any]:
    """Numbers within ±LARGEST in what a schema leaves open."""
    places = [place for kind, place in _PLACES.items() if kind in _kinds(schema)]
    left_open = [place for place in places if schema.get(place, True) is True]
    return schema | {place: {"$ref": f"#/$defs/{_ANY}"} for place in left_open}


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    """The types a schema allows; none where other schemas say so."""
    if _ELSEWHERE & schema.keys():
        return set()
    given = schema.get("type", ["number", *_PLACES])
    return {given} if isinstance(given, str) else {*given}


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
