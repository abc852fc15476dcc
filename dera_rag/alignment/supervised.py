"""Supervised training of small Llama-shaped language models.

Used for the reference model of the embedded pair and for the third model that measures naturalness.
Hidden matrices are optimised by Muon (Jordan et al. 2024), which needs about half of AdamW's steps
at this size; embeddings and norms by AdamW.
"""

from __future__ import annotations

import ctypes
import itertools
import logging
import math
import os
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from dera_rag.alignment import parallel
from dera_rag.alignment.binding import NOTHING, BindingLoss, GroupLabels, Labels
from dera_rag.alignment.data import Example, Group, question_part
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


@dataclass(frozen=True, slots=True)
class Tokens:
    """A training sequence: a shared beginning, then one or more parts that do not see each other.

    Attributes:
        ids: Token ids, length S.
        kinds: What each token is: a prompt's ("p"), an answer's ("a") or, where a part begins, one
            that nothing predicts ("-"); length S.
        starts: Where parts begin; none where the sequence is a single text.
        labels: What each token is about; None where nothing is labelled.
    """

    ids: tuple[int, ...]
    kinds: str
    starts: tuple[int, ...] = ()
    labels: Labels | None = None


def one_answer(prompt: Sequence[int], answer: Sequence[int]) -> Tokens:
    """A sequence of a prompt and its answer, END included."""
    return Tokens((*prompt, *answer), "p" * len(prompt) + "a" * len(answer))


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Tokens]:
    """Texts without a prompt, each led and ended by END."""
    end = tokenizer.eos_token_id
    return [one_answer([end], [*ids, end]) for ids in tokenizer(list(texts))["input_ids"]]


def encode_groups(tokenizer: PreTrainedTokenizerBase, groups: Sequence[Group]) -> list[Tokens]:
    """Each group as one sequence, its questions as parts: every answer is read as the decoder will.

    The records are read once for all questions about them, which halves training time. Pieces are
    encoded apart; the tokenizer never merges across the border of a label, so the ids are those of
    the whole prompt.
    """
    examples = [e for group in groups for e in group.examples]
    passages = _encoded(tokenizer, [group.passages for group in groups])
    asked = _encoded(tokenizer, [question_part(e.question.text) for e in examples])
    answers = _encoded(tokenizer, [f" {e.answer}" for e in examples])
    parts = zip(examples, asked, answers, strict=True)
    return [
        _sequence(group, shared, itertools.islice(parts, len(group.examples)), tokenizer)
        for group, shared in zip(groups, passages, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A text as tokens with their places in it."""

    text: str
    ids: list[int]
    offsets: list[tuple[int, int]]


def _encoded(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[_Encoded]:
    made = tokenizer(texts, return_offsets_mapping=True)
    return [
        _Encoded(*one) for one in zip(texts, made["input_ids"], made["offset_mapping"], strict=True)
    ]


def _sequence(
    group: Group,
    shared: _Encoded,
    parts: Iterable[tuple[Example, _Encoded, _Encoded]],
    tokenizer: PreTrainedTokenizerBase,
) -> Tokens:
    maker = GroupLabels(group, shared.ids, shared.offsets)
    labels = maker.passages
    ids, kinds, starts = list(shared.ids), "p" * len(shared.ids), []
    for example, question, answer in parts:
        starts.append(len(ids))
        names = example.question.names
        asked = maker.part(names, question.text, question.ids, question.offsets)
        # A comparison is about neither place until its answer names one.
        before = asked.subject[-1] if len(names) == 1 else NOTHING
        said = maker.part(names, answer.text, answer.ids, answer.offsets, before=before, said=True)
        ids += [*question.ids, *answer.ids, tokenizer.eos_token_id]
        kinds += "-" + "p" * (len(question.ids) - 1) + "a" * (len(answer.ids) + 1)
        labels += asked + said + Labels.none(1)
    return Tokens(tuple(ids), kinds, tuple(starts), labels)


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


def batches(
    examples: Sequence[Tokens], batch_tokens: int, rng: random.Random
) -> Iterator[list[Tokens]]:
    """Batches of similar length in random order."""
    order = sorted(examples, key=lambda e: len(e.ids) + rng.random() * 4)
    groups: list[list[Tokens]] = [[]]
    width = 0
    for example in order:
        width = max(width, len(example.ids))
        if groups[-1] and width * (len(groups[-1]) + 1) > batch_tokens:
            groups.append([])
            width = len(example.ids)
        groups[-1].append(example)
    rng.shuffle(groups)
    yield from groups


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences as tensors, padded on the right.

    Attributes:
        ids: `[B, S]`.
        weight: `[B, S-1]` loss weight of each predicted token; 1 for answers, 0 for padding.
        positions: `[B, S]`; every part of a sequence goes on from the shared beginning.
        mask: `[B, 1, S, S]`, True where a query may look; None where causality alone says it.
        subject: `[B, S]`, as in `binding.Labels`; so are `name` and `copy`.
    """

    ids: torch.Tensor
    weight: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor | None
    subject: torch.Tensor
    name: torch.Tensor
    copy: torch.Tensor


def collate(sequences: Sequence[Tokens], pad: int, prompt_weight: float) -> Batch:
    """Sequences as one batch."""
    width = max(len(s.ids) for s in sequences)
    ids = torch.full((len(sequences), width), pad)
    weight = torch.zeros(len(sequences), width)
    positions = torch.arange(width).repeat(len(sequences), 1)
    part = torch.zeros(len(sequences), width, dtype=torch.long)
    labels = torch.full((3, *part.shape), NOTHING)
    value = {"p": prompt_weight, "a": 1.0, "-": 0.0}
    for row, sequence in enumerate(sequences):
        n = len(sequence.ids)
        ids[row, :n] = torch.tensor(sequence.ids)
        weight[row, :n] = torch.tensor([value[kind] for kind in sequence.kinds])
        if sequence.labels is not None:
            own = sequence.labels
            labels[:, row, :n] = torch.tensor([own.subject, own.name, own.copy])
        for number, start in enumerate(sequence.starts, start=1):
            part[row, start:] = number
            positions[row, start:] = sequence.starts[0] + torch.arange(width - start)
    mask = None
    if any(len(s.starts) > 1 for s in sequences):
        same = part[:, :, None] == part[:, None, :]
        mask = ((same | (part == 0)[:, None, :]).tril()).unsqueeze(1)
    return Batch(ids, weight[:, 1:], positions, mask, *labels)


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
