"""An agent with a retriever tool; the middleware chooses λ of its answer from what the tool found.

The embedded pair cannot choose tools, so a script does: it looks each question up, then lets the
pair answer in the prompt it knows. A pair with a chat template needs `DeRaMiddleware()` alone.
"""

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_model_call
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import create_retriever_tool

from dera_rag.langchain import ChatDeRa, DeRaMiddleware, DeRaVectorStore, ScoredRetriever
from dera_rag.prompts import PLAIN_PROMPT, number_passages

store = DeRaVectorStore.embedded()
retriever = ScoredRetriever(source=store, k=3)
# With "content_and_artifact" the documents and their scores reach the middleware.
tool = create_retriever_tool(
    retriever, "venues", "Finds records of places.", response_format="content_and_artifact"
)


@wrap_model_call
def script(request, handler):
    question, last = request.messages[0].text, request.messages[-1]
    if not isinstance(last, ToolMessage):
        call = {"name": "venues", "args": {"query": question}, "id": "1"}
        return AIMessage("", tool_calls=[call])
    passages = number_passages(document.page_content for document in last.artifact)
    prompt = HumanMessage(PLAIN_PROMPT.format(passages=passages, question=question))
    return handler(request.override(messages=[prompt], tools=[]))


model = ChatDeRa.embedded(seed=7, max_tokens=64)
agent = create_agent(model, [tool], middleware=[DeRaMiddleware(), script], context_schema=dict)
name = store.index.chunks[0].text.splitlines()[0].removeprefix("- name: ")
for context in ({}, {"dera_lambda": 0.0}):
    asked = {"messages": [HumanMessage(f"How much does {name} charge?")]}
    state = agent.invoke(asked, context=context)
    print(f"{[message.type for message in state['messages']]}: {state['messages'][-1].text}")
    print(f"    context {context}: {state['dera_decisions'][-1]['reason']}")
