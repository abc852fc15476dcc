"""The rows of one branch over an encoder–decoder model.

A prompt is what the encoder reads, padded on the right; the answer starts from the model's own
decoder start token, which is no part of it. What the decoder attends to in a prompt is computed
once and read by every row of that prompt, whatever its λ.

Shapes: `R` rows of a branch, `P` distinct prompts, `S` prompt tokens including right padding, `k`
tokens appended at once, `V` token ids.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from transformers import EncoderDecoderCache, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer
from transformers.modeling_outputs import BaseModelOutput

from dera_rag.errors import ModelLoadError
from dera_rag.pairs.cache import GrowingLayer
from dera_rag.pairs.cross_attention import PromptStates, SharedLayer
from dera_rag.pairs.lora import RowSwitch


@dataclass
class _Group:
    """Rows whose answers are equally long, so that they share one cache without padding.

    Attributes:
        rows: Which rows of the branch these are, ascending.
        own: The decoder's states of their answers.
        cache: `own`, and the prompts as these rows see them.
        mask: `[rows, S]`; None where no prompt is padded.
    """

    rows: list[int]
    own: Cache
    cache: EncoderDecoderCache
    mask: Tensor | None = field(default=None)

    @property
    def length(self) -> int:
        """Tokens read by the decoder, the start token included."""
        return int(self.own.get_seq_length())

    def layers(self) -> list[GrowingLayer]:
        """The decoder's own layers."""
        return cast(list[GrowingLayer], self.own.layers)


