"""The rows of one branch over a transformers model: cache, padding mask and positions.

Shapes: `R` rows of a branch, `L` columns including left padding, `k` tokens appended at once, `V`
token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from dera_rag.errors import InvalidValueError
from dera_rag.pairs.cache import HISTORY, CachedRow, GrowingLayer, growing_layers, new_cache
from dera_rag.pairs.forked import ForkedLayer, fork, merge
from dera_rag.pairs.prefixes import PrefixCache

# Columns of padding shared by all rows that are tolerated before the cache is copied without them.
_IDLE_COLUMNS = 64


class BranchRows(Protocol):
    """The rows of one branch of a session."""

    def extend(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """Append k tokens to every row; `[R, k, V]` float32 logits after each of them."""
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; rows may be copied."""
        ...

    def crop(self, counts: Sequence[int]) -> None:
        """Forget the last `counts[row]` tokens of each row."""
        ...

    def join(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read prompts as new rows behind the present ones; `[new rows, V]` first logits."""
        ...


class ModelRows:
    """`BranchRows` over any causal model of transformers.

    Prompts are padded on the left, so that every row's next token stands in the same column.
    Padding is masked and positions count real tokens only; a row's logits are those it has alone.

    Args:
        model: A causal language model in evaluation mode.
        vocab_size: V; embedding rows at and beyond it are cut.
        home: Where logits are delivered, so that branches on two devices can be mixed.
        prefixes: Keys and values of earlier prompts, for prompts that come one at a time; None
            reads every prompt anew.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        vocab_size: int,
        home: torch.device,
        prefixes: PrefixCache | None = None,
    ) -> None:
        self._model = model
        self._vocab_size = vocab_size
        self._home = home
        self.prefixes = prefixes
        self._cache = new_cache(model.config)
        self._mask = torch.empty(0, 0, dtype=torch.long, device=model.device)
        self._lengths = self._mask.new_empty(0, 1)
        # Longest each row has been: what a sliding window has forgotten does not come back.
        self._peaks = self._lengths
        self._padded = False

    def join(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read prompts as new rows behind the present ones; `[new rows, V]` first logits."""
        if not len(self._lengths):
            return self._read(prompts)
        newcomers = ModelRows(self._model, self._vocab_size, self._home, self.prefixes)
        logits = newcomers.join(prompts)
        for mine, theirs in zip(self._layers(), newcomers._layers(), strict=True):
            mine.append_rows(theirs)
        width = max(self._mask.shape[1], newcomers._mask.shape[1])
        self._mask = torch.cat([_widened(rows._mask, width) for rows in (self, newcomers)])
        self._lengths = torch.cat([self._lengths, newcomers._lengths])
        self._peaks = torch.cat([self._peaks, newcomers._peaks])
        self._settle()
        return logits

    def extend(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """Append k tokens to every row; `[R, k, V]` logits after each of them."""
        tokens = torch.tensor(token_ids, device=self._model.device)
        count = tokens.shape[1]
        self._mask = torch.cat([self._mask, torch.ones_like(tokens)], dim=1)
        positions = self._lengths + torch.arange(count, device=tokens.device)
        self._lengths = self._lengths + count
        self._peaks = torch.maximum(self._peaks, self._lengths)
        return self._forward(tokens, positions, count)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        index = torch.tensor(rows, device=self._model.device)
        if len(set(rows)) < len(rows):
            self._cache.layers = fork(self._cache.layers)
        self._cache.batch_select_indices(index)
        if not any(isinstance(x, ForkedLayer) and x.shared for x in self._cache.layers):
            self._cache.layers = merge(self._cache.layers)
        self._mask, self._lengths = self._mask[index], self._lengths[index]
        self._peaks = self._peaks[index]
        self._settle()

    def crop(self, counts: Sequence[int]) -> None:
        """Forget the last `counts[row]` tokens of each row.

        What all rows lose is cut off; a row that loses more is moved to the right, so that columns
        stay apart by as much as positions do, which sliding windows count on.
        """
        layers = self._layers()
        removed = torch.tensor(counts, device=self._model.device).unsqueeze(1)
        left = self._lengths - removed
        self._refuse_forgotten(left)
        common = min(counts)
        if common:
            self._mask = self._mask[:, :-common]
            for layer in layers:
                layer.crop(-common)
        self._lengths = left
        if common != max(counts):
            shifts = removed.squeeze(1) - common
            for layer in layers:
                layer.shift_rows(shifts)
            columns = torch.arange(self._mask.shape[1], device=self._mask.device)
            source = columns - shifts.unsqueeze(1)
            self._mask = self._mask.gather(1, source.clamp_min(0)) * (source >= 0)
        self._settle()

    def _read(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Prefill an empty cache."""
        # Rows with one prompt (several λ or seeds) share its prefill.
        place = {tuple(prompt): i for i, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
        copies = [place[tuple(prompt)] for prompt in prompts]
        width = max(len(prompt) for prompt in place)
        # Which id fills the padding is of no consequence: it is masked.
        padded = [[0] * (width - len(prompt)) + list(prompt) for prompt in place]
        shown = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in place]
        self._mask = torch.tensor(shown, device=self._model.device)
        self._lengths = self._peaks = self._mask.sum(-1, keepdim=True)
        self._padded = any(len(prompt) < width for prompt in place)
        tokens = torch.tensor(padded, device=self._model.device)
        if len(place) == 1 and self.prefixes is not None:
            logits = self._continued(tokens, next(iter(place)), self.prefixes)
        else:
            positions = (self._mask.cumsum(-1) - 1).clamp_min(0)
            logits = self._forward(tokens, positions, 1)[:, -1]
        if len(copies) == len(logits):
            return logits
        self.select(copies)
        return logits[copies]

    def _continued(self, tokens: Tensor, prompt: tuple[int, ...], prefixes: PrefixCache) -> Tensor:
        """Read what is not known yet of a single prompt, and remember it; `[1, V]`."""
        row = CachedRow(self._cache)
        logits = prefixes.start(row, prompt)
        if logits is None:
            first = self._cache.get_seq_length()
            positions = torch.arange(first, len(prompt), device=tokens.device).unsqueeze(0)
            logits = self._forward(tokens[:, first:], positions, 1)[:, -1]
            # A beginning cannot be taken from what has lost its own.
            if row.whole:
                prefixes.keep(row, prompt, logits)
        return logits

    def _forward(self, tokens: Tensor, positions: Tensor, count: int) -> Tensor:
        output = self._model(
            input_ids=tokens,
            # Without padding, no mask lets attention take its faster kernel.
            attention_mask=self._mask if self._padded else None,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=count,
        )
        logits: Tensor = output.logits[:, -count:, : self._vocab_size]
        return logits.to(device=self._home, dtype=torch.float32)

    def _settle(self) -> None:
        """After rows came or went: drop columns that are padding in every row."""
        idle = self._mask.shape[1] - int(self._lengths.max())
        if idle > _IDLE_COLUMNS and growing_layers(self._cache) is not None:
            self._mask = self._mask[:, idle:]
            for layer in self._layers():
                layer.drop_left(idle)
        self._padded = not bool(self._mask.all())

    def _layers(self) -> list[GrowingLayer]:
        """The cache's layers, whose columns may be moved."""
        self._cache.layers = merge(self._cache.layers)
        layers = growing_layers(self._cache)
        if layers is None:
            raise InvalidValueError(
                f"{type(self._model).__name__} keeps states that cannot be cropped or joined",
                hint="use step and select only with this architecture",
            )
        return layers

    def _refuse_forgotten(self, left: Tensor) -> None:
        windows = any(getattr(layer, "is_sliding", False) for layer in self._cache.layers)
        depth = int((self._peaks - left).max())
        if windows and depth > HISTORY:
            raise InvalidValueError(
                f"{depth} tokens taken back; sliding windows keep {HISTORY}",
                hint="crop less at a time",
            )


def can_draft(model: PreTrainedModel) -> bool:
    """Whether a model's caches can be cropped and joined: no recurrent states."""
    return growing_layers(new_cache(model.config)) is not None


def _widened(mask: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(mask, (width - mask.shape[1], 0))
