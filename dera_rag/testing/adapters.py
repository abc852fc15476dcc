"""Tiny random PEFT adapters."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedModel

from dera_rag.pairs.loading import quiet
from dera_rag.testing.shapes import ENCODER_DECODERS, Shape


def write_adapter(
    directory: Path,
    base: Path,
    shape: Shape = "llama",
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    **settings: Any,
) -> PreTrainedModel:
    """Save a random LoRA adapter of a tiny model, as PEFT writes it.

    Args:
        directory: Where to.
        base: Directory of the model it adapts.
        shape: Its architecture.
        seed: Of the adapter's weights; torch's global generator is left as it was.
        dtype: Type the adapter is stored in.
        settings: Of `peft.LoraConfig`; rank 4, α 16 and all linear layers by default.

    Returns:
        The base with the adapter, unmerged, as PEFT runs it.
    """
    from peft import LoraConfig, PeftModel, get_peft_model

    kind = AutoModelForSeq2SeqLM if shape in ENCODER_DECODERS else AutoModelForCausalLM
    defaults = {"r": 4, "lora_alpha": 16, "target_modules": "all-linear"}
    config = LoraConfig(**defaults | settings)
    with (
        warnings.catch_warnings(),
        quiet(),
        torch.random.fork_rng(devices=[]),
    ):
        # PEFT says that it stores embeddings, and looks at names transformers is to rename.
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        load = cast(Any, kind).from_pretrained
        made = get_peft_model(load(base), config)
        for parameter in made.parameters():
            if parameter.requires_grad:
                parameter.data = (parameter.data + 0.2 * torch.randn_like(parameter)).to(dtype)
        made.save_pretrained(str(directory))
        return cast(PreTrainedModel, PeftModel.from_pretrained(load(base), str(directory)).eval())
