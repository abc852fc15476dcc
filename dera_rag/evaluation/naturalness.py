"""How much an answer reads like human prose, by a third language model and by plain counts.

The model is neither branch of the pair and saw none of the pair's training rows: under a branch's
own likelihood that branch would win by construction. Likelihood is read two-sided, since text can
be too predictable as well as too odd: the score is the distance to the mean of human references in
their standard deviations. Likelihood alone is a weak proxy, so it stands beside repetition, length
and unfinished answers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from dera_rag.errors import InvalidValueError, MissingFileError, ModelLoadError
from dera_rag.evaluation.copying import words

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Calibration:
    """Per-token log-likelihood of human references under the model.

    Attributes:
        mean: Nats per token, ≤ 0.
        sd: Standard deviation over references, nats per token, > 0.
        n: Number of references.
    """

    mean: float
    sd: float
    n: int

    def __post_init__(self) -> None:
        """Refuse what no text could be compared with."""
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0):
            raise InvalidValueError(
                f"a calibration needs a finite mean and sd > 0, got mean={self.mean}, sd={self.sd}",
                hint="measure both on human references of the same kind of text",
            )


class NaturalnessModel:
    """A small causal language model with the human calibration of its likelihood.

    Args:
        model: Causal LM in evaluation mode, a third model beside the pair.
        tokenizer: Its tokenizer; its EOS opens and closes every scored text.
        calibration: Human references under this model.
        batch_size: Texts a forward pass; affects speed and memory only.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        calibration: Calibration,
        batch_size: int = 64,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.calibration = calibration
        self.batch_size = batch_size

    @classmethod
    def from_pretrained(cls, path: str | Path) -> NaturalnessModel:
        """Load a folder in Hugging Face form (safetensors) with a `calibration.json` {mean, sd, n}.

        Raises:
            MissingFileError: No such folder, or no calibration in it.
            ModelLoadError: The files are there but cannot be loaded.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = Path(path)
        card = folder / "calibration.json"
        if not card.is_file():
            raise MissingFileError(
                f"no naturalness model at {folder}: calibration.json is missing",
                hint="a model folder in Hugging Face form with calibration.json beside it",
            )
        try:
            numbers = json.loads(card.read_text(encoding="utf-8"))
            calibration = Calibration(
                float(numbers["mean"]), float(numbers["sd"]), int(numbers["n"])
            )
            # fp16 on disk halves the wheel; CPUs compute in fp32.
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype="float32", use_safetensors=True, local_files_only=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ModelLoadError(
                f"cannot load the naturalness model at {folder}: {error}", hint="rebuild it"
            ) from error
        return cls(model, tokenizer, calibration)

    @classmethod
    def embedded(cls) -> NaturalnessModel:
        """The model shipped with the package, for English descriptions of venues.

        Raises:
            MissingFileError: The package was installed without it.
        """
        with as_file(files("dera_rag") / "embedded" / "naturalness") as folder:
            return cls.from_pretrained(folder)

    def log_likelihoods(self, texts: Sequence[str]) -> list[float]:
        """Mean log-likelihood per token of each text, its end included.

        A text is scored as EOS + text + EOS: the first token is given, every later one is scored,
        so an answer that stops in the middle of a sentence pays for it. Beyond the model's context
        window only the first tokens are scored.

        Args:
            texts: N texts; surrounding whitespace is ignored.

        Returns:
            N numbers in nats per token, ≤ 0. Neither end is best; see `distance`.
        """
        eos = self.tokenizer.eos_token_id
        window = int(self.model.config.max_position_embeddings)
        # Added tokens spelled out in an answer are text, so the encoder must not read them as
        # specials.
        rows = [
            [
                eos,
                *self.tokenizer.encode(
                    text.strip(), add_special_tokens=False, split_special_tokens=True
                ),
                eos,
            ][:window]
            for text in texts
        ]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        scores = [math.nan] * len(rows)
        for at in range(0, len(order), self.batch_size):
            batch = order[at : at + self.batch_size]
            for i, score in zip(batch, self._score([rows[i] for i in batch]), strict=True):
                scores[i] = score
        return scores

    def _score(self, rows: list[list[int]]) -> list[float]:
        """Mean log-probability of each row after its first token; right padding is never seen."""
        import torch

        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        lengths = torch.tensor([len(row) for row in rows])
        mask = torch.arange(longest)[None, :] < lengths[:, None]
        with torch.inference_mode():
            logits = self.model(input_ids=ids, attention_mask=mask.long()).logits.float()
        logp = logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
        totals = (logp.double() * mask[:, 1:]).sum(1)
        return [float(x) for x in totals / (lengths - 1)]

    def distance(self, log_likelihood: float) -> float:
        """Distance to human texts: |ll − mean| / sd, ≥ 0, lower is better; NaN stays NaN."""
        return abs(log_likelihood - self.calibration.mean) / self.calibration.sd


def repetition(text: str) -> float:
    """Share of 3-word runs that occurred before in the text.

    In [0, 1); lower is better. NaN for a text of fewer than three words, which cannot show
    repetition.
    """
    text_words = words(text)
    runs = list(zip(text_words, text_words[1:], text_words[2:], strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else math.nan


def length(text: str) -> int:
    """Number of words."""
    return len(words(text))
