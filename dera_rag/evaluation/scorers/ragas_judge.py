"""A LangChain model as ragas' judge, so that none of ragas' own wrappers touches it.

Those set the model's temperature, cache answers under a key without the model's identity, and turn
a cut answer into NaN. Here the model is called as it is, nothing is cached, and a cut or unreadable
answer is an error with a reason.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

from dera_rag.errors import InvalidValueError, MissingDependencyError
from dera_rag.protocols import Embedder

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from pydantic import BaseModel
    from ragas.embeddings.base import BaseRagasEmbedding
    from ragas.llms.base import InstructorBaseRagasLLM

_CUT = frozenset({"length", "max_tokens", "MAX_TOKENS"})
_TRIES = 2  # small judges now and then break the JSON; a second wording mends most of it
_Answer = TypeVar("_Answer", bound="BaseModel")


class JudgeError(InvalidValueError):
    """A judge's answer was cut, or is not in the form that was asked for."""


def ragas_judge(model: BaseChatModel) -> InstructorBaseRagasLLM:
    """A LangChain chat model in the form that ragas' metrics take.

    Args:
        model: Any chat model but the one that is evaluated. It is never changed.

    Raises:
        InvalidValueError: No chat model.
        MissingDependencyError: ragas is not installed.
    """
    from langchain_core.language_models import BaseChatModel as ChatModel

    if not isinstance(model, ChatModel):
        raise InvalidValueError(f"a judge must be a LangChain chat model, got {type(model)}")
    base = import_ragas("ragas.llms.base").InstructorBaseRagasLLM

    class _Judge(base):  # type: ignore[valid-type,misc]
        def generate(self, prompt: str, response_model: type[_Answer]) -> _Answer:
            return _told(model.invoke, prompt, response_model)

        async def agenerate(self, prompt: str, response_model: type[_Answer]) -> _Answer:
            # In a thread: a local model's `ainvoke` may block the loop, and the deadline with it.
            return await asyncio.to_thread(self.generate, prompt, response_model)

    judge: InstructorBaseRagasLLM = _Judge()
    return judge


def ragas_embeddings(embedder: Embedder) -> BaseRagasEmbedding:
    """An embedder in the form that ragas' metrics take.

    Args:
        embedder: Any embedder of this package.

    Raises:
        MissingDependencyError: ragas is not installed.
    """
    base = import_ragas("ragas.embeddings.base").BaseRagasEmbedding

    class _Embeddings(base):  # type: ignore[valid-type,misc]
        def embed_text(self, text: str, **_: Any) -> list[float]:
            return [float(x) for x in embedder.embed([text])[0]]

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_text(text)

    made: BaseRagasEmbedding = _Embeddings()
    return made


def import_ragas(module: str) -> Any:
    """A module of ragas, with its telemetry off.

    Args:
        module: Full name.

    Raises:
        MissingDependencyError: ragas cannot be imported.
    """
    import importlib
    import os

    # Read by ragas at import and at every metric: set even where the user's shell says otherwise.
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"ragas cannot be imported: {error}",
            hint="pip install 'dera-rag[eval]'; ragas 0.4.3 needs langchain-community below 0.4.2",
        ) from error


def _told(ask: Any, prompt: str, response_model: type[_Answer]) -> _Answer:
    """The judge's answer in the form of a pydantic model.

    Raises:
        JudgeError: It was cut, or twice not in that form.
    """
    schema = json.dumps(response_model.model_json_schema())
    text = f"{prompt}\n\nAnswer with one JSON object of this schema and nothing else:\n{schema}"
    problem = ""
    for _ in range(_TRIES):
        message = ask(text if not problem else f"{text}\n\nYour last answer was no such object.")
        reason = message.response_metadata.get("finish_reason") or message.response_metadata.get(
            "stop_reason"
        )
        if reason in _CUT:
            raise JudgeError("the judge's answer was cut", hint="allow it more tokens")
        try:
            return response_model.model_validate_json(_object(str(message.text)))
        except ValueError as error:
            problem = str(error)
    raise JudgeError(f"the judge's answer is not what was asked for: {problem:.200}")


def _object(text: str) -> str:
    """The outermost JSON object of a text, fenced or not."""
    found = re.search(r"\{.*\}", text, re.DOTALL)
    return found.group() if found else text
