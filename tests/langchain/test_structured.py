"""Structured output: what comes back is an object of the schema, or a clear error."""

import json
from enum import Enum
from typing import Annotated, TypedDict

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel, Field, RootModel
from pydantic.v1 import BaseModel as BaseModelV1
from understanding_pair import UnderstandingPair

from dera_rag.errors import InvalidValueError
from dera_rag.langchain import ChatDeRa
from dera_rag.langchain.repeats import without_repeats
from dera_rag.langchain.structured import METHODS
from dera_rag.langchain.tools import parameters
from dera_rag.testing import TablePair, tiny_tokenizer

PAIR = TablePair(tiny_tokenizer("plain"))


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    """A place to eat."""

    name: str
    rating: int = Field(ge=1, le=5)
    colour: Colour
    tags: list[str] = Field(default_factory=list, max_length=3)
    near: str | None = None


class PlaceDict(TypedDict):
    """A place to eat."""

    name: Annotated[str, ..., "its name"]
    rating: int


class OldPlace(BaseModelV1):
    """A place to eat."""

    name: str
    rating: int


def _integers(made):
    return isinstance(made, list) and all(isinstance(item, int) for item in made)


def model(**settings):
    return ChatDeRa(pair=PAIR, **({"dera_lambda": 0.5, "max_tokens": 200, "seed": 1} | settings))


class TestSchemas:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("seed", range(4))
    def test_pydantic(self, method, seed):
        made = model(seed=seed).with_structured_output(Place, method=method).invoke("a")
        assert isinstance(made, Place)

    @pytest.mark.parametrize("method", METHODS)
    def test_pydantic_version_1(self, method):
        made = model().with_structured_output(OldPlace, method=method).invoke("a")
        assert isinstance(made, OldPlace)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("schema", [PlaceDict, Place.model_json_schema()])
    def test_dictionaries(self, method, schema):
        made = model().with_structured_output(schema, method=method).invoke("a")
        assert isinstance(made, dict)
        assert {"name", "rating"} <= set(made)

    @pytest.mark.parametrize(
        ("schema", "right"),
        [
            ({"title": "any", "type": "object"}, lambda made: isinstance(made, dict)),
            ({"type": "array", "items": {"type": "integer"}, "maxItems": 3}, _integers),
            ({"title": "n", "type": "integer", "minimum": 5, "maximum": 6}, lambda x: x in (5, 6)),
            ({"title": "n", "anyOf": [{"const": 1}, {"const": "a"}]}, lambda x: x in (1, "a")),
            (
                {"title": "r", "$ref": "#/$defs/yes", "$defs": {"yes": {"type": "boolean"}}},
                lambda made: isinstance(made, bool),
            ),
        ],
    )
    @pytest.mark.parametrize("method", ["json_schema", "json_mode"])
    def test_schemas_without_properties(self, schema, right, method):
        """What LangChain's conversion keeps of these is nothing, so that null would do."""
        for seed in range(6):
            made = model(seed=seed, max_tokens=40).with_structured_output(schema, method=method)
            assert right(made.invoke("a"))

    def test_a_root_model_is_its_value(self):
        class Numbers(RootModel[list[int]]):
            pass

        made = model().with_structured_output(Numbers).invoke("a", max_tokens=60)
        assert isinstance(made, Numbers)
        with pytest.raises(InvalidValueError, match="'Numbers' are of type 'array'"):
            model().with_structured_output(Numbers, method="function_calling").invoke("a")

    def test_functions_of_several_providers(self):
        inner = Place.model_json_schema()
        for schema in (
            {"type": "function", "function": {"name": "f", "parameters": inner}},
            {"name": "f", "parameters": inner},
            {"name": "f", "input_schema": inner},
        ):
            Place.model_validate(model().with_structured_output(schema).invoke("a"))

    def test_any_object(self):
        made = model().with_structured_output(method="json_mode").invoke("a", max_tokens=40)
        assert isinstance(made, dict)

    async def test_async(self):
        chain = model().with_structured_output(Place)
        assert isinstance(await chain.ainvoke("a"), Place)

    def test_in_a_chain_and_in_batches(self):
        prompt = ChatPromptTemplate.from_template("{text}")
        chain = prompt | model().with_structured_output(Place)
        made = chain.batch([{"text": "a"}, {"text": "b"}])
        assert made == [chain.invoke({"text": "a"}), chain.invoke({"text": "b"})]

    def test_the_call_may_ask_for_it_itself(self):
        wanted = {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"enum": ["a", "b"]}},
        }
        assert json.loads(model().invoke("a", response_format=wanted).content) in ("a", "b")
        assert (
            model().invoke("a", response_format={"type": "text"}).content
            == model().invoke("a").content
        )


