"""DeRaMiddleware in agents whose model follows a script: which tool to call is nothing it knows."""

import asyncio
import importlib
import sys
from dataclasses import dataclass

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelFallbackMiddleware,
    wrap_model_call,
)
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import create_retriever_tool
from langgraph.checkpoint.memory import InMemorySaver
from letter_embedder import LetterEmbedder
from recording_model import Other, Recording

from dera_rag.errors import InvalidValueError, MissingDependencyError
from dera_rag.langchain import DeRaMiddleware, DeRaVectorStore, ScoredRetriever

ASK = {"messages": [HumanMessage("Is Anchor cheap?")]}
CALL = AIMessage("", tool_calls=[{"name": "search", "args": {"query": "Anchor"}, "id": "1"}])


@pytest.fixture
def tool():
    store = DeRaVectorStore.from_texts(
        ["Anchor", "Lantern"], LetterEmbedder(), ids=["anchor", "lantern"], corpus="notes"
    )
    return create_retriever_tool(
        ScoredRetriever(source=store, k=2),
        "search",
        "Finds places.",
        response_format="content_and_artifact",
    )


@pytest.fixture
def model():
    return Recording.plain(CALL, "Yes.")


def settings(model):
    """λ and the ids of the evidence of each call."""
    return [
        (keywords.get("dera_lambda"), [item["id"] for item in keywords.get("dera_evidence", [])])
        for _, keywords in model.calls
    ]


class TestLambda:
    def test_goes_by_what_tools_brought(self, model, tool):
        agent = create_agent(model, [tool], middleware=[DeRaMiddleware()])
        state = agent.invoke(ASK)
        assert settings(model) == [("auto", []), ("auto", ["anchor", "lantern"])]
        (best, _) = model.calls[1][1]["dera_evidence"]
        assert best["relevance_score"] == pytest.approx(1)
        assert best["corpus"] == "notes"
        assert [decision["reason"] for decision in state["dera_decisions"]] == ["call 1", "call 2"]
        assert state["messages"][-1].text == "Yes."

    def test_async_does_the_same(self, model, tool):
        agent = create_agent(model, [tool], middleware=[DeRaMiddleware()])
        state = asyncio.run(agent.ainvoke(ASK))
        assert settings(model) == [("auto", []), ("auto", ["anchor", "lantern"])]
        assert [decision["lam"] for decision in state["dera_decisions"]] == ["auto", "auto"]

    def test_a_number_for_the_agent(self, model, tool):
        create_agent(model, [tool], middleware=[DeRaMiddleware(0.5)]).invoke(ASK)
        assert [lam for lam, _ in settings(model)] == [0.5, 0.5]

    def test_the_runs_context_wins(self, model, tool):
        @dataclass
        class Context:
            dera_lambda: float | None = None

        agent = create_agent(
            model, [tool], middleware=[DeRaMiddleware(0.5)], context_schema=Context
        )
        agent.invoke(ASK, context=Context(1.5))
        agent.invoke(ASK, context=Context())
        assert [lam for lam, _ in settings(model)] == [1.5, 1.5, 0.5]

    def test_a_context_may_be_a_dictionary(self, model, tool):
        agent = create_agent(model, [tool], middleware=[DeRaMiddleware()], context_schema=dict)
        agent.invoke(ASK, context={"dera_lambda": 0.0})
        assert [lam for lam, _ in settings(model)] == [0.0, 0.0]

    def test_what_another_middleware_set_stays(self, model, tool):
        @wrap_model_call
        def set_it(request, handler):
            chosen = {**request.model_settings, "dera_lambda": 2.0, "seed": 1}
            return handler(request.override(model_settings=chosen))

        create_agent(model, [tool], middleware=[set_it, DeRaMiddleware()]).invoke(ASK)
        assert [lam for lam, _ in settings(model)] == [2.0, 2.0]
        assert model.calls[0][1]["seed"] == 1

    def test_documents_of_rewritten_messages_are_found_in_the_state(self, model, tool):
        @wrap_model_call
        def shorten(request, handler):
            return handler(request.override(messages=[HumanMessage("short")]))

        create_agent(model, [tool], middleware=[shorten, DeRaMiddleware()]).invoke(ASK)
        assert settings(model)[1] == ("auto", ["anchor", "lantern"])

    @pytest.mark.parametrize("lam", [-1, "high", float("nan")])
    def test_refuses_what_is_none(self, lam):
        with pytest.raises(InvalidValueError, match="λ"):
            DeRaMiddleware(lam)


