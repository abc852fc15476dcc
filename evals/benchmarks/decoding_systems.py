"""What the decoding benchmark compares: the pairs, and one model's or the notebook's way to decode.

N is the method of DeRa's published notebook, written anew from the formula: transformers'
`generate` on the aligned model, with a logits processor that runs the reference beside it. G is
`generate` on one model, the price of not using DeRa. Our own systems are decoders on the same
weights: G′ at λ=1 (one model), P at another λ without speculation, S with it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from dera_rag import DeraDecoder, ModelPair, Sampling
from dera_rag.evaluation.curve_scoring import QuestionSet
from dera_rag.pairs.lean import plain
from dera_rag.prompts import PromptBuilder

SMOL = "SmolLM2-135M shape"
EMBEDDED = "embedded pair"
SHAPES = {"embedded": EMBEDDED, "smol": SMOL}
# Distance of the aligned weights from the reference's, in standard deviations of a weight.
_APART = 0.1
_ENDLESS = GenerationConfig()


@dataclass
class Bench:
    """One pair, as ordinary models for N and G and as a pair for our own systems.

    Attributes:
        shape: Its name in the table.
        dtype: Type of all weights.
        reference: Ordinary reference model.
        aligned: Ordinary aligned model.
        pair: The same weights on our engine.
        longest: Most tokens of prompt and answer.
    """

    shape: str
    dtype: str
    reference: PreTrainedModel
    aligned: PreTrainedModel
    pair: ModelPair
    longest: int

    def random_prompts(self, count: int, length: int, seed: int = 0) -> list[list[int]]:
        """Prompts of random tokens: text that no draft can guess from."""
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(100, self.pair.vocab_size, (count, length), generator=generator)
        return ids.tolist()

    def questions(self, count: int, seed: int = 0) -> list[list[int]]:
        """Prompts of real questions with their retrieved passages (embedded pair)."""
        data = QuestionSet.make(count, seed, 400)
        index = data.index()
        builder = PromptBuilder.for_pair(self.pair)
        return [builder.question(q.text, index.retrieve(q.text, 3)) for q in data.questions]


def make_bench(shape: str, dtype: str, *, ends: bool, seed: int = 0) -> Bench:
    """A pair of random weights, or the embedded one, in a dtype.

    Args:
        shape: `SMOL` or `EMBEDDED`.
        dtype: Of all weights.
        ends: Whether answers may end before their longest; the embedded pair has nothing to say to
            random tokens and would stop at once.
        seed: Of random weights.
    """
    kind: torch.dtype = getattr(torch, dtype)
    if shape == EMBEDDED:
        source = ModelPair.embedded()
        reference, aligned = (plain(m).to(kind) for m in (source.reference, source.aligned))
        if not ends:
            reference.generation_config, aligned.generation_config = _ENDLESS, _ENDLESS
        tokenizer: Any = source.tokenizer
    else:
        reference, aligned = _random_models(kind, seed)
        tokenizer = _tokenizer(reference.config.vocab_size)
    pair = ModelPair.from_pretrained(
        reference=(copy.deepcopy(reference), tokenizer),
        aligned=(copy.deepcopy(aligned), tokenizer),
        engine="lean",
        name=shape,
    )
    return Bench(shape, dtype, reference, aligned, pair, int(pair.max_length or 0))


class _Mixing(LogitsProcessor):
    """λ·aligned + (1−λ)·reference inside `generate`, with a cache for the reference."""

    def __init__(self, reference: PreTrainedModel, lam: float) -> None:
        self._reference = reference
        self._lam = lam
        self._past: Any = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The mixture of both models' next-token scores."""
        new = input_ids if self._past is None else input_ids[:, -1:]
        out = self._reference(input_ids=new, past_key_values=self._past, use_cache=True)
        self._past = out.past_key_values
        return self._lam * scores + (1 - self._lam) * out.logits[:, -1]


def notebook(bench: Bench, prompt: Sequence[int], lam: float, new: int, heat: float) -> int:
    """N: one answer; returns its number of tokens."""
    mixing = LogitsProcessorList([_Mixing(bench.reference, lam)])
    return _generate(bench.aligned, prompt, new, heat, logits_processor=mixing)


def one_model(bench: Bench, prompt: Sequence[int], new: int, heat: float) -> int:
    """G: one answer of the aligned model alone."""
    return _generate(bench.aligned, prompt, new, heat)


def ours(bench: Bench, *, speculation: str = "off", int8_drafts: bool = False) -> DeraDecoder:
    """A decoder over the bench's pair."""
    return DeraDecoder(bench.pair, speculation=speculation, int8_drafts=int8_drafts)  # type: ignore[arg-type]


def answer(
    decoder: DeraDecoder, prompts: Any, lam: Any, new: int, heat: float, *, seed: int = 0
) -> Callable[[], int]:
    """A run of our decoder that returns the number of tokens."""
    many = bool(prompts) and not isinstance(prompts[0], int)
    seeds: Any = [seed] * len(prompts) if many else seed
    sampling = Sampling(temperature=heat, max_new_tokens=new, seed=seeds)

    def run() -> int:
        found = decoder.generate(prompts, lam, sampling, trace="off")
        rows = found if isinstance(found, list) else [found]
        return sum(len(row.token_ids) for row in rows)

    return run


def _generate(
    model: PreTrainedModel, prompt: Sequence[int], new: int, heat: float, **more: Any
) -> int:
    settings = {"do_sample": False} if heat == 0 else {"do_sample": True, "top_k": 0}
    ids = torch.tensor([list(prompt)])
    out = model.generate(  # type: ignore[operator]
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new,
        pad_token_id=0,
        **settings,
        **more,
    )
    return int(out.shape[1]) - len(prompt)


def _random_models(dtype: torch.dtype, seed: int) -> tuple[PreTrainedModel, PreTrainedModel]:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rope_theta=100000.0,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )
    reference = LlamaForCausalLM(config).eval()
    reference.generation_config = _ENDLESS
    aligned = copy.deepcopy(reference)
    with torch.no_grad():
        for weight in aligned.parameters():
            if weight.dim() == 2:
                weight.add_(_APART * weight.std() * torch.randn_like(weight))
    return reference.to(dtype), aligned.to(dtype)


def _tokenizer(size: int) -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(size)}, unk_token="w0"))  # noqa: S106
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="w0")  # noqa: S106
