"""What every pair backend must satisfy."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dera_rag.decoding import DeraDecoder
from dera_rag.numerics import Sampling
from dera_rag.pairs import ModelPair
from dera_rag.testing.oracles import (
    assert_same_tokens,
    cache_free_greedy,
    cache_free_logits,
    hugging_face_greedy,
)
from dera_rag.testing.sessions import check_session_contract


def check_pair_contract(
    pair: ModelPair,
    prompts: Sequence[Sequence[int]],
    *,
    lams: Sequence[float] = (0.0, 0.5, 1.0, 1.7),
    max_new_tokens: int = 16,
) -> list[float]:
    """What every pair backend must satisfy, checked on a pair in float32.

    λ=0 is the reference's `generate()`, λ=1 the aligned model's, every other λ the cache-free
    mixture of both; a batch of mixed lengths and λ gives each row what it gets alone; running
    both branches (`trace="full"`) changes no token; prefill and steps, and whatever else its
    sessions can do, give the logits of full forwards (`check_session_contract`).

    Args:
        pair: The pair.
        prompts: Token ids of at least three prompts, best of different lengths.
        lams: Strengths to check.
        max_new_tokens: Length of the answers.

    Returns:
        Gaps of the ties met, see `assert_same_tokens`; empty when all tokens are identical.

    Raises:
        AssertionError: A token or a logit differs.
    """
    check_session_contract(pair, prompts)
    decoder = DeraDecoder(pair)
    greedy = Sampling(temperature=0.0, max_new_tokens=max_new_tokens)
    rows = [(list(prompt), lam) for prompt in prompts for lam in lams]
    together = decoder.generate([row[0] for row in rows], [row[1] for row in rows], greedy)
    full = decoder.generate(
        [row[0] for row in rows], [row[1] for row in rows], greedy, trace="full"
    )
    gaps: list[float | None] = []
    for (prompt, lam), batched, traced in zip(rows, together, full, strict=True):
        if lam in (0.0, 1.0):
            model = pair.aligned if lam else pair.reference
            expected = hugging_face_greedy(pair, model, prompt, max_new_tokens)
        else:
            expected = cache_free_greedy(pair, prompt, lam, max_new_tokens)
        alone = decoder.generate(prompt, lam, greedy)

        def scores(ids: Sequence[int], prompt: Sequence[int] = prompt, lam: float = lam) -> Tensor:
            return cache_free_logits(pair, prompt, lam, ids)

        gaps += [
            assert_same_tokens(answer.token_ids, expected, scores)
            for answer in (alone, batched, traced)
        ]
    return [gap for gap in gaps if gap is not None]