class TestOthers:
    def test_another_model_is_left_alone(self, tool):
        state = create_agent(Other(), [tool], middleware=[DeRaMiddleware()]).invoke(ASK)
        assert state["messages"][-1].text == "from another"
        assert not state.get("dera_decisions")
        state = asyncio.run(
            create_agent(Other(), [tool], middleware=[DeRaMiddleware()]).ainvoke(ASK)
        )
        assert state["messages"][-1].text == "from another"

    def test_a_fallback_of_another_provider_gets_no_setting(self, tool):
        """It would refuse a keyword it does not know."""
        ours, other = Recording.plain(ValueError("down")), Other()
        agent = create_agent(
            ours, [tool], middleware=[ModelFallbackMiddleware(other), DeRaMiddleware()]
        )
        assert agent.invoke(ASK)["messages"][-1].text == "from another"
        assert settings(ours) == [("auto", [])]

    def test_a_fallback_of_ours_gets_its_own(self, tool):
        class Down(Other):
            def _generate(self, messages, stop=None, run_manager=None, *, tools=None):
                raise ValueError("down")

        ours = Recording.plain("Yes.")
        agent = create_agent(
            Down(), [tool], middleware=[ModelFallbackMiddleware(ours), DeRaMiddleware(0.5)]
        )
        state = agent.invoke(ASK)
        assert settings(ours) == [(0.5, [])]
        assert state["dera_decisions"] == [{"lam": 0.5, "reason": "call 1"}]

    def test_decisions_of_a_model_with_fallbacks_are_recorded(self, tool):
        """λ stays as that model has it: settings would go to its fallbacks too."""
        ours = Recording.plain(CALL, "Yes.", dera_lambda=2.0)
        agent = create_agent(ours.with_fallbacks([Other()]), [tool], middleware=[DeRaMiddleware()])
        state = agent.invoke(ASK)
        assert settings(ours) == [(None, []), (None, [])]
        assert [decision["lam"] for decision in state["dera_decisions"]] == [2.0, 2.0]

    def test_a_reply_that_no_model_gave_records_nothing(self, model, tool):
        class Canned(AgentMiddleware):
            def wrap_model_call(self, request, handler):
                return AIMessage("canned")

        agent = create_agent(model, [tool], middleware=[DeRaMiddleware(), Canned()])
        state = agent.invoke(ASK)
        assert state["messages"][-1].text == "canned"
        assert not state.get("dera_decisions")


class TestState:
    def test_decisions_of_a_thread_add_up(self, tool):
        model = Recording.plain("One.", "Two.")
        agent = create_agent(
            model, [tool], middleware=[DeRaMiddleware()], checkpointer=InMemorySaver()
        )
        config = {"configurable": {"thread_id": "1"}}
        agent.invoke(ASK, config)
        state = agent.invoke({"messages": [HumanMessage("And Lantern?")]}, config)
        assert [decision["reason"] for decision in state["dera_decisions"]] == ["call 1", "call 2"]

    def test_evidence_of_an_earlier_turn_is_none_of_this_one(self, tool):
        model = Recording.plain(CALL, "Yes.", "Two.")
        agent = create_agent(
            model, [tool], middleware=[DeRaMiddleware()], checkpointer=InMemorySaver()
        )
        config = {"configurable": {"thread_id": "1"}}
        agent.invoke(ASK, config)
        agent.invoke({"messages": [HumanMessage("Thanks.")]}, config)
        assert settings(model)[-1] == ("auto", [])


@pytest.mark.parametrize(
    ("module", "missing"),
    [("middleware", "langchain.agents.middleware"), ("node", "langgraph.graph")],
)
def test_the_extra_is_named_where_it_is_missing(monkeypatch, module, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"dera_rag.langchain.{module}", raising=False)
    with pytest.raises(MissingDependencyError, match=r"dera-rag\[agents\]"):
        importlib.import_module(f"dera_rag.langchain.{module}")
