"""How much of an answer is copied word for word from its passages.

A copied answer is faithful on most meters, so a rate of hallucination is read beside these. Words
are compared without case and punctuation; a fragment lies within one passage.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_WORD = re.compile(r"\w+(?:['’]\w+)*")

# Names of places run to three or four words with their article, and must be repeated to answer at
# all; a run of four words is the shortest that is copying rather than naming.
FRAGMENT_WORDS = 4


def words(text: str) -> list[str]:
    """Lower-case words without punctuation; an apostrophe within a word stays."""
    return _WORD.findall(text.lower())


def fragments(answer: str, passages: Sequence[str]) -> list[int]:
    """Lengths in words of the extractive fragments of an answer, in order.

    Greedy, as in Grusky et al. (2018, fig. 3): from the left, the longest run of words that also
    occurs in a passage; words found nowhere are skipped.
    """
    text, sources = words(answer), [words(p) for p in passages]
    lengths, start = [], 0
    while start < len(text):
        longest = max((_longest_run(text, start, source) for source in sources), default=0)
        if longest:
            lengths.append(longest)
        start += max(1, longest)
    return lengths


def _longest_run(text: list[str], start: int, source: list[str]) -> int:
    best = 0
    for j in range(len(source)):
        k = 0
        while start + k < len(text) and j + k < len(source) and text[start + k] == source[j + k]:
            k += 1
        best = max(best, k)
    return best


def coverage(answer: str, passages: Sequence[str]) -> float:
    """Extractive fragment coverage (Grusky et al. 2018, eq. 1): share of words in any fragment.

    In [0, 1]; 1 means that every word occurs in a passage. Higher is more extractive, which is
    neither good nor bad by itself. NaN for an answer without words.
    """
    n = len(words(answer))
    return sum(fragments(answer, passages)) / n if n else math.nan


def density(answer: str, passages: Sequence[str]) -> float:
    """Extractive fragment density (Grusky et al. 2018, eq. 2): mean fragment length over words.

    In [0, number of words]; it tells long copied runs from scattered shared words. Higher is more
    copied. NaN for an answer without words.
    """
    n = len(words(answer))
    return sum(k * k for k in fragments(answer, passages)) / n if n else math.nan


def copy_rate(answer: str, passages: Sequence[str], fragment_words: int = FRAGMENT_WORDS) -> float:
    """Share of the answer's words inside a long verbatim run of words of one passage.

    A word counts once however many runs hold it, so unlike the greedy fragments the rate does not
    depend on where matching starts.

    Args:
        answer: The answer.
        passages: Texts it could have copied from.
        fragment_words: Shortest run that counts as copying, ≥ 1.

    Returns:
        In [0, 1]; lower is better at equal faithfulness. NaN for an answer without words.
    """
    text = words(answer)
    if not text:
        return math.nan
    width = fragment_words
    known = {
        tuple(source[j : j + width])
        for source in map(words, passages)
        for j in range(len(source) - width + 1)
    }
    copied: set[int] = set()
    for i in range(len(text) - width + 1):
        if tuple(text[i : i + width]) in known:
            copied.update(range(i, i + width))
    return len(copied) / len(text)
