"""From a mixture's logits to a token: penalty, temperature, top-k, top-p, min-p, noise, argmax.

Order and meaning of each stage are those of transformers' logits processors. Every truncation is a
threshold on the score, so tokens that tie at the border are kept together and no result depends on
how a sort breaks ties. Shapes: `B` rows, `V` token ids.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal

import torch
from torch import Tensor

from dera_rag.errors import InvalidValueError
from dera_rag.numerics.noise import derive_seed, gumbel

RepetitionScope = Literal["completion", "all"]
_Predicate = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn from the mixture.

    Attributes:
        temperature: T ≥ 0 dividing the logits; 0 is greedy (ties go to the lowest id). 1 is the
            mixture itself.
        top_k: Keep the k most probable tokens; 0 keeps all.
        top_p: Keep the smallest set of tokens with at least this mass, in (0, 1]; 1 keeps all.
        min_p: Keep tokens with at least this share of the top token's probability, in [0, 1]; 0
            keeps all.
        repetition_penalty: > 0; positive scores of tokens already present are divided by it,
            negative ones multiplied (Keskar et al. 2019). 1 is none.
        seed: An int, a list with one int per prompt, or None to draw one; see `row_seeds`.
        max_new_tokens: Longest completion in tokens, ≥ 1.
        repetition_scope: Which tokens a penalty counts: `completion` (a passage in the prompt is
            meant to be quoted) or `all`, as transformers does. Padding never counts.

    Raises:
        InvalidValueError: A value outside its range, or not finite.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | Sequence[int] | None = None
    max_new_tokens: int = 256
    repetition_scope: RepetitionScope = "completion"

    def __post_init__(self) -> None:
        """Refuse values that cannot be sampled with."""
        self._number("temperature", lambda x: x >= 0, "≥ 0; 0 is greedy")
        self._integer("top_k", lambda x: x >= 0, "≥ 0; 0 keeps every token")
        self._number("top_p", lambda x: 0 < x <= 1, "in (0, 1]; 1 keeps every token")
        self._number("min_p", lambda x: 0 <= x <= 1, "in [0, 1]; 0 keeps every token")
        self._number("repetition_penalty", lambda x: x > 0, "> 0; 1 is no penalty")
        self._integer("max_new_tokens", lambda x: x >= 1, "≥ 1")
        object.__setattr__(self, "seed", _checked_seed(self.seed))
        if self.repetition_scope not in ("completion", "all"):
            raise InvalidValueError(
                f"unknown repetition_scope {self.repetition_scope!r}", hint="'completion' or 'all'"
            )

    @property
    def greedy(self) -> bool:
        """Whether decoding needs no noise."""
        return self.temperature == 0

    def _number(self, name: str, allowed: _Predicate, rule: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, Real):
            raise InvalidValueError(f"{name} must be a number, got {value!r}", hint=rule)
        if not math.isfinite(value):
            raise InvalidValueError(f"{name} must be finite, got {value!r}", hint=rule)
        if not allowed(float(value)):
            raise InvalidValueError(f"{name} must be {rule}, got {value!r}")
        object.__setattr__(self, name, float(value))

    def _integer(self, name: str, allowed: _Predicate, rule: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise InvalidValueError(f"{name} must be an integer, got {value!r}", hint=rule)
        if not allowed(int(value)):
            raise InvalidValueError(f"{name} must be {rule}, got {value!r}")
        object.__setattr__(self, name, int(value))


def row_seeds(sampling: Sampling, count: int, *, single: bool) -> list[int | None]:
    """The seed of every row's noise.

    A list of seeds is taken as it is. One int is the row seed of a single prompt; on a list of
    prompts each row gets a seed derived from it and the row's index, whatever the number of rows.

    Args:
        sampling: The settings; `seed=None` draws a fresh seed.
        count: Number of prompts.
        single: Whether one bare prompt was given and no list.

    Returns:
        One seed per row; None for each when greedy, where there is no noise.

    Raises:
        InvalidValueError: A list of seeds whose length is not the number of prompts.
    """
    seed = sampling.seed
    if seed is not None and not isinstance(seed, int) and len(seed) != count:
        raise InvalidValueError(
            f"{len(seed)} seeds for {count} prompts", hint="pass one seed per prompt, or one int"
        )
    if sampling.greedy:
        return [None] * count
    if seed is not None and not isinstance(seed, int):
        return list(seed)
    run_seed = secrets.randbits(63) if seed is None else seed
    return [run_seed] if single else [derive_seed(run_seed, row) for row in range(count)]


def choose(
    logits: Tensor,
    sampling: Sampling,
    *,
    seeds: Sequence[int | None],
    indices: Sequence[int],
    seen: Tensor | None = None,
) -> Tensor:
    """The next token of every row.

    Args:
        logits: `[B, V]` float32 mixture.
        sampling: Settings of every row.
        seeds: Row seeds, length B; not read when greedy.
        indices: Index of the token each row generates, length B.
        seen: `[B, V]` bool, the tokens a penalty counts; None for none.

    Returns:
        `[B]` int64; ties go to the lowest id.
    """
    scores = penalise(logits, seen, sampling.repetition_penalty)
    if sampling.greedy:
        return scores.argmax(-1)
    scores = truncate(heat(scores, sampling.temperature), sampling)
    keys = [0 if seed is None else seed for seed in seeds]
    return (scores + gumbel(keys, indices, scores.shape[1], scores.device)).argmax(-1)


def penalise(logits: Tensor, seen: Tensor | None, penalty: float) -> Tensor:
    """Divide positive and multiply negative scores of seen tokens by the penalty.

    Args:
        logits: `[B, V]`.
        seen: `[B, V]` bool, or None for none.
        penalty: > 0; above 1 discourages repetition.

    Returns:
        `[B, V]`.
    """
    if seen is None or penalty == 1:
        return logits
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def heat(logits: Tensor, temperature: float) -> Tensor:
    """(h − max h)/T in float64, `[B, V]` ≤ 0: the shift keeps a tiny T finite, and is free."""
    scores = logits.double()
    return (scores - scores.amax(-1, keepdim=True)) / temperature


def truncate(scores: Tensor, sampling: Sampling) -> Tensor:
    """Top-k, then top-p, then min-p, each on what the one before left.

    Args:
        scores: `[B, V]` after penalty and temperature.
        sampling: Settings of every row.

    Returns:
        `[B, V]`, −inf where a token is excluded.
    """
    if 0 < sampling.top_k < scores.shape[1]:
        scores = _at_least(scores, scores.topk(sampling.top_k).values[:, -1:])
    if sampling.top_p < 1:
        scores = _at_least(scores, _nucleus_floor(scores, sampling.top_p))
    if sampling.min_p > 0:
        scores = _at_least(scores, scores.amax(-1, keepdim=True) + math.log(sampling.min_p))
    return scores


def _at_least(scores: Tensor, floor: Tensor) -> Tensor:
    return scores.masked_fill(scores < floor, -math.inf)


def _nucleus_floor(scores: Tensor, top_p: float) -> Tensor:
    """Lowest score in the nucleus, `[B, 1]`: a token is in while less than top_p lies before it.

    The nucleus is nearly always narrow, and a full sort costs ten times what the 64 best do.
    """
    size = scores.shape[1]
    log_z = scores.logsumexp(-1, keepdim=True)
    for width in (64, 1024, size):
        best = scores.topk(min(width, size)).values
        mass = (best - log_z).exp()
        inside = mass.cumsum(-1) - mass < top_p
        if width >= size or not bool(inside[:, -1].any()):
            break
    return best.masked_fill(~inside, math.inf).amin(-1, keepdim=True)


def _checked_seed(seed: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    if seed is None:
        return None
    seed = seed.tolist() if hasattr(seed, "tolist") else seed
    values = seed if isinstance(seed, Sequence) and not isinstance(seed, str) else (seed,)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise InvalidValueError(
                f"seed must be an integer or a list of integers, got {seed!r}", hint="e.g. seed=5"
            )
    whole = tuple(int(value) for value in values)
    return whole if values is seed else whole[0]
