"""create_dera_node in LangGraph graphs."""

import asyncio

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from recording_model import Other, Recording
from typing_extensions import TypedDict

from dera_rag.errors import InvalidValueError
from dera_rag.langchain import DeRaGraphState, create_dera_node

DOCUMENTS = [Document("Anchor", id="anchor", metadata={"relevance_score": 0.5})]
ASK = {"messages": [HumanMessage("Is Anchor cheap?")]}


class Context(TypedDict, total=False):
    dera_lambda: float


def graph_of(model, state=DeRaGraphState, **settings):
    graph = StateGraph(state, context_schema=Context)
    graph.add_node("retrieve", lambda state: {"context": DOCUMENTS})
    graph.add_node("answer", create_dera_node(model, **settings))
    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "answer")
    graph.add_edge("answer", END)
    return graph.compile()


def test_answers_from_the_states_documents():
    model = Recording.plain()
    state = graph_of(model).invoke(ASK)
    assert state["messages"][-1].text == "It is cheap."
    assert state["dera_decisions"] == [{"lam": "auto", "reason": "call 1"}]
    messages, keywords = model.calls[0]
    assert messages[-1].text == "[1]\nAnchor\n\nQuestion: Is Anchor cheap?\nAnswer:"
    assert keywords["dera_evidence"] == [{"id": "anchor", "text": "Anchor", "relevance_score": 0.5}]


def test_streams_tokens():
    events = graph_of(Recording.plain()).stream(ASK, stream_mode="messages")
    assert [chunk.text for chunk, _ in events if chunk.text] == ["It ", "is ", "cheap."]

    async def collect():
        events = graph_of(Recording.plain()).astream(ASK, stream_mode="messages")
        return [chunk.text async for chunk, _ in events if chunk.text]

    assert asyncio.run(collect()) == ["It ", "is ", "cheap."]


def test_what_sets_lambda():
    model = Recording.plain()
    graph = graph_of(model, lam=0.5)
    graph.invoke(ASK)
    graph.invoke(ASK | {"dera_lambda": 1.5})
    graph.invoke(ASK | {"dera_lambda": 1.5}, context={"dera_lambda": 0.0})
    state = asyncio.run(graph.ainvoke(ASK, context={"dera_lambda": 2.0}))
    assert [keywords["dera_lambda"] for _, keywords in model.calls] == [0.5, 1.5, 0.0, 2.0]
    assert state["dera_decisions"][-1]["lam"] == 2.0


def test_the_history_is_shown_to_models_that_read_it():
    model = Recording(pair="embedded")
    talk = [HumanMessage("Hello"), AIMessage("Hello."), *ASK["messages"]]
    graph_of(model).invoke({"messages": talk})
    assert [message.text for message in model.calls[0][0][:2]] == ["Hello", "Hello."]


def test_documents_of_tools_do_where_the_state_has_none():
    model = Recording.plain()
    tool = ToolMessage("Anchor", tool_call_id="1", artifact=DOCUMENTS)
    update = create_dera_node(model).invoke({"messages": [*ASK["messages"], tool]})
    assert update["messages"][0].text == "It is cheap."
    assert model.calls[0][1]["dera_evidence"][0]["id"] == "anchor"


def test_another_model_and_another_state():
    graph = StateGraph(MessagesState)
    graph.add_node("answer", create_dera_node(Other()))
    graph.add_edge(START, "answer")
    state = graph.compile().invoke(ASK)
    assert state["messages"][-1].text == "from another"
    assert graph_of(Other()).invoke(ASK)["dera_decisions"] == []


def test_needs_a_question():
    with pytest.raises(InvalidValueError, match="no human message"):
        create_dera_node(Recording.plain()).invoke({"messages": [AIMessage("Hello.")]})
