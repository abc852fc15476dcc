"""Tiny random checkpoints and tokenizers, built from configurations and seeds: no download."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from dera_rag.pairs import ModelPair
from dera_rag.pairs.loading import quiet

Shape = Literal["llama", "mistral", "qwen2", "qwen3", "gpt2"]
SHAPES: tuple[Shape, ...] = ("llama", "mistral", "qwen2", "qwen3", "gpt2")
TokenizerKind = Literal["plain", "bos", "byte_fallback"]

_TEXT = (
    "The old harbour café serves fresh bread and soup until nine in the evening.",
    "A small pub near the river is cheap, friendly and open to families.",
    "Über die Brücke, past the 24 steps: naïve façades, crème brûlée, jalapeños.",
    "東京の小さな食堂は安くて美味しい。 Цены низкие, еда хорошая. 🍜🍣 5/5",
)


def tiny_tokenizer(kind: TokenizerKind = "plain") -> PreTrainedTokenizerFast:
    """A small tokenizer with `</s>` as EOS.

    Args:
        kind: `plain` is byte-level BPE without BOS and without a pad token; `bos` the same
            vocabulary with `<s>` put in front of every text and padding with EOS;
            `byte_fallback` is a SentencePiece-like one: `▁` for spaces, a leading space that
            decoding strips, `<0x..>` tokens for bytes.
    """
    if kind == "byte_fallback":
        backend, extra = _byte_fallback_backend(), {"bos_token": "<s>", "unk_token": "<unk>"}
    else:
        backend, extra = _byte_level_backend(), {"bos_token": "<s>"}
        if kind == "bos":
            backend.post_processor = processors.TemplateProcessing(
                single="<s> $A", special_tokens=[("<s>", backend.token_to_id("<s>"))]
            )
            extra |= {"pad_token": "</s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="</s>",  # noqa: S106 - a token of text
        model_max_length=100_000,
        **extra,
    )


def tiny_model(
    shape: Shape, vocab_size: int, seed: int, *, positions: int = 256, window: int = 12
) -> PreTrainedModel:
    """A random two-layer model whose greedy text does not fall into a loop at once.

    Args:
        shape: Architecture.
        vocab_size: Embedding rows.
        seed: Of the weights; torch's global generator is left as it was.
        positions: `max_position_embeddings` (`n_positions` for GPT-2).
        window: Sliding attention window of the Mistral shape, in tokens.
    """
    common: dict[str, Any] = {"vocab_size": vocab_size, "bos_token_id": None, "eos_token_id": None}
    rope = common | {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": positions,
        "initializer_range": 0.2,
    }
    build: dict[Shape, Callable[[], Any]] = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**rope)),
        "mistral": lambda: MistralForCausalLM(
            MistralConfig(**rope, head_dim=8, sliding_window=window)
        ),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**rope)),
        "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**rope, head_dim=8)),
        "gpt2": lambda: GPT2LMHeadModel(
            GPT2Config(
                **common,
                n_embd=32,
                n_layer=2,
                n_head=4,
                n_positions=positions,
                initializer_range=0.2,
            )
        ),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = cast(PreTrainedModel, build[shape]())
    model.eval()
    return model


@dataclass(frozen=True)
class TinyPair:
    """Where a tiny pair was saved.

    Attributes:
        reference: Directory of the reference model.
        aligned: Directory of the aligned model.
    """

    reference: Path
    aligned: Path

    def load(self, **settings: Any) -> ModelPair:
        """The pair, loaded by path; `settings` go to `ModelPair.from_pretrained`."""
        return ModelPair.from_pretrained(
            reference=str(self.reference), aligned=str(self.aligned), **settings
        )


def write_pair(
    directory: Path,
    shape: Shape = "llama",
    *,
    tokenizer: TokenizerKind = "plain",
    padding: tuple[int, int] = (0, 0),
    eos: tuple[Sequence[int], Sequence[int]] | None = None,
    seed: int = 0,
    positions: int = 256,
) -> TinyPair:
    """Save two random models of one shape, with their tokenizer, as safetensors.

    Args:
        directory: Parent of the two model directories.
        shape: Architecture.
        tokenizer: Kind of tokenizer.
        padding: Embedding rows beyond the tokenizer's length, for reference and aligned.
        eos: EOS ids of the two generation configurations; the tokenizer's EOS by default.
        seed: Of the reference's weights; the aligned model's are another function of it.
        positions: Context length.
    """
    words = tiny_tokenizer(tokenizer)
    ends = eos or ([words.eos_token_id], [words.eos_token_id])
    folders = directory / "reference", directory / "aligned"
    for i, folder in enumerate(folders):
        model = tiny_model(shape, len(words) + padding[i], 2 * seed + i, positions=positions)
        model.generation_config = GenerationConfig(eos_token_id=list(ends[i]))
        with quiet():
            model.save_pretrained(folder)
            words.save_pretrained(folder)
    return TinyPair(*folders)


def _byte_level_backend() -> Tokenizer:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<unk>", "<s>", "</s>", "<|user|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_TEXT, trainer)
    return backend


def _byte_fallback_backend() -> Tokenizer:
    letters = sorted(set("".join(_TEXT[:2]).replace(" ", "▁")))
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("a", "n"), ("▁", "a"), ("▁a", "n")]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    tokens += [left + right for left, right in merges]
    vocab = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    backend = Tokenizer(
        models.BPE(
            vocab,
            merges,
            unk_token="<unk>",  # noqa: S106 - a token of text
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocab["<s>"])]
    )
    backend.add_special_tokens(["<unk>", "<s>", "</s>"])
    return backend
