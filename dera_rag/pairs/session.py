"""One decode over two causal models: a KV cache per branch, each over the rows that need it.

Shapes: `R` rows of a branch, `L` tokens including left padding, `V` token ids.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from dera_rag.pairs.cache import new_cache
from dera_rag.protocols import Branches, LogitPair


class BranchRows:
    """The rows of one branch: cache, padding mask and positions.

    Prompts are padded on the left, so that every row's next token stands in the same column.
    Padding is masked and positions count real tokens only; a row's logits are those it has alone.

    Args:
        model: A causal language model in evaluation mode.
        prompts: Token ids of each row.
        vocab_size: V; embedding rows at and beyond it are cut.
        home: Where logits are delivered, so that branches on two devices can be mixed.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        vocab_size: int,
        home: torch.device,
    ) -> None:
        self._model = model
        self._vocab_size = vocab_size
        self._home = home
        self._cache = new_cache(model.config)
        # Rows with one prompt (several λ or seeds) share its prefill.
        place = {tuple(prompt): i for i, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
        self._copies = [place[tuple(prompt)] for prompt in prompts]
        width = max(len(prompt) for prompt in place)
        # Which id fills the padding is of no consequence: it is masked.
        padded = [[0] * (width - len(prompt)) + list(prompt) for prompt in place]
        shown = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in place]
        self._prompts = torch.tensor(padded, device=model.device)
        self._mask = torch.tensor(shown, device=model.device)
        self._lengths = self._mask.sum(-1, keepdim=True)
        self._padded = any(len(prompt) < width for prompt in prompts)

    def prefill(self) -> Tensor:
        """Read the prompts, `[R, V]` logits of the first token."""
        positions = (self._mask.cumsum(-1) - 1).clamp_min(0)
        logits = self._forward(self._prompts, positions)
        if len(self._copies) == len(logits):
            return logits
        self.select(self._copies)
        return logits[self._copies]

    def step(self, token_ids: Sequence[int]) -> Tensor:
        """Append one token to every row, `[R, V]` logits of the next."""
        tokens = torch.tensor(token_ids, device=self._model.device).unsqueeze(1)
        self._mask = torch.cat([self._mask, torch.ones_like(tokens)], dim=1)
        positions = self._lengths
        self._lengths = self._lengths + 1
        return self._forward(tokens, positions)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        index = torch.tensor(rows, device=self._model.device)
        self._cache.batch_select_indices(index)
        self._mask, self._lengths = self._mask[index], self._lengths[index]
        self._padded = not bool(self._mask.all())

    def _forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        output = self._model(
            input_ids=tokens,
            # Without padding, no mask lets attention take its faster kernel.
            attention_mask=self._mask if self._padded else None,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1, : self._vocab_size]
        return logits.to(device=self._home, dtype=torch.float32)


class CausalSession:
    """A `PairSession` over two causal models.

    Args:
        reference: The reference model.
        aligned: The aligned model.
        vocab_size: V.
        prompts: Token ids of each row.
        branches: Which models each row runs.
    """

    def __init__(
        self,
        reference: PreTrainedModel,
        aligned: PreTrainedModel,
        vocab_size: int,
        prompts: Sequence[Sequence[int]],
        branches: Sequence[Branches],
    ) -> None:
        self._branches = list(branches)
        home = aligned.device
        self._rows: dict[Branches, BranchRows | None] = {}
        for branch, model in ((Branches.REFERENCE, reference), (Branches.ALIGNED, aligned)):
            own = [prompts[row] for row in self._running(branch)]
            self._rows[branch] = BranchRows(model, own, vocab_size, home) if own else None

    @torch.inference_mode()
    def prefill(self) -> LogitPair:
        """Read the prompts; logits of each row's first token."""
        reference, aligned = self._rows[Branches.REFERENCE], self._rows[Branches.ALIGNED]
        return LogitPair(
            None if reference is None else reference.prefill(),
            None if aligned is None else aligned.prefill(),
        )

    @torch.inference_mode()
    def step(self, token_ids: Sequence[int]) -> LogitPair:
        """Append one token to every row; logits of the token after it."""
        return LogitPair(
            self._step(Branches.REFERENCE, token_ids), self._step(Branches.ALIGNED, token_ids)
        )

    @torch.inference_mode()
    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows of the batch, in this order; a row may leave or be copied."""
        for branch, own in self._rows.items():
            place = {row: i for i, row in enumerate(self._running(branch))}
            kept = [place[row] for row in rows if row in place]
            if own is not None and kept:
                own.select(kept)
            else:
                self._rows[branch] = None
        self._branches = [self._branches[row] for row in rows]

    def _step(self, branch: Branches, token_ids: Sequence[int]) -> Tensor | None:
        rows = self._rows[branch]
        if rows is None:
            return None
        return rows.step([token_ids[row] for row in self._running(branch)])

    def _running(self, branch: Branches) -> list[int]:
        return [row for row, needs in enumerate(self._branches) if branch in needs]
