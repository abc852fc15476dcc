"""One cache object for both branches, as `generate()` and beam search expect one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import torch
from transformers import Cache, EncoderDecoderCache

from dera_rag.errors import InvalidValueError


class PairCache(Cache):
    """The caches of the branches that run, kept in step.

    Whatever reorders, copies, drops or crops rows does so in both: a beam search that reorders one
    branch alone reads another beam's past.

    Args:
        reference: Cache of the reference; None where only the aligned model runs (λ=1).
        aligned: Cache of the aligned model; None where only the reference runs (λ=0).

    Raises:
        InvalidValueError: Neither is given.
    """

    # A compiled forward would need one static mask for two models.
    is_compileable = False

    def __init__(self, reference: Cache | None, aligned: Cache | None) -> None:
        # Not the base class's constructor: it makes layers, and these belong to the branches.
        if reference is None and aligned is None:
            raise InvalidValueError("a PairCache needs the cache of at least one branch")
        self.reference = reference
        self.aligned = aligned

    @property
    def layers(self) -> list[Any]:  # type: ignore[override]
        """Self-attention layers of both branches; what the base class derives its properties of."""
        return [layer for cache in self._running() for layer in _self_attention(cache).layers]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens held; the same in both branches."""
        return next(self._running()).get_seq_length(layer_idx)

    def get_max_length(self, layer_idx: int | None = None) -> int:
        """Most tokens that fit; −1 without a limit."""
        return next(self._running()).get_max_length(layer_idx)

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> NoReturn:
        """Each model makes its own mask from its own cache."""
        raise _not_one_model("get_mask_sizes")

    def update(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Each model writes to its own cache."""
        raise _not_one_model("update")

    def reset(self) -> None:
        """Empty both."""
        for cache in self._running():
            cache.reset()

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Rows `[B·beams]` take the past of the rows named, in both branches."""
        for cache in self._running():
            cache.reorder_cache(beam_idx)

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last tokens in both; the number is negative, as transformers counts it."""
        for cache in self._running():
            cache.crop(tokens_to_remove)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat every row, in both."""
        for cache in self._running():
            cache.batch_repeat_interleave(repeats)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows, in this order, in both."""
        for cache in self._running():
            cache.batch_select_indices(indices)

    def activate_past_recording(self) -> None:
        """Keep what a sliding window drops, so that `crop` can go back, in both."""
        for cache in self._running():
            cache.activate_past_recording()

    def __repr__(self) -> str:
        return f"PairCache(reference={self.reference!r}, aligned={self.aligned!r})"

    def _running(self) -> Iterator[Cache]:
        return (cache for cache in (self.reference, self.aligned) if cache is not None)


def branch_cache(past: Cache | None, name: str) -> Cache | None:
    """A branch's part of the cache passed to a forward pass.

    Raises:
        InvalidValueError: One model's cache, or a cache that lacks this branch.
    """
    if past is None:
        return None
    if not isinstance(past, PairCache):
        raise InvalidValueError(
            f"past_key_values must be a PairCache, got {type(past).__name__}",
            hint="pass the one an earlier call returned, or none",
        )
    cache: Cache | None = getattr(past, name)
    if cache is None:
        raise InvalidValueError(
            f"this cache was filled without the {name} model",
            hint="a cache from λ=0 or λ=1 continues at that λ only",
        )
    return cache


def _self_attention(cache: Cache) -> Cache:
    if isinstance(cache, EncoderDecoderCache):
        return cache.self_attention_cache
    return cache


def _not_one_model(name: str) -> NotImplementedError:
    return NotImplementedError(f"PairCache.{name}: use the cache of a branch")
