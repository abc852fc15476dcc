"""RAG chains: LangChain's keys, λ from what was retrieved, streaming."""

import asyncio

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from letter_embedder import LetterEmbedder
from recording_model import Other, Recording

from dera_rag import RagPipeline
from dera_rag.errors import InvalidValueError
from dera_rag.langchain import (
    ChatDeRa,
    DeRaEmbeddings,
    DeRaVectorStore,
    ScoredRetriever,
    create_dera_rag_chain,
    create_history_aware_dera_rag_chain,
)
from dera_rag.langchain.chains import cited_ids

TEXTS = ["name: Anchor\nprice: cheap", "name: Lantern\nprice: high", "name: Zz\nprice: none"]
IDS = ["anchor", "lantern", "zz"]


@pytest.fixture
def store():
    return DeRaVectorStore.from_texts(TEXTS, LetterEmbedder(), ids=IDS)


@pytest.fixture
def retriever(store):
    return ScoredRetriever(source=store, k=2)


def summed(pieces):
    total = None
    for piece in pieces:
        total = piece if total is None else total + piece
    return total


class TestChain:
    def test_keys(self, retriever):
        model = Recording.plain("Anchor is cheap.")
        out = create_dera_rag_chain(retriever, model).invoke({"input": "Anchor?", "more": 1})
        assert list(out) == ["input", "more", "context", "answer", "dera", "citations"]
        assert (out["input"], out["answer"]) == ("Anchor?", "Anchor is cheap.")
        assert out["context"][0].id == "anchor"
        assert out["citations"] == ["anchor"]
        assert out["dera"]["lam"] == "auto"
        scores = [document.metadata["relevance_score"] for document in out["context"]]
        given = [item["relevance_score"] for item in model.calls[0][1]["dera_evidence"]]
        assert given == scores

    def test_a_bare_question_and_a_lambda(self, retriever):
        model = Recording.plain()
        chain = create_dera_rag_chain(retriever, model, lam=0.5)
        assert chain.invoke("Anchor?")["dera"]["lam"] == 0.5
        assert chain.invoke({"input": "Anchor?", "dera_lambda": 2})["dera"]["lam"] == 2

    def test_stream_sums_up_to_invoke(self, retriever):
        chain = create_dera_rag_chain(retriever, Recording.plain("Anchor is cheap."))
        pieces = list(chain.stream("Anchor?"))
        assert [list(piece) for piece in pieces[:2]] == [["input"], ["context"]]
        answers = [piece["answer"] for piece in pieces if "answer" in piece]
        assert answers == ["Anchor ", "is ", "cheap."]
        whole = create_dera_rag_chain(retriever, Recording.plain("Anchor is cheap."))
        assert summed(pieces) == whole.invoke("Anchor?")

    def test_async_and_batch(self, retriever):
        chain = create_dera_rag_chain(retriever, Recording.plain("Lantern is dear."))

        async def ask():
            streamed = [piece async for piece in chain.astream("Lantern?")]
            return await chain.ainvoke("Lantern?"), summed(streamed)

        invoked, streamed = asyncio.run(ask())
        assert invoked["answer"] == streamed["answer"] == "Lantern is dear."
        assert invoked["citations"] == streamed["citations"] == ["lantern"]
        batched = chain.batch(["Lantern?", "Anchor?"])
        assert [out["input"] for out in batched] == ["Lantern?", "Anchor?"]

    @pytest.mark.parametrize("kind", ["store", "retriever"])
    def test_stores_and_their_retrievers_keep_scores(self, kind):
        store = InMemoryVectorStore(DeRaEmbeddings(LetterEmbedder()))
        store.add_texts(TEXTS)
        source = store if kind == "store" else store.as_retriever(search_kwargs={"k": 1})
        out = create_dera_rag_chain(source, Recording.plain()).invoke("Anchor?")
        assert len(out["context"]) == (3 if kind == "store" else 1)
        assert all(0 <= d.metadata["relevance_score"] <= 1 for d in out["context"])

    def test_any_runnable_retrieves(self):
        for finds in (RunnableLambda(lambda question: []), lambda question: []):
            out = create_dera_rag_chain(finds, Recording.plain()).invoke("Anchor?")
            assert (out["context"], out["citations"]) == ([], [])

    def test_a_model_that_answers_with_text(self, retriever):
        text = Recording.plain("Anchor is cheap.") | StrOutputParser()
        chain = create_dera_rag_chain(retriever, text)
        out = chain.invoke("Anchor?")
        assert (out["answer"], out["dera"], out["citations"]) == (
            "Anchor is cheap.",
            None,
            ["anchor"],
        )
        assert summed(chain.stream("Anchor?")) == out

    def test_another_model_has_no_decision(self, retriever):
        assert create_dera_rag_chain(retriever, Other()).invoke("Anchor?")["dera"] is None

    @pytest.mark.parametrize("values", ["", {"input": " "}, {"question": "a"}, {"input": None}])
    def test_needs_a_question(self, retriever, values):
        with pytest.raises(InvalidValueError, match="`input` must be a question"):
            create_dera_rag_chain(retriever, Recording.plain()).invoke(values)


