"""A run's answers in the columns of ragas: one JSON object a line, with λ, policy and key beside.

`EvaluationDataset.from_jsonl` of ragas reads the file; columns that it does not know it leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.report.rows import read_answered
from dera_rag.evaluation.report.runs import Run, load_run
from dera_rag.evaluation.report.tables import Way, find_way
from dera_rag.evaluation.runner.storage import GENERATIONS, Row
from dera_rag.files import write_atomic


@dataclass(frozen=True, slots=True)
class RagasExport:
    """What was exported.

    Attributes:
        rows: Answers in the file.
        failed: Questions (of a seed) without an answer: the format has no place for them.
        out: The file.
    """

    rows: int
    failed: int
    out: Path


def export_ragas(folder: str | Path, out: str | Path, at: str | float | None = None) -> RagasExport:
    """Write a finished run's answers as JSONL that ragas loads.

    Args:
        folder: The run's folder.
        out: The file; replaced atomically.
        at: A λ or a policy's label; None for every answer of the run.

    Returns:
        How many answers are in the file, and how many questions have none.

    Raises:
        MissingFileError: There is no such folder.
        RunFolderError: It holds no finished run.
        InvalidValueError: The run has no such λ or policy, or no answer at all.
        OutputError: The file cannot be written.
    """
    run = load_run(folder)
    rows = list(_rows(run, at))
    if not rows:
        raise InvalidValueError(
            f"{str(folder)!r} holds no answer to export",
            hint="each row of generations.jsonl has its error",
        )
    failed = sum(
        bool(answered.error)
        for section in run.sections.values()
        for question in section.questions
        for answered in question.answered.values()
    )
    # Escaped, since ragas opens the file in the platform's encoding.
    write_atomic(out, "".join(f"{json.dumps(row)}\n" for row in rows))
    return RagasExport(len(rows), failed, Path(out))


def ragas_rows(folder: str | Path, at: str | float | None = None) -> Iterator[Row]:
    """The rows that `export_ragas` writes.

    Each has `user_input`, `response`, `retrieved_contexts` and, where the question has one,
    `reference` (the first; all of them under `references` where there are more); `lam`, `policy`
    (null for a fixed λ), `section`, `key`, `source`, `split` and `seed`; and of a path, unless one
    λ was asked for, the interval of λ that has this answer, `lam_low` and `lam_high`.

    Args:
        folder: As in `export_ragas`.
        at: As in `export_ragas`.

    Returns:
        Rows in the run's order.

    Raises:
        MissingFileError: As `export_ragas`.
        RunFolderError: As `export_ragas`.
        InvalidValueError: As `export_ragas`.
    """
    return _rows(load_run(folder), at)


def _rows(run: Run, at: str | float | None) -> Iterator[Row]:
    ways = {} if at is None else {name: _way(run, name, at) for name in run.sections}
    return _read(run, ways)


def _read(run: Run, ways: Mapping[str, Way]) -> Iterator[Row]:
    text = (run.folder / GENERATIONS).read_text(encoding="utf-8", errors="surrogatepass")
    for line in text.split("\n")[:-1]:
        row: Row = json.loads(line)
        way = ways.get(row["section"])
        for answer in row["answers"] if way is None else _chosen(row, way):
            yield _ragas(row, answer, way)


def _way(run: Run, section: str, at: str | float) -> Way:
    found = run.sections[section]
    if found.answers == "given":
        raise InvalidValueError(
            f"section {section!r} has no arm {at!r}: its answers were given",
            hint="leave the arm out",
        )
    return find_way(found, at)


def _chosen(row: Row, way: Way) -> Sequence[Row]:
    """The answer of an arm; none where the question has none."""
    answers: Sequence[Row] = row["answers"]
    position = way.position(read_answered(row, [{}] * max(1, len(answers)), ()))
    return [] if position is None else [answers[position]]


def _ragas(row: Row, answer: Row, way: Way | None) -> Row:
    references = row["references"]
    of_path = answer["arm"] == "path"
    made: dict[str, Any] = {
        "user_input": row["question"],
        "response": answer["text"],
        "retrieved_contexts": [text for _, text in row["passages"]],
        "lam": answer.get("lam") if way is None or way.lam is None else way.lam,
        "policy": answer.get("policy"),
    }
    if references:
        made["reference"] = references[0]
    if len(references) > 1:
        made["references"] = references
    if of_path and way is None:
        made |= {"lam_low": answer["lo"], "lam_high": answer["hi"]}
    return made | {name: row[name] for name in ("section", "key", "source", "split", "seed")}
