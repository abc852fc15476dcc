"""Supervised training of small Llama-shaped language models.

Used for the reference model of the embedded pair and for the third model that measures naturalness.
Hidden matrices are optimised by Muon (Jordan et al. 2024), which needs about half of AdamW's steps
at this size; embeddings and norms by AdamW.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from dera_rag.alignment import parallel
from dera_rag.alignment.batching import Batch, batches, collate
from dera_rag.alignment.binding import BindingLoss
from dera_rag.alignment.sequences import Tokens
from dera_rag.errors import DivergedError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of a Llama-shaped model.

    Attributes:
        hidden: Width.
        layers: Depth.
        heads: Attention heads; the head size is hidden / heads.
        inner: Width of the gated feed-forward part.
        context: Longest sequence in tokens.
    """

    hidden: int = 256
    layers: int = 6
    heads: int = 4
    inner: int = 640
    context: int = 1024


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        batch_tokens: Tokens of a batch, padding included.
        epochs: Passes over the examples.
        muon_lr: Peak learning rate of the hidden matrices.
        adam_lr: Peak learning rate of everything else.
        warmup: Share of the steps with a rising rate; after it, a linear decay to 0.
        prompt_weight: Weight of a prompt token's loss beside an answer token's 1. Reading names
            again in the question is what teaches copying, so it is not 0.
        binding_weight: Weight of each auxiliary loss of `binding`; 0 leaves them out.
    """

    batch_tokens: int = 4096
    epochs: int = 1
    muon_lr: float = 0.02
    adam_lr: float = 3e-3
    warmup: float = 0.03
    prompt_weight: float = 0.2
    binding_weight: float = 0.0


def new_model(tokenizer: PreTrainedTokenizerBase, shape: Shape, seed: int) -> LlamaForCausalLM:
    """A randomly initialised model with tied embeddings.

    Keys start equal to queries, so that at first every head looks at tokens like its own (mimetic
    initialisation, Trockman & Kolter 2023): copying and matching names begin there.
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        intermediate_size=shape.inner,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    for layer in model.model.layers:
        attention = layer.self_attn
        torch.nn.init.normal_(attention.q_proj.weight, std=0.06)
        attention.k_proj.weight.data.copy_(attention.q_proj.weight)
    return model


def token_losses(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """−log p of each next token, `[B, S-1]`, computed under bfloat16 matrix products.

    Padding is on the right, so causal attention keeps it out of every real token's sight.
    """
    # At these lengths the plain attention kernel is a tenth faster on CPU than the fused one.
    with torch.autocast("cpu", dtype=torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        logits = model(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            position_ids=batch.positions,
            use_cache=False,
        ).logits
    flat = logits[:, :-1].float().flatten(0, 1)
    loss = torch.nn.functional.cross_entropy(flat, batch.ids[:, 1:].flatten(), reduction="none")
    return loss.view(batch.weight.shape)


def _optimizers(
    model: LlamaForCausalLM, schedule: Schedule
) -> list[tuple[torch.optim.Optimizer, float]]:
    inside = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    outside = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        (torch.optim.Muon(inside, lr=schedule.muon_lr, weight_decay=0.01), schedule.muon_lr),
        (
            torch.optim.AdamW(outside, lr=schedule.adam_lr, betas=(0.9, 0.95), weight_decay=0.0),
            schedule.adam_lr,
        ),
    ]


def _release_memory() -> None:
    """Give freed memory back: batches of ever other shapes fragment glibc's heap by GBs an hour."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _rate(step: int, steps: int, warmup: float) -> float:
    done = (step + 1) / steps
    return min(done / warmup if warmup else 1.0, (1 - done) / (1 - warmup) if warmup < 1 else 1.0)


def train(
    model: LlamaForCausalLM,
    examples: Sequence[Tokens],
    *,
    pad: int,
    schedule: Schedule,
    seed: int,
) -> float:
    """Train in place.

    Args:
        model: Model to train.
        examples: Encoded examples.
        pad: Padding id.
        schedule: Length and rates.
        seed: Fixes the order of batches.

    Returns:
        Mean answer loss over the last tenth of the steps, nats a token.

    Raises:
        DivergedError: The loss became NaN or infinite.
    """
    rng = random.Random(seed)
    plan = [
        b for _ in range(schedule.epochs) for b in batches(examples, schedule.batch_tokens, rng)
    ]
    # Each process takes every so-manieth batch; all take equally many.
    plan = plan[
        parallel.rank() : len(plan) // parallel.world() * parallel.world() : parallel.world()
    ]
    optimizers = _optimizers(model, schedule)
    torch.manual_seed(seed)
    binding = BindingLoss(model) if schedule.binding_weight else None
    trained = torch.nn.ModuleList([model] if binding is None else [model, binding])
    if binding is not None:
        rate = schedule.adam_lr
        optimizers.append((torch.optim.AdamW(binding.parameters(), lr=rate), rate))
    model.train()
    tail: list[float] = []
    started = time.monotonic()
    for step, batch in enumerate(plan):
        tensors = collate(batch, pad, schedule.prompt_weight)
        losses = token_losses(model, tensors)
        loss = (losses * tensors.weight).sum() / tensors.weight.sum()
        if binding is not None:
            loss = loss + schedule.binding_weight * binding(tensors)
        loss.backward()
        parallel.average_gradients(trained)
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        for optimizer, peak in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * _rate(step, len(plan), schedule.warmup)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        answer = tensors.weight == 1.0
        value = float(losses.detach()[answer].mean())
        if not math.isfinite(value):
            raise DivergedError(
                f"the loss became {value} at step {step}", hint="lower the learning rate"
            )
        if step >= 0.9 * len(plan):
            tail.append(value)
        if step % 50 == 0:
            _release_memory()
            spent = time.monotonic() - started
            left = spent / (step + 1) * (len(plan) - step - 1)
            logger.info(
                "step %d/%d  answer loss %.3f  %.0f s, %.0f s left",
                step,
                len(plan),
                value,
                spent,
                left,
            )
    if binding is not None:
        binding.remove()
    model.eval()
    return sum(tail) / max(len(tail), 1)
