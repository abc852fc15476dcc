"""The passages of one answer, indexed once for all of its sentences."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

from dera_rag.evaluation.scorers.text import (
    NEGATIONS,
    Sentence,
    numbers,
    sentences,
    verbalised,
)

PREFIX = 5  # letters: words that share so many are most often one word in two forms
_WINDOW = 2  # sentences that may support one claim together


class Source:
    """What the passages say, as sets of words, runs of words and numbers.

    Args:
        passages: Their texts; a JSON record is read as one line per leaf.
    """

    def __init__(self, passages: Sequence[str]) -> None:
        texts = [verbalised(passage) for passage in passages]
        rows = [sentences(text) for text in texts]
        self.lows: list[list[str]] = [
            [w.text.lower() for s in row for w in s.words] for row in rows
        ]
        self.stems = Counter(w.stem for row in rows for s in row for w in s.words)
        self.prefixes = frozenset(one[:PREFIX] for one in self.stems)
        self.runs = {
            n: {tuple(low[i : i + n]) for low in self.lows for i in range(len(low) - n + 1)}
            for n in (2, 3)
        }
        stems = [[w.stem for s in row for w in s.words] for row in rows]
        self.stem_runs = {pair for row in stems for pair in pairwise(row)}
        self.length = sum(map(len, self.lows))
        self.numbers = Counter(value for text in texts for _, _, value in numbers(text))
        self.windows: list[frozenset[str]] = []
        self.window_numbers: list[frozenset[str]] = []
        self.negated: list[bool] = []
        self.texts: list[str] = []
        for text, row in zip(texts, rows, strict=True):
            for i in range(len(row)):
                self._add_window(text, row[i : i + _WINDOW])
        self.frequency = Counter(s for window in self.windows for s in window)
        self.where: dict[str, list[int]] = defaultdict(list)
        for i, window in enumerate(self.windows):
            for one in window:
                self.where[one].append(i)
        # Windows overlap: a word in one sentence stands in two of them.
        self._novel = self._weight(0)

    def _add_window(self, text: str, row: Sequence[Sentence]) -> None:
        words = [w for s in row for w in s.words]
        piece = text[row[0].start : row[-1].end]
        self.windows.append(frozenset(w.stem for w in words if w.content))
        self.window_numbers.append(frozenset(value for _, _, value in numbers(piece)))
        self.negated.append(any(is_negation(w.text) for s in row[:1] for w in s.words))
        self.texts.append(text[row[0].start : row[0].end])

    def _weight(self, frequency: int) -> float:
        return math.log((len(self.windows) + 1) / (frequency + 0.5))

    def weight(self, word: str) -> float:
        """How much a stem says here: its inverse frequency over windows, nats; most if absent."""
        frequency = self.frequency.get(word, 0)
        return max(0.1, self._weight(frequency)) if frequency else self._novel

    def recall(self, content: Sequence[str]) -> tuple[float, int]:
        """The best window for a sentence's content stems: weighted share it holds, and its number.

        `(0, -1)` where no window holds any.
        """
        total = sum(map(self.weight, content))
        held: dict[int, float] = defaultdict(float)
        for one in content:
            weight = self.weight(one)
            for window in self.where.get(one, ()):
                held[window] += weight
        if not held:
            return 0.0, -1
        best = max(held, key=lambda i: (held[i], -i))
        return held[best] / total, best


def is_negation(word: str) -> bool:
    """Whether a word denies: `not`, `never`, `isn't` and the like."""
    low = word.lower().replace("’", "'")
    return low in NEGATIONS or low.endswith("n't")
