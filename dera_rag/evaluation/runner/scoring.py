"""Scores of a batch, made from its stored rows alone: the same now, resumed, or a year later."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from dera_rag.evaluation.contract import Item, Score, Scorer, Signals, missing
from dera_rag.evaluation.runner.storage import Row
from dera_rag.types import DecodeTrace, Passage

_LOG = logging.getLogger(__name__)
_TRACE = ("reference", "aligned", "mixture", "kl", "entropy")
# What a score row repeats of its answer, where the answer has it.
_KEPT = ("arm", "policy", "lam", "lo", "hi")


def score_rows(lines: Sequence[str], scorers: Sequence[Scorer], scoring: str) -> list[Row]:
    """One row per answer, in the order of the answers; a failed question has one as well.

    Args:
        lines: The batch's generation rows as they are stored.
        scorers: What judges them.
        scoring: Hash of the scorers.
    """
    rows = [json.loads(line) for line in lines]
    answers = [(row, i) for row in rows for i in range(len(row["answers"]))]
    items = [read_item(row, i) for row, i in answers]
    columns = {scorer.name: _column(scorer, items) for scorer in scorers}
    made = {
        (id(row), i): _head(row, i, scoring) | _scored({n: c[at] for n, c in columns.items()})
        for at, (row, i) in enumerate(answers)
    }
    out = []
    for row in rows:
        if not row["answers"]:
            out.append(_unanswered(row, list(columns), scoring))
        out += [made[id(row), i] for i in range(len(row["answers"]))]
    return out


def expected_rows(lines: Sequence[str]) -> list[tuple[str, int, int]]:
    """Key, seed and position of every score row that a batch's generation rows call for.

    Args:
        lines: The generation rows as they are stored.
    """
    rows = [json.loads(line) for line in lines]
    return [
        (row["key"], row["seed"], i) for row in rows for i in range(max(1, len(row["answers"])))
    ]


def read_item(row: Mapping[str, Any], position: int) -> Item:
    """What scorers see of an answer.

    Args:
        row: A generation row.
        position: Of the answer in it.
    """
    answer = row["answers"][position]
    return Item(
        question=row["question"],
        passages=tuple(Passage(name, text) for name, text in row["passages"]),
        answer=answer["text"],
        references=tuple(row["references"]),
        signals=_signals(answer),
        record=row["record"],
        key=row["key"],
        source=row["source"],
        lam=answer.get("lam"),
        policy="" if answer["arm"] == "given" else answer.get("policy", "constant"),
    )


def _signals(answer: Mapping[str, Any]) -> Signals | None:
    if "finish" not in answer:
        return None
    count = answer["token_count"]
    columns = answer.get("trace", {})
    absent = (math.nan,) * count
    values: dict[str, Any] = {
        name: tuple(math.nan if x is None else x for x in columns[name])
        if name in columns
        else absent
        for name in _TRACE
    }
    trace = DecodeTrace(lam=(answer["lam"],) * count, **values)
    return Signals(tuple(answer.get("tokens", ())), trace, answer["finish"])


def _column(scorer: Scorer, items: Sequence[Item]) -> list[Score | str]:
    """A score for every item; where the scorer failed, what it said."""
    lacking = [missing(item, scorer.needs) for item in items]
    able = [item for item, why in zip(items, lacking, strict=True) if why is None]
    try:
        scores = scorer.score(able)
        if len(scores) != len(able):
            raise ValueError(f"{len(scores)} scores for {len(able)} items")
    except Exception as error:  # a scorer's failure is in its rows and never the end of a run
        _LOG.warning("scorer %s failed: %s", scorer.name, error)
        said = f"{type(error).__name__}: {error}"
        return [said if why is None else Score(None, why) for why in lacking]
    found = iter(scores)
    return [next(found) if why is None else Score(None, why) for why in lacking]


def _head(row: Row, position: int, scoring: str) -> Row:
    answer = row["answers"][position]
    return {
        "batch": row["batch"],
        "scoring": scoring,
        "section": row["section"],
        "key": row["key"],
        "source": row["source"],
        "split": row["split"],
        "kind": row["record"].get("kind", ""),
        "seed": row["seed"],
        "answer": position,
        **{name: answer[name] for name in _KEPT if name in answer},
    }


def _scored(scores: Mapping[str, Score | str]) -> Row:
    """Values by scorer, and why some are missing: not scorable, or failed."""
    good = {name: score for name, score in scores.items() if isinstance(score, Score)}
    row: Row = {
        "scores": {name: s.value for name, s in good.items()}
        | {name: None for name in scores if name not in good},
        "weights": {name: s.weight for name, s in good.items() if s.weight != 1},
        "unscored": {name: s.reason for name, s in good.items() if s.value is None},
        "failed": {name: said for name, said in scores.items() if isinstance(said, str)},
        "spans": {
            name: [[span.start, span.end, span.reason] for span in s.spans]
            for name, s in good.items()
            if s.spans
        },
    }
    row["scores"] = {name: row["scores"][name] for name in scores}
    return {key: value for key, value in row.items() if value or key == "scores"}


def _unanswered(row: Row, names: Sequence[str], scoring: str) -> Row:
    why = f"no answer: {row.get('error', 'unknown')}"
    return {
        "batch": row["batch"],
        "scoring": scoring,
        "section": row["section"],
        "key": row["key"],
        "source": row["source"],
        "split": row["split"],
        "kind": row["record"].get("kind", ""),
        "seed": row["seed"],
        "answer": 0,
        "arm": "failed",
        "scores": dict.fromkeys(names),
        "failed": dict.fromkeys(names, why),
        "error": row.get("error", ""),
    }
