"""E2E NLG: bullets → prose, judged slot by slot (Novikova, Dušek and Rieser 2017).

The cleaned version (Dušek, Howcroft and Rieser 2019) has records that its texts support; in the
original one some 40 % of the texts say more or less than their record.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.tasks.cards import Anchor, Example, TaskCard
from dera_rag.evaluation.tasks.data import (
    Row,
    check_choice,
    check_count,
    chosen,
    digest,
    find_file,
    hub_rows,
    local_folder,
    read_rows,
)
from dera_rag.evaluation.venues import ATTRIBUTES, LABELS
from dera_rag.types import Passage

_LOG = logging.getLogger(__name__)
_SLOT = re.compile(r"([^,\[]+)\[([^\]]*)\]")
_HUB = {"original": "tuetschek/e2e_nlg", "cleaned": "GEM/e2e_nlg"}
_HUB_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
# Names of the same columns: the public files', the original's and the cleaned one's on the hub.
_RECORDS, _TEXTS = ("mr", "meaning_representation"), ("ref", "human_reference", "target")
# The cleaning took the name out of records whose text has none.
_NAMELESS = "this place"
_PAPER = "Dušek, Howcroft and Rieser 2019, Semantic noise matters"


def _anchor(data: str, trained: str, value: str) -> Anchor:
    return Anchor(f"slot error rate, {data} test", value, f"TGen trained on {trained}", _PAPER)


_ANCHORS = {
    "original": (
        _anchor("original", "original data, mean of 5", "15.94 %"),
        _anchor("original", "cleaned data, mean of 5", "0.97 %"),
    ),
    "cleaned": (
        _anchor("cleaned", "original data, mean of 5", "10.31 %"),
        _anchor("cleaned", "cleaned data, mean of 5", "1.72 %"),
    ),
}


class E2ETask:
    """Describe a venue from its record, every attribute of it and nothing else.

    Args:
        version: `original` or `cleaned` (default).
        split: `dev` (default), `train` or `test`.
        n: How many records, drawn at random; None for all.
        seed: Of the draw.
        question: What is asked of each; `{name}` stands for the venue's name, or for "this place".
        data: A folder with `<version>_<split>.csv` (or .jsonl, gzipped or not), columns `mr` and
            `ref`; None for `$DERA_RAG_DATA/e2e`, or the hub's dataset where that is not there.

    Raises:
        InvalidValueError: An unknown version or split, n below 1, or a question without `{name}`.
    """

    paths = ("data",)

    def __init__(
        self,
        *,
        version: str = "cleaned",
        split: str = "dev",
        n: int | None = None,
        seed: int = 0,
        question: str = "Describe {name}.",
        data: str | None = None,
    ) -> None:
        check_choice("version", version, tuple(_HUB))
        check_choice("split", split, tuple(_HUB_SPLITS))
        check_count("n", n)
        if "{name}" not in question:
            raise InvalidValueError(f"question {question!r} lacks {{name}}")
        self._version, self._split, self._n, self._seed = version, split, n, seed
        self._question, self._data = question, data

    @property
    def card(self) -> TaskCard:
        """What the task declares."""
        return TaskCard(
            name="e2e",
            about="Bullets → prose: describe a venue from its record.",
            licence="CC BY-SA 4.0",
            split=f"{self._version} {self._split}",
            size="one example a record: 547 in the original dev split, 630 in its test split",
            metrics=(
                "slot_error_rate",
                "slot_inserted",
                "slot_wrong",
                "slot_deleted",
                "copy_rate",
                "naturalness_distance",
            ),
            anchors=_ANCHORS[self._version],
        )

    def examples(self, *, given: bool) -> list[Example]:
        """One example a record, with every human text for it; none has an answer of a system."""
        return chosen(self._examples(), self._n, self._seed)

    def retriever(self) -> None:
        """Every example has its record as its passage."""

    def fingerprint(self) -> str:
        """There is no corpus."""
        return ""

    def _rows(self) -> Iterable[Row]:
        folder = local_folder("e2e", self._data)
        if folder is not None:
            return read_rows(find_file(folder, f"{self._version}_{self._split}"))
        return hub_rows(self._data or _HUB[self._version], _HUB_SPLITS[self._split])

    def _examples(self) -> list[Example]:
        texts: dict[str, list[str]] = {}
        for row in self._rows():
            text = " ".join(str(_column(row, _TEXTS)).split())
            texts.setdefault(str(_column(row, _RECORDS)), []).append(text)
        made, repeated = [], 0
        for mr, references in texts.items():
            slots = _SLOT.findall(mr)
            record = {key.strip(): value for key, value in slots}
            # The exact reading takes one value an attribute.
            if len(record) < len(slots):
                repeated += 1
                continue
            made.append(self._example(mr, record, references))
        if repeated:
            _LOG.info("e2e: %d records that list an attribute twice are left out", repeated)
        return made

    def _example(self, mr: str, record: dict[str, str], references: Sequence[str]) -> Example:
        unknown = sorted(set(record) - set(ATTRIBUTES))
        if unknown or not record:
            raise InvalidValueError(
                f"cannot read the record {mr!r:.80}", hint=f"attributes are {list(ATTRIBUTES)}"
            )
        key = digest([mr])
        return Example(
            key=f"e2e-{self._version}-{key}",
            question=self._question.replace("{name}", record.get("name", _NAMELESS)),
            source=key,
            passages=(Passage(key, _bullets(record)),),
            references=tuple(dict.fromkeys(references)),
            record={"kind": "describe", "answerable": True, "slots": dict(record)},
        )


def _bullets(record: Mapping[str, str]) -> str:
    """The text of a record, in the form of the venues' documents; the name may be missing."""
    return "\n".join(f"- {LABELS[a]}: {record[a]}" for a in ATTRIBUTES if a in record)


def _column(row: Row, names: Sequence[str]) -> object:
    for name in names:
        if row.get(name) not in (None, ""):
            return row[name]
    raise InvalidValueError(
        f"a row has none of the columns {list(names)}: {dict(row)!r:.80}",
        hint="columns are `mr` and `ref`",
    )
