"""Whether a pair fits before its weights are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dera_rag.errors import ModelLoadError

if TYPE_CHECKING:
    from dera_rag.pairs.placement import Placement

# Free bytes of a device ("cpu", "cuda:0"); None where nobody knows, which fits everything.
MemoryProbe = Callable[[str], int | None]
_GIB = 1024**3


def free_memory(device: str = "cpu") -> int | None:
    """Bytes this process may still take on a device; None where the system does not tell.

    Args:
        device: "cpu" (default) for main memory, or "cuda:0" and the like.
    """
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0] if torch.cuda.is_available() else None
    if device != "cpu":
        return None
    free = _available()
    if free is not None and (limit := _group_room()) is not None:
        return min(free, limit)
    return free


def check_memory(needs: Mapping[str, int], placement: Placement, probe: MemoryProbe) -> None:
    """Refuse weights that cannot fit.

    Only weights are counted, so what passes may still run out in a long batch.

    Args:
        needs: Bytes of each part, by its name in the error.
        placement: Which devices share them.
        probe: What is free on a device.

    Raises:
        ModelLoadError: They are more than all devices together have free.
    """
    devices = placement.devices()
    free = {device: probe(device) for device in devices}
    room = sum(x for x in free.values() if x is not None)
    total = sum(needs.values())
    if None in free.values() or total <= room:
        return
    parts = " + ".join(f"{name} {in_words(size)}" for name, size in needs.items())
    places = ", ".join(f"{in_words(size or 0)} on {device}" for device, size in free.items())
    raise ModelLoadError(
        f"the weights take {in_words(total)} ({parts}), free are {places}",
        hint="dtype='bfloat16' halves float32 weights, from_adapter holds one model for two, "
        "device_map='auto' spreads over devices, quantization_config shrinks; "
        "memory_probe=lambda device: None loads all the same",
    )


def in_words(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / _GIB:.2f} GiB" if size >= _GIB / 100 else f"{size / 1024**2:.2f} MiB"


def _available() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
        line = next(line for line in text.splitlines() if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_room() -> int | None:
    """What the container leaves, where there is one with a limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text(encoding="utf-8"))
        used = int((group / "memory.current").read_text(encoding="utf-8"))
        lines = (group / "memory.stat").read_text(encoding="utf-8").splitlines()
        # Files read lately count as used, and give way.
        cached = next(int(x.split()[1]) for x in lines if x.startswith("inactive_file "))
        return limit - used + cached
    except (OSError, StopIteration, ValueError):
        return None
