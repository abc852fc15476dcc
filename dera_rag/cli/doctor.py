"""`dera-rag doctor`: is everything here that a run needs?"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dera_rag import __version__
from dera_rag.cli.ask import AlignedOption, ReferenceOption
from dera_rag.pairs.memory import in_words
from dera_rag.types import Json

if TYPE_CHECKING:
    from rich.console import Console

_ASSETS = {
    "pair": "pair",
    "embedder": "embedder",
    "naturalness model": "naturalness",
    "corpus": "corpus/venues.jsonl",
    "policy": "policy.yaml",
}
_VARIABLES = (
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_HOME",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
)
# A prompt with three passages and its answer, on the generous side.
_ROW_TOKENS = 2048

Section = dict[str, Json]


def doctor(
    reference: ReferenceOption = None,
    aligned: AlignedOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the installation and the memory a pair needs.

    Nothing is downloaded and no model is loaded; name folders with --reference and --aligned to see
    what that pair takes. Exit code 1 if something is missing.

    \b
      dera-rag doctor
      dera-rag doctor --reference ./sft --aligned ./dpo
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen

    found, problems = examine(reference, aligned)
    if as_json:
        screen.print_json({**found, "problems": list(problems)})
    else:
        _show(screen.stdout(), found, problems)
    _end(failed=bool(problems))


def _end(*, failed: bool) -> None:
    if failed:
        raise typer.Exit(1)


def examine(reference: str | None, aligned: str | None) -> tuple[dict[str, Section], list[str]]:
    """Everything there is to tell, by section, and what is wrong in words."""
    problems: list[str] = []
    found: dict[str, Section] = {
        "environment": _environment(),
        "libraries": _libraries(problems),
        "devices": _devices(),
        "embedded": _embedded(problems),
        "settings": {name: os.environ.get(name) for name in _VARIABLES},
    }
    named = {"reference": reference, "aligned": aligned}
    if any(named.values()):
        found["pair"] = _pair({name: path for name, path in named.items() if path}, problems)
    return found, problems


def _environment() -> Section:
    return {
        "dera-rag": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }


def _libraries(problems: list[str]) -> Section:
    """Installed version of every requirement beside the range this release was made for."""
    from packaging.requirements import Requirement

    rows: Section = {}
    for line in metadata.requires("dera-rag") or []:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            version = ""
        fits = bool(version) and wanted.specifier.contains(version, prereleases=True)
        rows[wanted.name] = {"version": version, "range": str(wanted.specifier), "ok": fits}
        if not fits:
            problems.append(
                f"{wanted.name} {version or 'is not installed'}"
                + (f" is outside {wanted.specifier}" if version else "")
            )
    return rows


def _devices() -> Section:
    import torch

    from dera_rag.pairs.memory import free_memory

    rows: Section = {
        "cpu": {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "free": free_memory()}
    }
    for i in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(i)
        rows[f"cuda:{i}"] = {
            "name": torch.cuda.get_device_name(i),
            "free": free,
            "total": total,
        }
    if torch.backends.mps.is_available():
        rows["mps"] = {"name": "Apple GPU", "free": None}
    return rows


def _embedded(problems: list[str]) -> Section:
    root = Path(str(resources.files("dera_rag") / "embedded"))
    rows: Section = {name: _size(root / path) or None for name, path in _ASSETS.items()}
    problems += [f"the embedded {name} is missing" for name, size in rows.items() if not size]
    return rows


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _pair(folders: Mapping[str, str], problems: list[str]) -> Section:
    from dera_rag.pairs.memory import free_memory
    from dera_rag.pairs.sizes import measure

    sizes = {name: measure(folder) for name, folder in folders.items()}
    weights = sum(size.stored for size in sizes.values())
    parameters = sum(size.parameters for size in sizes.values())
    row = _ROW_TOKENS * sum(size.kv_per_token for size in sizes.values())
    free = free_memory()
    if free is not None and weights + row > free:
        problems.append(
            f"the pair needs {in_words(weights + row)}, main memory has {in_words(free)} free"
        )
    return {
        **{
            name: f"{size.parameters / 1e6:,.1f} M parameters in {size.dtype}"
            for name, size in sizes.items()
        },
        "weights": weights,
        "weights_float32": 4 * parameters,
        "weights_bfloat16": 2 * parameters,
        f"cache_per_row_of_{_ROW_TOKENS}_tokens": row,
    }


def _show(console: Console, found: Mapping[str, Section], problems: list[str]) -> None:
    from dera_rag.cli import screen

    for title, section in found.items():
        console.print(title.capitalize(), style="bold")
        rows = {name: _words(title, name, value) for name, value in section.items()}
        console.print(screen.facts(rows))
        console.print()
    if not problems:
        console.print("All well.", style="bold green")
    for problem in problems:
        console.print(f"Problem: {problem}", style="bold red", soft_wrap=True)


def _words(section: str, name: str, value: Json) -> str:
    """One finding as people read it."""
    if isinstance(value, dict):
        if section == "libraries":
            fit = "" if value["ok"] else "   ← outside the range"
            return f"{value['version'] or 'missing'}   {value['range'] or 'any'}{fit}"
        parts = (f"{k} {_words('', k, v)}" for k, v in value.items() if v is not None)
        return ", ".join(parts)
    if value is None:
        return "not set" if section == "settings" else "missing"
    counted = name in ("cores", "threads") or not isinstance(value, int)
    return str(value) if counted else in_words(int(str(value)))
