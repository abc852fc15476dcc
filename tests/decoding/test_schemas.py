"""What is enforced of a schema: formats as readers read them, objects closed, an ending found."""

import datetime
import ipaddress
import json
import random
import uuid

import pytest
from pydantic import (
    UUID1,
    UUID4,
    Base64Bytes,
    IPvAnyAddress,
    IPvAnyInterface,
    IPvAnyNetwork,
    TypeAdapter,
)

from dera_rag.decoding.closing import Closer
from dera_rag.decoding.grammar import Grammars
from dera_rag.decoding.schemas import LARGEST, closed, json_grammar
from dera_rag.errors import InvalidValueError
from dera_rag.testing import TablePair, tiny_tokenizer

PAIR = TablePair(tiny_tokenizer("plain"))
GRAMMARS = Grammars(PAIR.tokenizer, PAIR.vocab_size, PAIR.stop_ids)


def write(schema, rng, budget=120):
    """A text that keeps to a schema, every token drawn evenly from those that may come next."""
    state, ids = GRAMMARS.compile(json_grammar(schema)).check(budget).start(budget), []
    while not state.ended and len(ids) < budget:
        allowed = [int(token) for token in state.mask().nonzero()]
        token = state.settle(rng.choice(allowed), budget - len(ids))
        if token in GRAMMARS.stop_ids:
            break
        ids.append(token)
    return GRAMMARS.words.decode_bytes(ids).decode()


class TestFormats:
    """pydantic reads what was written, with no rule of ours in between."""

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("date", datetime.date),
            ("time", datetime.time),
            ("date-time", datetime.datetime),
            ("duration", datetime.timedelta),
            ("uuid", uuid.UUID),
            ("ipv4", ipaddress.IPv4Address),
            ("ipv6", ipaddress.IPv6Address),
            ("ipvanyaddress", IPvAnyAddress),
            ("ipv4network", ipaddress.IPv4Network),
            ("ipvanynetwork", IPvAnyNetwork),
            ("ipv4interface", ipaddress.IPv4Interface),
            ("ipvanyinterface", IPvAnyInterface),
            ("uuid1", UUID1),
            ("uuid4", UUID4),
            ("base64", Base64Bytes),
        ],
    )
    def test_what_is_written_is_read(self, name, kind, cases):
        rng, reader = random.Random(0), TypeAdapter(kind)
        for _ in range(cases(60, 600)):
            text = write({"type": "string", "format": name}, rng)
            # It raises where it cannot; some of pydantic's kinds are no types to look for.
            assert reader.validate_json(text) is not None, text

    @pytest.mark.parametrize(
        ("name", "good", "bad"),
        [
            ("date", ["2024-02-29", "2000-02-29", "0001-01-01"], ["2023-02-29", "1900-02-29"]),
            ("date", ["2023-12-31"], ["0000-01-01", "2023-04-31", "2023-13-01"]),
            ("time", ["23:59:59Z", "00:00:00.5+01:30"], ["23:59:60Z", "24:00:00Z", "12:00:00"]),
            ("date-time", ["2024-02-29T12:00:00Z"], ["2024-02-29t12:00:00Z", "2024-02-29"]),
            ("duration", ["P1Y2M3DT4H5M6S", "PT5S", "P3W"], ["P", "PT", "P1", "P99999D"]),
        ],
    )
    def test_what_they_let_pass(self, name, good, bad):
        grammar = GRAMMARS.compile(json_grammar({"type": "string", "format": name}))
        for text in (*good, *bad):
            matcher = grammar._matcher.deep_copy()
            ids = PAIR.tokenizer(f'"{text}"', add_special_tokens=False)["input_ids"]
            # The tokenizer begins with a space, which JSON here does not.
            ids = ids if not GRAMMARS.words.decode_bytes(ids).startswith(b" ") else ids[1:]
            read = matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting()
            assert read == (text in good), text

    def test_what_only_says_how_to_show_it_is_left_out(self):
        for name in ("password", "binary", "path"):
            GRAMMARS.compile(json_grammar({"type": "string", "format": name}))
        with pytest.raises(InvalidValueError, match=r"Unknown format: regex.*plain string"):
            GRAMMARS.compile(json_grammar({"type": "string", "format": "regex"}))

    def test_a_property_may_be_called_format(self):
        schema = {"type": "object", "properties": {"format": {"enum": ["date"]}}}
        schema |= {"required": ["format"], "additionalProperties": False}
        assert write(schema, random.Random(0)) == '{"format": "date"}'


