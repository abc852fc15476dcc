"""A suite to start from: the shipped template `own` over one's own questions and documents."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from dera_rag.errors import InvalidValueError, MissingFileError, OutputError
from dera_rag.evaluation.suites.reading import read_suite
from dera_rag.evaluation.suites.shipped import find_suite
from dera_rag.evaluation.tasks import Example
from dera_rag.files import write_atomic, writing
from dera_rag.policies.config import parse
from dera_rag.types import Json

QUESTIONS = "questions.jsonl"
_FILES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")
_WITH_REFERENCES, _WITH_ANSWERABLE = ("answer_recall", "token_f1"), "abstained"
# Rows to replace: they show the columns, and run on the embedded pair at once.
_ROWS: tuple[dict[str, Json], ...] = (
    {
        "user_input": "Where is The Copper Kettle, and what does it serve?",
        "reference": "The Copper Kettle is in the riverside area and serves Italian food.",
        "retrieved_contexts": [
            "- name: The Copper Kettle\n- type: pub\n- food: Italian\n- area: riverside"
        ],
        "source": "copper-kettle",
    },
    {
        "user_input": "Is The Copper Kettle family friendly?",
        "reference": "Its passages do not say whether The Copper Kettle is family friendly.",
        "retrieved_contexts": [
            "- name: The Copper Kettle\n- type: pub\n- food: Italian\n- area: riverside"
        ],
        "source": "copper-kettle",
    },
)


def write_starter(
    file: str | Path,
    *,
    questions: str | None = None,
    corpus: str | Path | None = None,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write a commented suite over one's own questions; it is valid, or nothing is written.

    Args:
        file: The suite, a YAML file.
        questions: A JSONL or CSV file in ragas' column names, or a dataset on the hub; None for
            `questions.jsonl` beside the suite, which is written with two examples where it is
            missing and no corpus is named.
        corpus: A file or folder to search; None where every row has its contexts.
        force: Whether a suite that is there is replaced; questions never are.

    Returns:
        The files that were written, the suite first.

    Raises:
        OutputError: The file is there already, or cannot be written.
        MissingFileError: Questions or corpus do not exist.
        InvalidValueError: Another ending than YAML's, or questions that cannot be asked.
    """
    path = Path(file)
    if path.suffix not in {".yaml", ".yml"}:
        raise InvalidValueError(
            f"a suite is a YAML file, got {str(file)!r}", hint=f"name it {path.name}.yaml"
        )
    if path.exists() and not force:
        raise OutputError(f"{str(file)!r} is there already", hint="--force replaces it")
    beside, made = path.parent / QUESTIONS, []
    if questions is None and not beside.exists():
        if corpus is not None:
            raise MissingFileError(
                f"no questions about {str(corpus)!r}: {str(beside)!r} does not exist",
                hint="--questions names a JSONL or CSV file with the column user_input",
            )
        rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _ROWS)
        made.append(write_atomic(beside, rows))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)  # paths are looked up from there
    text = starter(path, questions or str(beside), corpus)
    return (write_atomic(path, text), *made)


def starter(path: Path, questions: str, corpus: str | Path | None) -> str:
    """The text of a suite, checked as `dera-rag eval validate` checks it.

    Args:
        path: Where it will lie: its paths are relative to that.
        questions: As in `write_starter`.
        corpus: Likewise.

    Raises:
        DeraRagError: It would not be valid.
    """
    text = find_suite("own").read_text(encoding="utf-8").replace("FILE.yaml", path.name)
    text = _set(text, "suite", path.stem)
    text = _set(text, "questions", _relative(questions, path.parent, hub=True))
    if corpus is None:
        text = re.sub(r"^    corpus:", "    # corpus:", text, flags=re.M)
    else:
        text = _set(text, "corpus", [_relative(str(corpus), path.parent)])
    asked = _examples(text, path)
    known: Any = parse(text, path.name)["scorers"]
    if any(one.references for one in asked):
        known = [*_WITH_REFERENCES, *known]
    if any("answerable" in one.record for one in asked):
        known = [*known, _WITH_ANSWERABLE]
    return _set(text, "scorers", known)


def _set(text: str, key: str, value: object) -> str:
    """The template with another value under a key, its comment kept."""
    new = json.dumps(value, ensure_ascii=False)
    return re.sub(
        rf"^( *{key}: )(?:\[.*?\]|\S+)", lambda found: found[1] + new, text, count=1, flags=re.M
    )


def _relative(source: str, folder: Path, *, hub: bool = False) -> str:
    """A path as the suite has it; the name of a dataset as it is."""
    if hub and not source.endswith(_FILES):
        return source
    if not Path(source).exists():
        raise MissingFileError(f"no file or folder {source!r}", hint="check the path")
    # Resolved, for a suite is read from where it truly lies.
    return Path(os.path.relpath(Path(source).resolve(), folder.resolve())).as_posix()


def _examples(text: str, path: Path) -> list[Example]:
    """The suite's questions, which is refused if invalid; none of a dataset on the hub."""
    suite = read_suite(parse(text, path.name), path.resolve().parent, path.name)
    section = suite.tasks[0]
    if not str(section.task.options["questions"]).endswith(_FILES):
        return []  # it is not fetched for a template
    return section.make_task(suite.folder).examples(given=False)
