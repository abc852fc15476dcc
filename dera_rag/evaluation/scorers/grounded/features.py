"""Numbers about each sentence of an answer beside its passages, and about the answer as a whole.

Every feature is near 0 for a sentence taken from the passages and grows with what is not there,
unless its name says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dera_rag.evaluation.scorers.grounded.source import PREFIX, Source, is_negation
from dera_rag.evaluation.scorers.text import Sentence, Word, names, numbers, sentences, stem
from dera_rag.protocols import Embedder

_VAGUE = frozenset(
    [
        "popular",
        "famous",
        "known",
        "renowned",
        "great",
        "perfect",
        "ideal",
        "excellent",
        "wonderful",
        "delicious",
        "cozy",
        "vibrant",
        "various",
        "variety",
        "several",
        "overall",
        "generally",
        "typically",
        "often",
        "usually",
        "likely",
        "may",
        "might",
        "could",
        "possibly",
        "potentially",
        "additionally",
        "furthermore",
        "however",
        "important",
        "essential",
        "ensure",
        "provide",
        "offer",
        "include",
        "such",
        "many",
    ]
)
_VAGUE_STEMS = frozenset(map(stem, _VAGUE))
_META = frozenset(
    [
        "passage",
        "provided",
        "based",
        "information",
        "text",
        "context",
        "document",
        "source",
        "mention",
        "state",
        "according",
        "unable",
        "answer",
    ]
)
_META_STEMS = frozenset(map(stem, _META))

SENTENCE_FEATURES = (
    "novel_share",
    "novel_count",
    "novel_weight",
    "novel_pairs",
    "novel_bigrams",
    "novel_trigrams",
    "novel_numbers",
    "novel_number_share",
    "misplaced_numbers",
    "novel_names",
    "novel_name_share",
    "misplaced_names",
    "window_miss",
    "window_miss_no_question",
    "embedding_miss",
    "unlike_share",
    "unlike_count",
    "denial_differs",
    "denies",
    "question_share",
    "vague",
    "meta",
    "longest_run",
    "run_density",
    "words",
    "numbers",
    "names",
    "first",
    "last",
    "position",
    "quote",
    "denied_words",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer read beside its passages, S sentences.

    Attributes:
        sentences: Its sentences, in order.
        rows: `[S, len(SENTENCE_FEATURES)]` float32.
        novel: For each sentence the content words that no passage holds.
    """

    sentences: tuple[Sentence, ...]
    rows: np.ndarray
    novel: tuple[tuple[Word, ...], ...]