class EncoderDecoderRows:
    """`BranchRows` over any encoder–decoder model of transformers.

    Rows of different answer length run in forwards of their own: absolute positions are counted in
    columns by these models, so padding would move them.

    Args:
        model: An encoder–decoder with a language-model head, in evaluation mode.
        vocab_size: V; embedding rows at and beyond it are cut.
        home: Where logits are delivered, so that branches on two devices can be mixed.
        switch: Which rows run an adapter, where the model has one that can be switched.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        vocab_size: int,
        home: torch.device,
        switch: RowSwitch | None = None,
    ) -> None:
        self._model = model
        self._vocab_size = vocab_size
        self._home = home
        self._switch = switch
        self._start = decoder_start(model)
        self._prompts: PromptStates | None = None
        self._prompt_of: list[int] = []
        self._groups: list[_Group] = []

    def join(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Encode prompts as new rows behind the present ones; `[new rows, V]` first logits."""
        place = {tuple(prompt): i for i, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
        copies = [place[tuple(prompt)] for prompt in prompts]
        states, mask = self._encode(list(place))
        # Layers are added as the model first writes them: encoders and decoders differ in depth.
        own = Cache(layer_class_to_replicate=GrowingLayer)
        cross = Cache(layer_class_to_replicate=DynamicLayer)
        start = torch.full((len(place), 1), self._start, device=self._model.device)
        padded = mask if not bool(mask.all()) else None
        logits = self._forward(EncoderDecoderCache(own, cross), states, padded, start)[:, -1]

        read = PromptStates([(layer.keys, layer.values) for layer in cast(Any, cross.layers)], mask)
        known = 0 if self._prompts is None else len(self._prompts.mask)
        self._prompts = read if self._prompts is None else self._prompts.add(read)
        first = len(self._prompt_of)
        self._prompt_of += [known + i for i in copies]
        if copies != list(range(len(place))):
            _select(own, copies)
            logits = logits[copies]
        rows = list(range(first, len(self._prompt_of)))
        self._groups.append(_Group(rows, own, EncoderDecoderCache(own, cross)))
        self._settle()
        return logits

    def extend(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """Append k tokens to every row; `[R, k, V]` logits after each of them."""
        tokens = torch.tensor(token_ids, device=self._model.device)
        if len(self._groups) == 1:
            return self._extend(self._groups[0], tokens)
        out = torch.empty(*tokens.shape, self._vocab_size, device=self._home)
        for group in self._groups:
            out[group.rows] = self._extend(group, tokens[group.rows])
        return out

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; rows may be copied."""
        self._prompt_of = [self._prompt_of[row] for row in rows]
        for group in self._groups:
            place = {row: i for i, row in enumerate(group.rows)}
            index = [place[row] for row in rows if row in place]
            group.rows = [i for i, row in enumerate(rows) if row in place]
            if group.rows:
                _select(group.own, index)
        self._groups = [group for group in self._groups if group.rows]
        self._settle()

    def crop(self, counts: Sequence[int]) -> None:
        """Forget the last `counts[row]` tokens of each row."""
        groups = []
        for group in self._groups:
            for count in sorted({counts[row] for row in group.rows}):
                index = [i for i, row in enumerate(group.rows) if counts[row] == count]
                part = group if len(index) == len(group.rows) else _taken(group, index)
                for layer in part.layers():
                    layer.crop(-count)
                groups.append(part)
        self._groups = groups
        self._settle()

    def _extend(self, group: _Group, tokens: Tensor) -> Tensor:
        width = cast(PromptStates, self._prompts).mask.shape[1]
        # Of the encoder's states only the shape is looked at once their keys are known.
        nothing = torch.zeros(1, 1, 1, dtype=self._model.dtype, device=tokens.device)
        states = nothing.expand(len(tokens), width, 1)
        narrowed = nullcontext() if self._switch is None else self._switch.narrowed(group.rows)
        with narrowed:
            return self._forward(group.cache, states, group.mask, tokens)

    def _encode(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """The encoder's states `[P, S, hidden]` and mask `[P, S]`."""
        width = max(len(prompt) for prompt in prompts)
        device = self._model.device
        # Which id fills the padding is of no consequence: it is masked.
        ids = [list(prompt) + [0] * (width - len(prompt)) for prompt in prompts]
        mask = torch.tensor([[1] * len(p) + [0] * (width - len(p)) for p in prompts], device=device)
        encoder = cast(Any, self._model).get_encoder()
        output = encoder(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=mask if not bool(mask.all()) else None,
        )
        return output.last_hidden_state, mask

    def _forward(
        self, cache: EncoderDecoderCache, states: Tensor, mask: Tensor | None, tokens: Tensor
    ) -> Tensor:
        output = self._model(
            encoder_outputs=BaseModelOutput(last_hidden_state=cast(Any, states)),
            attention_mask=mask,
            decoder_input_ids=tokens,
            past_key_values=cache,
            use_cache=True,
        )
        logits: Tensor = output.logits[:, :, : self._vocab_size]
        return logits.to(device=self._home, dtype=torch.float32)

    def _settle(self) -> None:
        """After rows came, went or were cut: merge groups, forget prompts nobody reads."""
        merged: dict[int, _Group] = {}
        for group in self._groups:
            there = merged.setdefault(group.length, group)
            if there is not group:
                for mine, theirs in zip(there.layers(), group.layers(), strict=True):
                    mine.append_rows(theirs)
                there.rows += group.rows
        self._groups = list(merged.values())
        for group in self._groups:
            order = sorted(range(len(group.rows)), key=group.rows.__getitem__)
            if order != list(range(len(order))):
                _select(group.own, order)
                group.rows.sort()
        used = sorted(set(self._prompt_of))
        if not used or self._prompts is None:
            return
        # Copying pays where it frees at least half.
        if 2 * len(used) <= len(self._prompts.mask):
            self._prompts = self._prompts.take(used)
            self._prompt_of = [used.index(prompt) for prompt in self._prompt_of]
        for group in self._groups:
            self._show_prompts(group, self._prompts)

    def _show_prompts(self, group: _Group, prompts: PromptStates) -> None:
        """Point a group's cache at what its rows read."""
        own = [self._prompt_of[row] for row in group.rows]
        index = torch.tensor(own, device=prompts.mask.device)
        mask = prompts.mask[index]
        group.mask = None if bool(mask.all()) else mask
        straight = own == list(range(len(prompts.mask)))
        layers = [SharedLayer(k, v, None if straight else index) for k, v in prompts.layers]
        group.cache = EncoderDecoderCache(group.own, Cache(layers=cast(Any, layers)))


def decoder_start(model: PreTrainedModel) -> int:
    """The token a model's decoder starts from, as its own `generate()` chooses it.

    Raises:
        ModelLoadError: No configuration names one.
    """
    sources = model.generation_config, model.config
    for name in ("decoder_start_token_id", "bos_token_id"):
        for source in sources:
            token = getattr(source, name, None)
            if isinstance(token, int):
                return token
    raise ModelLoadError(
        f"{type(model).__name__} names no decoder start token",
        hint="set decoder_start_token_id in its generation_config.json",
    )


def _select(cache: Cache, rows: Sequence[int]) -> None:
    for layer in cast(list[GrowingLayer], cache.layers):
        layer.batch_select_indices(torch.tensor(rows, device=layer.device))


def _taken(group: _Group, index: Sequence[int]) -> _Group:
    """Some rows of a group as a group of their own; the group itself stays as it is."""
    own = copy.copy(group.own)
    own.layers = [copy.copy(layer) for layer in group.own.layers]
    _select(own, index)
    return _Group([group.rows[i] for i in index], own, group.cache)
