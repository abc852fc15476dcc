"""Overlap with references through the libraries whose numbers are published."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal, Protocol

from dera_rag.errors import MissingDependencyError

Metric = Literal["bleu", "chrf", "rouge1", "rouge2", "rougeL"]


class _Sentence(Protocol):
    @property
    def score(self) -> float: ...


class _Bleu(Protocol):
    def sentence_score(self, hypothesis: str, references: Sequence[str]) -> _Sentence: ...


def overlap(answer: str, references: Sequence[str], metric: Metric) -> float:
    """One answer's overlap with its references, in [0, 1].

    Args:
        answer: The answer.
        references: At least one.
        metric: See `prose.reference_overlap`.

    Raises:
        MissingDependencyError: sacrebleu or rouge-score is not installed.
    """
    if metric in {"bleu", "chrf"}:
        # Sums of floats in it end a few ulp above 100 for identical texts.
        return min(1.0, _sacrebleu(metric).sentence_score(answer, list(references)).score / 100)
    scorer = _rouge(metric)
    return max(float(scorer.score(one, answer)[metric].fmeasure) for one in references)  # type: ignore[attr-defined]


@functools.cache
def _sacrebleu(metric: str) -> _Bleu:
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError as error:
        raise MissingDependencyError(
            f"{metric} needs sacrebleu", hint="pip install 'dera-rag[eval]'"
        ) from error
    made: _Bleu = CHRF() if metric == "chrf" else BLEU(effective_order=True)
    return made


@functools.cache
def _rouge(metric: str) -> object:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise MissingDependencyError(
            f"{metric} needs rouge-score", hint="pip install 'dera-rag[eval]'"
        ) from error
    return RougeScorer([metric], use_stemmer=True)
