"""Open-domain questions over Wikipedia passages: answerable, in conflict, unanswerable.

`answerable` asks with the passage that holds the answer. `conflict` swaps the answer in that
passage for another of the same type: does the model say what the passage says, or what it
remembers (Longpre et al. 2021)? `unanswerable` shows passages without the answer: does it abstain?
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.evaluation.tasks.cards import Example, TaskCard
from dera_rag.evaluation.tasks.conflicts import answer_type, mentions_any, swapped
from dera_rag.evaluation.tasks.data import (
    ENVIRONMENT,
    Row,
    check_choice,
    check_count,
    chosen,
    digest,
    find_file,
    local_folder,
    read_rows,
)
from dera_rag.protocols import Retriever
from dera_rag.types import Passage

if TYPE_CHECKING:
    from dera_rag.retrieval import Document

VARIANTS = ("answerable", "conflict", "unanswerable")
_PASSAGES = ("gold", "retrieved")
_METRICS = {
    "answerable": ("answer_recall", "exact_match", "token_f1"),
    "conflict": ("conflict_context", "conflict_memory", "conflict_abstain"),
    "unanswerable": ("conflict_abstain",),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with its gold passage; `swap` is the answer put in place of the true one."""

    key: str
    question: str
    answers: tuple[str, ...]
    title: str
    text: str
    swap: str = ""


class NQTask:
    """Questions people asked a search engine, with one gold passage each.

    Args:
        variant: `answerable` (default), `conflict` or `unanswerable`.
        passages: `gold` (default) puts one passage into the prompt: the gold one, the swapped one,
            or for `unanswerable` another question's. `retrieved` searches all of the variant's
            passages, a question's own left out where it is unanswerable.
        n: How many questions, drawn at random; None for all.
        seed: Of the draw and of the swaps.
        data: A folder with `nq_open_<split>.jsonl` (or .jsonl.gz), columns `question`, `answers`
            and `ctxs` with `title`, `text` and `isgold`; None for `$DERA_RAG_DATA/nq_open`.
        split: Names the file; `dev` by default.

    Raises:
        InvalidValueError: An unknown variant or kind of passages, or n below 1.
    """

    paths = ("data",)

    def __init__(
        self,
        *,
        variant: str = "answerable",
        passages: str = "gold",
        n: int | None = None,
        seed: int = 0,
        data: str | None = None,
        split: str = "dev",
    ) -> None:
        check_choice("variant", variant, VARIANTS)
        check_choice("passages", passages, _PASSAGES)
        check_count("n", n)
        self._variant, self._passages, self._n, self._seed = variant, passages, n, seed
        self._data, self._split = data, split

    @property
    def card(self) -> TaskCard:
        """What the task declares."""
        return TaskCard(
            name="nq",
            about=f"Open-domain questions, {self._variant}, {self._passages} passages.",
            licence="CC BY-SA 3.0 (questions and Wikipedia text)",
            split=f"NQ-open {self._split}, questions with a gold passage",
            size="2,655 questions in the public file; conflict: those with an answer to swap",
            metrics=_METRICS[self._variant],
        )

    def examples(self, *, given: bool) -> list[Example]:
        """The variant's questions; none has an answer of a system."""
        asked = chosen(self._variant_rows, self._n, self._seed)
        if self._passages == "retrieved":
            return [self._example(row, None) for row in asked]
        return [self._example(row, self._shown(row)) for row in asked]

    def retriever(self) -> Retriever | None:
        """An index over the variant's passages; None where examples have their own."""
        if self._passages == "gold":
            return None
        from dera_rag.evaluation.tasks.lacking import WithoutAnswers
        from dera_rag.retrieval import Chunking, VectorIndex

        documents = self._documents()
        # Gold passages are the unit that is counted: they stay whole.
        whole = Chunking(size=max(len(document.text) for document in documents), overlap=0)
        index = VectorIndex.build(documents, corpus="nq_open", chunking=whole)
        if self._variant != "unanswerable":
            return index
        return WithoutAnswers(index, {row.question: row.answers for row in self._rows})

    def fingerprint(self) -> str:
        """A hash of the passages that are searched."""
        if self._passages == "gold":
            return ""
        return digest(part for row in self._variant_rows for part in (row.title, row.text))

    @functools.cached_property
    def _rows(self) -> list[_Asked]:
        folder = local_folder("nq_open", self._data)
        if folder is None:
            raise MissingFileError(
                f"no folder of NQ-open: {self._data or f'${ENVIRONMENT}/nq_open'}",
                hint="name as `data` a folder with nq_open_dev.jsonl of lost-in-the-middle's form",
            )
        return [_read(row) for row in read_rows(find_file(folder, f"nq_open_{self._split}"))]

    @functools.cached_property
    def _variant_rows(self) -> list[_Asked]:
        return _conflicting(self._rows, self._seed) if self._variant == "conflict" else self._rows

    def _documents(self) -> list[Document]:
        from dera_rag.retrieval import Document

        found = {(row.title, row.text): row for row in self._variant_rows}
        return [Document(digest([title, text]), text, {"title": title}) for title, text in found]

    def _shown(self, row: _Asked) -> Passage:
        other = row if self._variant != "unanswerable" else self._foreign(row)
        return Passage(
            digest([other.title, other.text]), other.text, metadata={"title": other.title}
        )

    def _foreign(self, row: _Asked) -> _Asked:
        """Another question's passage that does not hold the answer; the same for every n."""
        rng = random.Random(f"foreign passage {self._seed} {row.key}")
        while True:
            other = rng.choice(self._rows)
            if other.title != row.title and not mentions_any(other.text, row.answers):
                return other

    def _example(self, row: _Asked, passage: Passage | None) -> Example:
        conflict = self._variant == "conflict"
        held = (row.swap,) if conflict else row.answers if self._variant == "answerable" else ()
        return Example(
            key=f"nq-{self._variant}-{row.key}",
            question=f"{row.question[:1].upper()}{row.question[1:].rstrip('?')}?",
            source=digest([row.title]),
            passages=None if passage is None else (passage,),
            references=held,
            record={
                "kind": self._variant,
                "answerable": self._variant != "unanswerable",
                "context_answers": list(held),
                "memory_answers": list(row.answers) if self._variant != "answerable" else [],
            },
        )


def _read(row: Row) -> _Asked:
    try:
        gold = next(passage for passage in row["ctxs"] if passage["isgold"])
        question, answers = str(row["question"]), tuple(map(str, row["answers"]))
        title, text = str(gold["title"]), str(gold["text"])
    except (KeyError, StopIteration, TypeError) as error:
        raise InvalidValueError(
            f"a row of NQ-open lacks a gold passage or a column: {dict(row)!r:.80}",
            hint="columns are question, answers, ctxs[title, text, isgold]",
        ) from error
    return _Asked(digest([question]), question, answers, title, text)


def _conflicting(rows: list[_Asked], seed: int) -> list[_Asked]:
    """Rows whose answer is in the passage, with another of its type in its place."""
    by_type: dict[str, list[str]] = {}
    for row in rows:
        by_type.setdefault(answer_type(row.answers[0]), []).append(row.answers[0])
    made = []
    for row in rows:
        rng = random.Random(f"swap {seed} {row.key}")
        pool = by_type[answer_type(row.answers[0])]
        other = next(
            (x for x in rng.sample(pool, len(pool)) if not mentions_any(row.text, (x,))), None
        )
        text = None if other is None else swapped(row.text, row.answers, other)
        if other is not None and text is not None:
            made.append(replace(row, text=text, swap=other))
    return made
