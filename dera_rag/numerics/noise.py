"""Gumbel noise as a pure function of (row seed, index of the generated token, token id).

argmax_v(h_v/T + g_v) with independent standard Gumbel g_v is a sample from softmax(h/T) (the
Gumbel-max trick). Because the noise is a counter-based hash and no generator's state, a row's draw
depends on nothing else in its batch, and two decodes with equal seeds share their noise at every λ
(common random numbers).

The hash is SplitMix64 (Steele, Lea and Flood 2014): state = key + token·γ, then its 64-bit
finalizer.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

_WORD = 2**64
_GAMMA = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def mix64(word: int) -> int:
    """SplitMix64's finalizer: a bijection of [0, 2⁶⁴) whose output bits look independent."""
    word = (word ^ (word >> 30)) * _FIRST % _WORD
    word = (word ^ (word >> 27)) * _SECOND % _WORD
    return word ^ (word >> 31)


def fold(seed: int) -> int:
    """Any integer as a word in [0, 2⁶⁴); itself where it already is one."""
    if 0 <= seed < _WORD:
        return seed
    return int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:8], "big")


def derive_seed(seed: int, row: int) -> int:
    """The seed of a row under one run seed: a hash of both in [0, 2⁶³), for any batch size."""
    return mix64((mix64(fold(seed)) + (row + 1) * _GAMMA) % _WORD) >> 1


def gumbel(seeds: Sequence[int], indices: Sequence[int], size: int, device: torch.device) -> Tensor:
    """Standard Gumbel noise for one token of every row.

    Args:
        seeds: Row seeds, length B.
        indices: Index of the token each row generates next, counted from 0 after its prompt, length
            B.
        size: Number of token ids V.
        device: Where the noise is made.

    Returns:
        `[B, V]` float64.
    """
    keys = [
        _signed(mix64((mix64(fold(seed)) ^ (index * _GAMMA)) % _WORD))
        for seed, index in zip(seeds, indices, strict=True)
    ]
    state = torch.tensor(keys, device=device).unsqueeze(1) + _steps(size, device)
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        state ^= _shifted(state, shift)
        state *= _signed(factor)
    state ^= _shifted(state, 31)
    # 52 bits and a half keep the uniform strictly inside (0, 1): both logarithms are finite.
    uniform = _shifted(state, 12).double().add_(0.5).mul_(2.0**-52)
    return uniform.log_().neg_().log_().neg_()


@functools.lru_cache(maxsize=8)
def _steps(size: int, device: torch.device) -> Tensor:
    """token·γ modulo 2⁶⁴ for every token id, `[V]` int64."""
    return torch.arange(1, size + 1, device=device) * _signed(_GAMMA)


def _signed(word: int) -> int:
    """The same 64 bits as torch's int64 holds them."""
    return word - _WORD if word >= _WORD // 2 else word


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Logical right shift; torch's own repeats the sign bit."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)
