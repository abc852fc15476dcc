"""A ChatDeRa that decodes nothing: it writes down what it is asked and replies by a script."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from dera_rag.langchain import ChatDeRa


class Recording(ChatDeRa):
    """Loads no pair. `calls` holds messages and keywords; the last reply is repeated."""

    replies: list[Any] = Field(default_factory=lambda: ["It is cheap."], exclude=True)
    calls: list[Any] = Field(default_factory=list, exclude=True)

    @classmethod
    def plain(cls, *replies: Any, **settings: Any) -> "Recording":
        """As the embedded pair reads messages."""
        return cls.embedded(**({"replies": list(replies)} if replies else {}), **settings)

    def _reply(self, messages, kwargs):
        reply = self.replies[min(len(self.calls), len(self.replies) - 1)]
        self.calls.append((messages, kwargs))
        if isinstance(reply, Exception):
            raise reply
        message = AIMessage(reply) if isinstance(reply, str) else reply.model_copy()
        lam = kwargs.get("dera_lambda", self.dera_lambda)
        message.response_metadata = {"dera": {"lam": lam, "reason": f"call {len(self.calls)}"}}
        return message

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages, kwargs))])

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        message = self._reply(messages, kwargs)
        pieces = [*(f"{word} " for word in message.text.split(" ")[:-1])]
        for piece in pieces:
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
        rest = message.text[len("".join(pieces)) :]
        last = AIMessageChunk(
            content=rest,
            response_metadata=message.response_metadata,
            chunk_position="last",
            tool_call_chunks=[],
        )
        yield ChatGenerationChunk(message=last)

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        return await BaseChatModel._agenerate(self, messages, stop, None, **kwargs)

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        async for chunk in BaseChatModel._astream(self, messages, stop, run_manager, **kwargs):
            yield chunk


class Other(BaseChatModel):
    """A model of another provider, which refuses settings it does not know."""

    calls: list[Any] = Field(default_factory=list)

    @property
    def _llm_type(self):
        return "other"

    def bind_tools(self, tools, *, tool_choice=None):
        return self.bind(tools=tools)

    def _generate(self, messages, stop=None, run_manager=None, *, tools=None):
        self.calls.append(messages)
        return ChatResult(generations=[ChatGeneration(message=AIMessage("from another"))])
