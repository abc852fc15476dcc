"""What an evaluation over all λ takes: whole paths against a grid, and one answer at each λ.

    python evals/benchmarks/harness.py [--questions 500] [--rounds 3] [--workers 2] [--quick]

`dera-rag eval run` answers and scores the same questions of the venues suite, with whole traces,
once as exact paths over λ ∈ [0, 2] and once as a grid of nine λ. The two take turns; each run is a
process of its own, start-up and its workers included. Then harness_lambdas.py sets the cost of one
answer at each λ beside one model's. Medians are taken. Writes results/harness.json and, made from
it, results/harness.md; --quick writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from decoding import machine

_EVALS = Path(__file__).resolve().parents[1]
_RESULTS = _EVALS / "results"
GRID = [i / 4 for i in range(9)]
SYSTEMS = {"path": "every answer for λ ∈ [0, 2]", "grid": "nine λ from 0 to 2"}
_DERA_RAG = "from dera_rag.cli import main; main()"


def write_suites(folder: Path, questions: int) -> dict[str, Path]:
    """The venues suite as it is and as a grid, with at least so many questions."""
    import yaml

    files = {}
    for name, changes in (("path", {}), ("grid", {"answers": "grid", "lam": GRID})):
        values = yaml.safe_load((_EVALS / "venues.yaml").read_text(encoding="utf-8"))
        values |= changes
        values["tasks"]["venues"]["n"] = max(questions, values["tasks"]["venues"]["n"])
        files[name] = folder / f"{name}.yaml"
        files[name].write_text(yaml.safe_dump(values), encoding="utf-8")
    return files


def timed_run(suite: Path, out: Path, questions: int, workers: int) -> dict[str, Any]:
    """One run: seconds on the clock and of all its processes, and what it says of itself.

    Raises:
        RuntimeError: The run ended with an error.
    """
    options = ["--out", str(out), "--limit", str(questions), "--workers", str(workers)]
    command = [sys.executable, "-c", _DERA_RAG, "eval", "run", str(suite), *options]
    with (out.parent / f"{out.name}.log").open("w+", encoding="utf-8") as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=log)
        # Unlike `wait` it tells what the process and those it waited for have used.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {log.read()[-2000:]}")
    lines = (out / "timings.jsonl").read_text(encoding="utf-8").splitlines()
    timings = [json.loads(line) for line in lines]
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        **{
            name: sum(row[name] for row in timings)
            for name in ("questions", "answers", "tokens", "generate_s", "score_s")
        },
        "peak_mb": max(row["peak_mb"] for row in timings),
    }


def measure_runs(questions: int, rounds: int, workers: int) -> list[dict[str, Any]]:
    """All runs in the order in which they were made, each with its system and round."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        suites = write_suites(Path(folder), questions)
        # What the first run reads from disk the others find in memory.
        timed_run(suites["path"], Path(folder) / "first", 1, workers)
        for number in range(rounds):
            for name, suite in suites.items():
                out = Path(folder) / f"{name}-{number}"
                found = timed_run(suite, out, questions, workers)
                print(f"{name}, round {number + 1}: {found['wall']:.1f} s, {found['cpu']:.1f} CPU")
                made.append({"system": name, "round": number, **found})
    return made


def table(report: dict[str, Any]) -> str:
    """The report as markdown."""
    host, setting = report["machine"], report["setting"]
    lines = [
        "# What an evaluation over λ costs",
        "",
        f"{host['processor']}, {host['cores']} cores, torch {host['torch']}, transformers "
        f"{host['transformers']}. {setting['questions']} questions of the venues suite on the "
        f"embedded pair, temperature 1, whole traces, all scorers, {setting['workers']} worker "
        f"process(es) of one thread; {setting['rounds']} interleaved round(s), medians. "
        "Made by `evals/benchmarks/harness.py`.",
        "",
        "| `dera-rag eval run` | wall, s | questions/s | CPU, s | answers | their tokens "
        "| generating, s | scoring, s | peak of a process, MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    runs = {name: [r for r in report["runs"] if r["system"] == name] for name in SYSTEMS}
    for name, said in SYSTEMS.items():
        middle = {
            key: statistics.median(r[key] for r in runs[name])
            for key in runs[name][0]
            if key not in {"system", "round"}
        }
        lines.append(
            f"| {name}: {said} | {middle['wall']:.1f} | {middle['questions'] / middle['wall']:.2f} "
            f"| {middle['cpu']:.1f} | {middle['answers']:.0f} | {middle['tokens']:.0f} "
            f"| {middle['generate_s']:.1f} | {middle['score_s']:.1f} | {middle['peak_mb']:.0f} |"
        )
    wall, cpu, generating = (
        ratio(runs["path"], runs["grid"], key) for key in ("wall", "cpu", "generate_s")
    )
    lines += [
        f"| path / grid | {wall:.2f} | | {cpu:.2f} | | | {generating:.2f} | | |",
        "",
        "The policy's answer to each question is among the answers; generating and scoring are "
        "summed over processes.",
    ]
    return "\n".join([*lines, *_lambda_lines(report["lambdas"])]) + "\n"


def ratio(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]], key: str) -> float:
    """Median over the rounds of one figure over another."""
    return statistics.median(a[key] / b[key] for a, b in zip(ours, theirs, strict=True))


def _lambda_lines(found: dict[str, Any]) -> list[str]:
    lines = [
        "",
        "## One answer at each λ, beside one model",
        "",
        f"{found['questions']} of these questions, {found['batch']} in a batch, one thread, "
        f"{found['rounds']} interleaved round(s), medians of CPU seconds. One model: the aligned "
        "one alone by transformers' `generate`, padded batches. A path's tokens are those of all "
        f"its answers. Weights: one model {found['one_model_mb']:.0f} MB, both "
        f"{found['both_models_mb']:.0f} MB.",
        "",
        "| what | tokens/s | of one model's | seconds a question | of one model's |",
        "|---|---|---|---|---|",
    ]
    one = found["rows"][0]
    for row in found["rows"]:
        lines.append(
            f"| {row['what']} | {row['rate']:.0f} | {row['rate'] / one['rate']:.2f} "
            f"| {row['each']:.3f} | {row['each'] / one['each']:.2f} |"
        )
    return lines


def main() -> None:
    """Measure, print the table, and keep it unless the run was a quick one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=500, help="default 500")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="default: cores")
    parser.add_argument("--quick", action="store_true", help="one short round, nothing is kept")
    arguments = parser.parse_args()
    # Read once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from harness_lambdas import measure_lambdas

    questions, rounds = (8, 1) if arguments.quick else (arguments.questions, arguments.rounds)
    report = {
        "machine": machine(1),
        "setting": {"questions": questions, "rounds": rounds, "workers": arguments.workers},
        "runs": measure_runs(questions, rounds, arguments.workers),
        "lambdas": measure_lambdas(_EVALS / "venues.yaml", GRID, questions, rounds),
    }
    print(table(report))
    if not arguments.quick:
        content = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        (_RESULTS / "harness.json").write_text(content, encoding="utf-8")
        (_RESULTS / "harness.md").write_text(table(report), encoding="utf-8")


if __name__ == "__main__":
    main()
