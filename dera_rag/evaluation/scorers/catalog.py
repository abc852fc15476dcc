"""Every scorer that a suite may name, told from the registry and the scorers' own docstrings.

A docstring's first line says what is measured, a paragraph that begins with `Needs` what it asks
for beyond the fields of an item, and `Args` what each option is.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dera_rag import registry
from dera_rag.errors import DeraRagError
from dera_rag.evaluation.contract import Direction, Need, Scorer
from dera_rag.evaluation.report.axes import DEFAULTS

_FIELDS: Mapping[Need, str] = {
    "passages": "passages",
    "references": "a reference text",
    "signals": "answers generated here, `signals: full`",
    "record": "columns of its own",
}
# `name: text` of a docstring's Args, with the lines that go on below it.
_ARGUMENT = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.M)


@dataclass(frozen=True, slots=True)
class Option:
    """What a suite may set of a scorer.

    Attributes:
        name: Its name.
        default: As YAML has it; "…" where it must be set.
        required: Whether it must be set.
        about: What it is.
    """

    name: str
    default: str
    required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A scorer that a suite may name.

    Attributes:
        name: Registry name.
        about: What it measures, a line.
        direction: Which way is better.
        axis: `factuality` or `naturalness`, where a report may take it for that by itself; "" else.
        needs: What it cannot do without.
        options: What a suite may set.
        column: What it is called in a run, an upper-case word standing for the value of an option.
    """

    name: str
    about: str
    direction: Direction
    axis: str
    needs: tuple[str, ...]
    options: tuple[Option, ...]
    column: str


def catalog() -> tuple[Entry, ...]:
    """All registered scorers, sorted by name; none loads a model."""
    return tuple(_entry(name) for name in registry.names("scorers"))


def _entry(name: str) -> Entry:
    make: Callable[..., Any] = registry.resolve("scorers", name)
    paragraphs = [" ".join(part.split()) for part in (inspect.getdoc(make) or "").split("\n\n")]
    stated = [part for part in paragraphs if part.startswith("Needs ")]
    options = _options(make)
    made = _example(make, options)
    # Where no example can be made its class says as much as it can.
    source: Any = make if made is None else made
    fields = getattr(source, "needs", ())
    needs = [_FIELDS[need] for need in _FIELDS if isinstance(fields, frozenset) and need in fields]
    if stated:
        # "columns of its own" would be said twice.
        needs = [one for one in needs if one != _FIELDS["record"]]
        needs += [part.removeprefix("Needs ").rstrip(".") for part in stated]
    axes = [axis for axis, scorers in DEFAULTS.items() if name in scorers]
    return Entry(
        name=name,
        about=paragraphs[0],
        direction=source.direction,
        axis=axes[0] if axes else "",
        needs=tuple(needs),
        options=options,
        column=name if made is None else made.name,
    )


def _options(make: Callable[..., Any]) -> tuple[Option, ...]:
    stated = _ARGUMENT.findall(inspect.getdoc(make) or "")
    told = {name: " ".join(text.split()) for name, text in stated}
    found = []
    for name, one in inspect.signature(make).parameters.items():
        required = one.default is inspect.Parameter.empty
        default = "…" if required else json.dumps(one.default)
        found.append(Option(name, default, required, told.get(name, "")))
    return tuple(found)


def _example(make: Callable[..., Any], options: tuple[Option, ...]) -> Scorer | None:
    """A scorer with a word in place of what must be set; None where it refuses the word."""
    try:
        made = make(**{one.name: one.name.upper() for one in options if one.required})
    except DeraRagError:
        return None
    return made if isinstance(made, Scorer) else None


def to_markdown(entries: tuple[Entry, ...]) -> str:
    """The scorers as a Markdown table.

    Args:
        entries: The scorers.
    """
    better = {"higher": "↑", "lower": "↓", "neither": "–"}
    lines = ["| scorer | measures | better | axis | needs | options |", "|---|---|---|---|---|---|"]
    for one in entries:
        named = f"`{one.name}`" + ("" if one.column == one.name else f", in a run `{one.column}`")
        options = ", ".join(f"`{option.name}: {option.default}`" for option in one.options)
        cells = [named, one.about, better[one.direction], one.axis, "; ".join(one.needs), options]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
