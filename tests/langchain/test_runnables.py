"""create_dera_answer: the prompt, the evidence and the λ of each input."""

import asyncio

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda, RunnablePassthrough
from recording_model import Other, Recording

from dera_rag.errors import InvalidValueError
from dera_rag.langchain import ChatDeRa, create_dera_answer
from dera_rag.langchain.documents import (
    as_evidence,
    as_passages,
    document_id,
    relevance,
    retrieved_documents,
)
from dera_rag.langchain.runnables import dera_model
from dera_rag.policies import EvidencePolicy
from dera_rag.prompts import CHAT_PROMPT, PLAIN_PROMPT, number_passages
from dera_rag.testing import write_pair
from dera_rag.types import Evidence

QUESTION = "How much does The Copper Kettle charge?"
KETTLE = "- name: The Copper Kettle\n- food: {Italian}"
DOCUMENTS = [
    Document(KETTLE, id="kettle", metadata={"relevance_score": 0.75, "corpus": "venues"}),
    Document("- name: The Copper Kettles", id="kettles", metadata={"relevance_score": 0.5}),
]
EVIDENCE = [
    {"id": "kettle", "text": KETTLE, "relevance_score": 0.75, "corpus": "venues"},
    {"id": "kettles", "text": "- name: The Copper Kettles", "relevance_score": 0.5},
]
VALUES = {"input": QUESTION, "context": DOCUMENTS}
PASSAGES = number_passages(document.page_content for document in DOCUMENTS)


def asked(model):
    """What the last call was given: one message, and the keywords."""
    messages, keywords = model.calls[-1]
    return messages[-1].content, keywords


class TestPrompt:
    def test_plain_is_the_pipelines_prompt(self):
        model = Recording.plain()
        assert create_dera_answer(model).invoke(VALUES).text == "It is cheap."
        assert asked(model)[0] == PLAIN_PROMPT.format(passages=PASSAGES, question=QUESTION)

    def test_chat_shows_the_history(self):
        model = Recording(pair="embedded")
        history = [HumanMessage("Hello"), AIMessage("Hello.")]
        create_dera_answer(model).invoke(VALUES | {"chat_history": history})
        (first, second, last), _ = model.calls[-1]
        assert [first.text, second.text] == ["Hello", "Hello."]
        assert last.text == CHAT_PROMPT.format(passages=PASSAGES, question=QUESTION)

    def test_without_passages_their_place_vanishes(self):
        model = Recording.plain()
        create_dera_answer(model).invoke({"input": QUESTION})
        text, keywords = asked(model)
        assert text == f"Question: {QUESTION}\nAnswer:"
        assert keywords["dera_evidence"] == []

    def test_a_rewritten_question_is_asked(self):
        model = Recording.plain()
        create_dera_answer(model).invoke(VALUES | {"question": "Who?"})
        assert asked(model)[0].endswith("Question: Who?\nAnswer:")

    def test_your_own(self):
        model = Recording.plain()
        prompt = ChatPromptTemplate.from_template("{context} / {input} / {tone}")
        create_dera_answer(model, prompt).invoke(VALUES | {"tone": "dry"})
        assert asked(model)[0] == f"{PASSAGES} / {QUESTION} / dry"

    @pytest.mark.parametrize("context", ["text", ["text"], None, {"a": 1}])
    def test_context_must_be_documents(self, context):
        with pytest.raises(InvalidValueError, match="list of documents"):
            create_dera_answer(Recording.plain()).invoke({"input": "a", "context": context})


class TestLambda:
    def test_evidence_goes_along_and_lambda_is_the_models(self):
        model = Recording.plain(dera_lambda=0.25)
        message = create_dera_answer(model).invoke(VALUES)
        assert asked(model)[1] == {"dera_evidence": EVIDENCE}
        assert message.response_metadata["dera"]["lam"] == 0.25

    @pytest.mark.parametrize(
        ("lam", "set_by_input", "expected"),
        [
            (0.5, None, 0.5),
            ("auto", None, "auto"),
            (lambda values: len(values["context"]), None, 2),
            (0.5, 1.5, 1.5),
            (None, "auto", "auto"),
            (1.0, 0.0, 0.0),
        ],
    )
    def test_what_wins(self, lam, set_by_input, expected):
        model = Recording.plain()
        create_dera_answer(model, lam=lam).invoke(VALUES | {"dera_lambda": set_by_input})
        assert asked(model)[1]["dera_lambda"] == expected

    def test_in_lcel(self):
        model = Recording.plain()
        retriever = RunnableLambda(lambda question: DOCUMENTS)
        chain = {"context": retriever, "input": RunnablePassthrough()} | create_dera_answer(model)
        assert chain.invoke(QUESTION).text == "It is cheap."
        assert asked(model)[1]["dera_evidence"] == EVIDENCE

    def test_streaming_passes_through(self):
        answer = create_dera_answer(Recording.plain())
        assert [piece.text for piece in answer.stream(VALUES)][:2] == ["It ", "is "]

        async def collect():
            return [piece.text async for piece in answer.astream(VALUES)]

        assert asyncio.run(collect())[:2] == ["It ", "is "]
        assert asyncio.run(answer.ainvoke(VALUES)).text == "It is cheap."


