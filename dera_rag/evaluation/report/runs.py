"""A finished run's folder read: every question with the scores of all its answers.

Only the manifest, the rows and the times are needed: no data, no model, and not the suite's file.

Shapes: `R` answers of a question under one seed, `M` scorers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dera_rag.errors import MissingFileError, RunFolderError
from dera_rag.evaluation.report.rows import Answered, read_answered
from dera_rag.evaluation.runner.manifest import Manifest
from dera_rag.evaluation.runner.storage import GENERATIONS, SCORES, TIMINGS, Row, Stored
from dera_rag.evaluation.tasks.cards import Anchor, TaskCard
from dera_rag.types import Json


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what was made of it.

    Attributes:
        key: Unique in its section.
        text: What was asked.
        source: What it is about.
        split: `tune` or `test`.
        kind: Kind of question; "" where the task names none.
        answerable: Whether the passages hold an answer; None where the task does not say.
        answered: Seed → answers and scores.
    """

    key: str
    text: str
    source: str
    split: str
    kind: str
    answerable: bool | None
    answered: Mapping[int, Answered]


@dataclass(frozen=True, slots=True)
class SectionRun:
    """A section's questions and its scorers.

    Attributes:
        name: Its name.
        answers: `path`, `grid` or `given`.
        lam: The interval's ends, or the grid; empty for given answers.
        card: What its task declares.
        scorers: M names, in order.
        promises: Name → version, direction, range and options, as the manifest has them.
        seeds: The run's seeds.
        policies: Labels, in order.
        questions: In the run's order.
        timings: Its rows of `timings.jsonl`.
    """

    name: str
    answers: Literal["path", "grid", "given"]
    lam: tuple[float, ...]
    card: TaskCard
    scorers: tuple[str, ...]
    promises: Mapping[str, Mapping[str, Any]]
    seeds: tuple[int, ...]
    policies: tuple[str, ...]
    questions: tuple[Question, ...]
    timings: tuple[Row, ...]

    @property
    def sources(self) -> list[str]:
        """What each question is about, in order."""
        return [question.source for question in self.questions]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where it lies.
        manifest: What it is.
        sections: By name, in the suite's order.
    """

    folder: Path
    manifest: Manifest
    sections: Mapping[str, SectionRun]

    @property
    def answers(self) -> Literal["path", "grid", "given"]:
        """How answers were made."""
        return self.manifest.suite["answers"]  # type: ignore[return-value]  # it was checked


def load_run(folder: str | Path) -> Run:
    """Read a run's folder.

    Args:
        folder: Where it lies.

    Raises:
        MissingFileError: There is no such folder.
        RunFolderError: It holds no run, an unfinished one, or rows that are not of its manifest.
    """
    path = Path(folder)
    if not path.is_dir():
        raise MissingFileError(f"no folder {str(folder)!r}", hint="check the path")
    manifest = Manifest.load(path)
    suite, plan = manifest.suite, _plan(manifest, path)
    given = suite["answers"] == "given"
    seeds: tuple[int, ...] = (0,) if given else tuple(suite.get("seeds", [0]))  # type: ignore[arg-type]
    lam = () if given else tuple(float(x) for x in suite["lam"])  # type: ignore[union-attr, arg-type]
    promises: Mapping[str, Mapping[str, Any]] = manifest.scorers  # type: ignore[assignment]
    scorers = {name: tuple(made) for name, made in promises.items()}
    questions = _questions(path, manifest, plan["batches"], seeds, scorers)
    timings = _timings(path / TIMINGS)
    sections = {
        name: SectionRun(
            name=name,
            answers=suite["answers"],  # type: ignore[arg-type]
            lam=lam,
            card=_card(plan["cards"][name]),
            scorers=names,
            promises=promises[name],
            seeds=seeds,
            policies=_labels(questions.get(name, [])),
            questions=tuple(questions.get(name, [])),
            timings=tuple(row for row in timings if row.get("section") == name),
        )
        for name, names in scorers.items()
    }
    return Run(path, manifest, sections)


def _plan(manifest: Manifest, folder: Path) -> Mapping[str, Any]:
    plan: Mapping[str, Any] = manifest.plan
    if not plan.get("batches") or set(plan.get("cards", ())) != set(manifest.scorers):
        raise RunFolderError(
            f"the manifest of {str(folder)!r} lists no questions", hint="run again"
        )
    return plan


def _questions(
    folder: Path,
    manifest: Manifest,
    batches: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    scorers: Mapping[str, tuple[str, ...]],
) -> dict[str, list[Question]]:
    """Section → its questions, every row held against the plan."""
    generated, scored = Stored(folder / GENERATIONS), Stored(folder / SCORES)
    scoring = manifest.scoring
    found: dict[str, list[Question]] = {}
    for done, batch in enumerate(batches):
        wanted = [(key, seed) for key in batch["keys"] for seed in seeds]
        rows = _take(generated, batch["batch"], wanted)
        due = [
            (row["key"], row["seed"], i)
            for row in rows or ()
            for i in range(max(1, len(row["answers"])))
        ]
        scores = None if rows is None else _take(scored, batch["batch"], due, scoring)
        if rows is None or scores is None:
            raise _unfinished(folder, done, len(batches))
        section = batch["section"]
        made = _joined(rows, scores, scorers[section], len(seeds))
        found.setdefault(section, []).extend(made)
    for name, stored in ((GENERATIONS, generated), (SCORES, scored)):
        if stored.size != (folder / name).stat().st_size:
            raise _unfinished(folder, len(batches), len(batches))
    return found


def _take(
    stored: Stored, batch: str, due: Sequence[tuple[Any, ...]], scoring: str | None = None
) -> list[Row] | None:
    """The next rows, if they are those of the plan."""
    rows: list[Row] = []
    names = ("key", "seed", "answer")[: len(due[0])] if due else ()

    def fits(position: int, row: Row) -> bool:
        rows.append(row)
        mine = row.get("batch") == batch and row.get("scoring") == scoring
        return mine and tuple(row.get(name) for name in names) == due[position]

    return None if stored.take(len(due), fits) is None else rows


def _unfinished(folder: Path, done: int, batches: int) -> RunFolderError:
    what = f"{done} of {batches} batches are answered and scored"
    if done == batches:
        what = "rows that are not of this run stand behind it"
    return RunFolderError(
        f"{str(folder)!r} is not a finished run: {what}",
        hint=f"`dera-rag eval resume {folder}` keeps what is whole and does the rest",
    )


def _joined(
    rows: Sequence[Row], scores: Sequence[Row], scorers: tuple[str, ...], seeds: int
) -> list[Question]:
    """Questions out of a batch's rows: a row per question and seed, scores row by row beneath."""
    questions, at = [], 0
    for start in range(0, len(rows), seeds):
        answered = {}
        for row in rows[start : start + seeds]:
            count = max(1, len(row["answers"]))
            answered[row["seed"]] = read_answered(row, scores[at : at + count], scorers)
            at += count
        first = rows[start]
        record = first["record"]
        able = record.get("answerable")
        questions.append(
            Question(
                key=first["key"],
                text=first["question"],
                source=first["source"],
                split=first["split"],
                kind=str(record.get("kind", "")),
                answerable=able if isinstance(able, bool) else None,
                answered=answered,
            )
        )
    return questions


def _labels(questions: Sequence[Question]) -> tuple[str, ...]:
    """Policies in order of appearance."""
    seen = (label for q in questions for one in q.answered.values() for label in one.policies)
    return tuple(dict.fromkeys(seen))


def _card(values: Mapping[str, Json]) -> TaskCard:
    plain: dict[str, Any] = dict(values)
    anchors = tuple(Anchor(**anchor) for anchor in plain.pop("anchors", ()))
    return TaskCard(**{**plain, "metrics": tuple(plain["metrics"])}, anchors=anchors)


def _timings(path: Path) -> list[Row]:
    """The last row of each batch in which something was generated, else its last row."""
    last: dict[str, Row] = {}
    stored = Stored(path)

    def keep(position: int, row: Row) -> bool:
        batch = str(row.get("batch"))
        if row.get("generate_s") or batch not in last:
            last[batch] = row
        return True

    while stored.take(1, keep) is not None:
        pass
    return list(last.values())
