"""A LangGraph node that answers with a λ chosen from what was retrieved."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Annotated, Any, NotRequired

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from dera_rag.errors import InvalidValueError, MissingDependencyError
from dera_rag.langchain.documents import retrieved_documents
from dera_rag.langchain.runnables import (
    LAMBDA,
    ChooseLam,
    Lam,
    chosen_lam,
    create_dera_answer,
)

try:
    from langgraph.graph import MessagesState
    from langgraph.runtime import get_runtime
except ImportError as error:
    raise MissingDependencyError(
        "create_dera_node needs langgraph", hint='pip install "dera-rag[agents]"'
    ) from error


class DeRaGraphState(MessagesState):
    """A graph's state as `create_dera_node` reads and writes it.

    Attributes:
        context: Documents for the question, best first, written by a retrieving node.
        dera_lambda: λ of this run; None leaves it to the node.
        dera_decisions: λ, policy, reason and signals of each answer, in order.
    """

    context: NotRequired[list[Document]]
    dera_lambda: NotRequired[Lam | None]
    dera_decisions: NotRequired[Annotated[list[dict[str, Any]], operator.add]]


def create_dera_node(
    model: Runnable[Any, Any],
    prompt: Runnable[Any, Any] | None = None,
    *,
    lam: Lam | ChooseLam | None = None,
) -> Runnable[Any, dict[str, Any]]:
    """A node that answers the last human message of a state.

    ```python
    graph = StateGraph(DeRaGraphState)
    graph.add_node("answer", create_dera_node(ChatDeRa.embedded()))
    ```

    It reads `messages`; `context`, or without it the documents that tools brought since the last
    human message; and λ, in this order, from `dera_lambda` of the run's context, `dera_lambda` of
    the state, and `lam`. It writes the answer to `messages` and the decision to `dera_decisions`,
    and streams with `stream_mode="messages"`.

    Args:
        model: As in `create_dera_answer`.
        prompt: As in `create_dera_answer`; earlier messages arrive as `chat_history`.
        lam: As in `create_dera_answer`.

    Returns:
        A runnable for `StateGraph.add_node`, synchronous and asynchronous.
    """
    answer = create_dera_answer(model, prompt, lam=lam)

    def run(state: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return _update(answer.invoke(_values(state), config))

    async def arun(state: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return _update(await answer.ainvoke(_values(state), config))

    return RunnableLambda(run, arun, name="dera_node")


def _values(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state as `create_dera_answer` reads it."""
    messages: list[BaseMessage] = list(state["messages"])
    asked = [place for place, message in enumerate(messages) if isinstance(message, HumanMessage)]
    if not asked:
        raise InvalidValueError("the state has no human message to answer", hint="add one")
    documents = state.get("context")
    lam = chosen_lam(_context())
    return {
        "input": str(messages[asked[-1]].text),
        "chat_history": messages[: asked[-1]],
        "context": retrieved_documents(messages) if documents is None else documents,
        LAMBDA: state.get(LAMBDA) if lam is None else lam,
    }


def _context() -> Any:
    """The context of the run; None outside a graph."""
    try:
        runtime = get_runtime()
    except (RuntimeError, KeyError):
        return None
    return getattr(runtime, "context", None)


def _update(message: AIMessage) -> dict[str, Any]:
    decision = message.response_metadata.get("dera")
    return {"messages": [message], "dera_decisions": [decision] if decision else []}
