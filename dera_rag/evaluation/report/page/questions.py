"""A run's questions and answers as the page's browser reads them: compact JSON values.

Texts that occur twice are stored once, per-token columns as one string for all answers, and λ ends
as the run's files have them, so that the slider stops where the path does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from dera_rag.evaluation.report.page.traces import kl_levels, ratio_levels, token_lengths
from dera_rag.evaluation.report.summary_types import ScorerFacts, Section, Summary
from dera_rag.evaluation.runner.storage import GENERATIONS, SCORES, Row, Stored
from dera_rag.types import Json

_PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a run goes into the page.

    Attributes:
        trace_width: Per-token columns of an answer do if it holds on at least this share of its
            path's λ; ∞ for none. Policies' answers and those of a grid hold on all of it.
        passage_chars: Most characters of a passage; None for all.
        every: One question in so many.
    """

    trace_width: float = 0.0
    passage_chars: int | None = None
    every: int = 1


@dataclass(slots=True)
class Store:
    """What all runs of a page share.

    Attributes:
        texts: Text → its number, in order.
        lengths: Characters of every token of every traced answer, in order, as levels.
        kl: KL of the same tokens.
        ratio: Log-ratio of the same tokens.
    """

    texts: dict[str, int] = field(default_factory=dict)
    lengths: list[str] = field(default_factory=list)
    kl: list[str] = field(default_factory=list)
    ratio: list[str] = field(default_factory=list)

    def text(self, value: str) -> int:
        """The number of a text."""
        return self.texts.setdefault(value, len(self.texts))

    def trace(self, answer: Row) -> int:
        """Keep an answer's columns; how many tokens were kept."""
        columns, tokens = answer.get("trace") or {}, answer.get("tokens") or []
        if not {"kl", "aligned", "reference"} & set(columns):
            return 0
        lengths = token_lengths(tokens, answer["text"])
        if lengths is None:
            return 0
        absent = [None] * len(tokens)
        self.lengths.append(lengths)
        self.kl.append(kl_levels(columns.get("kl", absent)))
        self.ratio.append(
            ratio_levels(columns.get("aligned", absent), columns.get("reference", absent))
        )
        return len(tokens)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a row is read with."""

    sections: Mapping[str, Section]
    scores: Mapping[tuple[str, str, int, int], Row]
    store: Store
    detail: Detail


def run_rows(folder: Path, summary: Summary, store: Store, detail: Detail) -> list[Json]:
    """The questions of a run, those of sections that the summary has.

    Args:
        folder: Of the run.
        summary: Says which scorers there are, and what measures factuality.
        store: Takes texts and traces.
        detail: How much of it.
    """
    sections = {section.name: section for section in summary.sections}
    of = _Reading(sections, _scores(folder), store, detail)
    return [
        _row(row, of)
        for row in _lines(folder / GENERATIONS)
        # By key, so that two runs keep the same questions.
        if row["section"] in sections and crc32(row["key"].encode()) % detail.every == 0
    ]


def section_values(section: Section) -> dict[str, Json]:
    """What the browser knows of a section: its scorers, and which of them marks answers."""
    scorers: list[Json] = [
        {"name": facts.name, "better": facts.direction, "axis": facts.axis}
        for facts in section.scorers
    ]
    return {"scorers": scorers, "judge": section.axes[0].scorer}


def count_rows(folder: Path) -> int:
    """Questions × seeds of a run."""
    return len(_lines(folder / GENERATIONS))


def flags(value: float | None, spans: int, facts: ScorerFacts | None) -> bool | None:
    """Whether an answer is marked: a span, or a value nearer to its scale's bad end.

    Args:
        value: The factuality scorer's; None where there is none.
        spans: How many stretches it marked.
        facts: The scorer; None where the section has none, then any scorer's spans count.

    Returns:
        None where nothing can be said.
    """
    if facts is None:
        return spans > 0 or None
    if value is None:
        return None
    if spans:
        return True
    if facts.low is None or facts.high is None or facts.direction == "neither":
        return False
    middle = (facts.low + facts.high) / 2
    return value > middle if facts.direction == "lower" else value < middle


def _lines(file: Path) -> list[Row]:
    """Whole rows; a run that was killed may have left a torn one behind them."""
    rows: list[Row] = []
    stored = Stored(file)

    def keep(_position: int, row: Row) -> bool:
        rows.append(row)
        return True

    while stored.take(1, keep) is not None:
        pass
    return rows


def _scores(folder: Path) -> dict[tuple[str, str, int, int], Row]:
    return {
        (row["section"], row["key"], row["seed"], row["answer"]): row
        for row in _lines(folder / SCORES)
    }


def _row(row: Row, of: _Reading) -> Json:
    at = (row["section"], row["key"], row["seed"])
    store = of.store
    passages: list[Json] = [
        [store.text(name), store.text(_cut(text, of.detail.passage_chars))]
        for name, text in row["passages"]
    ]
    made: dict[str, Json] = {
        "s": row["section"],
        "k": row["key"],
        "src": row["source"],
        "split": row["split"],
        "kind": row["record"].get("kind", ""),
        "seed": row["seed"],
        "q": store.text(row["question"]),
        "p": passages,
        "r": [store.text(reference) for reference in row["references"]],
        "a": [_answer(row, i, of.scores.get((*at, i), {}), of) for i in range(len(row["answers"]))],
    }
    optional = {"dropped": len(row.get("dropped", ())), "err": row.get("error")}
    return made | {key: value for key, value in optional.items() if value}


def _answer(row: Row, position: int, scored: Row, of: _Reading) -> Json:
    answer, section, store = row["answers"][position], of.sections[row["section"]], of.store
    judge = section.axes[0].scorer
    values, spans = scored.get("scores", {}), scored.get("spans", {})
    marked = [[a, b, store.text(said), by] for by, found in spans.items() for a, b, said in found]
    facts = next((one for one in section.scorers if one.name == judge), None)
    by_judge = [one for one in marked if facts is None or one[3] == judge]
    bad = flags(values.get(judge), len(by_judge), facts)
    people = row["record"].get("human_spans")
    if answer["arm"] == "given" and people is not None:
        marked += [_by_people(one, store) for one in people]
        bad = bool(people) if facts is None else bad
    made: dict[str, Any] = {
        "arm": answer["arm"],
        "t": store.text(answer["text"]),
        "sc": [_short(values.get(one.name)) for one in section.scorers],
        "bad": bad,
    }
    why = scored.get("failed", {}) | scored.get("unscored", {})
    optional = {
        "pol": answer.get("policy"),
        # A path's segments follow each other: the first has its lower end, the others do not.
        "lam": None if answer["arm"] == "path" else answer.get("lam"),
        "lo": None if position else answer.get("lo"),
        "hi": answer.get("hi"),
        "near": answer.get("exact") is False,
        "cut": answer.get("finish") == "length",
        "why": answer.get("reason"),
        "sp": marked,
        "un": {name: store.text(said) for name, said in why.items()},
        "n": store.trace(answer) if _width(row, answer) >= of.detail.trace_width else 0,
    }
    return made | {k: v for k, v in optional.items() if v or (v == 0 and k in ("lam", "lo"))}


def _width(row: Row, answer: Row) -> float:
    """The share of its path's λ on which an answer holds; 1 for others than a path's."""
    if answer["arm"] != "path":
        return 1.0
    path = [one for one in row["answers"] if one["arm"] == "path"]
    return float((answer["hi"] - answer["lo"]) / ((path[-1]["hi"] - path[0]["lo"]) or 1.0))


def _by_people(span: Mapping[str, Any], store: Store) -> list[Json]:
    return [span["start"], span["end"], store.text(str(span.get("label", ""))), _PEOPLE]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else text[:most].rstrip() + " […]"
