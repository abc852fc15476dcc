"""A pair without models that decodes real text at no cost, and does all a session can."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from dera_rag.protocols import Branches, LogitPair

_LINES = 61
_BRANCHES = Branches.REFERENCE, Branches.ALIGNED


class TablePair:
    """A `PairBackend` whose logits are looked up in a random table by the last two tokens.

    Its answers repeat themselves as text does, a step costs microseconds, and equal sequences give
    equal logits bit for bit, so decoding through any session operation can be compared exactly.

    Args:
        tokenizer: Encodes prompts; its EOS is the stop token.
        seed: Of the table.
        bad: Whether the aligned branch gives NaN after a sequence; never by default.
        max_length: Context length; None without a limit.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        seed: int = 0,
        *,
        bad: Callable[[Sequence[int]], bool] | None = None,
        max_length: int | None = None,
    ) -> None:
        self.name = "table"
        self.tokenizer = tokenizer
        self.chat_template: str | None = None
        self.max_length = max_length
        self.vocab_size = len(tokenizer)
        self.stop_ids = frozenset([int(tokenizer.eos_token_id)])
        self.bad = bad
        generator = torch.Generator().manual_seed(seed)
        self.tables = {
            branch: 3 * torch.randn(_LINES, self.vocab_size, generator=generator)
            for branch in _BRANCHES
        }
        self.sessions: list[TableSession] = []

    def start(self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]) -> TableSession:
        """A session over the prompts; `sessions` lists them all."""
        self.sessions.append(TableSession(self, prompts, branches))
        return self.sessions[-1]


class TableSession:
    """The `DraftingSession` and `JoiningSession` of a `TablePair`.

    Attributes:
        rows: Prompt and answer of every row as read so far.
        passes: Rows and positions of each pass, the prompts' (one position) included.
    """

    def __init__(
        self, pair: TablePair, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]
    ) -> None:
        self._pair = pair
        self._branches = list(branches)
        self.rows = [list(prompt) for prompt in prompts]
        self.passes: list[tuple[int, int]] = []

    def prefill(self) -> LogitPair:
        """Logits of each row's first token."""
        return self._squeezed(self._logits(range(len(self.rows)), 1))

    def step(self, token_ids: Sequence[int]) -> LogitPair:
        """Append one token to every row; logits of the next."""
        return self._squeezed(self.extend([[token] for token in token_ids]))

    def extend(self, token_ids: Sequence[Sequence[int]]) -> LogitPair:
        """Append k tokens to every row; logits after each of them."""
        for row, tokens in zip(self.rows, token_ids, strict=True):
            row.extend(tokens)
        limit = self._pair.max_length
        if limit is not None and max(map(len, self.rows)) > limit:
            raise AssertionError(f"a row is longer than the {limit} tokens the pair takes")
        return self._logits(range(len(self.rows)), len(token_ids[0]))

    def crop(self, counts: Sequence[int]) -> None:
        """Forget the last tokens of every row."""
        for row, count in zip(self.rows, counts, strict=True):
            del row[len(row) - count :]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        self.rows = [list(self.rows[row]) for row in rows]
        self._branches = [self._branches[row] for row in rows]

    def join(self, prompts: Sequence[Sequence[int]], branches: Sequence[Branches]) -> LogitPair:
        """New prompts as rows behind the present ones; logits of their first tokens."""
        first = len(self.rows)
        self.rows += [list(prompt) for prompt in prompts]
        self._branches += branches
        return self._squeezed(self._logits(range(first, len(self.rows)), 1))

    def _logits(self, rows: Sequence[int], count: int) -> LogitPair:
        self.passes.append((len(rows), count))
        return LogitPair(*(self._branch(branch, rows, count) for branch in _BRANCHES))

    def _branch(self, branch: Branches, rows: Sequence[int], count: int) -> Tensor | None:
        own = [self.rows[row] for row in rows if branch in self._branches[row]]
        if not own:
            return None
        ends = [[len(row) - count + j + 1 for j in range(count)] for row in own]
        lines = [
            [(31 * row[end - 1] + (row[end - 2] if end > 1 else 0)) % _LINES for end in places]
            for row, places in zip(own, ends, strict=True)
        ]
        logits = self._pair.tables[branch][torch.tensor(lines)]
        if self._pair.bad is not None and branch is Branches.ALIGNED:
            for i, (row, places) in enumerate(zip(own, ends, strict=True)):
                for j, end in enumerate(places):
                    if self._pair.bad(row[:end]):
                        logits[i, j, 0] = math.nan
        return logits

    @staticmethod
    def _squeezed(logits: LogitPair) -> LogitPair:
        return LogitPair(*(None if part is None else part[:, 0] for part in logits))
