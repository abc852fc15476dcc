"""Peak memory of one first token beyond weights and keys and values, in a process of its own.

    python evals/benchmarks/decoding_memory.py SHAPE DTYPE LENGTH N|P

Prints bytes, or `null` where the system does not tell peaks (anything but Linux).
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
from pathlib import Path

from decoding_systems import answer, make_bench, notebook, ours

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def _bytes(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def peak(shape: str, dtype: str, length: int, system: str) -> int | None:
    """Bytes above what was resident before, less the keys and values of both models."""
    if not _RESET.exists():
        return None
    bench = make_bench(shape, dtype, ends=False)
    prompt = bench.random_prompts(1, length)[0]
    if system == "N":
        bench.pair = None  # type: ignore[assignment]

        def run(ids: list[int]) -> int:
            return notebook(bench, ids, 0.6, 2, 0.0)
    else:
        decoder = ours(bench)
        bench.reference = bench.aligned = None  # type: ignore[assignment]

        def run(ids: list[int]) -> int:
            return answer(decoder, ids, 0.6, 2, 0.0)()

    # Code paths, thread pools and kernels are loaded before the measurement.
    run(prompt[:16])
    _give_back()
    before = _bytes("VmRSS:")
    _RESET.write_text("5")
    run(prompt)
    config = (bench.aligned or decoder.pair.aligned).config  # type: ignore[union-attr]
    item = 4 if dtype == "float32" else 2
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    states = 2 * config.num_hidden_layers * config.num_key_value_heads * head * item * length
    return _bytes("VmHWM:") - before - 2 * states


def _give_back() -> None:
    """Return what was freed to the system, or a run fills old space and its peak is not seen."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


if __name__ == "__main__":
    print(json.dumps(peak(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])))
