"""Your corpus, your questions: rows in the column names ragas uses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from dera_rag.errors import InvalidValueError, MissingFileError
from dera_rag.evaluation.tasks.cards import Example, TaskCard
from dera_rag.evaluation.tasks.data import Row, check_count, chosen, digest, hub_rows, read_rows
from dera_rag.protocols import Retriever
from dera_rag.types import Json, Passage

_COLUMNS = ("user_input", "response", "retrieved_contexts", "reference")
_FILES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")


class OwnTask:
    """Questions of your own, over documents of your own or contexts that stand beside them.

    Columns: `user_input` (the question), and where you have them `reference` (a right answer, or a
    list of them), `retrieved_contexts` (a list of texts; in CSV as JSON), `response` (an answer
    that is there already), `id` and `source` (what the question is about: questions of one source
    are not independent), `answerable` (true or false: whether the passages hold an answer). Further
    columns reach scorers as the item's record.

    Args:
        questions: A JSONL or CSV file, or the name of a dataset on the hub.
        corpus: Files and folders to retrieve from (txt, md, jsonl, csv, pdf); None where every row
            has its contexts, or where `index` is named.
        index: A folder that `dera-rag index` wrote.
        licence: Of the data, for the report.
        split: Which split of a hub dataset.
        n: How many questions, drawn at random; None for all.
        seed: Of the draw.

    Raises:
        InvalidValueError: Both corpus and index, or n below 1.
        MissingFileError: A file or folder that is named does not exist.
    """

    paths = ("questions", "corpus", "index")

    def __init__(
        self,
        *,
        questions: str,
        corpus: str | Sequence[str] | None = None,
        index: str | None = None,
        licence: str = "not stated",
        split: str = "test",
        n: int | None = None,
        seed: int = 0,
    ) -> None:
        check_count("n", n)
        if corpus is not None and index is not None:
            raise InvalidValueError("both corpus and index are named", hint="one of them is enough")
        self._corpus = [corpus] if isinstance(corpus, str) else list(corpus or ())
        if questions.endswith(_FILES):
            _check_exists([questions])
        _check_exists([*self._corpus, *([index] if index else [])])
        self._questions, self._index, self._licence = questions, index, licence
        self._split, self._n, self._seed = split, n, seed

    @property
    def card(self) -> TaskCard:
        """What the task declares."""
        file = self._questions.endswith(_FILES)
        return TaskCard(
            name="own",
            about="Your corpus, your questions.",
            licence=self._licence,
            split=Path(self._questions).name if file else f"{self._questions}, {self._split}",
            size="the rows of the file",
            metrics=("copy_rate",),
        )

    def examples(self, *, given: bool) -> list[Example]:
        """One example a row."""
        made = [self._example(row, number, given) for number, row in enumerate(self._rows())]
        keys = [example.key for example in made]
        twice = (
            sorted({key for key in keys if keys.count(key) > 1})
            if len(set(keys)) < len(keys)
            else []
        )
        if twice:
            raise InvalidValueError(
                f"{self._questions!r} has rows of one id: {twice[:5]}", hint="ids must be unique"
            )
        return chosen(made, self._n, self._seed)

    def retriever(self) -> Retriever | None:
        """The index over the corpus; None without one."""
        from dera_rag.retrieval import VectorIndex, load_paths

        if self._index:
            return VectorIndex.load(self._index)
        return VectorIndex.build(load_paths(self._corpus), corpus="own") if self._corpus else None

    def fingerprint(self) -> str:
        """A hash of the corpus' files."""
        from dera_rag.retrieval.files import find_files

        paths = [self._index] if self._index else self._corpus
        if self._index:
            files = sorted(p for p in Path(self._index).rglob("*") if p.is_file())
            return digest(part for p in files for part in (p.name, p.read_bytes()))
        found = find_files(paths) if paths else []
        return digest(part for f in found for part in (f.name, f.path.read_bytes()))

    def _rows(self) -> Iterable[Row]:
        if self._questions.endswith(_FILES):
            return read_rows(self._questions)
        return hub_rows(self._questions, self._split)

    def _example(self, row: Row, number: int, given: bool) -> Example:
        where = f"row {number + 1} of {self._questions!r}"
        question = row.get("user_input")
        if not isinstance(question, str) or not question.strip():
            raise InvalidValueError(
                f"{where} has no `user_input`",
                hint=f"columns are {', '.join(_COLUMNS)}; found {list(row)}",
            )
        contexts = _texts(row.get("retrieved_contexts"), where)
        searched = self._index is not None or bool(self._corpus)
        if contexts is None and not searched and not given:
            raise InvalidValueError(
                f"{where} has no `retrieved_contexts`", hint="add them, or name a corpus to search"
            )
        response = row.get("response")
        if given and (not isinstance(response, str) or not response.strip()):
            raise InvalidValueError(f"{where} has no `response`", hint="answers: path makes them")
        key = str(row.get("id") or f"{digest([question, *(contexts or ())])}-{number}")
        known: dict[str, Json] = {
            str(name): value
            for name, value in row.items()
            if name not in {*_COLUMNS, "id", "source"} and _is_json(value)
        }
        able = known.pop("answerable", None)
        if able not in (None, ""):  # CSV has a cell in every row
            known["answerable"] = _truth(able, where)
        return Example(
            key=key,
            question=question.strip(),
            source=str(row.get("source") or key),
            passages=None
            if contexts is None and searched
            else tuple(Passage(f"{key}:{i}", text) for i, text in enumerate(contexts or (), 1)),
            references=tuple(_texts(row.get("reference"), where) or ()),
            record=known,
            answer=str(response).strip() if given else None,
        )


def _check_exists(paths: Iterable[str]) -> None:
    for path in paths:
        if not Path(path).exists():
            raise MissingFileError(f"no file or folder {path!r}", hint="check the path")


def _texts(value: object, where: str) -> list[str] | None:
    """A list of texts: as it is, as JSON in a string, or one text alone; None where empty."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            value = [value]
    if value in (None, "", []):
        return None
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InvalidValueError(f"{where}: expected a list of texts, got {value!r:.80}")
    return value


def _truth(value: Json, where: str) -> bool:
    """True or false, which CSV writes as words or digits."""
    said = {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())
    if said is None:
        raise InvalidValueError(f"{where}: `answerable` is true or false, got {value!r:.80}")
    return said


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
