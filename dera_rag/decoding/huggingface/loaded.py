"""What a pair must bring to become one model."""

from __future__ import annotations

import copy
from typing import Protocol

from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from dera_rag.errors import InvalidValueError


class LoadedPair(Protocol):
    """What `from_pair` needs of a pair, a `ModelPair` for one."""

    reference: PreTrainedModel
    aligned: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    vocab_size: int
    stop_ids: frozenset[int]


def check_kind(pair: object, *, encoder_decoder: bool) -> None:
    """Refuse what is not two models of the kind wanted.

    Raises:
        InvalidValueError: A branch is missing, no transformers model, or of the other kind.
    """
    for name in ("reference", "aligned"):
        model = getattr(pair, name, None)
        if not isinstance(model, PreTrainedModel):
            raise InvalidValueError(
                f"the pair's {name} is no single model but {type(model).__name__}",
                hint="wrap a ModelPair of two checkpoints",
            )
        if bool(model.config.is_encoder_decoder) is not encoder_decoder:
            raise InvalidValueError(
                f"{type(model).__name__} is {'no' if encoder_decoder else 'an'} encoder–decoder",
                hint=f"use {'DeraForCausalLM' if encoder_decoder else 'DeraForSeq2SeqLM'}",
            )


def generation_settings(pair: LoadedPair) -> GenerationConfig:
    """The aligned model's own, with the end tokens of both.

    Raises:
        InvalidValueError: The two decoders start from different tokens.
    """
    own = [
        copy.deepcopy(model.generation_config) or GenerationConfig()
        for model in (pair.reference, pair.aligned)
    ]
    starts = [settings.decoder_start_token_id for settings in own]
    if starts[0] != starts[1]:
        raise InvalidValueError(
            f"answers of the reference start from token {starts[0]}, of the aligned model from "
            f"{starts[1]}",
            hint="DeraDecoder starts each branch from its own",
        )
    settings = own[1]
    settings.eos_token_id = sorted(pair.stop_ids) or None
    pad = pair.tokenizer.pad_token_id
    # A pad token that a library added may lie beyond the embeddings; `generate` then takes an end
    # token.
    if settings.pad_token_id is None and pad is not None and pad < pair.vocab_size:
        settings.pad_token_id = pad
    return settings
