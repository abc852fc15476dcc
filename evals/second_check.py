"""A second reading of a curve's answers, written apart from the matcher that scored them.

    python evals/second_check.py RUN_DIR [--show 20] [--json]

The first matcher was also the training reward, so a model may have learned what it overlooks. Two
matchers that were written separately are unlikely to overlook the same things. The two share the
attribute scheme and no code, and differ on purpose in one convention: here "moderate" and "£20-25",
"high" and "5 out of 5" are the same value whichever of them the record has.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from second_reading import Record, faults

from dera_rag.evaluation.curve_records import ScoredAnswer
from dera_rag.evaluation.curve_scoring import QuestionSet


@dataclass(frozen=True)
class Checked:
    """An answer with both verdicts.

    Attributes:
        lam: λ as in the file's name.
        kind: The question's kind.
        question: Its text.
        records: The records that answer it; none for a place that does not exist.
        answer: What was said.
        first: What the first matcher holds against it.
        second: What the second one does.
    """

    lam: str
    kind: str
    question: str
    records: tuple[Record, ...]
    answer: str
    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(frozen=True)
class Agreement:
    """How far the two verdicts "hallucinates" agree; all but `n` in [0, 1] or NaN.

    Attributes:
        n: Answers.
        first: Hallucination rate by the first matcher.
        second: Hallucination rate by the second.
        agreement: Share of equal verdicts.
        kappa: Cohen's κ, agreement beyond chance; NaN where both say the same of every answer.
    """

    n: int
    first: float
    second: float
    agreement: float
    kappa: float


def agreement(verdicts: Iterable[tuple[bool, bool]]) -> Agreement:
    """Compare pairs of verdicts, of which there must be at least one."""
    pairs = list(verdicts)
    n = len(pairs)
    first, second = (sum(pair[side] for pair in pairs) / n for side in (0, 1))
    same = sum(a == b for a, b in pairs) / n
    chance = first * second + (1 - first) * (1 - second)
    kappa = (same - chance) / (1 - chance) if chance < 1 else math.nan
    return Agreement(n, first, second, same, kappa)


def read_run(folder: Path) -> list[Checked]:
    """Read a curve's folder and check every answer in it.

    Raises:
        SystemExit: It holds no answers, or answers to other questions than its settings give.
    """
    files = sorted((folder / "answers").glob("lam-*.jsonl"), key=_order)
    if not files:
        raise SystemExit(f"no answers/lam-*.jsonl in {str(folder)!r}: name a curve's --out folder")
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    data = QuestionSet.make(settings["n"], settings["seed"], settings["n_places"])
    questions = {question.key: question for question in data.questions}
    records = {place.id: place.record for place in data.places}
    checked = []
    for file in files:
        for line in file.read_text(encoding="utf-8").rstrip("\n").split("\n"):
            row = ScoredAnswer.from_json(line)
            question = questions.get(row.key)
            if question is None or question.text != row.question:
                raise SystemExit(f"{file}: {row.key!r} is not asked by seed {settings['seed']}")
            gold = tuple(records[place] for place in question.place_ids)
            known = gold or tuple({} for _ in question.names)
            first = tuple(f"inserted {a}" for a in row.inserted)
            first += tuple(f"wrong {a}" for a in row.wrong)
            second = tuple(faults(question.names, known, row.answer))
            lam = file.stem.removeprefix("lam-")
            checked.append(Checked(lam, row.kind, row.question, gold, row.answer, first, second))
    return checked


def _order(file: Path) -> tuple[bool, float]:
    lam = file.stem.removeprefix("lam-")
    return (True, 0.0) if lam == "auto" else (False, float(lam))


def by(checked: Sequence[Checked], field: str) -> dict[str, Agreement]:
    """Agreement for each value of a field, `lam` or `kind`, in order of appearance."""
    groups = defaultdict(list)
    for one in checked:
        groups[getattr(one, field)].append((bool(one.first), bool(one.second)))
    return {value: agreement(pairs) for value, pairs in groups.items()}


def table(title: str, rows: Mapping[str, Agreement]) -> str:
    """Lines for the terminal."""
    lines = [f"{title:20} {'n':>6} {'first':>7} {'second':>7} {'agree':>7} {'kappa':>7}"]
    for name, row in rows.items():
        numbers = (row.first, row.second, row.agreement, row.kappa)
        lines.append(f"{name:20} {row.n:6d} " + " ".join(f"{number:7.3f}" for number in numbers))
    return "\n".join(lines)


def show(one: Checked) -> str:
    """A disagreement, to be read by eye."""
    records = "".join(f"  record    {dict(record)}\n" for record in one.records)
    return (
        f"λ={one.lam} {one.kind}\n  question  {one.question}\n{records}  answer    {one.answer}\n"
        f"  first     {', '.join(one.first) or 'holds'}\n"
        f"  second    {', '.join(one.second) or 'holds'}\n"
    )


def main() -> None:
    """Check a run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder that a curve was written to")
    parser.add_argument("--show", type=int, default=0, help="disagreements to print (default 0)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    checked = read_run(arguments.run)
    apart = [one for one in checked if bool(one.first) != bool(one.second)][: arguments.show]
    groups = {field: by(checked, field) for field in ("lam", "kind")}
    if arguments.json:
        report: dict[str, object] = {
            field: {
                value: {k: None if math.isnan(v) else round(v, 6) for k, v in asdict(row).items()}
                for value, row in rows.items()
            }
            for field, rows in groups.items()
        }
        report["disagreements"] = [
            asdict(one) | {"records": list(map(dict, one.records))} for one in apart
        ]
        print(json.dumps(report, indent=1, ensure_ascii=False))
        return
    print(table("λ", groups["lam"]), table("kind, over all λ", groups["kind"]), sep="\n\n")
    for one in apart:
        print("\n" + show(one), end="")


if __name__ == "__main__":
    main()
