"""How likely given continuations are under the mixture: both models read them, many at a time.

Shapes: `B` rows of a batch, `R` of them still reading, `k` tokens read at once, `V` token ids.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from dera_rag.decoding.mixer import LinearMixer, Lines
from dera_rag.decoding.teacher import appended
from dera_rag.errors import InvalidValueError, PromptError
from dera_rag.protocols import Branches, DraftingSession, LogitPair, PairBackend, PairSession
from dera_rag.types import check_lam

Asked = tuple[tuple[int, ...], tuple[int, ...]]
# Logits held at once: 2²⁵ numbers are 128 MiB of each model.
_NUMBERS = 2**25


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What the mixture says of a continuation.

    Attributes:
        log_probability: Σ log p(token | context, tokens before it), nats, ≤ 0; 0 for no token.
        greedy: Whether greedy decoding would write exactly these tokens.
    """

    log_probability: float
    greedy: bool


def likelihoods(
    pair: PairBackend,
    asked: Sequence[tuple[Sequence[int], Sequence[int]]],
    lam: float,
    *,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> list[Likelihood]:
    """Log-likelihoods of continuations under softmax(λ·aligned + (1−λ)·reference).

    Continuations of one context share its reading. λ=0 and λ=1 run one model.

    Args:
        pair: The pair.
        asked: Token ids of each context, not empty, and of its continuation.
        lam: λ ≥ 0.
        batch_size: Most continuations read together, ≥ 1; values do not depend on it but for
            rounding.
        progress: Called with the number of continuations read, after each batch.

    Returns:
        One per continuation, in order.

    Raises:
        InvalidValueError: λ is none.
        PromptError: An empty context, or more tokens than the pair takes.
        LogitsError: A model produced NaN, +inf or a −inf the other one does not share.
    """
    lam = check_lam(lam)
    rows = [_checked(pair, row, one) for row, one in enumerate(asked)]
    found: list[Likelihood] = [Likelihood(0.0, True)] * len(rows)
    full = [row for row, (_, continuation) in enumerate(rows) if continuation]
    order = sorted(full, key=lambda row: (len(rows[row][0]), rows[row]))
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        reading = _Reading(pair, [rows[row] for row in part], lam, part)
        for row, one in zip(part, reading.run(), strict=True):
            found[row] = one
        if progress is not None:
            progress(len(part))
    return found


def _checked(pair: PairBackend, row: int, asked: tuple[Sequence[int], Sequence[int]]) -> Asked:
    context, continuation = (tuple(part) for part in asked)
    if not context:
        raise PromptError(f"context {row} is empty", hint="put the tokenizer's BOS or EOS there")
    if getattr(pair, "two_views", False):
        raise InvalidValueError(
            f"{pair.name} reads each context with and without passages", hint="score a ModelPair"
        )
    # The last token is only asked for, and a prompt may be as long as the pair takes.
    together = len(context) + max(0, len(continuation) - 1)
    longest = max(map(len, (context, continuation)))
    length = longest if getattr(pair, "encoder_decoder", False) else together
    if pair.max_length is not None and length > pair.max_length:
        raise PromptError(
            f"context {row} and its continuation take {length} tokens, but {pair.name} takes "
            f"{pair.max_length}",
            hint="cut the context's beginning",
        )
    return context, continuation


class _Reading:
    """One batch: each context is read once, then every continuation as far as it goes.

    Args:
        pair: The pair.
        asked: B contexts and continuations.
        lam: λ.
        names: The caller's numbers of the rows, for errors.
    """

    def __init__(
        self, pair: PairBackend, asked: Sequence[Asked], lam: float, names: Sequence[int]
    ) -> None:
        self._asked, self._lam, self._names = asked, lam, names
        self._contexts = list(dict.fromkeys(context for context, _ in asked))
        self._mixer = LinearMixer()
        self._branches = self._mixer.branches(lam)
        self._session = pair.start(self._contexts, [self._branches] * len(self._contexts))
        self._width = max(1, _NUMBERS // (pair.vocab_size * len(asked)))
        self._total = [0.0] * len(asked)
        self._greedy = [True] * len(asked)

    @torch.inference_mode()
    def run(self) -> list[Likelihood]:
        """What there is to say of every row."""
        place = {context: i for i, context in enumerate(self._contexts)}
        owners = [place[context] for context, _ in self._asked]
        first = (part if part is None else part[owners] for part in self._session.prefill())
        self._tally(range(len(owners)), LogitPair(*first), 0)
        rows = [i for i, (_, continuation) in enumerate(self._asked) if len(continuation) > 1]
        if rows:
            self._session.select([owners[i] for i in rows])
            self._read_on(rows)
        return [Likelihood(*one) for one in zip(self._total, self._greedy, strict=True)]

    def _read_on(self, rows: Sequence[int]) -> None:
        """Append all but the last tokens; a row whose tokens have all been asked for leaves."""
        read = 0
        while rows:
            left = min(len(self._asked[row][1]) for row in rows) - 1
            upto = min(left, read + self._width)
            block = [self._asked[row][1][read:upto] for row in rows]
            for logits in _extended(self._session, block):
                read += self._tally(rows, logits, read + 1)
            staying = [i for i, row in enumerate(rows) if len(self._asked[row][1]) - 1 > read]
            if 0 < len(staying) < len(rows):
                self._session.select(staying)
            rows = [rows[i] for i in staying]

    def _tally(self, rows: Sequence[int], logits: LogitPair, step: int) -> int:
        """Add what the mixture says of the tokens from `step` on; how many of each row those are.

        Args:
            rows: R rows of the batch.
            logits: `[R, k, V]`, or `[R, V]` for one token each.
            step: Index of the first of them in its continuation.
        """
        count = _per_row(logits)
        tokens = [self._asked[row][1][step : step + count] for row in rows]
        flat = [part if part is None else part.flatten(0, -2) for part in logits]
        lines = range(len(rows) * count)
        mixture = self._mixer.mix(
            LogitPair(*flat),
            Lines(
                lam=torch.full((len(lines),), self._lam),
                reference_rows=lines if Branches.REFERENCE in self._branches else (),
                aligned_rows=lines if Branches.ALIGNED in self._branches else (),
                steps=[step + i for _ in rows for i in range(count)],
                rows=[self._names[row] for row in rows for _ in range(count)],
            ),
        ).logits
        wanted = torch.tensor(tokens, device=mixture.device)
        chosen = mixture.log_softmax(-1).gather(1, wanted.view(-1, 1)).view_as(wanted)
        best = mixture.argmax(-1).view_as(wanted) == wanted
        for row, values, right in zip(rows, chosen.tolist(), best.tolist(), strict=True):
            self._total[row] += math.fsum(values)
            self._greedy[row] &= all(right)
        return count


def _per_row(logits: LogitPair) -> int:
    """Tokens of each row: k of `[R, k, V]` logits, 1 of `[R, V]`."""
    part = next(part for part in logits if part is not None)
    return 1 if part.dim() == 2 else part.shape[1]


def _extended(session: PairSession, block: Sequence[Sequence[int]]) -> Iterator[LogitPair]:
    """Append a block as one; token by token where the session can do no better."""
    if isinstance(session, DraftingSession):
        yield session.extend(block)
    else:
        yield from appended(session, block)
