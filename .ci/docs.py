"""Fill the generated parts of every Markdown file, or check that they are up to date.

    python .ci/docs.py                write them
    python .ci/docs.py --check        exit 1 and name the files where they differ
    python .ci/docs.py --quickstart   print the README's quickstart as one shell script

A generated part stands between two comments and names what fills it:

    <!-- generated: help ask -->        `dera-rag ask --help`; `help` alone is the overview
    <!-- generated: registry policies -->   the names of a registry and what each is
    <!-- generated: scorers -->         what every scorer measures, needs and may be set
    <!-- generated: curve evals/results/venues.json -->   a stored curve over λ as a table
    <!-- end generated -->

The quickstart is what stands between `<!-- quickstart -->` and `<!-- end quickstart -->`: its bash
and python blocks, in order, without the lines that install.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PART = re.compile(
    r"(?P<open><!-- generated: (?P<spec>.+?) -->\n)(?P<body>.*?)(?P<close><!-- end generated -->)",
    re.S,
)
QUICKSTART = re.compile(r"<!-- quickstart -->\n(.*?)<!-- end quickstart -->", re.S)
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.S | re.M)
INSTALLS = re.compile(r"^\s*(pip install|python3? -m (pip|venv)|source |\. )")


def help_text(*verb: str) -> str:
    """What `dera-rag VERB --help` prints on a terminal of 100 columns, without drawn boxes."""
    command = Path(sys.executable).with_name("dera-rag")
    plain = {"COLUMNS": "100", "NO_COLOR": "1", "TYPER_USE_RICH": "0", "TERM": "dumb"}
    shown = subprocess.run(
        [command, *verb, "--help"],
        env=os.environ | plain,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = "\n".join(line.rstrip() for line in shown.strip("\n").splitlines())
    return f"```text\n{lines}\n```\n"


def registry_table(kind: str) -> str:
    """The names of a registry with the first line of what each stands for."""
    from dera_rag import registry

    rows = [(name, registry.resolve(kind, name)) for name in registry.names(kind)]
    lines = [
        f"| `{name}` | {(thing.__doc__ or '').strip().splitlines()[0]} |" for name, thing in rows
    ]
    return "\n".join(["| name | what it is |", "|---|---|", *lines]) + "\n"


def scorers_table() -> str:
    """Every scorer that a suite may name, as `dera-rag eval scorers` lists them."""
    from dera_rag.evaluation.scorers.catalog import catalog, to_markdown

    return to_markdown(catalog())


CURVE_COLUMNS = {
    "hallucination": "hallucinated",
    "coverage": "coverage",
    "copy_rate": "copied",
    "log_likelihood": "log-likelihood",
    "distance": "distance from human",
    "repetition": "repeated",
    "length": "words",
    "unfinished": "unfinished",
    "kl": "KL from reference",
}


def curve_table(path: str) -> str:
    """A stored curve: a row for each λ, value and 95 % interval of each metric."""
    from dera_rag.evaluation.curve_records import Curve

    curve = Curve.from_json((ROOT / path).read_text(encoding="utf-8"))
    lines = ["| λ | " + " | ".join(CURVE_COLUMNS.values()) + " |"]
    lines.append("|---" * (len(CURVE_COLUMNS) + 1) + "|")
    for row in curve.rows:
        name = f"auto (mean {row.mean_lam:.2f})" if row.lam == "auto" else f"{row.lam:g}"
        estimates = [row.metrics[metric] for metric in CURVE_COLUMNS]
        cells = [f"{e.value:.3g} [{e.low:.3g}, {e.high:.3g}]" for e in estimates]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    failed = sum(e.n_failed for row in curve.rows for e in row.metrics.values())
    n = curve.rows[0].metrics["hallucination"].n
    return "\n".join(lines) + f"\n\nn = {n} questions at every λ, {failed} unscored values.\n"


SOURCES: dict[str, Callable[..., str]] = {
    "help": help_text,
    "registry": registry_table,
    "scorers": scorers_table,
    "curve": curve_table,
}


def filled(text: str) -> str:
    """The text with every generated part made anew.

    Raises:
        ValueError: A part names a source that does not exist, or is never closed.
    """

    def fill(part: re.Match[str]) -> str:
        source, *arguments = part["spec"].split()
        if source not in SOURCES:
            raise ValueError(f"no source {source!r}: one of {sorted(SOURCES)}")
        return part["open"] + SOURCES[source](*arguments) + part["close"]

    if text.count("<!-- generated: ") != len(PART.findall(text)):
        raise ValueError("a generated part is not closed by <!-- end generated -->")
    return PART.sub(fill, text)


def quickstart(text: str) -> str:
    """The quickstart of a README as a shell script.

    Raises:
        ValueError: There is none.
    """
    section = QUICKSTART.search(text)
    if not section:
        raise ValueError("README.md has no <!-- quickstart --> … <!-- end quickstart -->")
    script = ["set -euo pipefail"]
    for language, body in BLOCK.findall(section[1]):
        if language == "python":
            script.append(f"python - <<'END_OF_PYTHON'\n{body}END_OF_PYTHON")
        else:
            kept = [line for line in body.splitlines() if not INSTALLS.match(line)]
            script.append("\n".join(kept))
    return "\n".join(script) + "\n"


def pages() -> Iterator[Path]:
    """Every Markdown file of the repository, in order; hidden and built folders are none of it."""
    for path in sorted(ROOT.rglob("*.md")):
        parts = path.relative_to(ROOT).parts
        if parts[0] not in {"out", "build", "dist"} and not any(p.startswith(".") for p in parts):
            yield path


def main(arguments: list[str]) -> int:
    """Run one of the three jobs; 0 when all is well."""
    if arguments == ["--quickstart"]:
        print(quickstart((ROOT / "README.md").read_text(encoding="utf-8")), end="")
        return 0
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = 0
    for path in pages():
        text = path.read_text(encoding="utf-8")
        new = filled(text)
        if new == text:
            continue
        stale += 1
        if arguments:
            print(f"{path.relative_to(ROOT)} is out of date: run `make docs`", file=sys.stderr)
        else:
            path.write_text(new, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
