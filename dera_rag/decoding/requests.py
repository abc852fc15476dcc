"""What a caller passes, checked and brought into one shape before any compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from dera_rag.decoding.loop import Request
from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.numerics import Sampling, row_seeds
from dera_rag.protocols import PairBackend
from dera_rag.types import check_lam

Prompt = str | Sequence[int]
Prompts = Prompt | Sequence[Prompt]


@dataclass(frozen=True)
class Batch:
    """Requests in the caller's order.

    Attributes:
        requests: One per prompt.
        single: Whether one bare prompt was given, so that one answer is due.
    """

    requests: tuple[Request, ...]
    single: bool


def read_batch(
    pair: PairBackend, prompts: Prompts, lam: float | Sequence[float], sampling: Sampling
) -> Batch:
    """Encode prompts and give each its λ and seed.

    Args:
        pair: Its tokenizer encodes, its length limits.
        prompts: A string, one list of token ids, or a list of either.
        lam: One λ, or one per prompt.
        sampling: Settings; seeds and the room an answer needs come from it.

    Raises:
        InvalidValueError: Prompts, λ or seeds of the wrong kind, range or number.
        PromptError: An empty prompt, an unknown token id, or no room for the answer.
    """
    single, items = _split(prompts)
    lams = _lams(lam, len(items))
    seeds = row_seeds(sampling, len(items), single=single)
    encoded = [_encode(pair, item, row) for row, item in enumerate(items)]
    for row, ids in enumerate(encoded):
        _check_room(pair, len(ids), sampling.max_new_tokens, row)
    return Batch(
        tuple(Request(row, ids, lams[row], seeds[row]) for row, ids in enumerate(encoded)),
        single,
    )


def read_stops(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    """Stop strings: none, one, or several.

    Raises:
        InvalidValueError: Not a string, or an empty one, which would match everywhere.
    """
    if stop is None:
        return ()
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    for text in stops:
        if not isinstance(text, str) or not text:
            raise InvalidValueError(
                f"a stop string must be a non-empty string, got {text!r}",
                hint='e.g. stop=["\\n\\n"]',
            )
    return tuple(dict.fromkeys(stops))


def _split(prompts: Any) -> tuple[bool, list[Any]]:
    """Whether one bare prompt was given, and the list of prompts."""
    prompts = _plain(prompts)
    if isinstance(prompts, str):
        return True, [prompts]
    if not isinstance(prompts, Sequence) or isinstance(prompts, bytes):
        raise InvalidValueError(
            f"prompts must be a string or a list, got {type(prompts).__name__}",
            hint="a string, a list of strings, or a list of token-id lists",
        )
    items = [_plain(item) for item in prompts]
    if items and all(_is_id(item) for item in items):
        return True, [items]
    return False, items


def _encode(pair: PairBackend, prompt: Any, row: int) -> tuple[int, ...]:
    if isinstance(prompt, str):
        ids = tuple(pair.tokenizer(prompt)["input_ids"]) if prompt else ()
    elif isinstance(prompt, Sequence) and all(_is_id(_plain(x)) for x in prompt):
        ids = tuple(int(x) for x in prompt)
    else:
        raise InvalidValueError(
            f"prompt {row} is neither a string nor a list of token ids: {prompt!r:.80}"
        )
    if not ids:
        raise PromptError(f"prompt {row} is empty", hint="a prompt needs at least one token")
    unknown = next((x for x in ids if not 0 <= x < pair.vocab_size), None)
    if unknown is not None:
        raise PromptError(
            f"prompt {row} holds token id {unknown}", hint=f"ids are in [0, {pair.vocab_size})"
        )
    return ids


def _check_room(pair: PairBackend, length: int, new: int, row: int) -> None:
    if pair.max_length is not None and length + new > pair.max_length:
        raise PromptError(
            f"prompt {row} has {length} tokens and max_new_tokens is {new}, "
            f"but {pair.name} takes {pair.max_length} in all",
            hint="shorten the prompt or lower max_new_tokens",
        )


def _lams(lam: Any, count: int) -> list[float]:
    lam = _plain(lam)
    if isinstance(lam, Real):
        return [check_lam(lam)] * count  # type: ignore[arg-type]
    if not isinstance(lam, Sequence) or isinstance(lam, str):
        raise InvalidValueError(
            f"λ must be a number or a list of numbers, got {lam!r}", hint="e.g. lam=1.0"
        )
    if len(lam) != count:
        raise InvalidValueError(
            f"{len(lam)} λ for {count} prompts", hint="pass one λ per prompt, or one number"
        )
    return [check_lam(_plain(value)) for value in lam]


def _plain(value: Any) -> Any:
    """Arrays, tensors and their scalars as Python values."""
    return value.tolist() if hasattr(value, "tolist") else value


def _is_id(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
