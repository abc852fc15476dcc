"""Hallucination models of two published shapes, by id: MiniCheck and LettuceDetect.

Both run offline from a folder; weights must be safetensors and no code of theirs is run.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dera_rag.errors import InvalidValueError, ModelLoadError
from dera_rag.evaluation.contract import Direction, Item, Need, Score, Span, missing
from dera_rag.evaluation.model_files import model_version
from dera_rag.evaluation.scorers.text import sentences

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_PASSAGES: frozenset[Need] = frozenset({"passages"})
_NO_WORDS = "the answer has no words"


class MiniCheck:
    """Probability that the passages support the worst sentence; higher is better.

    The sequence-to-sequence shape of Tang et al. (2024), flan-t5: it reads
    `predict: DOCUMENT</s>CLAIM` and answers `0` or `1`. The passages are one document, as in its
    training; the classifier shapes of the family
    are cross-encoders, see `Entailment`.

    Needs a model, which is downloaded where its id is named and it is not there.

    Args:
        model: Hub id or folder.
        max_length: Tokens of a prompt; a longer document is cut, the claim never.
    """

    direction: Direction = "higher"
    range = (0.0, 1.0)
    needs = _PASSAGES
    paths = ("model",)

    def __init__(self, *, model: str | Path, max_length: int = 2048) -> None:
        self._id, self._max_length = str(model), max_length
        self.name = f"minicheck_{Path(self._id).name}"

    @functools.cached_property
    def version(self) -> str:
        """Which model, and how much of a text it reads."""
        return f"1 {model_version(self._id)} {self._max_length}"

    @functools.cached_property
    def _parts(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list[int]]:
        from transformers import AutoModelForSeq2SeqLM

        model, tokenizer = _loaded(AutoModelForSeq2SeqLM, self._id)
        verdicts = [tokenizer.encode(digit, add_special_tokens=False)[-1:] for digit in "01"]
        if not all(verdicts) or verdicts[0] == verdicts[1]:
            raise InvalidValueError(
                f"the tokenizer of {self._id!r} has no tokens for 0 and 1",
                hint="a checkpoint of MiniCheck's sequence-to-sequence shape",
            )
        return model, tokenizer, [one[0] for one in verdicts]

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item, sentences below one half marked."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Score:
        found = sentences(item.answer)
        if not found or missing(item, self.needs):
            return Score(None, missing(item, self.needs) or _NO_WORDS)
        document = "\n".join(passage.text for passage in item.passages)
        texts = [item.answer[s.start : s.end] for s in found]
        best = [self._supported(document, text) for text in texts]
        spans = tuple(
            Span(s.start, s.end, text, f"supported with probability {p:.2f}")
            for s, text, p in zip(found, texts, best, strict=True)
            if p < 0.5
        )
        return Score(min(best), spans=spans)

    def _supported(self, document: str, claim: str) -> float:
        import torch

        model, tokenizer, verdicts = self._parts
        head = tokenizer.encode(f"predict: {document}", add_special_tokens=False)
        tail = tokenizer.encode(claim, add_special_tokens=False)
        eos = [tokenizer.eos_token_id]
        ids = head[: max(0, self._max_length - len(tail) - 2)] + eos + tail + eos
        start = torch.tensor([[model.config.decoder_start_token_id]])
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids]), decoder_input_ids=start).logits
        return float(logits[0, 0, verdicts].double().softmax(-1)[1])


class LettuceDetect:
    """Probability that no token is hallucinated (Kovács and Recski 2025); higher is better.

    A token classifier over the prompt and the answer, label 1 for hallucinated; adjacent tokens at
    or above one half are a span.

    Needs a model, which is downloaded where its id is named and it is not there.

    Args:
        model: Hub id or folder.
        max_length: Tokens of prompt and answer; a longer prompt is cut, the answer never.
    """

    direction: Direction = "higher"
    range = (0.0, 1.0)
    needs = _PASSAGES
    paths = ("model",)

    def __init__(self, *, model: str | Path, max_length: int = 4096) -> None:
        self._id, self._max_length = str(model), max_length
        self.name = f"lettucedetect_{Path(self._id).name}"

    @functools.cached_property
    def version(self) -> str:
        """Which model, and how much of a text it reads."""
        return f"1 {model_version(self._id)} {self._max_length}"

    @functools.cached_property
    def _parts(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        from transformers import AutoModelForTokenClassification

        model, tokenizer = _loaded(AutoModelForTokenClassification, self._id)
        if model.config.num_labels != 2:
            raise InvalidValueError(
                f"{self._id!r} has {model.config.num_labels} labels, not supported/hallucinated",
                hint="a token classifier of LettuceDetect's shape",
            )
        return model, tokenizer

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item with the spans the model marks."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Score:
        if not item.answer.strip() or missing(item, self.needs):
            return Score(None, missing(item, self.needs) or _NO_WORDS)
        probabilities, offsets = self._tokens(item)
        if not offsets:
            return Score(None, _NO_WORDS)
        spans = _merged(item.answer, probabilities, offsets)
        return Score(1 - max(probabilities), spans=spans)

    def _tokens(self, item: Item) -> tuple[list[float], list[tuple[int, int]]]:
        """P(hallucinated) and the place in the answer of each of its tokens."""
        import torch

        model, tokenizer = self._parts
        passages = "\n".join(f"passage {i}: {p.text}" for i, p in enumerate(item.passages, 1))
        prompt = (
            f"Briefly answer the following question:\n{item.question}\n"
            f"Bear in mind that your response should be strictly based on the following "
            f"{len(item.passages)} passages:\n{passages}\n"
            "In case the passages do not contain the necessary information to answer the question, "
            'please reply with: "Unable to answer based on given passages."\noutput:'
        )
        encoded = tokenizer(
            prompt,
            item.answer,
            truncation="only_first",
            max_length=self._max_length,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        offsets: Tensor = encoded.pop("offset_mapping")[0]
        of_answer = [i for i, part in enumerate(encoded.sequence_ids(0)) if part == 1]
        with torch.inference_mode():
            logits = model(**encoded).logits[0].double()
        p = logits.softmax(-1)[:, 1].tolist()
        return [p[i] for i in of_answer], [
            (int(offsets[i][0]), int(offsets[i][1])) for i in of_answer
        ]


def _merged(
    answer: str, probabilities: Sequence[float], offsets: Sequence[tuple[int, int]]
) -> tuple[Span, ...]:
    """Runs of tokens at or above one half, each with its highest probability."""
    runs: list[tuple[int, int, float]] = []
    open_run = False
    for p, (start, end) in zip(probabilities, offsets, strict=True):
        marked = p >= 0.5 and end > start
        if marked and open_run:
            first, _, highest = runs[-1]
            runs[-1] = (first, end, max(highest, p))
        elif marked:
            runs.append((start, end, p))
        open_run = marked
    return tuple(
        Span(a, b, answer[a:b], f"hallucinated with probability {p:.2f}") for a, b, p in runs
    )


def _loaded(factory: object, name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoTokenizer

    try:
        model = factory.from_pretrained(  # type: ignore[attr-defined]
            name, use_safetensors=True, trust_remote_code=False, dtype="float32"
        )
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # hub, configuration and weight errors share no base class
        raise ModelLoadError(
            f"cannot load {name!r}: {error}",
            hint="a hub id or a folder in Hugging Face form with safetensors",
        ) from error
    return model.eval(), tokenizer
