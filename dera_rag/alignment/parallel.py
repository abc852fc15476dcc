"""Data-parallel training on one machine: a process per core, their gradients averaged.

`torchrun` starts the processes. Small models gain more from this than from threads inside an
operation. Without `torchrun` everything here does nothing, and one process trains alone.
"""

from __future__ import annotations

import os

import torch
from torch import distributed


def start() -> None:
    """Join the other processes, if there are any."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        torch.set_num_threads(1)
        distributed.init_process_group("gloo")


def world() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0; 0 writes files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def wait() -> None:
    """Return when every process has come here."""
    if distributed.is_initialized():
        distributed.barrier()


def average(tensor: torch.Tensor) -> torch.Tensor:
    """The mean over processes, in place."""
    if distributed.is_initialized():
        distributed.all_reduce(tensor)
        tensor /= world()
    return tensor


def average_gradients(model: torch.nn.Module) -> None:
    """Give every process the mean gradient, in one exchange."""
    if not distributed.is_initialized():
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = average(torch.cat([g.flatten() for g in gradients]))
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
