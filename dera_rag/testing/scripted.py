"""A pair without models, whose branches say what they are told to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from dera_rag.protocols import Branches, LogitPair


class ScriptedPair:
    """A `PairBackend` that continues every prompt with fixed tokens, one script per branch.

    The scripted token has logit 10, every other token 0; past the end of a script every row gets
    the stop token.

    Args:
        tokenizer: Encodes prompts and scripts; its EOS is the stop token.
        aligned: Text or token ids of the aligned branch.
        reference: Likewise for the reference; the aligned one's by default.
        max_length: Context length; None without a limit.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        aligned: str | Sequence[int],
        reference: str | Sequence[int] | None = None,
        *,
        max_length: int | None = None,
    ) -> None:
        self.name = "scripted"
        self.tokenizer = tokenizer
        self.chat_template: str | None = None
        self.max_length = max_length
        self.vocab_size = len(tokenizer)
        end = tokenizer.eos_token_id
        self.stop_ids = frozenset([end])
        self.scripts = {
            Branches.REFERENCE: self._ids(aligned if reference is None else reference),
            Branches.ALIGNED: self._ids(aligned),
        }
        self.started: list[tuple[Branches, ...]] = []

    def start(
        self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]
    ) -> ScriptedSession:
        """A session over `len(prompts)` rows; `started` records the branches asked for."""
        self.started.append(tuple(branches))
        return ScriptedSession(self, branches)

    def _ids(self, script: str | Sequence[int]) -> list[int]:
        if isinstance(script, str):
            return list(self.tokenizer(script, add_special_tokens=False)["input_ids"])
        return list(script)


class ScriptedSession:
    """The `PairSession` of a `ScriptedPair`."""

    def __init__(self, pair: ScriptedPair, branches: Sequence[Branches]) -> None:
        self._pair = pair
        self._branches = list(branches)
        self._step = 0

    def prefill(self) -> LogitPair:
        """Logits of the first token."""
        return LogitPair(self._logits(Branches.REFERENCE), self._logits(Branches.ALIGNED))

    def step(self, token_ids: Sequence[int]) -> LogitPair:
        """Logits of the next token, whatever the rows were given."""
        if len(token_ids) != len(self._branches):
            raise AssertionError(f"{len(token_ids)} tokens for {len(self._branches)} rows")
        self._step += 1
        return self.prefill()

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        self._branches = [self._branches[row] for row in rows]

    def _logits(self, branch: Branches) -> Tensor | None:
        rows = sum(branch in needs for needs in self._branches)
        if not rows:
            return None
        script = self._pair.scripts[branch]
        token = script[self._step] if self._step < len(script) else min(self._pair.stop_ids)
        logits = torch.zeros(rows, self._pair.vocab_size)
        logits[:, token] = 10.0
        return logits
