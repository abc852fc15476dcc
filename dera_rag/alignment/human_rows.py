"""What people wrote about records: the rows of the E2E NLG challenge.

Novikova et al. 2017, original version, CC BY-SA 4.0, from a local directory or from the hub by
name. Names of places are replaced by invented ones, so that a model has to copy them from the
records and cannot remember them.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dera_rag.errors import MissingFileError

HUB_NAME = "tuetschek/e2e_nlg"
_SLOT = re.compile(r"([^,\[]+)\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class HumanRow:
    """A record and what a person wrote about it.

    Attributes:
        record: Attribute → value, E2E names.
        text: The reference text.
    """

    record: Mapping[str, str]
    text: str


def parse_record(text: str) -> dict[str, str]:
    """An E2E meaning representation, `name[…], food[…]`, as a mapping."""
    return {key.strip(): value for key, value in _SLOT.findall(text)}


def read_e2e(source: str | Path | None = None, split: str = "train") -> list[HumanRow]:
    """The original E2E rows.

    Args:
        source: Directory with `original_<split>.csv` or `.csv.gz` (columns `mr`, `ref`); None loads
            the public data set by name through `datasets`.
        split: `train` or `dev`.

    Raises:
        MissingFileError: The directory holds no such file.
    """
    if source is None:
        import datasets

        name = "validation" if split == "dev" else split
        rows = datasets.load_dataset(HUB_NAME, split=name)
        return [
            HumanRow(
                parse_record(r["meaning_representation"]), " ".join(r["human_reference"].split())
            )
            for r in rows
        ]
    for name in (f"original_{split}.csv.gz", f"original_{split}.csv"):
        path = Path(source) / name
        if path.exists():
            raw = path.read_bytes()
            text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode("utf-8")
            return [
                HumanRow(parse_record(row["mr"]), " ".join(row["ref"].split()))
                for row in csv.DictReader(io.StringIO(text, newline=""))
            ]
    raise MissingFileError(
        f"no original_{split}.csv[.gz] in {str(source)!r}",
        hint="download the E2E NLG data there, or leave the directory out to load it by name",
    )


def known_names(rows: Sequence[HumanRow]) -> re.Pattern[str]:
    """Matches every name of the rows, as venue or as neighbour, in any letter case."""
    names = {r.record[a] for r in rows for a in ("name", "near") if a in r.record}
    return re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))), re.IGNORECASE)


def rename(row: HumanRow, fresh: Mapping[str, str], known: re.Pattern[str]) -> HumanRow | None:
    """The row with other open values; None where the text spells the old ones its own way.

    Args:
        row: The row.
        fresh: New values of `name` and, where the record has one, `near`.
        known: Every name of the data set; none may be left in the text.
    """
    record, text = dict(row.record), row.text
    for attribute in ("name", "near"):
        if attribute in record:
            old = re.compile(rf"(?<!\w){re.escape(record[attribute])}(?!\w)", re.IGNORECASE)
            text, count = old.subn(fresh[attribute].replace("\\", r"\\"), text)
            if count == 0 and attribute == "name":
                return None
            record[attribute] = fresh[attribute]
    if known.search(text.replace(record["name"], "").replace(record.get("near", "\0"), "")):
        return None
    return HumanRow(record, text)
