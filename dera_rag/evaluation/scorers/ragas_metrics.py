"""Metrics of ragas as scorers, each of its traps guarded.

| trap of ragas 0.4.3 | guard |
|---|---|
| cache key without the judge's identity | no cache; the judge's identity is in the version |
| the judge's temperature is changed | the model is called directly and never changed |
| a cut answer becomes NaN | a score without a value, with the reason |
| BleuScore reads only the first sentence | refused; `bleu` here is sacrebleu's |
| failures leave the mean silently | a score without a value, with the reason |
| 180 s per call | a deadline of one's own |
| telemetry | off before import |
"""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dera_rag.errors import (
    DeraRagError,
    InvalidValueError,
    MissingDependencyError,
    UnknownNameError,
)
from dera_rag.evaluation.contract import Direction, Item, Need, Score, missing
from dera_rag.evaluation.scorers.judges import chat_model, judge_identity
from dera_rag.evaluation.scorers.ragas_judge import import_ragas, ragas_embeddings, ragas_judge
from dera_rag.protocols import Embedder

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Metric:
    """A metric of `ragas.metrics.collections`: its class, the columns it reads, what it asks."""

    attribute: str
    columns: tuple[str, ...]
    judged: bool = False
    embedded: bool = False


_CONTEXTS, _REFERENCE = "retrieved_contexts", "reference"
_PAIR = (_REFERENCE, "response")
_TRIPLE = ("user_input", "response", _CONTEXTS)
METRICS = {
    "exact_match": _Metric("ExactMatch", _PAIR),
    "string_presence": _Metric("StringPresence", _PAIR),
    "quoted_spans": _Metric("QuotedSpansAlignment", ("response", _CONTEXTS)),
    "rouge": _Metric("RougeScore", _PAIR),
    "chrf": _Metric("CHRFScore", _PAIR),
    "string_similarity": _Metric("NonLLMStringSimilarity", _PAIR),
    "semantic_similarity": _Metric("SemanticSimilarity", _PAIR, embedded=True),
    "faithfulness": _Metric("Faithfulness", _TRIPLE, judged=True),
    "answer_relevancy": _Metric("AnswerRelevancy", ("user_input", "response"), True, True),
    "answer_accuracy": _Metric("AnswerAccuracy", ("user_input", "response", _REFERENCE), True),
    "factual_correctness": _Metric("FactualCorrectness", ("response", _REFERENCE), judged=True),
    "context_relevance": _Metric("ContextRelevance", ("user_input", _CONTEXTS), judged=True),
    "response_groundedness": _Metric("ResponseGroundedness", ("response", _CONTEXTS), judged=True),
}
_REFUSED = {
    "bleu": "ragas' BleuScore reads only the first sentence; the scorer `overlap` has sacrebleu's"
}


class Ragas:
    """A metric of ragas; higher is better, most lie in [0, 1].

    Needs the extra `eval`, and what the metric reads: passages, references, an LLM as judge.

    Args:
        metric: Without a judge `exact_match`, `string_presence`, `quoted_spans`, `rouge`, `chrf`,
            `string_similarity`, `semantic_similarity`; with one `faithfulness`, `answer_relevancy`,
            `answer_accuracy`, `factual_correctness`, `context_relevance`, `response_groundedness`.
        judge: For judged metrics a LangChain chat model, or a name for `init_chat_model`
            ("provider:model"). Never the pair that is evaluated.
        embedder: For embedded metrics; None for the shipped one.
        timeout: Seconds for an item, > 0.

    Raises:
        UnknownNameError: No such metric.
        InvalidValueError: A judge is missing or not wanted, or the timeout is not above 0.
    """

    direction: Direction = "higher"
    range = (-1.0, 1.0)

    def __init__(
        self,
        *,
        metric: str,
        judge: BaseChatModel | str | None = None,
        embedder: Embedder | None = None,
        timeout: float = 60.0,
    ) -> None:
        if metric in _REFUSED:
            raise InvalidValueError(f"ragas metric {metric!r} is refused", hint=_REFUSED[metric])
        if metric not in METRICS:
            raise UnknownNameError(f"no ragas metric {metric!r}", hint=f"one of {sorted(METRICS)}")
        self._metric = METRICS[metric]
        if self._metric.judged is (judge is None) or timeout <= 0:
            wanted = "needs" if self._metric.judged else "takes no"
            raise InvalidValueError(
                f"ragas metric {metric!r} {wanted} judge; timeout={timeout}",
                hint="judge=a LangChain chat model for judged metrics only; timeout in seconds",
            )
        self._judge, self._embedder, self._timeout = judge, embedder, timeout
        self.name = f"ragas_{metric}"

    @property
    def needs(self) -> frozenset[Need]:
        """Passages and references, as the metric reads them."""
        columns = self._metric.columns
        found: set[Need] = set()
        if _CONTEXTS in columns:
            found.add("passages")
        if _REFERENCE in columns:
            found.add("references")
        return frozenset(found)

    @functools.cached_property
    def version(self) -> str:
        """The version of ragas with the judge's and the embedder's identity."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            installed = version("ragas")
        except PackageNotFoundError:
            installed = "missing"
        embedder = self._embedder.name if self._embedder is not None else "embedded"
        return f"1 ragas {installed} judge={judge_identity(self._judge)} embedder={embedder}"

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item; what ragas cannot score has a reason."""
        if not items:
            return []
        # A loop of its own in a thread of its own: the caller may run inside another loop.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._all(items)).result()

    async def _all(self, items: Sequence[Item]) -> list[Score]:
        metric = self._made()
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(item: Item) -> Score:
            async with gate:
                return await self._one(metric, item)

        return list(await asyncio.gather(*(one(item) for item in items)))

    async def _one(self, metric: Any, item: Item) -> Score:
        lacking = missing(item, self.needs)
        if lacking:
            return Score(None, lacking)
        columns = {
            "user_input": item.question,
            "response": item.answer,
            _CONTEXTS: [passage.text for passage in item.passages],
            _REFERENCE: item.reference,
        }
        asked = {name: columns[name] for name in self._metric.columns}
        try:
            found = await asyncio.wait_for(metric.ascore(**asked), self._timeout)
        except TimeoutError:
            return Score(None, f"ragas took longer than {self._timeout:g} s")
        except MissingDependencyError:
            raise
        except DeraRagError as error:
            return Score(None, error.message)
        except Exception as error:  # whatever a judge's client raises is this item's failure
            return Score(None, f"{type(error).__name__}: {error}"[:300])
        value = found.value
        if not isinstance(value, int | float) or not math.isfinite(value):
            return Score(None, f"ragas gave {value!r}")
        return Score(float(value))

    def _made(self) -> Any:
        module = import_ragas("ragas.metrics.collections")
        parts: dict[str, Any] = {}
        if self._judge is not None:
            parts["llm"] = ragas_judge(chat_model(self._judge))
        if self._metric.embedded:
            from dera_rag.retrieval.embedders import StaticEmbedder

            parts["embeddings"] = ragas_embeddings(self._embedder or StaticEmbedder.embedded())
        return getattr(module, self._metric.attribute)(**parts)
