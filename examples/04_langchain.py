"""ChatDeRa in a LangChain chain: retrieve, prompt, answer, with λ per call and streaming."""

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough

from dera_rag import VectorIndex
from dera_rag.langchain import ChatDeRa
from dera_rag.prompts import PLAIN_PROMPT, number_passages

index = VectorIndex.embedded()
model = ChatDeRa.embedded(dera_lambda=1.0, seed=7, max_tokens=96)


def retrieve(question: str) -> str:
    return number_passages(passage.text for passage in index.retrieve(question, k=3))


name = index.retrieve("a cheap coffee shop", k=1)[0].text.splitlines()[0].removeprefix("- name: ")
question = f"What is {name} like?"
prompt = {
    "passages": retrieve,
    "question": RunnablePassthrough(),
} | ChatPromptTemplate.from_template(PLAIN_PROMPT)

print(f"{question}\nstreamed, λ=1: ", end="")
for piece in (prompt | model | StrOutputParser()).stream(question):
    print(piece, end="", flush=True)
print()

for lam in (0.0, 1.5):
    answer = (prompt | model.bind(dera_lambda=lam)).invoke(question)
    print(f"λ={lam:g}: {answer.content}")
    print(f"    {answer.response_metadata['dera']} {answer.usage_metadata}")
