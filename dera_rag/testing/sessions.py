"""What every session must satisfy: whatever is done to its rows, logits equal full forwards."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dera_rag.pairs import ModelPair
from dera_rag.protocols import Branches, DraftingSession, JoiningSession, LogitPair, PairSession
from dera_rag.testing.oracles import cache_free_logits

# Cached against cache-free float32 logits; random tiny models have logits of up to about 20.
_ABSOLUTE, _RELATIVE = 2e-4, 1e-4
_KINDS = Branches.BOTH, Branches.REFERENCE, Branches.ALIGNED, Branches.BOTH


class _Rows:
    """What each row of a session has read, beside the session that is checked."""

    def __init__(self, pair: ModelPair, prompts: Sequence[Sequence[int]]) -> None:
        self.pair = pair
        self.prompts = [list(prompt) for prompt in prompts]
        self.answers: list[list[int]] = [[] for _ in prompts]
        self.branches = [_KINDS[i % len(_KINDS)] for i in range(len(prompts))]
        self.session: PairSession = pair.start(self.prompts, self.branches)

    def check(self, logits: LogitPair, *, forget: int = 0, rows: Sequence[int] = ()) -> None:
        """Compare next-token logits with both models' full forwards.

        Args:
            logits: Of these rows.
            forget: How many tokens of each answer come after these logits.
            rows: Which rows they are of; all by default.
        """
        rows = rows or range(len(self.prompts))
        for branch, found, lam in (
            (Branches.REFERENCE, logits.reference, 0.0),
            (Branches.ALIGNED, logits.aligned, 1.0),
        ):
            own = [row for row in rows if branch in self.branches[row]]
            assert (found is None) == (not own)  # noqa: S101 - a check is what this is
            if found is not None:
                expected = torch.stack([self._read(row, lam, forget) for row in own])
                torch.testing.assert_close(
                    found.float().cpu(), expected, atol=_ABSOLUTE, rtol=_RELATIVE
                )

    def append(self, count: int) -> list[list[int]]:
        """The next tokens of every row, all different."""
        tokens = [
            [
                3 + (31 * row + 7 * len(answer) + 5 * i) % (self.pair.vocab_size - 3)
                for i in range(count)
            ]
            for row, answer in enumerate(self.answers)
        ]
        for answer, own in zip(self.answers, tokens, strict=True):
            answer.extend(own)
        return tokens

    def select(self, rows: Sequence[int]) -> None:
        """Keep and copy rows, in the session too."""
        self.session.select(rows)
        self.prompts = [self.prompts[row] for row in rows]
        self.answers = [list(self.answers[row]) for row in rows]
        self.branches = [self.branches[row] for row in rows]

    def _read(self, row: int, lam: float, forget: int) -> Tensor:
        answer = self.answers[row]
        return cache_free_logits(self.pair, self.prompts[row], lam, answer[: len(answer) - forget])


def check_session_contract(
    pair: ModelPair, prompts: Sequence[Sequence[int]], *, steps: int = 6
) -> None:
    """Prefill and steps equal full forwards, and so does all that a session can do to its rows.

    Rows run one branch or both; they are dropped, reordered and copied. Where the session can,
    several tokens are appended at once, unequal numbers taken back, and rows join.

    Args:
        pair: The pair, in float32.
        prompts: At least three, best of different lengths.
        steps: Single tokens appended first; more than a sliding window shows whether it slides.

    Raises:
        AssertionError: Logits differ from those of a full forward.
    """
    rows = _Rows(pair, prompts)
    rows.check(rows.session.prefill())
    for _ in range(steps):
        rows.check(rows.session.step([own[0] for own in rows.append(1)]))
    last = len(prompts) - 1
    rows.select([last, 0, *range(1, last), last])
    rows.check(rows.session.step([own[0] for own in rows.append(1)]))
    if isinstance(rows.session, DraftingSession):
        _check_drafting(rows, rows.session)
    if isinstance(rows.session, JoiningSession):
        _check_joining(rows, rows.session, prompts)
    rows.select(range(1, len(rows.prompts)))
    rows.check(rows.session.step([own[0] for own in rows.append(1)]))


def _check_drafting(rows: _Rows, session: DraftingSession) -> None:
    logits = session.extend(rows.append(4))
    for i in range(4):
        at = LogitPair(*(None if part is None else part[:, i] for part in logits))
        rows.check(at, forget=3 - i)
    counts = [i % 4 for i in range(len(rows.prompts))]
    session.crop(counts)
    for answer, count in zip(rows.answers, counts, strict=True):
        del answer[len(answer) - count :]
    rows.check(session.step([own[0] for own in rows.append(1)]))


def _check_joining(rows: _Rows, session: JoiningSession, prompts: Sequence[Sequence[int]]) -> None:
    first = len(rows.prompts)
    newcomers = [list(prompts[0]), [*prompts[-1], *prompts[0]]]
    branches = [Branches.BOTH, Branches.ALIGNED]
    logits = session.join(newcomers, branches)
    rows.prompts += newcomers
    rows.answers += [[], []]
    rows.branches += branches
    rows.check(logits, rows=range(first, len(rows.prompts)))
    rows.check(session.step([own[0] for own in rows.append(1)]))
