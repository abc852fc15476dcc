"""Runnables that answer with a λ chosen from what was retrieved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import (
    Runnable,
    RunnableLambda,
    RunnableWithFallbacks,
)
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable

from dera_rag.errors import InvalidValueError
from dera_rag.langchain.chat import ChatDeRa
from dera_rag.langchain.documents import as_evidence
from dera_rag.prompts import CHAT_PROMPT, PLAIN_PROMPT, number_passages

Lam = float | Literal["auto"]
ChooseLam = Callable[[Mapping[str, Any]], Lam]

LAMBDA = "dera_lambda"
"""Key of an input, a state or a runtime context that sets λ for one run."""


def create_dera_answer(
    model: Runnable[Any, Any],
    prompt: Runnable[Any, Any] | None = None,
    *,
    lam: Lam | ChooseLam | None = None,
) -> Runnable[dict[str, Any], AIMessage]:
    """An LCEL step from a question and its documents to the model's message.

    ```python
    {"context": retriever, "input": RunnablePassthrough()} | create_dera_answer(model)
    ```

    Its input is a dictionary with `input`, the question, and `context`, documents, best first.
    `question` in place of `input` is what is asked where both are there (a rewritten question);
    `chat_history` is shown to models with a chat template; `dera_lambda` sets λ for this input.
    Streaming passes through.

    Args:
        model: A `ChatDeRa`, also bound, configurable, retried or with fallbacks. Any other model
            answers too: it gets the prompt, but no λ and no evidence.
        prompt: Makes the prompt from `input` (the question), `context` (the passages, numbered) and
            the other keys. By default `prompts.PLAIN_PROMPT` for a model with
            `plain_messages="last_human"`, the embedded one included, else `prompts.CHAT_PROMPT`
            after the `chat_history`.
        lam: λ of inputs that set none: a number, "auto", or a function of the input; None (default)
            for the model's own.

    Returns:
        A runnable; the message's `response_metadata["dera"]` says which λ and why.
    """
    ours = dera_model(model)
    plain = ours is not None and ours.plain_messages == "last_human"

    def choose(values: dict[str, Any]) -> Runnable[Any, Any]:
        documents = _documents(values)
        settings: dict[str, Any] = {"dera_evidence": as_evidence(documents)}
        chosen = values.get(LAMBDA)
        if chosen is None:
            chosen = lam(values) if callable(lam) else lam
        if chosen is not None:
            settings[LAMBDA] = chosen
        written = prompt or _default_prompt(plain, bool(documents))
        return RunnableLambda(_prompt_values) | written | bind_dera(model, settings)

    return RunnableLambda(choose, name="dera_answer")


def dera_model(model: object) -> ChatDeRa | None:
    """The `ChatDeRa` inside a runnable, bindings and configurable fields looked through; or None.

    Args:
        model: A model or a runnable around one.
    """
    while not isinstance(model, ChatDeRa):
        if isinstance(model, RunnableBindingBase):
            model = model.bound
        elif isinstance(model, DynamicRunnable):
            model = model.default
        else:
            return None
    return model


def bind_dera(model: Runnable[Any, Any], settings: Mapping[str, Any]) -> Runnable[Any, Any]:
    """A model with settings that only a `ChatDeRa` understands; others are left as they are.

    Args:
        model: A model; of one with fallbacks, each is treated for itself.
        settings: Call settings of `ChatDeRa`.
    """
    if isinstance(model, RunnableWithFallbacks):
        fallbacks = [bind_dera(fallback, settings) for fallback in model.fallbacks]
        first = bind_dera(model.runnable, settings)
        return model.model_copy(update={"runnable": first, "fallbacks": fallbacks})
    return model if dera_model(model) is None else model.bind(**settings)


def chosen_lam(context: object) -> Lam | None:
    """λ that the context of a run sets, under a key or an attribute `dera_lambda`; else None.

    Args:
        context: Of a LangGraph runtime; None for none.
    """
    if isinstance(context, Mapping):
        return context.get(LAMBDA)
    return getattr(context, LAMBDA, None)


def _documents(values: Mapping[str, Any]) -> list[Document]:
    context = values.get("context", ())
    proper = isinstance(context, Sequence) and not isinstance(context, str)
    if not proper or not all(isinstance(item, Document) for item in context):
        raise InvalidValueError(
            f"`context` must be a list of documents, got {context!r:.80}",
            hint="pass what the retriever returns: their scores choose λ",
        )
    return list(context)


def _prompt_values(values: Mapping[str, Any]) -> dict[str, Any]:
    texts = [document.page_content for document in _documents(values)]
    question = values.get("question") or values["input"]
    return {**values, "input": question, "context": number_passages(texts)}


def _default_prompt(plain: bool, has_passages: bool) -> ChatPromptTemplate:
    text = PLAIN_PROMPT if plain else CHAT_PROMPT
    if not has_passages:
        # Their place vanishes, with the empty line after it, as in the pipeline's prompts.
        text = text.replace("{passages}\n\n", "")
    text = text.replace("{passages}", "{context}").replace("{question}", "{input}")
    if plain:
        return ChatPromptTemplate.from_messages([("human", text)])
    history = MessagesPlaceholder("chat_history", optional=True)
    return ChatPromptTemplate.from_messages([history, ("human", text)])
