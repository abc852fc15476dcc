"""Training sequences as batches of tensors."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from dera_rag.alignment.binding import NOTHING
from dera_rag.alignment.sequences import Tokens


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
