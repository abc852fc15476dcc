"""`with_structured_output`: a chat model whose answers are objects of a schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.outputs import Generation
from langchain_core.runnables import Runnable, RunnableLambda, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.repeats import with_repeats, without_repeats

if TYPE_CHECKING:
    from dera_rag.langchain.chat import ChatDeRa

# Keys of a dictionary that describes a function in the form of some provider.
_TOOL_FORMS = frozenset({"function", "parameters", "input_schema", "toolSpec"})
METHODS = ("json_schema", "function_calling", "json_mode")


def structured(
    model: ChatDeRa, schema: Any, *, method: str, include_raw: bool
) -> Runnable[LanguageModelInput, Any]:
    """A runnable that answers with objects of a schema.

    Args:
        model: Answers.
        schema: A pydantic class, a TypedDict, or a JSON schema; None for any object, with
            "json_mode" alone.
        method: One of `METHODS`.
        include_raw: Whether to return `raw`, `parsed` and `parsing_error`.

    Raises:
        InvalidValueError: An unknown method, no schema, or something that is none.
    """
    if method not in METHODS:
        raise InvalidValueError(f"unknown method {method!r}", hint=f"one of {[*METHODS]}")
    if schema is None and method != "json_mode":
        raise InvalidValueError("no schema", hint="pass one, or method='json_mode'")
    shown = {"kwargs": {"method": method}, "schema": schema or {"type": "object", "title": "any"}}
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    if method == "function_calling":
        name = _converted(convert_to_openai_tool, schema)["function"]["name"]
        bound = model.bind_tools([schema], tool_choice=name, ls_structured_output_format=shown)
        parser: Runnable[Any, Any] = (
            PydanticToolsParser(tools=[schema], first_tool_only=True)
            if is_class
            else JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
        )
    else:
        wanted = {} if schema is None else _json_schema(schema)
        bound = model.bind(
            response_format=_response_format(schema, wanted), ls_structured_output_format=shown
        )
        # Half an object would often pass for a whole one: a class is made of the whole text.
        parser = RunnableLambda(_into(schema, wanted)) if is_class else _Values(wanted=wanted)
    if not include_raw:
        return bound | parser
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    # Not `RunnableMap(raw=bound)`, as LangChain has it: that would lose the keywords of a call.
    raw = bound | RunnableMap(raw=RunnablePassthrough())
    return raw | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _response_format(schema: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    if schema is None:
        return {"type": "json_object"}
    name = getattr(schema, "__name__", None) or wanted.get("title", "answer")
    found = {"name": name, "schema": with_repeats(wanted)}
    return {"type": "json_schema", "json_schema": found}


def _json_schema(schema: Any) -> dict[str, Any]:
    """What a schema allows. LangChain's conversion loses all that is not under `properties`."""
    if isinstance(schema, dict) and not _TOOL_FORMS & schema.keys():
        return schema
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return schema.model_json_schema()
    return _converted(convert_to_json_schema, schema)


def _converted(convert: Callable[[Any], dict[str, Any]], schema: Any) -> dict[str, Any]:
    """What LangChain makes of a schema.

    Raises:
        InvalidValueError: It knows no such kind.
    """
    try:
        return convert(schema)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(
            f"no schema: {schema!r:.120}",
            hint="a pydantic class (RootModel[list[int]] for a list), a TypedDict or a JSON schema",
        ) from error


class _Values(JsonOutputParser):
    """Reads JSON, whole or as it comes.

    Attributes:
        wanted: Its schema.
    """

    wanted: dict[str, Any]

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """See `JsonOutputParser.parse_result`; here without the repeats that sets forbid."""
        return without_repeats(super().parse_result(result, partial=partial), self.wanted)


def _into(schema: Any, wanted: dict[str, Any]) -> Any:
    """Reads a message's text as an object of a pydantic class, of version 1 or 2."""

    def read(message: BaseMessage) -> Any:
        text = message.text
        try:
            values = without_repeats(json.loads(text), wanted)
            make = getattr(schema, "model_validate", None) or schema.parse_obj
            return make(values)
        except ValueError as error:
            raise OutputParserException(
                f"no {schema.__name__}: {text!r:.200}: {error}", llm_output=text
            ) from error

    return read
