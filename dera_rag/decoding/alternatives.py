"""The most likely tokens beside each one that was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from dera_rag.decoding.rows import Row

Ranked = tuple[tuple[int, float], ...]


def rank_lines(rows: Sequence[Row], mixture: Tensor, given: Mapping[int, int]) -> dict[int, Ranked]:
    """Token ids and log-probabilities by line, most likely first, where a row asked for them.

    Args:
        rows: The rows.
        mixture: `[len(rows)·K, V]` logits before temperature, penalties, grammar and truncation.
        given: Line → token of what the rows gain.
    """
    width = len(mixture) // len(rows)
    wanted = [line for line in given if rows[line // width].request.alternatives]
    if not wanted:
        return {}
    ranked: dict[int, Ranked] = {}
    for line, logs in zip(wanted, mixture[wanted].log_softmax(-1), strict=True):
        best = logs.topk(min(rows[line // width].request.alternatives, len(logs)))
        ranked[line] = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    return ranked
