"""What can be counted in an answer: repetition, variety, extractiveness, length, a cut end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation import copying
from dera_rag.evaluation import naturalness as plain
from dera_rag.evaluation.contract import Item, Need, Score
from dera_rag.evaluation.instruments.base import Instrument

_NOTHING: frozenset[Need] = frozenset()
_PASSAGES: frozenset[Need] = frozenset({"passages"})
_TOO_SHORT = "the answer has too few words"


def repetition() -> Instrument:
    """Share of 3-word runs that occurred before in the answer; lower is better."""
    return Instrument(
        "repetition", "1", "lower", (0.0, 1.0), _NOTHING,
        lambda item: _known(plain.repetition(item.answer)),
    )  # fmt: skip


def length() -> Instrument:
    """Number of words; neither end is better, but other scores are read beside it."""
    return Instrument(
        "length", "1", "neither", (0.0, math.inf), _NOTHING,
        lambda item: Score(float(plain.length(item.answer))),
    )  # fmt: skip


def unfinished() -> Instrument:
    """Whether a limit cut the answer, or it ends without an end mark; lower is better."""
    return Instrument("unfinished", "1", "lower", (0.0, 1.0), _NOTHING, _unfinished)


def copy_coverage() -> Instrument:
    """Share of words in fragments of the passages (Grusky et al. 2018); neither end is better."""
    return _extractive("copy_coverage", copying.coverage, 1.0)


def copy_density() -> Instrument:
    """Mean length of the fragment a word is in (Grusky et al. 2018); neither end is better."""
    return _extractive("copy_density", copying.density, math.inf)


def distinct_n(*, n: int = 2, words: int = 20) -> Instrument:
    """Share of different n-word runs among the first words of the answer; higher is more varied.

    Longer texts repeat more by necessity, so every answer is read up to the same number of words
    and a shorter one is not scored.

    Args:
        n: Words in a run, ≥ 1.
        words: Words read, ≥ n (default 20, below the length of most answers in sentences).

    Raises:
        InvalidValueError: n below 1, or fewer words than n.
    """
    if not 1 <= n <= words:
        raise InvalidValueError(f"n={n}, words={words} do not fit", hint="1 ≤ n ≤ words")

    def measure(item: Item) -> Score:
        found = copying.words(item.answer)[:words]
        if len(found) < words:
            return Score(None, f"the answer has fewer than the {words} words that are compared")
        runs = [tuple(found[i : i + n]) for i in range(words - n + 1)]
        return Score(len(set(runs)) / len(runs))

    return Instrument(f"distinct_{n}_of_{words}", "1", "higher", (0.0, 1.0), _NOTHING, measure)


def reference_overlap(
    *, metric: Literal["bleu", "chrf", "rouge1", "rouge2", "rougeL"] = "chrf"
) -> Instrument:
    """Overlap with the references, by sacrebleu or rouge-score, in [0, 1]; higher is better.

    Needs the extra `eval`: pip install 'dera-rag[eval]'.

    Args:
        metric: `bleu` (of one sentence, smoothed), `chrf` (default) or a ROUGE F-measure, whose
            best reference counts.

    Raises:
        InvalidValueError: Another metric.
    """
    if metric not in {"bleu", "chrf", "rouge1", "rouge2", "rougeL"}:
        raise InvalidValueError(
            f"unknown metric {metric!r}", hint="bleu, chrf, rouge1, rouge2 or rougeL"
        )
    needs: frozenset[Need] = frozenset({"references"})

    def measure(item: Item) -> Score:
        from dera_rag.evaluation.scorers.overlap import overlap

        return Score(overlap(item.answer, item.references, metric))

    return Instrument(metric, "1", "higher", (0.0, 1.0), needs, measure)


def _extractive(name: str, of: Callable[[str, list[str]], float], most: float) -> Instrument:
    def measure(item: Item) -> Score:
        return _known(of(item.answer, [passage.text for passage in item.passages]))

    return Instrument(name, "1", "neither", (0.0, most), _PASSAGES, measure)


def _known(value: float) -> Score:
    return Score(None, _TOO_SHORT) if math.isnan(value) else Score(value)


def _unfinished(item: Item) -> Score:
    if item.signals is not None:
        return Score(float(item.signals.finish_reason == "length"))
    text = item.answer.rstrip().rstrip("\"')]”’*")
    return Score(float(not text.endswith((".", "!", "?", "…", ":"))))
