"""Random tiny pairs with random prompts and λ, for checks that run over many of them."""

import functools
import random
from dataclasses import dataclass

from transformers import GenerationConfig

from dera_rag import ModelPair
from dera_rag.testing import ENCODER_DECODERS, tiny_model, tiny_tokenizer

_TEXT = (
    "A small pub near the river is cheap, friendly and open to families. The old harbour café "
    "serves fresh bread until nine. Über die Brücke: 東京, 24 steps, 5/5 🍜."
)
tokenizer_of = functools.cache(tiny_tokenizer)


@dataclass(frozen=True)
class Drawn:
    """A pair, and rows to decode with it."""

    pair: ModelPair
    prompts: list[list[int]]
    lams: list[float]
    length: int

    @property
    def rows(self):
        return list(zip(self.prompts, self.lams, strict=True))


def draw(shape, seed, rows):
    """The same for the same arguments: weights, tokenizer, padded rows, ends, prompts, λ, length.

    Prompts reach beyond the sliding windows of 12 tokens.
    """
    rng = random.Random(f"{shape} {seed}")
    words = tokenizer_of(rng.choice(["plain", "bos", "byte_fallback"]))
    padding = rng.choice([(0, 0), (5, 16), (9, 2)])
    ends = rng.choice([([2], [2]), ([2], [2, 17, 40])])
    sides = []
    weights = rng.randrange(10**6)
    for i in range(2):
        model = tiny_model(shape, len(words) + padding[i], 2 * weights + i)
        start = model.config.decoder_start_token_id if shape in ENCODER_DECODERS else None
        model.generation_config = GenerationConfig(
            eos_token_id=ends[i], decoder_start_token_id=start
        )
        sides.append((model, words))
    pair = ModelPair.from_pretrained(reference=sides[0], aligned=sides[1])
    prompts = [_prompt(rng, words, pair.vocab_size) for _ in range(rows)]
    return Drawn(pair, prompts, [_lam(rng) for _ in range(rows)], rng.randint(4, 10))


def _prompt(rng, words, size):
    if rng.random() < 0.5:
        return [rng.randrange(3, size) for _ in range(rng.randint(1, 30))]
    start = rng.randrange(len(_TEXT) - 1)
    return words(_TEXT[start : start + rng.randint(1, 60)])["input_ids"]


def _lam(rng):
    return rng.choice([0.0, 1.0, 5.0, *(rng.uniform(0, 1) for _ in range(4)), rng.uniform(1, 2)])
