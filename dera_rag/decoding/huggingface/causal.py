"""`DeraForCausalLM`: a pair of causal language models as one."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, Cache
from transformers.modeling_outputs import CausalLMOutputWithPast

from dera_rag.decoding.huggingface.base import DeraModel, moved
from dera_rag.decoding.huggingface.cache import PairCache, branch_cache
from dera_rag.decoding.huggingface.configuration import DeraConfig
from dera_rag.decoding.huggingface.strength import Strength


class DeraForCausalLM(DeraModel):
    """Two causal language models whose next-token logits are r + λ(a − r) (Liu et al. 2024).

    `DeraForCausalLM.from_pair(pair)` wraps a `ModelPair` without copying; `save_pretrained` writes
    both models into one folder, and `from_pretrained` (or `AutoModelForCausalLM`, after this
    module was imported) reads it. See `generate` for λ.
    """

    _auto_model = AutoModelForCausalLM

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        dera_lambda: Strength | None = None,
        return_dict: bool | None = None,
    ) -> CausalLMOutputWithPast | tuple[Any, ...]:
        """Logits of the mixture.

        Args:
            input_ids: `[B, L]`.
            attention_mask: `[B, past + L]`, 0 for padding.
            position_ids: `[B, L]`, counting real tokens.
            past_key_values: A `PairCache` of an earlier call.
            use_cache: Whether to return a cache; the models' own default otherwise.
            logits_to_keep: How many of the last positions to give logits for; 0 (default) is all.
            dera_lambda: λ ≥ 0, one or `[B]`; a tensor is not checked for its range. The
                configuration's by default.
            return_dict: False returns a tuple.

        Returns:
            Logits `[B, L, V]` float32, and the `PairCache`.

        Raises:
            InvalidValueError: λ does not fit the batch, or the cache does not fit λ.
            LogitsError: A branch produced NaN, +inf or a −inf the other one does not share.
        """
        lam = self._strength(dera_lambda, len(input_ids))
        step = past_key_values.get_seq_length() if past_key_values is not None else 0
        logits, caches = {}, {}
        for name, model in self._running(lam):
            output = model(
                input_ids=input_ids.to(model.device),
                attention_mask=moved(attention_mask, model),
                position_ids=moved(position_ids, model),
                past_key_values=branch_cache(past_key_values, name),
                use_cache=use_cache,
                logits_to_keep=logits_to_keep,
                return_dict=True,
            )
            logits[name], caches[name] = output.logits, output.past_key_values
        if past_key_values is None and any(cache is not None for cache in caches.values()):
            past_key_values = PairCache(caches.get("reference"), caches.get("aligned"))
        result = CausalLMOutputWithPast(
            logits=cast(Any, self._mixed(logits, lam, step)), past_key_values=past_key_values
        )
        return result if return_dict is not False else result.to_tuple()


AutoConfig.register(DeraConfig.model_type, DeraConfig, exist_ok=True)
AutoModelForCausalLM.register(DeraConfig, DeraForCausalLM, exist_ok=True)
