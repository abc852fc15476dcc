"""The lexical floor: plain counts that any meter of grounded-ness has to beat."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dera_rag.evaluation.copying import words
from dera_rag.evaluation.scorers.text import STOP_WORDS, sentences

FLOOR_FEATURES = (
    "novel_words_share",
    "novel_words",
    "novel_2_grams",
    "novel_3_grams",
    "uncovered",
    "density_negated",
    "novel_numbers",
    "novel_capitalised",
    "length_words",
    "length_sentences",
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_CAPITALISED = re.compile(r"\b[A-Z]\w+")
_ANY = re.compile(r"\w+")


class Floor:
    """The passages of one answer, indexed once for all that is compared with them.

    Args:
        passages: Their texts, as they are.
    """

    def __init__(self, passages: Sequence[str]) -> None:
        self._sources = [words(passage) for passage in passages]
        self._known = {word for source in self._sources for word in source}
        self._runs = {
            n: {tuple(s[i : i + n]) for s in self._sources for i in range(len(s) - n + 1)}
            for n in (2, 3)
        }
        raw = "\n".join(passages)
        self._numbers, self._raw = set(_NUMBER.findall(raw)), set(_ANY.findall(raw))
        self._places: dict[str, list[tuple[int, int]]] = {}
        for k, source in enumerate(self._sources):
            for j, word in enumerate(source):
                self._places.setdefault(word, []).append((k, j))

    def of(self, text: str) -> list[float]:
        """The features of `FLOOR_FEATURES` in order; all but the lengths grow with what is novel.

        Args:
            text: An answer, or a part of one.
        """
        found = words(text)
        content = [word for word in found if word not in STOP_WORDS]
        novel = sum(word not in self._known for word in content)
        covered, density = self._fragments(found)
        return [
            novel / max(1, len(content)),
            float(novel),
            self._novel_runs(found, 2),
            self._novel_runs(found, 3),
            1 - covered,
            -density,
            float(sum(number not in self._numbers for number in _NUMBER.findall(text))),
            float(sum(word not in self._raw for word in _CAPITALISED.findall(text))),
            float(len(found)),
            float(len(sentences(text))),
        ]

    def _novel_runs(self, text: Sequence[str], n: int) -> float:
        runs = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
        return sum(run not in self._runs[n] for run in runs) / max(1, len(runs))

    def _fragments(self, text: Sequence[str]) -> tuple[float, float]:
        """Coverage and density as `copying` defines them, by an index: passages here are long."""
        lengths, at = [], 0
        while at < len(text):
            best = max(
                (self._run(text, at, k, j) for k, j in self._places.get(text[at], ())), default=0
            )
            lengths.append(best)
            at += max(1, best)
        n = max(1, len(text))
        return sum(lengths) / n, sum(length**2 for length in lengths) / n

    def _run(self, text: Sequence[str], at: int, k: int, j: int) -> int:
        source, run = self._sources[k], 0
        while at + run < len(text) and j + run < len(source) and text[at + run] == source[j + run]:
            run += 1
        return run


def lexical_floor(answer: str, passages: Sequence[str]) -> list[float]:
    """The floor of one answer, see `Floor.of`."""
    return Floor(passages).of(answer)
