"""A chat model's call, read and ready to decode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.call_settings import CallSettings
from dera_rag.langchain.engine import Engine
from dera_rag.langchain.jobs import Answer, Listener
from dera_rag.langchain.turns import Tool
from dera_rag.types import LambdaDecision

if TYPE_CHECKING:
    from dera_rag.decoding.grammar import Grammar
    from dera_rag.langchain.forms import ToolForm

TOOL_SETTINGS = ("tools", "tool_choice", "parallel_tool_calls")
STRUCTURE_SETTINGS = (*TOOL_SETTINGS, "response_format", "strict")


@dataclass(frozen=True)
class Structure:
    """What an answer has to look like.

    Attributes:
        tools: What it may call, in OpenAI's form.
        forced: Whether it must call one of them.
        form: How calls are written.
        begins: What of a call is the first to be seen in running text.
        grammar: What it keeps to; None for any text.
    """

    tools: tuple[Tool, ...] = ()
    forced: bool = False
    form: ToolForm | None = None
    begins: str = ""
    grammar: Grammar | None = None


@dataclass(frozen=True)
class ChatCall:
    """A call.

    Attributes:
        engine: Decodes it.
        model_name: Names the pair.
        prompt: Token ids.
        decision: λ and why.
        settings: How to decode.
        structure: What the answer has to look like.
        templated: Whether a chat template was used; else the answer starts with a space.
    """

    engine: Engine
    model_name: str
    prompt: Sequence[int]
    decision: LambdaDecision
    settings: CallSettings
    structure: Structure
    templated: bool

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What may be called."""
        return self.structure.tools

    @property
    def forced(self) -> bool:
        """Whether a tool must be called."""
        return self.structure.forced

    @property
    def form(self) -> ToolForm:
        """How calls are written; only where there are tools."""
        assert self.structure.form is not None  # noqa: S101 - `read_structure` saw to it
        return self.structure.form

    def start(self, listener: Listener | None = None) -> Future[Answer]:
        """Ask for the answer."""
        return self.engine.submit(
            self.prompt,
            self.decision.lam,
            self.settings.sampling,
            self.settings.stops,
            plausibility=self.decision.plausibility,
            grammar=self.structure.grammar,
            alternatives=self.settings.top_logprobs,
            listener=listener,
        )


def read_structure(engine: Engine, kwargs: Mapping[str, Any], budget: int) -> Structure:
    """What a call's tools and response format ask for: with both, a call or JSON.

    Args:
        engine: Of the pair.
        kwargs: What the call sets.
        budget: Most tokens of an answer.

    Raises:
        InvalidValueError: An unknown choice or format, a schema that cannot be enforced, or a
            structure that does not fit into the budget.
    """
    from dera_rag.decoding.schemas import closed, json_grammar
    from dera_rag.langchain.tools import chosen_tools

    schema = closed(_wanted(kwargs.get("response_format")))
    tools = list(kwargs.get("tools") or ())
    kept, forced = chosen_tools(tools, kwargs.get("tool_choice"))
    if not kept and schema is None:
        return Structure()
    if not kept:
        return Structure(grammar=engine.grammar(json_grammar(schema), budget))
    from dera_rag.langchain.forms import ToolForm

    form = ToolForm.of(engine.prompts)
    text = form.grammar(
        kept,
        engine.control,
        forced=forced,
        parallel=bool(kwargs.get("parallel_tool_calls", not forced)),
        instead=schema,
    )
    return Structure(
        tuple(kept),
        forced,
        form,
        form.begins(engine.pair.tokenizer),
        engine.grammar(text, budget),
    )


def shown_tools(kwargs: Mapping[str, Any]) -> Sequence[Tool]:
    """The tools a prompt shows: all of them, unless none may be called.

    Raises:
        InvalidValueError: No tool choice.
    """
    from dera_rag.langchain.tools import read_choice

    if read_choice(kwargs.get("tool_choice")) == "none":
        return ()
    return tuple(kwargs.get("tools") or ())


def question_of(messages: Sequence[BaseMessage]) -> str:
    """What is asked: the last human message, or without one the last message."""
    from dera_rag.langchain.messages import is_human, question_in, text_of

    human = [message for message in messages if is_human(message)]
    return question_in(text_of((human or list(messages))[-1]))


def _wanted(response_format: object) -> Mapping[str, Any] | None:
    """The schema of a response format in OpenAI's form; None for text.

    Raises:
        InvalidValueError: Another form.
    """
    if response_format is None or response_format == {"type": "text"}:
        return None
    schema = None
    if isinstance(response_format, Mapping) and response_format.get("type") == "json_object":
        schema = {"type": "object"}
    elif isinstance(response_format, Mapping) and response_format.get("type") == "json_schema":
        schema = response_format.get("json_schema", {}).get("schema")
    if not isinstance(schema, Mapping):
        raise InvalidValueError(
            f"no response format: {response_format!r:.120}",
            hint='{"type": "json_schema", "json_schema": {"name": …, "schema": {…}}}, '
            '{"type": "json_object"} or {"type": "text"}',
        )
    return schema