class TestWrappedModels:
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda model: model.bind(temperature=0),
            lambda model: model.with_config(tags=["a"]),
            lambda model: model.with_retry(stop_after_attempt=1),
            lambda model: model.configurable_fields(seed=ConfigurableField(id="seed")),
            lambda model: model.bind(temperature=0).with_retry(),
        ],
    )
    def test_are_looked_through(self, wrap):
        model = Recording.plain()
        wrapped = wrap(model)
        assert dera_model(wrapped) is model
        create_dera_answer(wrapped, lam=2.0).invoke(VALUES)
        assert asked(model)[1]["dera_lambda"] == 2.0
        assert asked(model)[0].startswith("[1]\n")

    def test_another_model_gets_no_setting(self):
        model = Other()
        assert create_dera_answer(model, lam=2.0).invoke(VALUES).text == "from another"
        assert dera_model(model) is None
        assert model.calls[0][-1].text == CHAT_PROMPT.format(passages=PASSAGES, question=QUESTION)

    def test_each_fallback_for_itself(self):
        first, other = Recording.plain(ValueError("down")), Other()
        answer = create_dera_answer(first.with_fallbacks([other]), lam=2.0)
        assert answer.invoke(VALUES).text == "from another"
        assert first.calls[0][1]["dera_lambda"] == 2.0
        ours = Recording.plain("second")
        answer = create_dera_answer(
            Recording.plain(ValueError("down")).with_fallbacks([ours]), lam=2.0
        )
        assert answer.invoke(VALUES).text == "second"
        assert asked(ours)[1]["dera_lambda"] == 2.0


@pytest.fixture(scope="module")
def venues_model(tmp_path_factory):
    """Tiny random weights under the name that the embedded policy knows."""
    pair = write_pair(tmp_path_factory.mktemp("pair"), "llama").load(name="venues-pair")
    return ChatDeRa(pair=pair, plain_messages="last_human", seed=1, max_tokens=2)


class TestDecision:
    def test_is_the_policys_for_question_and_evidence(self, venues_model):
        documents = [d.model_copy(deep=True) for d in DOCUMENTS]
        documents[1].metadata["corpus"] = "venues"
        dera = create_dera_answer(venues_model).invoke({"input": QUESTION, "context": documents})
        dera = dera.response_metadata["dera"]
        passages = tuple(as_passages(documents))
        evidence = Evidence(passages, pair="venues-pair", corpus="venues")
        expected = EvidencePolicy.embedded().decide(QUESTION, evidence).to_dict()
        assert {name: dera[name] for name in expected} == expected
        # The asked price is missing, and the other name is nearly the same.
        assert dera["lam"] > 1
        assert dera["signals"]["names_found"] == 1

    def test_other_corpora_are_none_that_it_was_fitted_to(self, venues_model):
        documents = [Document(KETTLE, metadata={"corpus": "notes"})]
        dera = create_dera_answer(venues_model).invoke({"input": QUESTION, "context": documents})
        assert (
            "not to pair 'venues-pair' and corpus 'notes'"
            in (dera.response_metadata["dera"]["reason"])
        )


class TestDocuments:
    def test_ids(self):
        assert document_id(Document("a", id="x", metadata={"id": "y"}), 1) == "x"
        assert document_id(Document("a", metadata={"id": 0, "_id": "z"}), 1) == "0"
        assert document_id(Document("a", metadata={"_id": "z"}), 1) == "z"
        assert document_id(Document("a"), 3) == "3"

    def test_scores(self):
        import numpy as np

        given = [0, 0.5, np.float32(0.25), None, "0.5", float("nan"), True]
        documents = [Document("a", metadata={"relevance_score": score}) for score in given]
        expected = [0.0, 0.5, 0.25, None, None, None, None]
        assert [relevance(document) for document in documents] == expected
        assert [item["relevance_score"] for item in as_evidence(documents)] == expected
        assert as_passages(documents)[0].score == 0.0

    def test_of_messages_are_those_of_the_last_turn(self):
        from langchain_core.messages import ToolMessage

        first, second = DOCUMENTS

        def found(*documents):
            return ToolMessage("…", tool_call_id="1", artifact=list(documents))

        messages = [HumanMessage("a"), found(first), HumanMessage("b")]
        assert retrieved_documents(messages) == []
        messages += [found(second), ToolMessage("…", tool_call_id="2", artifact={"no": "list"})]
        messages += [found(first, second)]
        assert retrieved_documents(messages) == [first, second]
