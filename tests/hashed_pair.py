"""A pair whose logits are a hash of the prefix: no model, and no rounding by a batch.

With `quantum` logits are multiples of it, so that lines in λ tie, cross in one point, and have
crossings that are known exactly.
"""

import random

import torch

from dera_rag.protocols import Branches, LogitPair
from dera_rag.testing import tiny_tokenizer

TOKENIZER = tiny_tokenizer()


class HashedPair:
    """A `PairBackend` over `vocab_size` ids, the last of which ends an answer."""

    name = "hashed"
    tokenizer = TOKENIZER
    max_length = None

    def __init__(self, seed=0, vocab_size=9, quantum=None, spread=2.0):
        self.seed, self.vocab_size, self.quantum, self.spread = seed, vocab_size, quantum, spread
        self.stop_ids = frozenset([vocab_size - 1])
        self.steps = []

    def logits(self, prefix):
        """(reference, aligned) after a prefix, as lists of floats that float32 holds exactly."""
        rng = random.Random(f"{self.seed} {tuple(prefix)}")
        raw = [[rng.gauss(0, self.spread) for _ in range(self.vocab_size)] for _ in range(2)]
        if self.quantum:
            return [[round(x / self.quantum) * self.quantum for x in row] for row in raw]
        return torch.tensor(raw).tolist()

    def start(self, prompts, branches):
        return HashedSession(self, prompts, branches)


class HashedSession:
    def __init__(self, pair, prompts, branches):
        self.pair = pair
        self.rows = [tuple(prompt) for prompt in prompts]
        self.branches = list(branches)

    def prefill(self):
        self.pair.steps.append(len(self.rows))
        both = [self.pair.logits(row) for row in self.rows]
        parts = []
        for i, branch in enumerate((Branches.REFERENCE, Branches.ALIGNED)):
            own = [x[i] for x, runs in zip(both, self.branches, strict=True) if branch in runs]
            parts.append(torch.tensor(own) if own else None)
        return LogitPair(*parts)

    def step(self, token_ids):
        self.rows = [(*row, token) for row, token in zip(self.rows, token_ids, strict=True)]
        return self.prefill()

    def select(self, rows):
        self.rows = [self.rows[row] for row in rows]
        self.branches = [self.branches[row] for row in rows]
