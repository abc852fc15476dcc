"""Numbers about each sentence of an answer beside its passages.

Every feature is near 0 for a sentence taken from the passages and grows with what is not there,
unless its name says otherwise.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dera_rag.evaluation.scorers.grounded.floor import FLOOR_FEATURES, Floor
from dera_rag.evaluation.scorers.grounded.habits import ABSOLUTE, LINKS, META, MODAL, VAGUE
from dera_rag.evaluation.scorers.grounded.source import PREFIX, Source, closest, is_negation
from dera_rag.evaluation.scorers.text import STOP_WORDS, Sentence, Word, names, numbers, sentences
from dera_rag.protocols import Embedder

SENTENCE_FEATURES = (
    "novel_share",
    "novel_count",
    "novel_weight",
    "novel_bigrams",
    "novel_trigrams",
    "novel_numbers",
    "misplaced_numbers",
    "novel_names",
    "unlike_share",
    "unlike_count",
    "novel_function",
    "window_miss",
    "window_miss_no_question",
    "far_pairs",
    "far_pairs_count",
    "far_known_pairs",
    "spelled_miss",
    "sentence_miss",
    "window_unlike",
    "words_unlike",
    "words_unlike_count",
    "denial_differs",
    "denies",
    "denied_words",
    "question_share",
    "vague",
    "meta",
    "new_modals",
    "new_links",
    "new_absolutes",
    "longest_run",
    "run_density",
    "words",
)
_REACH = 12  # words between two neighbours of a sentence that a passage holds together
_KEPT = 64  # passages of so many questions stay indexed: several answers share them


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer read beside its passages, S sentences.

    Attributes:
        floor: `[len(FLOOR_FEATURES)]`, of the answer as a whole.
        sentences: Its sentences, in order.
        rows: `[S, len(SENTENCE_FEATURES)]` float32.
        floors: `[S, len(FLOOR_FEATURES)]`, of each sentence by itself.
        novel: For each sentence the content words that no passage holds.
    """

    floor: np.ndarray
    sentences: tuple[Sentence, ...]
    rows: np.ndarray
    floors: np.ndarray
    novel: tuple[tuple[Word, ...], ...]


class Reader:
    """Reads answers beside their passages.

    Args:
        embedder: Gives support by meaning; None leaves those features 1.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._kept: OrderedDict[tuple[str, ...], tuple[Source, Floor]] = OrderedDict()

    def read(self, answer: str, passages: Sequence[str], question: str = "") -> Reading:
        """Features of every sentence of an answer; no rows for an answer without words."""
        source, floor = self._indexed(tuple(passages))
        asked = frozenset(w.stem for s in sentences(question) for w in s.words if w.content)
        found = sentences(answer)
        rows, novel = [], []
        for sentence in found:
            row, new = self._row(answer[sentence.start : sentence.end], sentence, source, asked)
            rows.append([row[name] for name in SENTENCE_FEATURES])
            novel.append(new)
        floors = [floor.of(answer[s.start : s.end]) for s in found]
        return Reading(
            np.asarray(floor.of(answer)),
            tuple(found),
            np.asarray(rows, np.float32).reshape(-1, len(SENTENCE_FEATURES)),
            np.asarray(floors, np.float64).reshape(-1, len(FLOOR_FEATURES)),
            tuple(novel),
        )

    def _indexed(self, passages: tuple[str, ...]) -> tuple[Source, Floor]:
        if passages not in self._kept:
            self._kept[passages] = (Source(passages, self._embedder), Floor(passages))
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(passages)
        return self._kept[passages]

    def _row(
        self, text: str, sentence: Sentence, source: Source, asked: frozenset[str]
    ) -> tuple[dict[str, float], tuple[Word, ...]]:
        content = [w for w in sentence.words if w.content]
        new = tuple(w for w in content if w.stem not in source.stems)
        row = _of_words(sentence, content, new, source) | _of_numbers(text, sentence, source)
        row |= _of_support(sentence, content, source, asked) | _of_runs(sentence, source)
        return row | self._of_meaning(text, content, source), new

    def _of_meaning(self, text: str, content: Sequence[Word], source: Source) -> dict[str, float]:
        """Unlikeness by cosine: of the sentence, and of each of its content words."""
        miss, unlike, words = 1.0, 1.0, np.ones(len(content))
        if self._embedder is not None:
            whole = self._embedder.embed([text])
            miss = 1 - float(closest(whole, source.vectors)[0])
            unlike = 1 - float(closest(whole, source.pair_vectors)[0])
            known = np.asarray([w.stem in source.stems for w in content], dtype=bool)
            if not known.all():
                rest = [w.text.lower() for w, k in zip(content, known, strict=True) if not k]
                words[~known] = 1 - closest(self._embedder.embed(rest), source.word_vectors)
            words[known] = 0.0
        return {
            "sentence_miss": miss,
            "window_unlike": unlike,
            "words_unlike": float(words.mean()) if len(words) else 0.0,
            "words_unlike_count": float(words.sum()),
        }


def _of_words(
    sentence: Sentence, content: Sequence[Word], new: Sequence[Word], source: Source
) -> dict[str, float]:
    """What no passage says, and what kind of word it is."""
    lows = [w.text.lower() for w in sentence.words]
    fresh = [low for low in lows if low not in source.words]
    unlike = [w for w in new if w.stem[:PREFIX] not in source.prefixes]
    weights = [source.weight(w.stem) for w in content]
    stems = [w.stem for w in sentence.words]
    return {
        "novel_share": len(new) / max(1, len(content)),
        "novel_count": float(len(new)),
        "novel_weight": sum(source.weight(w.stem) for w in new) / max(1e-6, sum(weights)),
        "novel_names": float(sum(w.stem not in source.stems for w in names(sentence))),
        "unlike_share": len(unlike) / max(1, len(content)),
        "unlike_count": float(len(unlike)),
        "novel_function": sum(low in STOP_WORDS for low in fresh) / max(1, len(lows)),
        "vague": float(sum(one in VAGUE for one in stems)),
        "meta": float(sum(one in META for one in stems)),
        "new_modals": float(sum(low in MODAL for low in fresh)),
        "new_links": float(sum(low in LINKS for low in fresh)),
        "new_absolutes": float(sum(low in ABSOLUTE for low in fresh)),
        "words": float(np.log(max(1, len(lows)))),
    }


def _of_numbers(text: str, sentence: Sentence, source: Source) -> dict[str, float]:
    """Numbers that no passage has, or that stand in another place than the sentence's words."""
    found = [value for _, _, value in numbers(text)]
    _, best = source.recall([w.stem for w in sentence.words if w.content])
    here = source.window_numbers[best] if best >= 0 else frozenset()
    return {
        "novel_numbers": float(sum(v not in source.numbers for v in found)),
        "misplaced_numbers": float(sum(v in source.numbers and v not in here for v in found)),
    }


