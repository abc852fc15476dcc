"""`DeraForSeq2SeqLM`: a pair of encoder–decoders as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor
from transformers import AutoConfig, AutoModelForSeq2SeqLM, Cache
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput
from transformers.utils.generic import ModelOutput

from dera_rag.decoding.huggingface.base import DeraModel, moved
from dera_rag.decoding.huggingface.cache import PairCache, branch_cache
from dera_rag.decoding.huggingface.configuration import DeraSeq2SeqConfig
from dera_rag.decoding.huggingface.strength import Strength
from dera_rag.errors import InvalidValueError


@dataclass
class PairEncoderOutput(ModelOutput):
    """What the encoders that ran made of the input; `generate` repeats its rows for beams.

    Attributes:
        aligned: `[B, S, D]` hidden states of the aligned model's encoder; None at λ=0.
        reference: Likewise of the reference's; None at λ=1.
    """

    aligned: Tensor | None = None
    reference: Tensor | None = None


class _Encoders:
    """Both encoders, called as `generate` calls one: each runs once, whatever follows."""

    main_input_name = "input_ids"

    def __init__(self, encode: Callable[..., PairEncoderOutput]) -> None:
        self.forward = encode

    def __call__(
        self,
        *,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool = True,
        **inputs: Any,
    ) -> PairEncoderOutput:
        # What `generate` always names and never sets: it refuses these outputs beforehand.
        return self.forward(**inputs)


class DeraForSeq2SeqLM(DeraModel):
    """Two encoder–decoders whose next-token logits are r + λ(a − r) (Liu et al. 2024).

    As `DeraForCausalLM`, for T5, FLAN-T5 or BART shapes: encoder inputs are padded on the right
    and masked, each encoder runs once.
    """

    config_class = DeraSeq2SeqConfig
    config: DeraSeq2SeqConfig
    _auto_model = AutoModelForSeq2SeqLM

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: PairEncoderOutput | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        dera_lambda: Strength | None = None,
        return_dict: bool | None = None,
    ) -> Seq2SeqLMOutput | tuple[Any, ...]:
        """Logits of the mixture.

        Args:
            input_ids: `[B, S]` for the encoders; not needed with `encoder_outputs`.
            attention_mask: `[B, S]`, 0 for padding of the encoder's input.
            decoder_input_ids: `[B, L]`, the start token first.
            decoder_attention_mask: `[B, past + L]`.
            encoder_outputs: What an earlier call's encoders made of the input.
            past_key_values: A `PairCache` of an earlier call.
            use_cache: Whether to return a cache; the models' own default otherwise.
            dera_lambda: λ ≥ 0, one or `[B]`; a tensor is not checked for its range. The
                configuration's by default.
            return_dict: False returns a tuple.

        Returns:
            Logits `[B, L, V]` float32, and the `PairCache`.

        Raises:
            InvalidValueError: No decoder input, λ does not fit the batch, or the cache or the
                encoder outputs do not fit λ.
            LogitsError: A branch produced NaN, +inf or a −inf the other one does not share.
        """
        if decoder_input_ids is None:
            raise InvalidValueError(
                "decoder_input_ids are missing", hint="generate() starts them by itself"
            )
        lam = self._strength(dera_lambda, len(decoder_input_ids))
        step = past_key_values.get_seq_length() if past_key_values is not None else 0
        if encoder_outputs is None:
            encoder_outputs = self._encode(input_ids, attention_mask, lam)
        logits, caches = {}, {}
        for name, model in self._running(lam):
            hidden = encoder_outputs.get(name)
            if hidden is None:
                raise InvalidValueError(f"encoder_outputs lack the {name} model's")
            output = model(
                attention_mask=moved(attention_mask, model),
                encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
                decoder_input_ids=decoder_input_ids.to(model.device),
                decoder_attention_mask=moved(decoder_attention_mask, model),
                past_key_values=branch_cache(past_key_values, name),
                use_cache=use_cache,
                return_dict=True,
            )
            logits[name], caches[name] = output.logits, output.past_key_values
        if past_key_values is None and any(cache is not None for cache in caches.values()):
            past_key_values = PairCache(caches.get("reference"), caches.get("aligned"))
        result = Seq2SeqLMOutput(
            logits=cast(Any, self._mixed(logits, lam, step)),
            past_key_values=cast(Any, past_key_values),
        )
        return result if return_dict is not False else result.to_tuple()

    def get_encoder(self, modality: str | None = None) -> Any:
        """Both encoders behind one call."""
        return super().get_encoder(modality) if modality else _Encoders(self._encode)

    def _encode(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None = None,
        dera_lambda: Strength | None = None,
    ) -> PairEncoderOutput:
        """Hidden states of the encoders that λ needs."""
        if input_ids is None:
            raise InvalidValueError("the encoders need input_ids")
        lam = self._strength(dera_lambda, len(input_ids))
        states = {
            name: model.get_encoder()(
                input_ids=input_ids.to(model.device),
                attention_mask=moved(attention_mask, model),
                return_dict=True,
            ).last_hidden_state
            for name, model in self._running(lam)
        }
        return PairEncoderOutput(**states)

    def _branch_kwargs(self, name: str, model_kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """A static cross-attention cache is as long as the branch's encoder output."""
        encoded = model_kwargs["encoder_outputs"]
        return {"encoder_outputs": BaseModelOutput(last_hidden_state=encoded[name])}


AutoConfig.register(DeraSeq2SeqConfig.model_type, DeraSeq2SeqConfig, exist_ok=True)
AutoModelForSeq2SeqLM.register(DeraSeq2SeqConfig, DeraForSeq2SeqLM, exist_ok=True)
