"""How long a start takes: `import dera_rag` over bare Python, and `dera-rag --help`.

    python evals/benchmarks/startup.py [--runs 15] [--json] [--check]

The commands take turns, each in a fresh process, and the median of each is taken: whatever else the
machine does meets all of them alike. One unmeasured round fills the file cache and the bytecode.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "bare": [sys.executable, "-c", "pass"],
    "import": [sys.executable, "-c", "import dera_rag"],
    "help": [str(Path(sys.executable).with_name("dera-rag")), "--help"],
}
LIMITS_MS = {"import over bare Python": 60.0, "dera-rag --help": 300.0}


def milliseconds(command: list[str]) -> float:
    """Wall time of one process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - began)


def measure(runs: int) -> dict[str, float]:
    """Median milliseconds by figure."""
    rounds = [
        {name: milliseconds(command) for name, command in COMMANDS.items()} for _ in range(runs + 1)
    ]
    median = {name: statistics.median(r[name] for r in rounds[1:]) for name in COMMANDS}
    return {
        "bare Python": median["bare"],
        "import over bare Python": median["import"] - median["bare"],
        "dera-rag --help": median["help"],
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