class TestNumbers:
    """JSON lets a number have any size; what reads it does not."""

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "number"},
            {"type": "integer"},
            {"type": ["number", "null"]},
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "number", "maximum": 1e30},
            {"type": "integer", "multipleOf": 7},
            {"properties": {"a": {"anyOf": [{"type": "number"}, {"type": "string"}]}}},
            {"type": "object"},
            {"type": "object", "properties": {"a": {}}, "required": ["a"]},
            {"type": "object", "properties": {"a": True}, "required": ["a"]},
            {"type": "array", "prefixItems": [True], "minItems": 3},
            {"type": "array", "items": {"type": "object", "additionalProperties": True}},
            {},
        ],
    )
    def test_none_is_read_as_infinity(self, schema, cases):
        rng, seen = random.Random(1), []
        for _ in range(cases(60, 600)):
            json.loads(
                write(schema, rng, budget=60), parse_float=seen.append, parse_int=seen.append
            )
        assert seen
        assert all(abs(float(text)) <= LARGEST and "e" not in text.lower() for text in seen)

    def test_every_range_within_is_as_it_was(self):
        rng = random.Random(2)
        numbers = [float(write({"type": "number", "minimum": 5}, rng)) for _ in range(60)]
        assert min(numbers) >= 5
        assert max(numbers) > 1e9

    def test_parts_of_one_object_are_still_enforced(self):
        parts = [{"properties": {name: {"type": "number"}}, "required": [name]} for name in "ab"]
        schema = {"type": "object", "allOf": parts}
        made = json.loads(write(schema, random.Random(0), budget=120))
        assert {"a", "b"} <= made.keys()


class TestEndings:
    """The shortest way out is not always another zero."""

    @pytest.mark.parametrize(
        ("schema", "most"),
        [
            ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 5),
            ({"type": "number", "exclusiveMinimum": 0.0005, "maximum": 0.1}, 8),
            ({"type": "integer", "minimum": 100, "maximum": 990, "multipleOf": 10}, 3),
            ({"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083}, 8),
            ({"type": "string", "pattern": "^[a-z]+@[a-z]+\\.com$"}, 12),
            ({"type": "string", "pattern": "^\\d+\\.\\d+-[A-Z]+#$"}, 12),
            ({"type": "string", "minLength": 40}, 42),
            ({"type": "array", "items": {"type": "integer"}, "minItems": 30}, 92),
        ],
    )
    def test_is_found_and_short(self, schema, most):
        assert GRAMMARS.compile(json_grammar(schema)).shortest <= most

    def test_a_way_is_looked_for_only_where_the_last_one_is_none_any_more(self, monkeypatch):
        """Thirty numbers: nearly every token leaves the way out as it was, or one step shorter."""
        looked = []
        way = Closer._way
        monkeypatch.setattr(Closer, "_way", lambda *args: looked.append(1) or way(*args))
        schema = {"type": "array", "items": {"type": "integer"}, "minItems": 30, "maxItems": 40}
        text = write(schema, random.Random(3), budget=300)
        assert len(text) > 100
        assert len(looked) < len(text) / 2

    def test_a_longer_way_found_first_does_not_refuse_a_shorter_one(self, monkeypatch):
        grammar = GRAMMARS.compile(json_grammar({"type": "string", "maxLength": 9}))
        monkeypatch.setattr(type(grammar), "shortest", property(lambda _: 500))
        assert grammar.check(20) is grammar


class TestClosing:
    """Objects hold what they name: under a grammar, a model would else go on inventing."""

    def test_objects_are_closed_unless_they_say(self):
        inner = {"type": "object", "properties": {"b": {}}, "additionalProperties": True}
        schema = {"type": "object", "properties": {"properties": inner, "enum": {"enum": ["x"]}}}
        made = closed(schema)
        assert made["additionalProperties"] is False
        assert made["properties"] == {"properties": inner, "enum": {"enum": ["x"]}}
        assert closed({"type": "object"}) == {"type": "object"}

    def test_definitions_are_names_too(self):
        schema = {"$defs": {"enum": {"properties": {"a": {}}}}, "$ref": "#/$defs/enum"}
        assert closed(schema)["$defs"]["enum"]["additionalProperties"] is False

    def test_parts_of_one_object_are_not(self):
        schema = {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}
        assert closed(schema) == schema
