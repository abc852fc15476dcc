"""RAG chains in LangChain's convention: `input`, `context`, `answer`, and `dera` beside them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import (
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnablePassthrough,
)
from langchain_core.runnables.base import coerce_to_runnable
from langchain_core.runnables.utils import AddableDict
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.documents import as_passages
from dera_rag.langchain.retriever import ScoredRetriever
from dera_rag.langchain.runnables import ChooseLam, Lam, create_dera_answer, dera_model

REWRITE_PROMPT = ChatPromptTemplate.from_messages(
    [
        MessagesPlaceholder("chat_history"),
        (
            "human",
            "Write the following question so that it can be understood without the conversation "
            "above. Do not answer it; if it needs no change, repeat it.\n\n{input}",
        ),
    ]
)
"""Makes a question of a conversation stand alone."""

Finds = (
    VectorStore | BaseRetriever | Runnable[str, list[Document]] | Callable[[str], list[Document]]
)

_NUMBER = re.compile(r"\[(\d{1,3})\]")


def create_dera_rag_chain(
    retriever: Finds,
    model: Runnable[Any, Any],
    prompt: Runnable[Any, Any] | None = None,
    *,
    lam: Lam | ChooseLam | None = None,
) -> Runnable[Any, dict[str, Any]]:
    """Retrieve, choose λ, answer.

    ```python
    chain = create_dera_rag_chain(ScoredRetriever(source=store, k=3), ChatDeRa.embedded())
    chain.invoke({"input": "Is there a pub by the river?"})["answer"]
    ```

    Args:
        retriever: Finds documents for a question; a plain function will do. A vector store, or
            LangChain's own retriever of one, is wrapped so that scores are kept.
        model: As in `create_dera_answer`.
        prompt: As in `create_dera_answer`.
        lam: As in `create_dera_answer`.

    Returns:
        A runnable from a question, or a dictionary with `input` and where wanted `dera_lambda`, to
        that dictionary with `context` (documents, best first), `answer`, `dera` (λ and why, as in
        `response_metadata`; None if the model is no `ChatDeRa`) and `citations` (ids of the
        passages that the answer names or draws on). Streaming gives `answer` piece by piece.
    """
    answer = create_dera_answer(model, prompt, lam=lam)
    chain = (
        RunnableLambda(_as_input, name="input")
        | RunnablePassthrough.assign(context=itemgetter("input") | _scored(retriever))
        | RunnablePassthrough.assign(message=answer)
        | RunnableGenerator(_finish, _afinish)
    )
    return chain.with_config(run_name="dera_rag_chain")


def create_history_aware_dera_rag_chain(
    retriever: Finds,
    model: Runnable[Any, Any],
    prompt: Runnable[Any, Any] | None = None,
    *,
    rewriter: Runnable[Any, Any] | None = None,
    lam: Lam | ChooseLam | None = None,
) -> Runnable[Any, dict[str, Any]]:
    """`create_dera_rag_chain` for conversations.

    With a `chat_history`, the question is first written so that it stands alone; retrieval, λ and
    the answer go by that. Without, or where nothing is written, it is taken as it is.

    Args:
        retriever: As in `create_dera_rag_chain`.
        model: As in `create_dera_answer`.
        prompt: As in `create_dera_answer`.
        rewriter: From a dictionary with `input` and `chat_history` to a question as text or
            message; None (default) asks the model, by `REWRITE_PROMPT`.
        lam: As in `create_dera_answer`.

    Returns:
        As `create_dera_rag_chain`, with `question`, the question as it was retrieved by.

    Raises:
        InvalidValueError: No rewriter, and the model reads the last human message alone.
    """
    ours = dera_model(model)
    if rewriter is None and ours is not None and ours.plain_messages == "last_human":
        raise InvalidValueError(
            "this model reads the last human message alone: it cannot rewrite a question",
            hint="give a rewriter, e.g. REWRITE_PROMPT | another_model",
        )
    rewrite = (rewriter or REWRITE_PROMPT | model) | RunnableLambda(_as_text)

    def standing_alone(values: dict[str, Any]) -> Any:
        if not values.get("chat_history"):
            return values["input"]
        # A small model may have nothing to say to it.
        return rewrite | (lambda question: question or values["input"])

    answer = create_dera_answer(model, prompt, lam=lam)
    chain = (
        RunnableLambda(_as_input, name="input")
        | RunnablePassthrough.assign(question=RunnableLambda(standing_alone, name="question"))
        | RunnablePassthrough.assign(context=itemgetter("question") | _scored(retriever))
        | RunnablePassthrough.assign(message=answer)
        | RunnableGenerator(_finish, _afinish)
    )
    return chain.with_config(run_name="history_aware_dera_rag_chain")


def cited_ids(answer: str, documents: Sequence[Document], question: str) -> list[str]:
    """Ids of the passages an answer rests on, in order of first use.

    Args:
        answer: Where it holds numbers of passages, as `[2]`, they are its citations; else the
            passages it names or shares words with count, as in `RagAnswer.citations`.
        documents: The passages of the prompt, in its order.
        question: The question; its words are no evidence.
    """
    from dera_rag.rag.reading import cited

    passages = as_passages(documents)
    numbers = [int(match.group(1)) for match in _NUMBER.finditer(answer)]
    by_number = [passages[n - 1].id for n in numbers if 1 <= n <= len(passages)]
    return list(dict.fromkeys(by_number)) or list(cited(answer, passages, question))


def _as_input(values: str | Mapping[str, Any]) -> dict[str, Any]:
    given = {"input": values} if isinstance(values, str) else dict(values)
    question = given.get("input")
    if not isinstance(question, str) or not question.strip():
        raise InvalidValueError(
            f"`input` must be a question, got {question!r:.80}", hint='{"input": "…"}'
        )
    return given


def _as_text(question: str | BaseMessage) -> str:
    return StrOutputParser().invoke(question).strip()


def _scored(retriever: Finds) -> Runnable[str, list[Document]]:
    # LangChain's retriever of a store drops the scores; its subclasses answer for themselves.
    if isinstance(retriever, VectorStore) or type(retriever) is VectorStoreRetriever:
        return ScoredRetriever(source=retriever)
    return coerce_to_runnable(retriever)


class _Finisher:
    """Turns the message into the chain's keys while it arrives."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = AddableDict()
        self.message: Any = None

    def read(self, chunk: Mapping[str, Any]) -> Iterator[AddableDict]:
        rest = AddableDict({name: value for name, value in chunk.items() if name != "message"})
        if rest:
            self.values = self.values + rest  # type: ignore[operator]
            yield rest
        piece = chunk.get("message")
        if piece is not None:
            self.message = piece if self.message is None else self.message + piece
            yield AddableDict(answer=_said(piece))

    def end(self) -> Iterator[AddableDict]:
        if self.message is None:
            return
        question = self.values.get("question") or self.values["input"]
        answer = _said(self.message)
        yield AddableDict(
            dera=getattr(self.message, "response_metadata", {}).get("dera"),
            citations=cited_ids(answer, self.values["context"], question),
        )


def _said(message: str | BaseMessage) -> str:
    """A message's text; completion models, and chains that end in a parser, answer with it."""
    return message if isinstance(message, str) else str(message.text)


def _finish(chunks: Iterator[Mapping[str, Any]]) -> Iterator[AddableDict]:
    finisher = _Finisher()
    for chunk in chunks:
        yield from finisher.read(chunk)
    yield from finisher.end()


async def _afinish(chunks: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[AddableDict]:
    finisher = _Finisher()
    async for chunk in chunks:
        for made in finisher.read(chunk):
            yield made
    for made in finisher.end():
        yield made
