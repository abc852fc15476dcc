"""RAGTruth: grounded answers, summaries and data-to-text (Niu et al. 2024)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

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
from dera_rag.types import Json, Passage

KINDS = ("qa", "summary", "data2txt")
_HUB = "wandb/RAGTruth-processed"
_ASKED: Mapping[str, str] = MappingProxyType(
    {
        "summary": "Summarize the passage.",
        "data2txt": "Describe the business from its data.",
    }
)
_PAPER = "Niu et al. 2024, RAGTruth; Kovács and Recski 2025, LettuceDetect"
_ANCHORS = tuple(
    Anchor("hallucinated response found, F1, official test", value, system, _PAPER)
    for system, value in (
        ("GPT-4 as a judge", "63.4"),
        ("LettuceDetect base", "76.8"),
        ("LettuceDetect large", "79.2"),
    )
)


class RAGTruthTask:
    """Answer from the passages, or score what six language models answered.

    Args:
        kinds: Which of `qa`, `summary` and `data2txt`; all by default.
        n: How many examples, drawn at random; None for all.
        seed: Of the draw.
        data: A folder with `ragtruth_<split>.jsonl` (or .jsonl.gz); None for
            `$DERA_RAG_DATA/ragtruth`, or the hub's dataset where that is not there.
        split: `dev` (default), `train` or `test`; the hub has the last two.

    Raises:
        InvalidValueError: An unknown kind or split, or n below 1.
    """

    paths = ("data",)

    def __init__(
        self,
        *,
        kinds: Sequence[str] = KINDS,
        n: int | None = None,
        seed: int = 0,
        data: str | None = None,
        split: str = "dev",
    ) -> None:
        for kind in kinds:
            check_choice("kind", kind, KINDS)
        check_choice("split", split, ("dev", "train", "test"))
        check_count("n", n)
        self._kinds, self._n, self._seed = tuple(kinds), n, seed
        self._data, self._split = data, split

    @property
    def card(self) -> TaskCard:
        """What the task declares."""
        return TaskCard(
            name="ragtruth",
            about="Grounded answers, summaries and data-to-text; people marked what is made up.",
            licence="MIT (texts: CNN/DM, MS MARCO and Yelp, under their own terms)",
            split=self._split,
            size="some 18,000 responses to 3,000 inputs in all",
            metrics=("copy_rate",),
            anchors=_ANCHORS,
        )

    def examples(self, *, given: bool) -> list[Example]:
        """One example a response where answers are given, else one an input."""
        made: dict[str, Example] = {}
        for row in self._rows():
            kind = _kind(row)
            if kind in self._kinds:
                example = _example(row, kind, given=given)
                made.setdefault(example.key, example)
        return chosen(list(made.values()), self._n, self._seed)

    def retriever(self) -> None:
        """Every example has its context as its passage."""

    def fingerprint(self) -> str:
        """There is no corpus."""
        return ""

    def _rows(self) -> Iterable[Row]:
        folder = local_folder("ragtruth", self._data)
        if folder is not None:
            return read_rows(find_file(folder, f"ragtruth_{self._split}"))
        return hub_rows(self._data or _HUB, self._split)


def _kind(row: Row) -> str:
    """The kind of task, under the names of the files and of the hub's dataset."""
    named = str(row.get("task") or row.get("task_type") or "").lower()
    return {"data2text": "data2txt"}.get(named, named)


def _example(row: Row, kind: str, *, given: bool) -> Example:
    context, response = row.get("context"), row.get("response", row.get("output"))
    if not isinstance(context, str) or not isinstance(response, str):
        raise InvalidValueError(
            f"a row of RAGTruth lacks context or response: {dict(row)!r:.80}",
            hint="columns are id, source_id, task, question, context, response, labels",
        )
    asked = row.get("question", row.get("query")) if kind == "qa" else None
    source = digest([kind, str(asked or ""), context])
    record: dict[str, Json] = {"kind": kind}
    if given:
        spans = _spans(row.get("labels", row.get("hallucination_labels")))
        record |= {"system": str(row.get("model", "")), "human_spans": spans}
    return Example(
        key=f"ragtruth-{row.get('id', digest([response]))}" if given else f"ragtruth-{source}",
        question=str(asked).strip() if asked else _ASKED.get(kind, "Answer from the passage."),
        source=source,
        passages=(Passage(source, context),),
        record=record,
        answer=response if given else None,
    )


def _spans(labels: Any) -> list[Json]:
    """Start, end and kind of every stretch that people marked."""
    found = json.loads(labels) if isinstance(labels, str) else labels or []
    return [
        {"start": int(x["start"]), "end": int(x["end"]), "label": str(x.get("label_type", ""))}
        for x in found
    ]
