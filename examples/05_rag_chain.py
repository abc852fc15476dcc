"""A RAG chain: retrieval that keeps its scores, λ chosen from them, citations, streaming; then the
same from parts in LCEL, with a λ rule of your own.
"""

from langchain_core.runnables import RunnablePassthrough

from dera_rag.langchain import (
    ChatDeRa,
    DeRaVectorStore,
    ScoredRetriever,
    create_dera_answer,
    create_dera_rag_chain,
)

store = DeRaVectorStore.embedded()
retriever = ScoredRetriever(source=store, k=3)
model = ChatDeRa.embedded(seed=7, max_tokens=64)
chain = create_dera_rag_chain(retriever, model)

best = store.similarity_search("a cheap coffee shop", k=1)[0]
name = best.page_content.splitlines()[0].removeprefix("- name: ")
for question in (f"What is {name} like?", "What is The Upside-Down Spoon like?"):
    print(f"{question}\nstreamed: ", end="")
    for piece in chain.stream({"input": question}):
        print(piece.get("answer", ""), end="", flush=True)
    print(f"\n    {piece['dera']['reason']}; cites {piece['citations']}")


def by_score(values: dict) -> float:
    """The aligned model where something relevant was found, beyond it where nothing was."""
    scores = [document.metadata["relevance_score"] for document in values["context"]]
    return 1.0 if max(scores, default=0.0) > 0.5 else 2.0


parts = {"context": retriever, "input": RunnablePassthrough()}
message = (parts | create_dera_answer(model, lam=by_score)).invoke(f"What does {name} serve?")
print(f"by a rule: {message.text}\n    λ={message.response_metadata['dera']['lam']:g}")
