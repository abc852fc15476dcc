"""Small suites on disk: a tiny random pair, a few questions with contexts, short answers."""

import json
from pathlib import Path

import yaml

from dera_rag.evaluation.contract import Score
from dera_rag.testing import write_pair

QUESTIONS = (
    ("Is the pub near the river cheap?", "A small pub near the river is cheap and friendly."),
    ("Until when is the café open?", "The old harbour café serves soup until nine."),
    ("What does the café serve?", "The old harbour café serves fresh bread and soup."),
    ("Is the pub open to families?", "The pub is friendly and open to families."),
    ("Is the pub open to families?", "The café by the old harbour is closed in the evening."),
)


def write_questions(folder, name="questions.jsonl", **more):
    """Rows in ragas' column names; `more` adds columns, one value for all."""
    rows = [
        {
            "id": f"q{i}",
            "user_input": question,
            "retrieved_contexts": [context],
            "reference": context,
            "source": f"s{i // 2}",
            **more,
        }
        for i, (question, context) in enumerate(QUESTIONS)
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / name).write_text(text, encoding="utf-8")


def suite_values(pair, /, **changes):
    """A suite over `questions.jsonl`, with keys changed; None leaves a key out."""
    values = {
        "suite": "tiny",
        "answers": "grid",
        "lam": [0, 0.5, 1],
        "pair": {"reference": str(pair.reference), "aligned": str(pair.aligned)},
        "policies": [{"policy": "constant", "lam": 0.75, "label": "middle"}],
        "sampling": {"temperature": 1, "max_new_tokens": 5},
        "batch": 2,
        "scorers": ["copy_rate"],
        "tasks": {"mine": {"task": "own", "questions": "questions.jsonl"}},
    }
    values |= changes
    return {key: value for key, value in values.items() if value is not None}


def write_suite(folder, pair, /, **changes):
    """The suite as a file beside its questions."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "questions.jsonl").exists():
        write_questions(folder)
    file = folder / "suite.yaml"
    file.write_text(yaml.safe_dump(suite_values(pair, **changes)), encoding="utf-8")
    return file


def tiny(folder: Path):
    """A tiny pair with room for a context."""
    return write_pair(folder, positions=512)


def read(folder, name="scores.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]


class Failing:
    """A scorer that fails at one item, and thereby at its batch."""

    name, version, direction, range = "failing", "1", "higher", (0.0, 1.0)
    needs = frozenset({"references"})

    def score(self, items):
        if any(item.key == "q2" for item in items):
            raise RuntimeError("out of luck")
        return [Score(1.0) for _ in items]
