"""Whole traces of a path's answers, out of the logits that decoded them.

An answer's λ is not known before its interval is, so the logits of each node are held until then,
as far as memory goes; answers beyond that are read again. Shapes: `N` nodes, `V` token ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dera_rag.decoding.path import LambdaPath, PathSegment, traces
from dera_rag.decoding.teacher import Cell, Teacher, both, judged, positions_held
from dera_rag.decoding.trace import build_trace
from dera_rag.protocols import Branches, LogitPair
from dera_rag.types import DecodeTrace

# Most numbers that are held, 128 MB: 8 questions on the embedded pair take 5 million, 8 answers of
# 25 tokens over a vocabulary of 50,000 about as many as this.
_HELD = 2**25

# Logits of one token, `[V]` of the reference and of the aligned model.
Seen = tuple[Tensor, Tensor]


class Notes:
    """Hands out logits to hold, until there are too many.

    Args:
        most: Numbers that may be held.
    """

    def __init__(self, most: int = _HELD) -> None:
        self._left = most

    def rows(self, logits: LogitPair) -> list[Seen] | list[None]:
        """Each node's own logits; None for all where they are too many to hold.

        Args:
            logits: `[N, V]` of both branches.
        """
        reference, aligned = both(logits)
        self._left -= reference.numel() + aligned.numel()
        if self._left < 0:
            return [None] * len(reference)
        return list(zip(reference.unbind(), aligned.unbind(), strict=True))


def with_traces(
    paths: Sequence[LambdaPath], held: Sequence[Mapping[tuple[int, ...], Sequence[Seen]]]
) -> list[LambdaPath]:
    """Paths whose segments have a whole trace, each at its middle.

    Args:
        paths: The paths, of one decoder.
        held: For each path, answers and the logits that decoded them; others are read again.

    Raises:
        LogitsError: As `LambdaPath.trace`.
    """
    unknown = [
        (path, segment.middle)
        for path, own in zip(paths, held, strict=True)
        for segment in path.segments
        if segment.token_ids not in own
    ]
    again = iter(traces(unknown))

    def whole(path: LambdaPath, segment: PathSegment, seen: Sequence[Seen] | None) -> PathSegment:
        trace = next(again) if seen is None else _trace(path.teacher, segment, seen)
        return replace(segment, trace=trace)

    return [
        replace(path, segments=tuple(whole(path, s, own.get(s.token_ids)) for s in path.segments))
        for path, own in zip(paths, held, strict=True)
    ]


@torch.inference_mode()
def _trace(teacher: Teacher, segment: PathSegment, seen: Sequence[Seen]) -> DecodeTrace:
    lam = segment.middle
    cells = [Cell(token, lam, step, 0) for step, token in enumerate(segment.token_ids)]
    steps: list[Sequence[float]] = []
    size = positions_held(teacher.pair)
    for start in range(0, len(cells), size):
        logits = (torch.stack(part) for part in zip(*seen[start : start + size], strict=True))
        steps += judged(teacher.mixer, LogitPair(*logits), cells[start : start + size])
    return build_trace([lam] * len(steps), steps, Branches.BOTH)