class Tags(BaseModel):
    """Tags of a place."""

    tags: set[str] = Field(max_length=6)
    # Two values and many places: some repeat.
    grades: frozenset[bool]
    inner: list[set[int]] = Field(default_factory=list, max_length=1)


class TestSets:
    """No grammar keeps items apart: repeats are decoded, and gone from what comes back."""

    @pytest.mark.parametrize("method", METHODS)
    def test_a_class(self, method):
        chain = model().with_structured_output(Tags, method=method, include_raw=True)
        repeated = 0
        for seed in range(8):
            answer = chain.invoke("a", seed=seed, max_tokens=120)
            assert isinstance(answer["parsed"], Tags)
            raw = answer["raw"]
            written = [call["args"] for call in raw.tool_calls] or [json.loads(raw.content)]
            grades = written[0]["grades"]
            repeated += len(grades) > len(set(grades))
            assert answer["parsed"].grades == frozenset(grades)
        assert (repeated == 0) == (method == "function_calling")

    @pytest.mark.parametrize("method", METHODS)
    def test_a_dictionary(self, method):
        schema = Tags.model_json_schema()
        chain = model(max_tokens=120).with_structured_output(schema, method=method)
        made = chain.invoke("a")
        assert len(made["grades"]) == len(set(made["grades"]))
        assert list(chain.stream("a"))[-1] == made

    def test_what_equals_what(self):
        schema = {"type": "array", "uniqueItems": True}
        made = without_repeats([1, True, 1.0, "1", [1], [1.0], {"a": 1}, {"a": True}], schema)
        assert made == [1, True, "1", [1], {"a": 1}, {"a": True}]
        assert [type(item) for item in made[:2]] == [int, bool]

    def test_where_sets_lie(self):
        numbers = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
        schema = {
            "$defs": {"a/b": numbers},
            "type": "object",
            "properties": {
                "here": numbers,
                "maybe": {"anyOf": [{"$ref": "#/$defs/a~1b"}, {"type": "null"}]},
                "pair": {"type": "array", "prefixItems": [{"type": "integer"}, numbers]},
                "any": {"type": "array"},
            },
            "additionalProperties": numbers,
        }
        twice = [1, 1]
        value = {"here": twice, "maybe": twice, "pair": [1, twice], "any": twice, "else": twice}
        once = {"here": [1], "maybe": [1], "pair": [1, [1]], "any": twice, "else": [1]}
        assert without_repeats(value, schema) == once
        assert value["here"] == [1, 1]

    def test_a_set_of_some_length_is_refused(self):
        class Pair(BaseModel):
            both: set[int] = Field(min_length=2)

        with pytest.raises(InvalidValueError, match=r"uniqueItems.*drop repeats yourself"):
            model().with_structured_output(Pair).invoke("a")

    def test_a_set_that_cannot_repeat_is_none(self):
        for schema in ({"uniqueItems": True, "maxItems": 1}, {"uniqueItems": False}):
            asked = {"type": "json_schema", "json_schema": {"schema": {"type": "array"} | schema}}
            assert isinstance(json.loads(model().invoke("a", response_format=asked).content), list)


