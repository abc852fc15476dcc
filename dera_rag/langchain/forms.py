"""How a pair's template writes tool calls: the grammar of that, and reading them back."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolCall

from dera_rag.decoding.schemas import embedded_json
from dera_rag.errors import PromptError
from dera_rag.langchain.repeats import with_repeats
from dera_rag.langchain.tools import new_call, parameters
from dera_rag.langchain.turns import CALL_BEGINS, CALL_ENDS, Tool
from dera_rag.prompts import PromptBuilder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What a template is asked to write, to see how it does.
_ASKED = {"role": "user", "content": "a"}
_NAMES, _IDS = ("first_0name", "second_0name"), ("first0idx", "second0id")
_ARGUMENTS = {"an_0argument": "its_0value"}
_CONTENT = "some_0content"
_TAG = re.compile(r"<[^<>\s]+>")


@dataclass(frozen=True)
class ToolForm:
    """How calls are written: `opening NAME middle ARGUMENTS closing`.

    Attributes:
        opening: Before the first call's name.
        middle: Between a name and its arguments.
        closing: After the last call's arguments.
        between: From one call's arguments to the next one's name; None where a turn has one call.
    """

    opening: str
    middle: str
    closing: str
    between: str | None

    @classmethod
    def of(cls, prompts: PromptBuilder) -> ToolForm:
        """The form that a chat template gives the calls of earlier turns.

        That is how the models saw calls in training. A template that writes none, or does not
        write arguments as JSON, gets the most common form.
        """
        if not prompts.has_chat_template:
            return _COMMON
        try:
            before = prompts.rendered([_ASKED])
            said = prompts.rendered([_ASKED, _turn(0)], ask=False)
            one = prompts.rendered([_ASKED, _turn(1)], ask=False)
        except PromptError:
            return _COMMON
        arguments = json.dumps(_ARGUMENTS)
        tail = said.partition(_CONTENT)[2]
        found = _split(one, before, tail, arguments)
        if found is None:
            return _COMMON
        opening, middle, closing = found
        try:
            two = prompts.rendered([_ASKED, _turn(2)], ask=False)
        except PromptError:
            return cls(opening, middle, closing, None)
        between = two.partition(arguments)[2].partition(_NAMES[1])
        same = between[1] and between[2] == middle + arguments + closing + tail
        return cls(opening, middle, closing, between[0] if same else None)

    def grammar(
        self,
        tools: Sequence[Tool],
        control: Mapping[str, int],
        *,
        forced: bool,
        parallel: bool,
        instead: Mapping[str, Any] | None = None,
    ) -> str:
        """A Lark grammar of answers that may call these tools.

        Args:
            tools: In OpenAI's form.
            control: Tokens that a grammar has to name, by what they are called.
            forced: Whether the answer is a call and nothing else; otherwise it may be text, and
                text with calls behind it.
            parallel: Whether it may be several calls.
            instead: Schema of JSON that may stand in place of a call where none is forced; None
                for text.
        """
        write = functools.partial(_literal, control=control)
        calls = " | ".join(f"call_{i}" for i in range(len(tools)))
        taken = [embedded_json(with_repeats(parameters(tool))) for tool in tools]
        rules = [
            f"call_{i}: {write(_quoted(tool) + self.middle)} {taken[i]}"
            for i, tool in enumerate(tools)
        ]
        more = f"({write(self.between)} call)*" if parallel and self.between else ""
        rest = f"call {more} {write(self.closing)}"
        rules.append(f"call: {calls}")
        if forced:
            rules.append(f"start: {write(self.opening)} {rest}")
        elif instead is not None:
            rules.append(f"start: {embedded_json(instead)} | {write(self.opening)} {rest}")
        else:
            trigger, begun = self._trigger(control)
            named = f"| TEXT {write(trigger)}" if trigger in control else ""
            rules.append(f"start: TEXT | begun {write(begun)} {rest}")
            rules.append(f"begun: spelled {named}")
            rules.append(f"spelled[lazy]: TEXT {json.dumps(trigger)}")
            rules.append(r"TEXT: /(.|\n)*/")
        return "%llguidance {}\n" + "\n".join(rules) + "\n"

    def text_before(self, written: str) -> str:
        """What stands before the calls; all where there are none."""
        return written.partition(self.opening.lstrip())[0]

    def read(self, written: str, tools: Sequence[Tool]) -> list[ToolCall]:
        """The calls in an answer, special tokens included.

        Args:
            written: The answer.
            tools: What could be called; anything else is text.
        """
        names = {tool["function"]["name"] for tool in tools}
        opening = self.opening.lstrip()
        start = written.find(opening)
        calls: list[ToolCall] = []
        at = start + len(opening)
        while start >= 0:
            name, found, _ = written[at:].partition(self.middle)
            if not found or name not in names:
                return []
            at += len(name) + len(self.middle)
            try:
                arguments, length = json.JSONDecoder().raw_decode(written[at:])
            except ValueError:
                return []
            calls.append(new_call(name, arguments, tools))
            at += length
            if not (self.between and written.startswith(self.between, at)):
                break
            at += len(self.between)
        return calls

    def trigger(self, tokenizer: PreTrainedTokenizerBase) -> str | None:
        """What in running text begins a call; None where only a special token does."""
        silent = {x.content: i for i, x in tokenizer.added_tokens_decoder.items() if x.special}
        found, _ = self._trigger(silent)
        return None if found in silent else found

    def begins(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """What of a call is the first to be seen in running text; "" where nothing of it is."""
        silent = {x.content: i for i, x in tokenizer.added_tokens_decoder.items() if x.special}
        trigger, begun = self._trigger(silent)
        return begun.strip() if trigger in silent else trigger

    def _trigger(self, control: Mapping[str, int]) -> tuple[str, str]:
        """What in running text begins a call, and what of the opening follows it."""
        for token in sorted(control, key=len, reverse=True):
            if self.opening.lstrip().startswith(token):
                return token, self.opening.lstrip()[len(token) :]
        # A tag alone decides; without one, all of it does.
        begun = self.opening.lstrip()
        tag = _TAG.match(begun)
        trigger = tag[0] if tag else begun.rstrip()
        return trigger, begun[len(trigger) :]


_COMMON = ToolForm(
    f'{CALL_BEGINS}{{"name": "',
    '", "arguments": ',
    f"}}{CALL_ENDS}",
    f'}}{CALL_ENDS}\n{CALL_BEGINS}{{"name": "',
)


def _turn(calls: int) -> dict[str, Any]:
    """An assistant's turn of text, or of this many calls."""
    if not calls:
        return {"role": "assistant", "content": _CONTENT}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "type": "function",
                "id": _IDS[i],
                "function": {"name": _NAMES[i], "arguments": dict(_ARGUMENTS)},
            }
            for i in range(calls)
        ],
    }


def _split(one: str, before: str, tail: str, arguments: str) -> tuple[str, str, str] | None:
    """Opening, middle and closing of a rendered call."""
    # A call's id is given to it, not written by the model.
    one = re.sub(rf',?\s*"(?:tool_call_)?id": "{_IDS[0]}"', "", one)
    head, named, rest = one.partition(_NAMES[0])
    middle, argued, closing = rest.partition(arguments)
    if not (named and argued and head.startswith(before) and closing.endswith(tail)):
        return None
    opening = head[len(before) :]
    return (opening, middle, closing[: len(closing) - len(tail)]) if opening else None


def _quoted(tool: Tool) -> str:
    return str(tool["function"]["name"])


def _literal(text: str, control: Mapping[str, int]) -> str:
    """Text as a Lark expression; control tokens stand for themselves."""
    if not text:
        return ""
    pattern = "|".join(re.escape(token) for token in sorted(control, key=len, reverse=True))
    parts = re.split(f"({pattern})", text) if pattern else [text]
    return " ".join(
        f"<[{control[part]}]>" if part in control else json.dumps(part) for part in parts if part
    )
