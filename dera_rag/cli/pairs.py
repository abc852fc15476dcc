"""`dera-rag pairs`: which public pairs there are, and which fit here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from dera_rag.pairs.catalog import CATALOG, PublicPair
from dera_rag.pairs.memory import free_memory, in_words
from dera_rag.types import Json

if TYPE_CHECKING:
    from rich.console import Console

_HEARSAY = "?"


def pairs(
    as_json: Annotated[bool, typer.Option("--json", help="Print the catalog as JSON.")] = False,
) -> None:
    """List public pairs and say which fit this machine.

    Nothing is downloaded. Sizes are both models in bfloat16, weights alone. A question mark stands
    behind what was not read from the model's own card, a dash for what is unknown. With --json
    there are notes, too.

    \b
      dera-rag pairs
      dera-rag pairs --json
    """  # noqa: D301 - the escape keeps the lines of the examples apart
    from dera_rag.cli import screen

    free = _free()
    if as_json:
        rows: list[Json] = [pair.to_dict() | {"fits": _fits(pair, free)} for pair in CATALOG]
        screen.print_json({"free": dict(free), "pairs": rows})
    else:
        _show(screen.stdout(), free)


def _free() -> dict[str, int | None]:
    """Free bytes by device."""
    import torch

    devices = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    return {device: free_memory(device) for device in devices}


def _fits(pair: PublicPair, free: Mapping[str, int | None]) -> list[Json]:
    """Devices that hold both models; a device that does not tell holds nothing for sure."""
    return [device for device, size in free.items() if size is not None and pair.memory() <= size]


def _show(console: Console, free: Mapping[str, int | None]) -> None:
    from dera_rag.cli import screen

    places = ", ".join(
        f"{device} {'unknown' if size is None else in_words(size)}" for device, size in free.items()
    )
    table = screen.plain_table(title="Public pairs", caption=f"Free memory: {places}")
    for head in ("name", "size", "fits", "β", "licence"):
        table.add_column(head, no_wrap=True, justify="right" if head in ("size", "β") else "left")
    table.add_column("reference → aligned, how", overflow="fold", ratio=1)
    for pair in CATALOG:
        table.add_row(
            pair.name,
            in_words(pair.memory()) + _mark(pair, "parameters"),
            ", ".join(str(device) for device in _fits(pair, free)) or "no",
            "–" if pair.beta is None else f"{pair.beta:g}{_mark(pair, 'beta')}",
            "–" if pair.licence is None else pair.licence + _mark(pair, "licence"),
            f"{pair.reference} → {pair.aligned}\n{pair.alignment}{_mark(pair, 'alignment')}",
        )
    console.print(table)


def _mark(pair: PublicPair, field: str) -> str:
    return _HEARSAY if field in pair.unchecked else ""
