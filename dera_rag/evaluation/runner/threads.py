"""One thread a process: workers do not fight over cores, and sums are added in one order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread, so that no digit depends on how many cores there are.

    Yields:
        Nothing; torch has its threads back when the block ends.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
