"""What a caller passes, checked and brought into one shape before any compute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from dera_rag.decoding.rows import Request
from dera_rag.decoding.trace import TraceMode
from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.numerics import Sampling, row_seeds
from dera_rag.protocols import PairBackend
from dera_rag.types import BranchedPrompt, check_lam

Prompt = str | Sequence[int]
Prompts = Prompt | Sequence[Prompt]
Lam = float | Mapping[str, float]
Lams = Lam | Sequence[Lam]


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
    pair: PairBackend,
    prompts: Prompts,
    lam: Lams,
    sampling: Sampling | Sequence[Sampling],
    *,
    stops: tuple[str, ...] = (),
    trace: TraceMode = "auto",
) -> Batch:
    """Encode prompts and give each its λ and seed.

    Args:
        pair: Its tokenizer encodes, its length limits.
        prompts: A string, one list of token ids, or a list of either.
        lam: One λ, or one per prompt; of a pair with several aligned models also λ by name.
        sampling: Settings of every prompt, or one per prompt; seeds and the room an answer needs
            come from them.
        stops: Strings that end an answer.
        trace: What to record.

    Raises:
        InvalidValueError: Prompts, λ or seeds of the wrong kind, range or number.
        PromptError: An empty prompt, an unknown token id, or no room for the answer.
    """
    single, items = _split(prompts)
    lams = _lams(pair, lam, len(items))
    settings, seeds = _settings(sampling, len(items), single=single)
    encoded = [
        _sharing(_encode(pair, item, row), lams[row].shares) for row, item in enumerate(items)
    ]
    for row, ids in enumerate(encoded):
        _check_views(pair, ids, row)
        _check_room(pair, ids, settings[row].max_new_tokens, row)
    return Batch(
        tuple(
            Request(row, ids, lams[row].lam, seeds[row], settings[row], stops, trace)
            for row, ids in enumerate(encoded)
        ),
        single,
    )


def _settings(
    sampling: Sampling | Sequence[Sampling], count: int, *, single: bool
) -> tuple[list[Sampling], list[int | None]]:
    """Settings and seed of every row; a setting of its own is taken like that of one prompt."""
    if isinstance(sampling, Sampling):
        return [sampling] * count, row_seeds(sampling, count, single=single)
    if len(sampling) != count:
        raise InvalidValueError(
            f"{len(sampling)} samplings for {count} prompts",
            hint="pass one Sampling per prompt, or one for all",
        )
    return list(sampling), [row_seeds(own, 1, single=True)[0] for own in sampling]


def check_pair(pair: PairBackend) -> PairBackend:
    """A pair, and not what would become one.

    Raises:
        InvalidValueError: It is something else, such as a model's name.
    """
    if not all(hasattr(pair, name) for name in ("tokenizer", "start")):
        raise InvalidValueError(
            f"pair must be a ModelPair, got {pair!r:.80}",
            hint="ModelPair.from_pretrained(reference=…, aligned=…)",
        )
    return pair


def check_batch_size(batch_size: int) -> int:
    """A number of rows.

    Raises:
        InvalidValueError: Not an integer, or below 1.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InvalidValueError(f"batch_size must be an integer ≥ 1, got {batch_size!r}")
    return batch_size


def read_stops(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    """Stop strings: none, one, or several.

    Raises:
        InvalidValueError: Not a string, or an empty one, which would match everywhere.
    """
    if stop is None:
        return ()
    stops = tuple(stop) if isinstance(stop, Iterable) and not isinstance(stop, str) else (stop,)
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
    if isinstance(prompts, (str, BranchedPrompt)):
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
    if isinstance(prompt, BranchedPrompt):
        without = None if prompt.without is None else _encode(pair, prompt.without, row)
        return BranchedPrompt(
            _encode(pair, tuple(prompt), row), without=without, shares=prompt.shares
        )
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


def _sharing(prompt: tuple[int, ...], shares: Mapping[str, float] | None) -> tuple[int, ...]:
    """The prompt with what each aligned model has of λ."""
    if shares is None:
        return prompt
    without = prompt.without if isinstance(prompt, BranchedPrompt) else None
    return BranchedPrompt(prompt, without=without, shares=shares)


def _check_views(pair: PairBackend, prompt: tuple[int, ...], row: int) -> None:
    bare = prompt.without if isinstance(prompt, BranchedPrompt) else None
    if bare is None and getattr(pair, "two_views", False):
        raise PromptError(
            f"prompt {row} has one view, but {pair.name} reads it with and without its passages",
            hint="pass pair.prompt(with_passages, without), or BranchedPrompt(ids, without=…)",
        )


def _check_room(pair: PairBackend, prompt: tuple[int, ...], new: int, row: int) -> None:
    views = [prompt]
    if isinstance(prompt, BranchedPrompt) and prompt.without is not None:
        views.append(prompt.without)
    length, limit = max(map(len, views)), pair.max_length
    if limit is None:
        return
    if getattr(pair, "encoder_decoder", False):
        if max(length, new) > limit:
            raise PromptError(
                f"prompt {row} has {length} tokens and max_new_tokens is {new}, "
                f"but {pair.name} takes {limit} of each",
                hint="shorten the prompt or lower max_new_tokens (LangChain: lower max_tokens)",
            )
    elif length + new > limit:
        raise PromptError(
            f"prompt {row} has {length} tokens and max_new_tokens is {new}, "
            f"but {pair.name} takes {limit} in all",
            hint="shorten the prompt or lower max_new_tokens (LangChain: lower max_tokens)",
        )


@dataclass(frozen=True)
class _RowLam:
    """λ of a row, and how several aligned models share it: None where that is for the backend."""

    lam: float
    shares: Mapping[str, float] | None = None


def _lams(pair: PairBackend, lam: Any, count: int) -> list[_RowLam]:
    lam = _plain(lam)
    if isinstance(lam, (Real, Mapping)):
        return [_row_lam(pair, lam)] * count
    if not isinstance(lam, Sequence) or isinstance(lam, str):
        raise InvalidValueError(
            f"λ must be a number or a list of numbers, got {lam!r}", hint="e.g. lam=1.0"
        )
    if len(lam) != count:
        raise InvalidValueError(
            f"{len(lam)} λ for {count} prompts", hint="pass one λ per prompt, or one number"
        )
    return [_row_lam(pair, _plain(value)) for value in lam]


def _row_lam(pair: PairBackend, lam: Any) -> _RowLam:
    """A number as it is; λ by name as its sum and the part each model has of it."""
    if not isinstance(lam, Mapping):
        return _RowLam(check_lam(lam))
    names: tuple[str, ...] = getattr(pair, "aligned_names", ())
    unknown = sorted(map(str, set(lam) - set(names)))
    if unknown:
        raise InvalidValueError(
            f"λ for {unknown}, but {pair.name} has {list(names) or 'one aligned model'}",
            hint="a pairs.SeveralPair has aligned models by name; else λ is a number",
        )
    values = {name: check_lam(_plain(value)) for name, value in lam.items()}
    total = math.fsum(values.values())
    if not total:
        return _RowLam(0.0)
    return _RowLam(total, {name: value / total for name, value in values.items()})


def _plain(value: Any) -> Any:
    """Arrays, tensors and their scalars as Python values."""
    return value.tolist() if hasattr(value, "tolist") else value


def _is_id(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
