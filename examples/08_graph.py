"""A LangGraph graph: a node retrieves, a node answers with a λ of its own, tokens stream."""

from typing import TypedDict

from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, StateGraph

from dera_rag.langchain import ChatDeRa, DeRaGraphState, DeRaVectorStore, create_dera_node

store = DeRaVectorStore.embedded()
retriever = store.as_retriever(search_kwargs={"k": 3})  # keeps its scores


class Context(TypedDict, total=False):
    dera_lambda: float


def retrieve(state: DeRaGraphState) -> dict:
    return {"context": retriever.invoke(state["messages"][-1].text)}


graph = StateGraph(DeRaGraphState, context_schema=Context)
graph.add_node("retrieve", retrieve)
graph.add_node("answer", create_dera_node(ChatDeRa.embedded(seed=7, max_tokens=64)))
graph.add_edge(START, "retrieve")
graph.add_edge("retrieve", "answer")
graph.add_edge("answer", END)
app = graph.compile()
name = store.index.chunks[0].text.splitlines()[0].removeprefix("- name: ")
question = {"messages": [HumanMessage(f"Which food does {name} serve?")]}
for context in ({}, {"dera_lambda": 0.5}):
    print(f"context {context}: ", end="")
    for mode, part in app.stream(question, context=context, stream_mode=["messages", "values"]):
        if mode == "messages":
            print(part[0].text, end="", flush=True)
    print(f"\n    {part['dera_decisions'][-1]['reason']}")