class TestRaw:
    @pytest.mark.parametrize("method", METHODS)
    def test_include_raw(self, method):
        made = model().with_structured_output(Place, method=method, include_raw=True).invoke("a")
        assert isinstance(made["parsed"], Place)
        assert made["parsing_error"] is None
        assert made["raw"].usage_metadata["output_tokens"] > 0

    @pytest.mark.parametrize("method", METHODS)
    def test_keywords_of_a_call_arrive(self, method):
        """In LangChain's own construction they are lost where the raw answer is wanted too."""
        chain = model().with_structured_output(Place, method=method, include_raw=True)
        raw = chain.invoke("a", dera_lambda=2.0, seed=7)["raw"]
        assert raw.response_metadata["dera"]["lam"] == 2.0
        plain = model(dera_lambda=2.0, seed=7).with_structured_output(Place, method=method)
        assert chain.invoke("a", dera_lambda=2.0, seed=7)["parsed"] == plain.invoke("a")
        last = list(chain.stream("a", dera_lambda=2.0, seed=7))
        assert [made["parsed"] for made in last if "parsed" in made][-1] == plain.invoke("a")

    def test_an_answer_that_does_not_parse(self):
        """A class that asks for more than its schema says: the error says what was answered."""

        class Odd(BaseModel):
            number: int

            def __init__(self, **values):
                super().__init__(**values)
                raise ValueError("never odd enough")

        chain = model().with_structured_output(Odd, include_raw=True)
        made = chain.invoke("a")
        assert (made["parsed"], type(made["parsing_error"])) == (None, OutputParserException)
        with pytest.raises(OutputParserException, match="number"):
            model().with_structured_output(Odd).invoke("a")


class TestStream:
    def test_a_class_comes_once_and_whole(self):
        chain = model().with_structured_output(Place)
        assert list(chain.stream("a")) == [chain.invoke("a")]

    def test_a_dictionary_grows(self):
        chain = model().with_structured_output(PlaceDict)
        grown = list(chain.stream("a"))
        assert grown[-1] == chain.invoke("a")

    def test_text_and_metadata_equal_invoke(self):
        bound = model().bind(response_format={"type": "json_object"}, max_tokens=60)
        joined = None
        for chunk in bound.stream("a"):
            joined = chunk if joined is None else joined + chunk
        whole = bound.invoke("a")
        assert joined.content == whole.content
        assert joined.usage_metadata == whole.usage_metadata
        assert joined.response_metadata == whole.response_metadata


class TestWhatIsSaid:
    """A pair that understands: its own answer passes unchanged."""

    def test_the_mixture_decides(self):
        pair = UnderstandingPair()
        asked = ChatDeRa(pair=pair, temperature=0.0, dera_lambda=1.5, max_tokens=120)
        chain = asked.with_structured_output(
            {
                "type": "object",
                "title": "Joke",
                "properties": {"setup": {"type": "string"}, "punchline": {"type": "string"}},
                "required": ["setup", "punchline"],
            }
        )
        assert chain.invoke("Tell me a joke about cats.")["setup"] == "Why do cats nap?"

    def test_a_stop_string_does_not_cut_it(self):
        made = model(stop=['"', "}"]).with_structured_output(PlaceDict).invoke("a")
        assert set(made) == {"name", "rating"}


class TestRefusals:
    def test_too_little_room(self):
        with pytest.raises(InvalidValueError, match="max_tokens=10 cannot hold"):
            model(max_tokens=10).with_structured_output(Place).invoke("a")

    def test_what_cannot_be_enforced(self):
        schema = {"title": "a", "type": "array", "items": {"type": "integer"}, "uniqueItems": True}
        with pytest.raises(InvalidValueError, match="cannot be enforced"):
            model().invoke(
                "a", response_format={"type": "json_schema", "json_schema": {"schema": schema}}
            )

    def test_how_it_is_asked_for(self):
        with pytest.raises(InvalidValueError, match="unknown method"):
            model().with_structured_output(Place, method="guess")
        for method in METHODS:
            for wrong in (None, str, list[int], Colour.RED):
                if (wrong, method) != (None, "json_mode"):
                    with pytest.raises(InvalidValueError, match="no schema"):
                        model().with_structured_output(wrong, method=method)
        with pytest.raises(InvalidValueError, match="no response format"):
            model().invoke("a", response_format={"type": "xml"})
        with pytest.raises(InvalidValueError, match="unknown keywords"):
            model().with_structured_output(Place, loose=True)


class TestArguments:
    def test_a_tool_without_arguments(self):
        for schema in (None, {}, {"type": "object"}, {"type": "object", "properties": {}}):
            made = parameters({"function": {"name": "a", "parameters": schema}})
            assert (made["properties"], made["additionalProperties"]) == ({}, False)

    def test_arguments_that_are_not_named_one_by_one(self):
        schema = {"type": "object", "additionalProperties": {"type": "integer"}}
        assert parameters({"function": {"name": "a", "parameters": schema}}) == schema
