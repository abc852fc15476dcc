"""The method of DeRa's public notebook, from the formula: an oracle where it is right.

`generate()` of the aligned model runs with a logits processor that runs the reference. That is
right for one unpadded prompt decoded greedily or sampled, without settings that mask or penalise.
Elsewhere it has faults, which stay here so that a check can be shown to notice them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import FloatTensor, LongTensor
from transformers import (
    Cache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
)

from dera_rag.pairs import ModelPair


class ReferenceProcessor(LogitsProcessor):
    """λ·aligned + (1−λ)·reference, inside the aligned model's `generate()`.

    Its faults: the reference sees no mask and no positions, so left padding is read as text; its
    cache is never reordered (beam search) nor dropped (a second prompt); built-in masks and
    penalties come first, so they hit the aligned scores alone and 0·−inf is NaN.

    Args:
        reference: A causal language model in evaluation mode.
        lam: λ.
        vocab_size: V; embedding rows beyond it are cut.
    """

    def __init__(self, reference: PreTrainedModel, lam: float, vocab_size: int) -> None:
        self._reference = reference
        self._lam = lam
        self._vocab_size = vocab_size
        self._cache: Cache | None = None

    def __call__(self, input_ids: LongTensor, scores: FloatTensor) -> FloatTensor:
        """Mix the aligned `[B, ≥ V]` scores with the reference's; `[B, V]`."""
        output = self._reference(
            input_ids=input_ids if self._cache is None else input_ids[:, -1:],
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = output.past_key_values
        size = self._vocab_size
        reference = output.logits[:, -1, :size].float()
        return cast(FloatTensor, self._lam * scores[:, :size] + (1 - self._lam) * reference)


def notebook_generate(
    pair: ModelPair,
    prompts: Sequence[Sequence[int]],
    lam: float,
    processor: ReferenceProcessor | None = None,
    **settings: Any,
) -> list[list[int]]:
    """New tokens of each prompt by the notebook's method, up to the first stop token.

    Args:
        pair: Two causal models.
        prompts: Token ids; several of different length are padded on the left.
        lam: λ.
        processor: One that has been used before; a new one by default.
        settings: Of transformers' `GenerationConfig`; greedy by default.
    """
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    config = GenerationConfig(
        eos_token_id=sorted(pair.stop_ids) or None,
        pad_token_id=0,
        **({"do_sample": False} | settings),
    )
    mixing = processor or ReferenceProcessor(pair.reference, lam, pair.vocab_size)
    with torch.inference_mode():
        output = cast(Any, pair.aligned).generate(
            ids,
            attention_mask=mask,
            generation_config=config,
            logits_processor=LogitsProcessorList([mixing]),
        )
    return [until_stop(row, pair.stop_ids) for row in output[:, width:].tolist()]


def until_stop(token_ids: Sequence[int], stop_ids: frozenset[int]) -> list[int]:
    """The tokens up to the first stop token, without the padding `generate()` puts behind it."""
    end = next((i + 1 for i, token in enumerate(token_ids) if token in stop_ids), len(token_ids))
    return list(token_ids[:end])
