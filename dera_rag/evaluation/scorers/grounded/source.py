"""The passages of one answer, indexed once for all of its sentences."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from dera_rag.evaluation.scorers.text import (
    NEGATIONS,
    STOP_WORDS,
    Sentence,
    numbers,
    sentences,
    verbalised,
)
from dera_rag.protocols import Embedder

PREFIX = 5  # letters: words that share so many are most often one word in two forms
_WINDOW = 2  # sentences that may support one claim together
_GRAM = 4  # letters: what spelling, endings and compounds leave alike
_LEAF = 60  # characters: a longer line is prose and not the leaf of a record
_BETWEEN = 50  # places between two passages, so that nothing is near across them


class Source:
    """What the passages say, as sets of words, runs of words, numbers and vectors.

    Args:
        passages: Their texts; a JSON record is read as one line per leaf.
        embedder: For support by meaning; None leaves the vectors out.
    """

    def __init__(self, passages: Sequence[str], embedder: Embedder | None = None) -> None:
        texts = [verbalised(passage) for passage in passages]
        rows = [sentences(text) for text in texts]
        lows = [[w.text.lower() for s in row for w in s.words] for row in rows]
        self.words = frozenset(low for row in lows for low in row)
        self.stems = frozenset(w.stem for row in rows for s in row for w in s.words)
        self.prefixes = frozenset(one[:PREFIX] for one in self.stems)
        self.runs = {
            n: {tuple(low[i : i + n]) for low in lows for i in range(len(low) - n + 1)}
            for n in (2, 3)
        }
        self.numbers = frozenset(value for text in texts for _, _, value in numbers(text))
        self.windows: list[frozenset[str]] = []
        self.window_numbers: list[frozenset[str]] = []
        self.negated: list[bool] = []
        self.texts: list[str] = []
        self.pairs_of_texts: list[str] = []
        self.grams: list[frozenset[str]] = []
        self._places: dict[str, list[int]] = defaultdict(list)
        self._end = 0
        for text, row in zip(texts, rows, strict=True):
            for i in range(len(row)):
                self._add_window(text, row[i : i + _WINDOW])
            self._add_places(row)
        self.denied = self._denied()
        self._frequency = Counter(s for window in self.windows for s in window)
        self._where: dict[str, list[int]] = defaultdict(list)
        for i, window in enumerate(self.windows):
            for one in window:
                self._where[one].append(i)
        self._novel = self._weight(0)
        self._embed(embedder)

    def _add_window(self, text: str, row: Sequence[Sentence]) -> None:
        words = [w for s in row for w in s.words]
        piece = text[row[0].start : row[-1].end]
        self.windows.append(frozenset(w.stem for w in words if w.content))
        self.window_numbers.append(frozenset(value for _, _, value in numbers(piece)))
        self.negated.append(any(is_negation(w.text) for w in row[0].words))
        self.texts.append(text[row[0].start : row[0].end])
        self.pairs_of_texts.append(piece)
        self.grams.append(letter_runs(self.texts[-1]))

    def _add_places(self, row: Sequence[Sentence]) -> None:
        self._end += _BETWEEN
        for word in (w for s in row for w in s.words):
            self._end += 1
            self._places[word.stem].append(self._end)

    def _denied(self) -> frozenset[str]:
        """Content stems that short lines deny (`Outdoor Seating: no`) and no leaf affirms."""
        denied: set[str] = set()
        affirmed: set[str] = set()
        for text, negated in zip(self.texts, self.negated, strict=True):
            if len(text) < _LEAF:
                said = {w.stem for s in sentences(text) for w in s.words if w.content}
                denied |= said if negated else set()
                affirmed |= said if text.endswith(": yes") else set()
        return frozenset(denied - affirmed)

    def _embed(self, embedder: Embedder | None) -> None:
        self.vectors = self.pair_vectors = self.word_vectors = None
        if embedder is not None and self.texts:
            self.vectors = embedder.embed(self.texts)
            self.pair_vectors = embedder.embed(self.pairs_of_texts)
            self.word_vectors = embedder.embed(sorted(self.words - STOP_WORDS) or [""])

    def _weight(self, frequency: int) -> float:
        return math.log((len(self.windows) + 1) / (frequency + 0.5))

    def weight(self, word: str) -> float:
        """How much a stem says here: its inverse frequency over windows, nats; most if absent."""
        frequency = self._frequency.get(word, 0)
        return max(0.1, self._weight(frequency)) if frequency else self._novel

    def recall(self, content: Sequence[str]) -> tuple[float, int]:
        """The best window for a sentence's content stems: weighted share it holds, and its number.

        `(0, -1)` where no window holds any.
        """
        total = sum(map(self.weight, content))
        held: dict[int, float] = defaultdict(float)
        for one in content:
            weight = self.weight(one)
            for window in self._where.get(one, ()):
                held[window] += weight
        if not held:
            return 0.0, -1
        best = max(held, key=lambda i: (held[i], -i))
        return held[best] / total, best

    def near(self, one: str, other: str, reach: int) -> bool:
        """Whether two stems stand within so many words of each other in a passage."""
        ours, theirs = self._places.get(one, ()), self._places.get(other, ())
        i = j = 0
        while i < len(ours) and j < len(theirs):
            if abs(ours[i] - theirs[j]) <= reach:
                return True
            i, j = (i + 1, j) if ours[i] < theirs[j] else (i, j + 1)
        return False

    def spelled(self, text: str) -> float:
        """The largest share of a text's letter runs that one sentence of the passages holds."""
        mine = letter_runs(text)
        return max((len(mine & theirs) for theirs in self.grams), default=0) / max(1, len(mine))


def letter_runs(text: str) -> frozenset[str]:
    """Runs of four characters of a lower-case text, marks left out."""
    plain = " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
    return frozenset(plain[i : i + _GRAM] for i in range(len(plain) - _GRAM + 1))


def closest(vectors: np.ndarray, theirs: np.ndarray | None) -> np.ndarray:
    """`[N]` highest cosine of each of N unit vectors with any of theirs; 0 without any."""
    if theirs is None or not len(theirs):
        return np.zeros(len(vectors))
    return np.asarray(np.clip(vectors @ theirs.T, 0.0, 1.0).max(1))


def is_negation(word: str) -> bool:
    """Whether a word denies: `not`, `never`, `isn't` and the like."""
    low = word.lower().replace("’", "'")
    return low in NEGATIONS or low.endswith("n't")
