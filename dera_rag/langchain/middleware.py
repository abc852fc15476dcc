"""`DeRaMiddleware`: λ of each step of a LangChain agent, from what its tools retrieved."""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NotRequired

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage

from dera_rag.errors import MissingDependencyError
from dera_rag.langchain.documents import as_evidence, retrieved_documents
from dera_rag.langchain.runnables import LAMBDA, Lam, chosen_lam, dera_model
from dera_rag.types import check_lam

try:
    from langchain.agents.middleware import (
        AgentMiddleware,
        AgentState,
        ExtendedModelResponse,
        ModelRequest,
        ModelResponse,
    )
    from langgraph.types import Command
except ImportError as error:
    raise MissingDependencyError(
        "DeRaMiddleware needs langchain and langgraph", hint='pip install "dera-rag[agents]"'
    ) from error


class DeRaAgentState(AgentState[Any]):
    """An agent's state with the decisions of its model calls.

    Attributes:
        dera_decisions: λ, policy, reason and signals of each call of a `ChatDeRa`, in order, as
            in `response_metadata["dera"]`.
    """

    dera_decisions: NotRequired[Annotated[list[dict[str, Any]], operator.add]]


class DeRaMiddleware(AgentMiddleware[DeRaAgentState, Any, Any]):
    """Sets λ of every call that goes to a `ChatDeRa`, and records the decisions.

    ```python
    tool = create_retriever_tool(
        retriever, "search", "…", response_format="content_and_artifact"
    )
    agent = create_agent(model, [tool], middleware=[DeRaMiddleware()])
    agent.invoke({"messages": […]})["dera_decisions"]
    ```

    λ of a call is, in this order: `dera_lambda` of the run's context (`context={"dera_lambda": 1}`
    or an object with that attribute), what another middleware has set, and this one's own. "auto"
    goes by the documents that tools brought since the last human message; their scores arrive where
    the tool keeps its artifact, as above, and its retriever keeps scores (`ScoredRetriever`).

    Calls to other models pass untouched. Put it *behind* a middleware that changes the model, such
    as a fallback: it then sees the model that is really called, and another provider never gets a
    setting that it does not know.

    Args:
        lam: λ ≥ 0, or "auto" (default).

    Raises:
        InvalidValueError: No λ.
    """

    state_schema = DeRaAgentState

    def __init__(self, lam: Lam = "auto") -> None:
        super().__init__()
        self.tools = []
        self.lam: Lam = lam if lam == "auto" else check_lam(lam)

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
        """Call the model with its λ.

        Args:
            request: What the model is asked.
            handler: Calls the model.
        """
        return _recorded(handler(self._with_lam(request)))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
        """`wrap_model_call` for event loops.

        Args:
            request: What the model is asked.
            handler: Calls the model.
        """
        return _recorded(await handler(self._with_lam(request)))

    def _with_lam(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        """The request with λ and evidence, if it goes to our model; any other as it is."""
        if dera_model(request.model) is None:
            return request
        settings = dict(request.model_settings)
        runtime = getattr(request.runtime, "context", None)
        lam = chosen_lam(runtime)
        settings[LAMBDA] = settings.get(LAMBDA, self.lam) if lam is None else lam
        documents = _retrieved(request)
        # Without any, the model reads what else the artifacts of its messages hold.
        if documents:
            settings.setdefault("dera_evidence", as_evidence(documents))
        return request.override(model_settings=settings)


def _retrieved(request: ModelRequest[Any]) -> list[Document]:
    """What the model is shown; where its messages were rewritten, what the state holds."""
    shown = retrieved_documents(request.messages)
    messages: list[BaseMessage] = list(request.state.get("messages", []))
    return shown or retrieved_documents(messages)


def _recorded(response: ModelResponse[Any]) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
    """The response with its decisions for the state; none where another model answered."""
    decisions = [
        message.response_metadata["dera"]
        for message in response.result
        if message.response_metadata.get("dera")
    ]
    if not decisions:
        return response
    return ExtendedModelResponse(response, Command(update={"dera_decisions": decisions}))
