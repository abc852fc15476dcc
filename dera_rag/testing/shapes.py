"""Tiny random models of every architecture the decoder is tested against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

Shape = Literal[
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3",
    "phi",
    "phi3",
    "olmo2",
    "gpt2",
    "gpt_neox",
    "t5",
    "flan_t5",
    "bart",
]
ENCODER_DECODERS: tuple[Shape, ...] = ("t5", "flan_t5", "bart")
SLIDING: tuple[Shape, ...] = ("mistral", "qwen2", "gemma2", "gemma3", "phi3")
SHAPES: tuple[Shape, ...] = (
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3",
    "phi",
    "phi3",
    "olmo2",
    "gpt2",
    "gpt_neox",
)
# Alternating, as Gemma has them: a full layer sees what a sliding one has forgotten.
_LAYERS = ["sliding_attention", "full_attention"]


def tiny_model(
    shape: Shape, vocab_size: int, seed: int, *, positions: int = 256, window: int = 12
) -> PreTrainedModel:
    """A random two-layer model whose greedy text does not fall into a loop at once.

    Args:
        shape: Architecture.
        vocab_size: Embedding rows.
        seed: Of the weights; torch's global generator is left as it was.
        positions: `max_position_embeddings` (`n_positions` for GPT-2); T5 has none.
        window: Sliding attention window of the shapes in `SLIDING`, in tokens.
    """
    build: dict[Shape, Callable[[int, int, int], Any]] = {
        "t5": _t5,
        "flan_t5": lambda *sizes: _t5(
            *sizes, feed_forward_proj="gated-gelu", tie_word_embeddings=False
        ),
        "bart": _bart,
        "gpt2": _gpt2,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if shape in build:
            model = cast(PreTrainedModel, build[shape](vocab_size, positions, window))
        else:
            model = _rotary(shape, vocab_size, positions, window)
    model.eval()
    return model


def _rotary(shape: Shape, vocab_size: int, positions: int, window: int) -> PreTrainedModel:
    """The shapes whose configurations share Llama's names."""
    common: dict[str, Any] = {
        "vocab_size": vocab_size,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": positions,
        "initializer_range": 0.2,
    }
    grouped = common | {"num_key_value_heads": 2}
    narrow = grouped | {"head_dim": 8}
    slides: dict[str, Any] = {"sliding_window": window, "layer_types": _LAYERS}
    # Tied embeddings make a random model of this family repeat its last token for ever.
    gemma = narrow | slides | {"query_pre_attn_scalar": 8, "tie_word_embeddings": False}
    mixed = {"use_sliding_window": True, "max_window_layers": 1} | slides
    build: dict[Shape, Callable[[], Any]] = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**grouped)),
        "mistral": lambda: MistralForCausalLM(MistralConfig(**narrow, sliding_window=window)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**grouped, **mixed)),
        "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**narrow)),
        "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**gemma)),
        "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**gemma)),
        "phi": lambda: PhiForCausalLM(PhiConfig(**common)),
        "phi3": lambda: Phi3ForCausalLM(
            Phi3Config(**grouped, sliding_window=window, original_max_position_embeddings=positions)
        ),
        "olmo2": lambda: Olmo2ForCausalLM(Olmo2Config(**grouped)),
        "gpt_neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**common)),
    }
    return cast(PreTrainedModel, build[shape]())


def _gpt2(vocab_size: int, positions: int, _window: int) -> GPT2LMHeadModel:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocab_size,
            bos_token_id=cast(Any, None),
            eos_token_id=None,
            n_embd=32,
            n_layer=2,
            n_head=4,
            n_positions=positions,
            initializer_range=0.2,
        )
    )


def _t5(
    vocab_size: int, _positions: int, _window: int, **settings: Any
) -> T5ForConditionalGeneration:
    """Encoder and decoder of different depth; the answer starts from id 0."""
    start: dict[str, Any] = {"decoder_start_token_id": 0}
    config = T5Config(
        vocab_size=vocab_size,
        d_model=32,
        d_kv=8,
        d_ff=48,
        # transformers' own generate() counts the encoder's layers for its cache.
        num_layers=3,
        num_decoder_layers=2,
        num_heads=4,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=16,
        eos_token_id=None,
        pad_token_id=0,
        **start,
        **settings,
    )
    model = T5ForConditionalGeneration(config)
    # Louder values, not sharper attention, which T5 does not scale and float32 does not forgive.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if any(part in name for part in (".v.", ".o.", ".wi", ".wo.")):
                weight.mul_(4.0)
    return model


def _bart(vocab_size: int, positions: int, _window: int) -> BartForConditionalGeneration:
    """Encoder and decoder of different depth; the answer starts from the end of sequence."""
    return BartForConditionalGeneration(
        BartConfig(
            vocab_size=vocab_size,
            d_model=32,
            encoder_layers=2,
            decoder_layers=3,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            max_position_embeddings=positions,
            init_std=0.2,
            tie_word_embeddings=False,
            decoder_start_token_id=2,
            eos_token_id=2,
            bos_token_id=1,
            pad_token_id=0,
        )
    )
