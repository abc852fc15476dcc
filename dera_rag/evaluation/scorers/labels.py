"""Public answers with the judgement of people: what scorers are fitted and validated on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.evaluation.contract import Item
from dera_rag.evaluation.tasks.data import ENVIRONMENT, Row, find_file, read_rows
from dera_rag.types import Passage


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer that people judged.

    Attributes:
        item: The answer with its passages; `item.source` groups answers that are not independent.
        group: The set it belongs to, for example `ragtruth_qa`.
        unsupported: Whether anything in it is not supported by its passages.
        spans: Where, as first character and one past the last; empty where people marked none.
        marked: Whether people marked spans in this set at all.
    """

    item: Item
    group: str
    unsupported: bool
    spans: tuple[tuple[int, int], ...] = ()
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Rating:
    """One person's rating of one text.

    Attributes:
        text: What was rated.
        record: What it was written from: texts of one record are not independent.
        system: What wrote it.
        worker: Who rated it.
        score: 0 to 100, higher is more natural.
    """

    text: str
    record: str
    system: str
    worker: str
    score: float


def data_folder(data: str | Path | None) -> Path:
    """The folder that holds datasets by name.

    Args:
        data: The folder; None for the one the environment names.

    Raises:
        MissingFileError: Neither names a folder.
    """
    named = data or os.environ.get(ENVIRONMENT, "")
    if not named or not Path(named).is_dir():
        raise MissingFileError(
            f"no folder of datasets at {str(named)!r}",
            hint=f"name one, or set {ENVIRONMENT}; datasets lie in it by name",
        )
    return Path(named)


def ragtruth(data: str | Path | None = None) -> list[Judged]:
    """RAGTruth (Niu et al. 2024, MIT): answers of six models with unsupported spans marked.

    Args:
        data: Folder of datasets; None for the environment's.

    Raises:
        InvalidValueError: A row without a column.
        MissingFileError: No such folder or file.
    """
    path = find_file(data_folder(data) / "ragtruth", "ragtruth_dev")
    return [_ragtruth(row) for row in _checked(path, ("context", "response", "labels", "task"))]


def _ragtruth(row: Row) -> Judged:
    spans = tuple((int(one["start"]), int(one["end"])) for one in row["labels"])
    source = f"ragtruth {row['source_id']}"
    item = Item(
        question=str(row.get("question") or ""),
        passages=(Passage(source, str(row["context"])),),
        answer=str(row["response"]),
        key=str(row["id"]),
        source=source,
    )
    return Judged(item, f"ragtruth_{row['task']}", bool(spans), spans, marked=True)


def attribution_bench(data: str | Path | None = None) -> list[Judged]:
    """AttributionBench (Li et al. 2024, no licence stated): claims, attributable or not.

    Args:
        data: Folder of datasets; None for the environment's.

    Raises:
        InvalidValueError: A row without a column.
        MissingFileError: No such folder or file.
    """
    path = find_file(data_folder(data) / "attributionbench", "dev")
    rows = _checked(path, ("claim", "references", "attribution_label"))
    return [_attribution(row) for row in rows]


def _attribution(row: Row) -> Judged:
    source = f"attributionbench {row['question']}"
    references = enumerate(row["references"])
    item = Item(
        question=str(row["question"] or ""),
        passages=tuple(Passage(f"{row['id']} {i}", str(one)) for i, one in references),
        answer=str(row["claim"]),
        key=str(row["id"]),
        source=source,
    )
    return Judged(item, "attributionbench", row["attribution_label"] != "attributable")


def naturalness_ratings(data: str | Path | None = None) -> list[Rating]:
    """Ratings of the E2E NLG Challenge's systems (Dušek et al. 2020, no licence stated).

    Scores are clipped to 0–100. A text that a worker rated twice counts as rated twice.

    Args:
        data: Folder of datasets; None for the environment's.

    Raises:
        InvalidValueError: A row without a column.
        MissingFileError: No such folder or file.
    """
    path = find_file(data_folder(data) / "e2e_human", "e2e_challenge_ratings_long")
    return [
        Rating(
            text=str(row["text"]),
            record=str(row["mr"]),
            system=str(row["system"]),
            worker=str(row["worker"]),
            score=min(100.0, max(0.0, float(row["score"]))),
        )
        for row in _checked(path, ("text", "mr", "system", "worker", "score", "kind"))
        if row["kind"] == "naturalness" and row["score"] is not None
    ]


def _checked(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    for number, row in enumerate(read_rows(path), 1):
        lacking = [name for name in columns if name not in row]
        if lacking:
            raise InvalidValueError(
                f"row {number} of {path.name} lacks {lacking}", hint=f"columns are {list(columns)}"
            )
        yield row
