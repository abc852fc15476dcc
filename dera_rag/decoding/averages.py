"""Drafts by one model with averaged weights θ_ref + λ(θ_al − θ_ref): half the price of two models.

The average is no substitute for the mixture (Liu et al. 2024 compare them), but it guesses it well:
on the embedded pair .97 of the tokens at λ=.6 and .90–.94 at λ=1.5 are those of the mixture.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from dera_rag.decoding.rows import Request, Row
from dera_rag.numerics import choose
from dera_rag.protocols import AveragingBackend, Branches, DraftingSession, PairBackend

# Averaged models kept; each takes the memory of one.
_MODELS = 4
_LAMS = 256


class Averages:
    """The averaged models of a pair, made for each λ that is asked for a second time.

    Args:
        pair: Makes them, if it can.
    """

    def __init__(self, pair: PairBackend) -> None:
        self._pair = pair if isinstance(pair, AveragingBackend) else None
        self._lams: OrderedDict[float, None] = OrderedDict()
        self._models: OrderedDict[float, PairBackend] = OrderedDict()

    def met(self, lam: float) -> None:
        """Remember that an answer was decoded at this λ; a λ that never returns is not worth it."""
        self._lams[lam] = None
        self._lams.move_to_end(lam)
        if len(self._lams) > _LAMS:
            self._lams.popitem(last=False)

    def offer(self, row: Row) -> bool:
        """Whether a row that runs both models can be drafted for."""
        return (
            self._pair is not None
            and row.live
            and row.branches is Branches.BOTH
            and row.request.lam in self._lams
        )

    def model(self, lam: float) -> PairBackend | None:
        """The averaged model of a λ; None where the pair makes none."""
        if self._pair is None:
            return None
        model = self._models.pop(lam, None) or self._pair.averaged(lam)
        if model is None:
            self._pair = None
            return None
        self._models[lam] = model
        if len(self._models) > _MODELS:
            self._models.popitem(last=False)
        return model


class AverageDrafter:
    """Drafts one answer with a session of its own.

    Args:
        model: The averaged model, as both branches.
        request: The answer; its prompt is read here.
    """

    def __init__(self, model: PairBackend, request: Request) -> None:
        self._stop_ids = model.stop_ids
        self._request = request
        self._read: list[int] = []
        session = model.start([request.prompt], [Branches.ALIGNED])
        session.prefill()
        self._session = cast(DraftingSession, session)

    @torch.inference_mode()
    def propose(self, answer: Sequence[int], count: int) -> list[int]:
        """Tokens that may come next, drawn as the answer's own are; fewer where one ends it.

        Args:
            answer: The answer so far, at least one token.
            count: Most tokens to propose, ≥ 1.
        """
        agreed = _common(self._read, answer[:-1])
        if agreed < len(self._read):
            self._session.crop([len(self._read) - agreed])
        self._read = list(answer)
        logits = cast(Tensor, self._session.extend([answer[agreed:]]).aligned)[:, -1]
        draft: list[int] = []
        while True:
            draft.append(self._draw(logits, [*answer, *draft]))
            if len(draft) == count or draft[-1] in self._stop_ids:
                return draft
            self._read.append(draft[-1])
            logits = cast(Tensor, self._session.step([draft[-1]]).aligned)

    def _draw(self, logits: Tensor, answer: Sequence[int]) -> int:
        request, seen = self._request, None
        if request.sampling.repetition_penalty != 1:
            seen = torch.zeros_like(logits, dtype=torch.bool)
            seen[0, list(answer)] = True
            if request.sampling.repetition_scope == "all":
                seen[0, list(request.prompt)] = True
        token = choose(
            logits,
            request.sampling,
            seeds=[request.seed],
            indices=[len(answer)],
            seen=seen,
        )
        return int(token)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common beginning."""
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return min(len(first), len(second))
