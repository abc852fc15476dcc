"""What decoding with two models costs: against the notebook's method and against one model.

    python evals/benchmarks/decoding.py [--quick] [--shapes embedded] [--dtypes float32]

Systems (see decoding_systems.py) take turns within each row and medians are taken, so a busy
machine shifts them alike. Ratios are of CPU seconds; wall seconds are kept beside them. Writes
results/decoding.json and, made from it, results/decoding.md; what they hold of other shapes and
dtypes stays if it was measured on the same machine. --quick writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

_RESULTS = Path(__file__).resolve().parents[1] / "results"


def machine(threads: int) -> dict[str, Any]:
    """What the figures depend on."""
    import torch
    import transformers

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def table(report: dict[str, Any]) -> str:
    """The report as markdown."""
    host = report["machine"]
    lines = [
        "# What decoding costs",
        "",
        f"{host['processor']}, {host['threads']} thread(s) of {host['cores']} cores, OMP policy "
        f"{host['omp_wait_policy']}, torch {host['torch']}, transformers {host['transformers']}. "
        "Interleaved rounds, medians; ratios of CPU seconds. N: the notebook's method, G: one "
        "model's `generate`, G′: one model on our engine, P: our loop, S: with "
        "speculation. Made by `evals/benchmarks/decoding.py`.",
        "",
        "| what | pair | dtype | setting | rounds | figure | measured | to reach | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        head = f"| {row['what']} | {row['shape']} | {row['dtype']} | {row['setting']} "
        head += f"| {row['rounds']} "
        for name, value in row["ratios"].items():
            limit, sense = row["to_reach"][name]
            met = value >= limit if sense == "≥" else value <= limit
            mark = "✓" if met else "✗"
            lines.append(f"{head}| {name} | {value:.2f} | {sense} {limit:g} | {mark} |")
        for name, value in row["notes"].items():
            lines.append(f"{head}| {name} | {_shown(value)} | | |")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Measure, print the table, and keep it unless the run was a quick one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few short runs, nothing is kept")
    parser.add_argument("--shapes", nargs="+", default=["embedded", "smol"])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, help="measured rounds (default 5, quick 2)")
    parser.add_argument("--lengths", nargs="+", type=int, help="prompts (default 512 1024)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    # Read once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    import torch
    from decoding_rows import FULL, QUICK, rows
    from decoding_systems import SHAPES

    from dera_rag.pairs.lean import packable

    torch.set_num_threads(arguments.threads)
    scale = QUICK if arguments.quick else FULL
    if arguments.rounds:
        scale = replace(scale, rounds=arguments.rounds)
    if arguments.lengths:
        scale = replace(scale, lengths=tuple(arguments.lengths))
    shapes = [SHAPES[name] for name in arguments.shapes]
    report: dict[str, Any] = {"machine": machine(arguments.threads)}
    report["rows"] = _kept(report["machine"], shapes, arguments.dtypes)
    for dtype in arguments.dtypes:
        if not packable(getattr(torch, dtype)):
            print(f"{dtype}: not available on this processor")
            continue
        for shape in shapes:
            for row in rows(shape, dtype, scale):
                print(f"{row.what}, {shape}, {dtype}, {row.setting}: {row.ratios} {row.notes}")
                report["rows"].append(row.to_dict())
                # Kept row by row: the whole table takes the better part of an hour.
                if not arguments.quick:
                    _keep(report)
    print(table(report))


def _kept(host: dict[str, Any], shapes: list[str], dtypes: list[str]) -> list[dict[str, Any]]:
    """Rows of an earlier run that this one does not measure again."""
    file = _RESULTS / "decoding.json"
    if not file.exists():
        return []
    before = json.loads(file.read_text())
    if before["machine"] != host:
        return []
    return [r for r in before["rows"] if r["shape"] not in shapes or r["dtype"] not in dtypes]


def _keep(report: dict[str, Any]) -> None:
    _RESULTS.mkdir(exist_ok=True)
    content = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    (_RESULTS / "decoding.json").write_text(content)
    (_RESULTS / "decoding.md").write_text(table(report))


if __name__ == "__main__":
    main()
