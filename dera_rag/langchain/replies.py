"""A decoded answer as LangChain shows it: text, tool calls, usage and metadata."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk

from dera_rag.types import Generation, LambdaDecision

if TYPE_CHECKING:
    from dera_rag.langchain.calls import ChatCall
    from dera_rag.langchain.jobs import Answer


@dataclass(frozen=True)
class Reply:
    """What an answer says.

    Attributes:
        text: Its text, without tool calls.
        calls: Its tool calls.
        usage: Token counts.
        metadata: `model_name`, `finish_reason`, `dera`, and `logprobs` where asked for.
    """

    text: str
    calls: list[ToolCall]
    usage: UsageMetadata
    metadata: dict[str, Any]

    def message(self) -> AIMessage:
        """As one message."""
        return AIMessage(
            self.text,
            tool_calls=self.calls,
            usage_metadata=self.usage,
            response_metadata=self.metadata,
        )

    def last_chunk(self, shown: str) -> AIMessageChunk:
        """What a stream that has shown so much of the text has yet to say."""
        return AIMessageChunk(
            content=self.text[len(shown) :],
            tool_call_chunks=[
                tool_call_chunk(
                    name=call["name"],
                    args=json.dumps(call["args"], ensure_ascii=False),
                    id=call["id"],
                    index=index,
                )
                for index, call in enumerate(self.calls)
            ],
            usage_metadata=self.usage,
            response_metadata=self.metadata,
            chunk_position="last",
        )


def read_reply(call: ChatCall, answer: Answer) -> Reply:
    """What the answer to a call says.

    Raises:
        OutputParserException: A tool had to be called, and the answer calls none.
    """
    made = answer.generation
    text, calls = made.text if call.templated else made.text.lstrip(), list[ToolCall]()
    if call.tools:
        text, calls = _split(call, made)
        if call.forced and not calls:
            raise OutputParserException(
                f"a tool had to be called, and none was: {made.text!r:.200}", llm_output=made.text
            )
    metadata = metadata_of(made, call.decision, call.model_name)
    if calls:
        metadata["finish_reason"] = "tool_calls"
    if call.settings.logprobs:
        metadata["logprobs"] = logprobs_for(call, answer)
    return Reply(text, calls, usage_of(made), metadata)


def _split(call: ChatCall, made: Generation) -> tuple[str, list[ToolCall]]:
    """Text and calls: by the tokenizer's response template if it has one, else by the form."""
    from dera_rag.langchain.tools import parsed_calls

    tokenizer = call.engine.pair.tokenizer
    ids = [token for token in made.token_ids if token not in call.engine.pair.stop_ids]
    written = str(tokenizer.decode(ids, clean_up_tokenization_spaces=False))
    prompt = str(tokenizer.decode(list(call.prompt)))
    parsed = parsed_calls(tokenizer, written, prompt, call.tools)
    calls = call.form.read(written, call.tools) if parsed is None else parsed[1]
    plain = made.text if call.templated else made.text.lstrip()
    if not calls:
        return plain, []
    if parsed is not None and call.form.trigger(tokenizer) is None:
        return parsed[0], calls
    return call.form.text_before(plain if call.form.trigger(tokenizer) else written), calls


@dataclass
class Shown:
    """What a stream shows of the pieces it gets.

    Attributes:
        call: The call that is answered.
        text: All that was shown.
    """

    call: ChatCall
    text: str = ""
    _got: str = field(default="", repr=False)

    def feed(self, piece: str) -> str:
        """The new text that no later piece can turn into something else."""
        self._got += piece
        text = self._got if self.call.templated else self._got.lstrip()
        if self.call.tools:
            text = self._before_calls(text)
        new = text[len(self.text) :]
        self.text += new
        return new

    def _before_calls(self, text: str) -> str:
        """Text up to where a call begins, or may be about to."""
        begins = self.call.structure.begins
        if self.call.forced or not begins:
            return ""
        shown = text.partition(begins)[0]
        for size in range(min(len(begins) - 1, len(text)), 0, -1):
            if len(shown) == len(text) and text.endswith(begins[:size]):
                shown = text[:-size]
        # Space before a call may belong to it.
        return shown.rstrip()


def usage_of(made: Generation) -> UsageMetadata:
    """Exact token counts."""
    usage = made.usage
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )


def metadata_of(made: Generation, decision: LambdaDecision, model_name: str) -> dict[str, Any]:
    """`response_metadata`: JSON-able, and small."""
    mean_kl = made.trace.mean_kl
    return {
        "model_name": model_name,
        "finish_reason": made.finish_reason,
        # Drafts may change the last digits of a trace; what is shown must not depend on them.
        "dera": decision.to_dict()
        | {"mean_kl": round(mean_kl, 4) if math.isfinite(mean_kl) else None},
    }


def logprobs_for(call: Any, answer: Answer) -> dict[str, Any]:
    """The log-probabilities that a call asked for."""
    from dera_rag.langchain.logprobs import logprobs_of

    tokenizer = call.engine.pair.tokenizer
    return logprobs_of(answer, tokenizer, alternatives=call.settings.top_logprobs > 0)
