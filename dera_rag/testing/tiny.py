"""Tiny random checkpoints and tokenizers, built from configurations and seeds: no download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import GenerationConfig, PreTrainedTokenizerFast

from dera_rag.pairs import ModelPair
from dera_rag.pairs.loading import quiet
from dera_rag.testing.shapes import ENCODER_DECODERS, Shape, tiny_model

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
        start = model.config.decoder_start_token_id if shape in ENCODER_DECODERS else None
        model.generation_config = GenerationConfig(
            eos_token_id=list(ends[i]), decoder_start_token_id=start
        )
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
