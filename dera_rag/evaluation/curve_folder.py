"""The folder a curve is kept in: `settings.json`, `answers/lam-….jsonl`, `curve.json`.

Each file appears whole or not at all, and a λ whose answers are there is finished: a run that was
stopped goes on with the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.curve_records import Curve, Lam, ScoredAnswer
from dera_rag.files import write_atomic
from dera_rag.types import Json


@dataclass(frozen=True, slots=True)
class CurveFolder:
    """Finished λ of one run.

    Attributes:
        path: The folder.
        n: Answers that make a λ complete.
    """

    path: Path
    n: int

    @classmethod
    def open(cls, path: str | Path, settings: Mapping[str, Json], n: int) -> CurveFolder:
        """Use a folder, new or of an earlier run with the same settings.

        Args:
            path: The folder.
            settings: Whatever the answers depend on, λ aside.
            n: Number of questions.

        Raises:
            InvalidValueError: The folder holds a run with other settings.
        """
        card = Path(path) / "settings.json"
        text = json.dumps(settings, indent=1, ensure_ascii=False) + "\n"
        settings = json.loads(text)
        if card.exists():
            try:
                before = json.loads(card.read_text(encoding="utf-8"))
            except ValueError:
                before = {}
            differ = [k for k in {**before, **settings} if before.get(k) != settings.get(k)]
            if differ:
                raise InvalidValueError(
                    f"{str(path)!r} holds a curve made with other settings: {', '.join(differ)}",
                    hint="name another folder, or delete this one",
                )
        else:
            write_atomic(card, text)
        return cls(Path(path), n)

    def read(self, lam: Lam) -> list[ScoredAnswer] | None:
        """The answers at a λ; None where they are missing or incomplete."""
        file = self._answers(lam)
        if not file.is_file():
            return None
        try:
            # str.splitlines would also split inside answers that hold U+2028.
            lines = file.read_text(encoding="utf-8").split("\n")
            answers = [ScoredAnswer.from_json(line) for line in lines if line]
        except (ValueError, TypeError):
            return None
        return answers if len(answers) == self.n else None

    def write(self, lam: Lam, answers: Sequence[ScoredAnswer]) -> None:
        """Keep the answers at a λ."""
        write_atomic(self._answers(lam), "".join(f"{a.to_json()}\n" for a in answers))

    def write_curve(self, curve: Curve) -> None:
        """Keep the curve as `curve.json`."""
        write_atomic(self.path / "curve.json", curve.to_json())

    def _answers(self, lam: Lam) -> Path:
        return self.path / "answers" / f"lam-{lam if lam == 'auto' else f'{lam:g}'}.jsonl"
