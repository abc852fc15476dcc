"""A conversation: a question that refers back is made to stand alone, then retrieved and answered.

The embedded pair cannot rewrite questions, so a script does it here: "it" is the place spoken of
last. With a pair that has a chat template leave `rewriter` out, and the model does it.
"""

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda

from dera_rag.langchain import (
    ChatDeRa,
    DeRaVectorStore,
    ScoredRetriever,
    create_history_aware_dera_rag_chain,
)

store = DeRaVectorStore.embedded()
places = [chunk.text.splitlines()[0].removeprefix("- name: ") for chunk in store.index.chunks]


def rewrite(values: dict) -> str:
    said = "\n".join(message.text for message in values["chat_history"])
    last = max((place for place in places if place in said), key=said.rfind, default="it")
    return values["input"].replace(" it ", f" {last} ")


chain = create_history_aware_dera_rag_chain(
    ScoredRetriever(source=store, k=3),
    ChatDeRa.embedded(seed=7, max_tokens=64),
    rewriter=RunnableLambda(rewrite),
)
history = []
for question in (f"What is {places[0]} like?", "How much does it charge?", "Is it near a river?"):
    answer = chain.invoke({"input": question, "chat_history": history})
    print(f"{question}\n    asked as: {answer['question']}\n    {answer['answer']}")
    print(f"    {answer['dera']['reason']}; cites {answer['citations']}")
    history += [HumanMessage(question), AIMessage(answer["answer"])]
