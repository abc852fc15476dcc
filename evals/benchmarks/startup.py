"""How long a start takes: the import, the help page, and a question until its first token.

    python evals/benchmarks/startup.py [--runs 15] [--json] [--check]

The import is counted over bare Python, and the first token of `dera-rag ask` (embedded pair) over
the import of the libraries that it uses. The commands take turns, each in a fresh process, and the
median of each is taken: whatever else the machine does meets all of them alike. One unmeasured
round fills the file cache and the bytecode.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

_PROGRAM = str(Path(sys.executable).with_name("dera-rag"))
_LIBRARIES = (
    "import bm25s, faiss, rich.console, rich.table, torch, typer, yaml\n"
    "from transformers import LlamaForCausalLM, PreTrainedTokenizerFast"
)
COMMANDS = {
    "bare": [sys.executable, "-c", "pass"],
    "import": [sys.executable, "-c", "import dera_rag"],
    "help": [_PROGRAM, "--help"],
    "libraries": [sys.executable, "-c", _LIBRARIES],
    "ask": [_PROGRAM, "ask", "What do you know about The Salted Stag?"],
}
LIMITS_MS = {
    "import over bare Python": 60.0,
    "dera-rag --help": 300.0,
    "first token over imports": 500.0,
}


def milliseconds(name: str) -> float:
    """Wall time of a command; of a question until the first token of its answer."""
    began = time.perf_counter()
    taken, seen = None, b""
    with subprocess.Popen(COMMANDS[name], stdout=subprocess.PIPE, bufsize=0) as process:
        # To its end even so: a process whose pipe is closed too early would die of it.
        while process.stdout is not None and (part := process.stdout.read(4096)):
            seen += part
            if taken is None and seen.partition(b"\nAnswer\n")[2].strip():
                taken = time.perf_counter() - began
    taken = taken or time.perf_counter() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, COMMANDS[name])
    return 1000 * taken


def measure(runs: int) -> dict[str, float]:
    """Median milliseconds by figure."""
    rounds = [{name: milliseconds(name) for name in COMMANDS} for _ in range(runs + 1)]
    median = {name: statistics.median(r[name] for r in rounds[1:]) for name in COMMANDS}
    return {
        "bare Python": median["bare"],
        "import over bare Python": median["import"] - median["bare"],
        "dera-rag --help": median["help"],
        "libraries of ask": median["libraries"],
        "first token of ask": median["ask"],
        "first token over imports": median["ask"] - median["libraries"],
    }


def main() -> int:
    """Measure and print; 1 when `--check` finds a figure beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="measured rounds (default 15)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 beyond a limit")
    arguments = parser.parse_args()
    figures = measure(arguments.runs)
    if arguments.json:
        print(json.dumps({"runs": arguments.runs, "median_ms": figures, "limit_ms": LIMITS_MS}))
    else:
        for name, value in figures.items():
            limit = LIMITS_MS.get(name)
            print(f"{name:26} {value:6.0f} ms" + (f"   (limit {limit:.0f})" if limit else ""))
    beyond = any(figures[name] > limit for name, limit in LIMITS_MS.items())
    return 1 if arguments.check and beyond else 0


if __name__ == "__main__":
    sys.exit(main())
