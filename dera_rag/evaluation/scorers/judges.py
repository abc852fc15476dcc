"""Language models as judges: by name, as a suite writes them, or as loaded objects."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from dera_rag.errors import MissingDependencyError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def judge_identity(judge: BaseChatModel | str | None) -> str:
    """What tells judges apart: class and a digest of every plain setting.

    Args:
        judge: A chat model, its name, or None.
    """
    if judge is None or isinstance(judge, str):
        return str(judge)
    plain = {
        name: value
        for name, value in vars(judge).items()
        if isinstance(value, str | int | float | bool | None)
    }
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]
    return f"{type(judge).__name__} {digest}"


def chat_model(judge: BaseChatModel | str) -> BaseChatModel:
    """The chat model of a name, or the model itself.

    Args:
        judge: A chat model, or a name for `init_chat_model`, "provider:model".

    Raises:
        MissingDependencyError: A name, and langchain is not installed.
    """
    if not isinstance(judge, str):
        return judge
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise MissingDependencyError(
            f"the judge {judge!r} by name needs langchain", hint="pip install 'dera-rag[agents]'"
        ) from error
    model: BaseChatModel = init_chat_model(judge)
    return model