class Reader:
    """Reads answers beside their passages.

    Args:
        embedder: Gives support by meaning; None leaves those features 0.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder

    def read(self, answer: str, passages: Sequence[str], question: str = "") -> Reading:
        """Features of every sentence of an answer; no rows for an answer without words."""
        source = Source(passages)
        asked = frozenset(w.stem for s in sentences(question) for w in s.words if w.content)
        found = sentences(answer)
        if not found:
            return Reading((), np.zeros((0, len(SENTENCE_FEATURES)), np.float32), ())
        close = self._by_meaning(answer, found, source)
        denied = frozenset(
            one
            for text, negated in zip(source.texts, source.negated, strict=True)
            if negated and len(text) < 60
            for s in sentences(text)
            for one in (w.stem for w in s.words if w.content)
        )
        rows, novel = [], []
        for i, sentence in enumerate(found):
            row, new = _row(answer, sentence, source, asked, denied)
            row["embedding_miss"] = 1 - close[i]
            row["first"], row["last"] = float(i == 0), float(i == len(found) - 1)
            row["position"] = i / len(found)
            rows.append([row[name] for name in SENTENCE_FEATURES])
            novel.append(new)
        return Reading(tuple(found), np.asarray(rows, np.float32), tuple(novel))

    def _by_meaning(self, answer: str, found: Sequence[Sentence], source: Source) -> list[float]:
        """Cosine of each sentence with the nearest passage sentence."""
        if self._embedder is None or not source.texts:
            return [1.0] * len(found)
        theirs = self._embedder.embed(source.texts)
        mine = self._embedder.embed([answer[s.start : s.end] for s in found])
        close = (mine @ theirs.T).max(1)
        return [float(c) for c in close]


def _row(
    answer: str,
    sentence: Sentence,
    source: Source,
    asked: frozenset[str],
    denied: frozenset[str],
) -> tuple[dict[str, float], tuple[Word, ...]]:
    words = sentence.words
    content = [w for w in words if w.content]
    new = tuple(w for w in content if w.stem not in source.stems)
    unlike = [w for w in new if w.stem[:PREFIX] not in source.prefixes]
    stems = [w.stem for w in words]
    lows = [w.text.lower() for w in words]
    piece = answer[sentence.start : sentence.end]
    figures = [value for _, _, value in numbers(piece)]
    named = names(sentence)
    recall, best = source.recall([w.stem for w in content])
    window = source.windows[best] if best >= 0 else frozenset()
    window_numbers = source.window_numbers[best] if best >= 0 else frozenset()
    rest = [w.stem for w in content if w.stem not in asked]
    pairs = list(pairwise(stems))
    denies = any(is_negation(w.text) for w in words)
    runs = _runs(lows, source)
    n, c = max(1, len(words)), max(1, len(content))
    row = dict.fromkeys(SENTENCE_FEATURES, 0.0) | {
        "novel_share": len(new) / c,
        "novel_count": float(len(new)),
        "unlike_share": len(unlike) / c,
        "unlike_count": float(len(unlike)),
        "novel_weight": sum(source.weight(w.stem) for w in new)
        / max(1e-6, sum(source.weight(w.stem) for w in content)),
        "novel_pairs": _share(p not in source.stem_runs for p in pairs),
        "novel_bigrams": _novel_runs(lows, source, 2),
        "novel_trigrams": _novel_runs(lows, source, 3),
        "novel_numbers": float(sum(v not in source.numbers for v in figures)),
        "novel_number_share": _share(v not in source.numbers for v in figures),
        "misplaced_numbers": float(
            sum(v in source.numbers and v not in window_numbers for v in figures)
        ),
        "novel_names": float(sum(w.stem not in source.stems for w in named)),
        "novel_name_share": _share(w.stem not in source.stems for w in named),
        "misplaced_names": float(
            sum(w.stem in source.stems and w.stem not in window for w in named)
        ),
        "window_miss": 1 - recall,
        "window_miss_no_question": 1 - source.recall(rest)[0] if rest else 0.0,
        "denies": float(denies),
        "denial_differs": float(best >= 0 and denies != source.negated[best]),
        "question_share": _share(w.stem in asked for w in content),
        "vague": float(sum(w.stem in _VAGUE_STEMS for w in words)),
        "meta": float(sum(w.stem in _META_STEMS for w in words)),
        "longest_run": 1 - max(runs, default=0) / n,
        "run_density": float(np.log1p(sum(r * r for r in runs) / n)),
        "words": float(np.log(n)),
        "numbers": float(len(figures)),
        "names": float(len(named)),
        "quote": float('"' in piece or "“" in piece),
        "denied_words": float(sum(w.stem in denied for w in content)) * (1.0 - denies),
    }
    return row, new


def _runs(lows: Sequence[str], source: Source) -> list[int]:
    """Lengths of the maximal stretches whose every pair of neighbours occurs in a passage."""
    lengths, length = [], 0
    for i, low in enumerate(lows):
        if i and tuple(lows[i - 1 : i + 1]) in source.runs[2]:
            length += 1
        else:
            lengths.append(length)
            length = int(stem(low) in source.stems)
    return [*lengths, length]


def _novel_runs(lows: Sequence[str], source: Source, n: int) -> float:
    return _share(tuple(lows[i : i + n]) not in source.runs[n] for i in range(len(lows) - n + 1))


def _share(outcomes: object) -> float:
    found = list(outcomes)  # type: ignore[call-overload]
    return sum(found) / len(found) if found else 0.0