def _of_support(
    sentence: Sentence, content: Sequence[Word], source: Source, asked: frozenset[str]
) -> dict[str, float]:
    """How far one place of the passages says the whole of it, and whether it is denied there."""
    stems = [w.stem for w in content]
    recall, best = source.recall(stems)
    rest = [one for one in stems if one not in asked]
    pairs = [(a, b) for a, b in pairwise(stems) if a != b]
    far = [(a, b) for a, b in pairs if not source.near(a, b, _REACH)]
    denies = any(is_negation(w.text) for w in sentence.words)
    return {
        "window_miss": 1 - recall,
        "window_miss_no_question": 1 - source.recall(rest)[0] if rest else 0.0,
        "far_pairs": len(far) / max(1, len(pairs)),
        "far_pairs_count": float(len(far)),
        "far_known_pairs": float(sum(a in source.stems and b in source.stems for a, b in far)),
        "spelled_miss": 1 - source.spelled(" ".join(w.text for w in sentence.words)),
        "denies": float(denies),
        "denial_differs": float(best >= 0 and denies != source.negated[best]),
        "denied_words": 0.0 if denies else float(sum(one in source.denied for one in stems)),
        "question_share": sum(one in asked for one in stems) / max(1, len(stems)),
    }


def _of_runs(sentence: Sentence, source: Source) -> dict[str, float]:
    """Runs of words: what is new among them, and how long the copied ones are."""
    lows = [w.text.lower() for w in sentence.words]
    n, lengths, length = max(1, len(lows)), [0], 0
    for i, low in enumerate(lows):
        if i and tuple(lows[i - 1 : i + 1]) in source.runs[2]:
            length += 1
        else:
            length = int(low in source.words)
        lengths.append(length)
    whole = [a for a, b in pairwise([*lengths, 0]) if b <= a]  # where a run ends
    return {
        "novel_bigrams": _novel_runs(lows, source, 2),
        "novel_trigrams": _novel_runs(lows, source, 3),
        "longest_run": 1 - max(lengths) / n,
        "run_density": float(np.log1p(sum(one * one for one in whole) / n)),
    }


def _novel_runs(lows: Sequence[str], source: Source, n: int) -> float:
    return _share(tuple(lows[i : i + n]) not in source.runs[n] for i in range(len(lows) - n + 1))


def _share(outcomes: Iterable[bool]) -> float:
    found = list(outcomes)
    return sum(found) / len(found) if found else 0.0
