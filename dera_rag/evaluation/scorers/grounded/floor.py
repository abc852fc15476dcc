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


def lexical_floor(answer: str, passages: Sequence[str]) -> list[float]:
    """The features of `FLOOR_FEATURES` in order; all but the lengths grow with what is novel."""
    text, sources = words(answer), [words(passage) for passage in passages]
    known = {word for source in sources for word in source}
    content = [word for word in text if word not in STOP_WORDS]
    novel = sum(word not in known for word in content)
    covered, density = _fragments(text, sources)
    raw = "\n".join(passages)
    known_numbers, known_raw = set(_NUMBER.findall(raw)), set(_ANY.findall(raw))
    return [
        novel / max(1, len(content)),
        float(novel),
        _novel_runs(text, sources, 2),
        _novel_runs(text, sources, 3),
        1 - covered,
        -density,
        float(sum(number not in known_numbers for number in _NUMBER.findall(answer))),
        float(sum(word not in known_raw for word in _CAPITALISED.findall(answer))),
        float(len(text)),
        float(len(sentences(answer))),
    ]


def _novel_runs(text: Sequence[str], sources: Sequence[Sequence[str]], n: int) -> float:
    known = {tuple(s[i : i + n]) for s in sources for i in range(len(s) - n + 1)}
    runs = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
    return sum(run not in known for run in runs) / max(1, len(runs))


def _fragments(text: Sequence[str], sources: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Coverage and density as `copying` defines them, by an index: passages here are long."""
    places: dict[str, list[tuple[int, int]]] = {}
    for k, source in enumerate(sources):
        for j, word in enumerate(source):
            places.setdefault(word, []).append((k, j))
    lengths, at = [], 0
    while at < len(text):
        best = 0
        for k, j in places.get(text[at], ()):
            source, run = sources[k], 0
            while (
                at + run < len(text) and j + run < len(source) and text[at + run] == source[j + run]
            ):
                run += 1
            best = max(best, run)
        lengths.append(best)
        at += max(1, best)
    n = max(1, len(text))
    return sum(lengths) / n, sum(length**2 for length in lengths) / n
