"""Is an answer grounded in its passages: a probability, and the sentences that are not."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dera_rag.evaluation.contract import Direction, Item, Need, Score, Span, missing
from dera_rag.evaluation.scorers.grounded.features import Reader, Reading
from dera_rag.evaluation.scorers.grounded.model import GroundedModel, answer_features
from dera_rag.evaluation.scorers.grounded.ridge import probability
from dera_rag.evaluation.scorers.text import Word, numbers
from dera_rag.retrieval.embedders import StaticEmbedder

_NO_WORDS = "the answer has no words"
_NAMED = 4  # words that a reason lists


class Grounded:
    """Probability that the passages support the whole answer; higher is better.

    Works offline, on a CPU, some tens of answers a second: no model is asked. It was fitted on
    English answers of six language models, checked by people (RAGTruth); its card holds how well it
    orders answers it has not seen. It rewards copying: read it beside the copy rate.

    Args:
        weights: File of a model fitted elsewhere; None (default) for the shipped one.
    """

    name = "grounded"
    direction: Direction = "higher"
    range = (0.0, 1.0)
    needs: frozenset[Need] = frozenset({"passages"})
    paths = ("weights",)

    def __init__(self, *, weights: str | Path | None = None) -> None:
        self._file = weights

    @functools.cached_property
    def _model(self) -> GroundedModel:
        return GroundedModel.embedded() if self._file is None else GroundedModel.load(self._file)

    @functools.cached_property
    def _reader(self) -> Reader:
        return Reader(StaticEmbedder.embedded())

    @functools.cached_property
    def version(self) -> str:
        """Of the features, with a digest of the weights."""
        return f"2 {hashlib.sha256(self._model.to_json().encode()).hexdigest()[:12]}"

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item; spans are marked from the threshold of the best F1 on sentences."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Score:
        lacking = missing(item, self.needs)
        if lacking:
            return Score(None, lacking)
        passages = [passage.text for passage in item.passages]
        reading = self._reader.read(item.answer, passages, item.question)
        if not reading.sentences:
            return Score(None, _NO_WORDS)
        log_odds = self._model.sentence.log_odds(reading.rows)
        unsupported = probability(self._model.answer.log_odds(answer_features(reading)[None]))[0]
        spans = unsupported_spans(item.answer, reading, log_odds, self._model.threshold)
        return Score(float(1 - unsupported), spans=spans)


def unsupported_spans(
    answer: str, reading: Reading, log_odds: np.ndarray, threshold: float
) -> tuple[Span, ...]:
    """The sentences at or above a probability, each with what in it no passage holds."""
    spans = []
    for sentence, new, p in zip(
        reading.sentences, reading.novel, probability(log_odds), strict=True
    ):
        if p >= threshold:
            text = answer[sentence.start : sentence.end]
            spans.append(Span(sentence.start, sentence.end, text, _reason(float(p), new, text)))
    return tuple(spans)


def _reason(p: float, new: Sequence[Word], text: str) -> str:
    """What to look at first: new numbers and names before other new words."""
    ranked = sorted(new, key=lambda w: not (w.text[0].isupper() or bool(numbers(w.text))))
    told = list(dict.fromkeys(w.text for w in ranked))[:_NAMED]
    lead = f"unsupported with probability {p:.2f}"
    return f"{lead}; not in the passages: {', '.join(told)}" if told else lead
