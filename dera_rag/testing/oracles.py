"""Independent oracles for decoding, and the exactness contract that compares with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from dera_rag.pairs import ModelPair
from dera_rag.pairs.encoder_decoder import decoder_start

# In float32 tokens are identical, except where the two best scores are closer than this.
TIE = 1e-4


def cache_free_logits(
    pair: ModelPair, token_ids: Sequence[int], lam: float, answer: Sequence[int] = ()
) -> Tensor:
    """The mixture after a prompt and an answer, by running both models over all of it.

    Args:
        pair: The pair.
        token_ids: The prompt. Before a causal model, prompt and answer may be one list.
        lam: λ.
        answer: The answer so far; an encoder–decoder reads it behind its decoder start token.

    Returns:
        `[V]` float32.
    """
    with torch.inference_mode():
        reference, aligned = (
            _last_logits(pair, model, token_ids, answer) for model in (pair.reference, pair.aligned)
        )
    if lam in (0.0, 1.0):
        return aligned if lam else reference
    return reference + lam * (aligned - reference)


def cache_free_greedy(
    pair: ModelPair, prompt: Sequence[int], lam: float, max_new_tokens: int
) -> list[int]:
    """Greedy tokens by the slowest and plainest loop there is: an oracle."""
    ids: list[int] = []
    while len(ids) < max_new_tokens and not (ids and ids[-1] in pair.stop_ids):
        ids.append(int(cache_free_logits(pair, prompt, lam, ids).argmax()))
    return ids


def hugging_face_greedy(
    pair: ModelPair, model: PreTrainedModel, prompt: Sequence[int], max_new_tokens: int
) -> list[int]:
    """Greedy tokens by one model's own `generate()`: an oracle for λ=0 and λ=1.

    It is given the pair's stop ids, and may not write embedding rows without a token.
    """
    rows = cast(Any, model.get_output_embeddings)().weight.shape[0]
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=sorted(pair.stop_ids) or None,
        pad_token_id=0,
        suppress_tokens=list(range(pair.vocab_size, rows)) or None,
        decoder_start_token_id=decoder_start(model) if pair.encoder_decoder else None,
    )
    ids = torch.tensor([list(prompt)], device=model.device)
    with torch.inference_mode():
        output = cast(Any, model).generate(
            ids, attention_mask=torch.ones_like(ids), generation_config=config
        )
    tokens: list[int] = output[0, 1 if pair.encoder_decoder else len(prompt) :].tolist()
    return tokens


def _last_logits(
    pair: ModelPair, model: PreTrainedModel, prompt: Sequence[int], answer: Sequence[int]
) -> Tensor:
    """`[V]` float32, one model's logits after the last token."""
    if pair.encoder_decoder:
        output = model(
            input_ids=torch.tensor([list(prompt)], device=model.device),
            decoder_input_ids=torch.tensor([[decoder_start(model), *answer]], device=model.device),
        )
    else:
        output = model(input_ids=torch.tensor([[*prompt, *answer]], device=model.device))
    logits: Tensor = output.logits[0, -1, : pair.vocab_size].float().cpu()
    return logits


def assert_same_tokens(
    got: Sequence[int], expected: Sequence[int], logits_after: Callable[[Sequence[int]], Tensor]
) -> float | None:
    """The exactness contract for one row: identical tokens, or a tie at the first difference.

    Args:
        got: Tokens under test.
        expected: Tokens of the oracle.
        logits_after: The oracle's `[V]` scores after a list of generated tokens.

    Returns:
        None if identical, else the gap of the tie, so that callers can list their exceptions.

    Raises:
        AssertionError: They differ where the two best scores are `TIE` or more apart.
    """
    if list(got) == list(expected):
        return None
    at = next(
        (i for i, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b),
        min(len(got), len(expected)),
    )
    best = logits_after(list(expected[:at])).topk(2).values
    gap = float(best[0] - best[1])
    if gap >= TIE or at in (len(got), len(expected)):
        raise AssertionError(
            f"tokens differ at index {at} where the best two scores are {gap:.2e} apart:\n"
            f"  got      {list(got)}\n  expected {list(expected)}"
        )
    return gap