class TestHistory:
    HISTORY = (HumanMessage("What is Lantern?"), AIMessage("A pub."))

    def chain(self, retriever, model):
        rewriter = RunnableLambda(lambda values: values["input"].replace("it", "Lantern"))
        return create_history_aware_dera_rag_chain(retriever, model, rewriter=rewriter)

    def test_the_question_stands_alone(self, retriever):
        model = Recording.plain()
        values = {"input": "Is it cheap?", "chat_history": list(self.HISTORY)}
        out = self.chain(retriever, model).invoke(values)
        assert (out["input"], out["question"]) == ("Is it cheap?", "Is Lantern cheap?")
        assert out["context"] == retriever.invoke("Is Lantern cheap?")
        assert model.calls[0][0][-1].text.endswith("Question: Is Lantern cheap?\nAnswer:")
        assert len(model.calls) == 1

    def test_without_history_it_is_taken_as_it_is(self, retriever):
        out = self.chain(retriever, Recording.plain()).invoke("Is it cheap?")
        assert out["question"] == "Is it cheap?"

    def test_where_nothing_is_written_it_is_taken_as_it_is(self, retriever):
        chain = create_history_aware_dera_rag_chain(
            retriever, Recording.plain(), rewriter=RunnableLambda(lambda values: " ")
        )
        out = chain.invoke({"input": "Anchor?", "chat_history": [HumanMessage("Hi")]})
        assert out["question"] == "Anchor?"
        assert out["context"]

    def test_streams(self, retriever):
        values = {"input": "Is it cheap?", "chat_history": list(self.HISTORY)}
        pieces = list(self.chain(retriever, Recording.plain()).stream(values))
        assert summed(pieces)["question"] == "Is Lantern cheap?"
        assert [piece["answer"] for piece in pieces if "answer" in piece][:1] == ["It "]

    def test_the_model_rewrites(self, retriever):
        model = Recording(pair="embedded", replies=[" Is Lantern cheap? ", "No."])
        chain = create_history_aware_dera_rag_chain(retriever, model)
        values = {"input": "Is it cheap?", "chat_history": list(self.HISTORY)}
        out = chain.invoke(values)
        assert (out["question"], out["answer"]) == ("Is Lantern cheap?", "No.")
        assert model.calls[0][0][-1].text.endswith("\n\nIs it cheap?")
        assert "dera_evidence" not in model.calls[0][1]
        assert [message.text for message in model.calls[1][0][:2]] == ["What is Lantern?", "A pub."]

    def test_a_model_of_one_message_cannot(self, retriever):
        with pytest.raises(InvalidValueError, match="rewriter"):
            create_history_aware_dera_rag_chain(retriever, Recording.plain())


class TestCitations:
    def test_numbers_name_passages(self, store):
        documents = store.get_by_ids(IDS)
        assert cited_ids("High [2], cheap [1], high [2] [9].", documents, "") == [
            "lantern",
            "anchor",
        ]

    def test_else_names_do(self, store):
        documents = store.get_by_ids(IDS)
        assert cited_ids("Zz, then Anchor. [7]", documents, "") == ["zz", "anchor"]
        assert cited_ids("Nothing.", documents, "") == []


def test_answers_and_decisions_are_the_pipelines():
    pipeline = RagPipeline.embedded()
    tokens = pipeline.sampling.max_new_tokens
    model = ChatDeRa(
        pair=pipeline.pair, plain_messages="last_human", seed=7, max_tokens=min(tokens, 48)
    )
    retriever = ScoredRetriever(source=DeRaVectorStore(index=pipeline.index, mode="hybrid"), k=3)
    chain = create_dera_rag_chain(retriever, model)
    name = pipeline.index.chunks[0].text.splitlines()[0].removeprefix("- name: ")
    question = f"How much does {name} charge?"
    expected = pipeline.ask(question, seed=7)
    out = chain.invoke(question)
    assert out["answer"].strip() == expected.text
    assert out["dera"]["lam"] == expected.decision.lam
    assert out["dera"]["reason"] == expected.decision.reason
    assert [document.id for document in out["context"]] == [p.id for p in expected.passages]
    assert out["citations"] == list(expected.citations)
    fixed = chain.invoke({"input": question, "dera_lambda": 0.5})
    assert fixed["answer"].strip() == pipeline.ask(question, 0.5, seed=7).text
