"""A step's lines: one per row, or per row and position where a draft is verified.

Shapes: `R` rows of a branch, `K` positions a row, `V` token ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dera_rag.decoding.mixer import Lines, Mixer, Mixture
from dera_rag.decoding.rows import Row
from dera_rag.decoding.trace import measure
from dera_rag.errors import LogitsError
from dera_rag.protocols import Branches, LogitPair


def flatten(logits: LogitPair) -> LogitPair:
    """`[R, K, V]` logits of K positions as `[R·K, V]`, one line per row and position."""
    return LogitPair(*(None if part is None else part.flatten(0, -2) for part in logits))


def lines_of(rows: Sequence[Row], width: int) -> Lines:
    """The lines of rows with this many positions each, a row's beside each other."""
    lines = [(row, j) for row in rows for j in range(width)]
    reference, aligned = (
        [i for i, (row, _) in enumerate(lines) if branch in row.branches]
        for branch in (Branches.REFERENCE, Branches.ALIGNED)
    )
    return Lines(
        # λ exactly: in float32 a trace would not say what was asked for.
        torch.tensor([row.request.lam for row, _ in lines], dtype=torch.float64),
        reference,
        aligned,
        steps=[len(row.token_ids) + j for row, j in lines],
        rows=[row.request.row for row, _ in lines],
    )


def agreed(
    rows: Sequence[Row], drawn: Sequence[Sequence[int]], guesses: Sequence[Sequence[int]]
) -> dict[int, int]:
    """What live rows gain, line → token: the guesses that were drawn, and the first other token.

    Args:
        rows: The rows.
        drawn: K tokens drawn for each.
        guesses: K − 1 guessed ones, which the models have read.
    """
    width, given = len(drawn[0]), {}
    for i, row in enumerate(rows):
        for j in range(width if row.live else 0):
            given[i * width + j] = drawn[i][j]
            # Behind the first position a grammar has not been asked.
            if j + 1 == width or row.structure is not None or drawn[i][j] != guesses[i][j]:
                break
    return given


def measure_lines(
    rows: Sequence[Row],
    logits: LogitPair,
    mixture: Tensor,
    lines: Lines,
    given: Mapping[int, int],
) -> dict[int, Sequence[float]]:
    """Trace columns by line, of the given tokens whose row is traced."""
    width = len(lines.rows) // len(rows)
    traced = [line for line in given if rows[line // width].request.trace != "off"]
    if not traced:
        return {}
    part, own = subset(logits, lines, traced)
    mixed = mixture if part is logits else mixture[traced]
    tokens = torch.tensor([given[line] for line in traced], device=mixed.device)
    columns = measure(part, mixed, tokens, own.reference_rows, own.aligned_rows)
    return dict(zip(traced, zip(*columns.tolist(), strict=True), strict=True))


def subset(logits: LogitPair, lines: Lines, kept: Sequence[int]) -> tuple[LogitPair, Lines]:
    """These lines of a step alone, in this order."""
    if len(kept) == len(lines.rows):
        return logits, lines
    parts: list[Tensor | None] = []
    running: list[list[int]] = []
    for part, own in zip(logits, (lines.reference_rows, lines.aligned_rows), strict=True):
        place = {line: i for i, line in enumerate(own)}
        running.append([i for i, line in enumerate(kept) if line in place])
        at = [place[line] for line in kept if line in place]
        parts.append(part[at] if part is not None and at else None)
    return LogitPair(*parts), Lines(
        lines.lam[list(kept)],
        running[0],
        running[1],
        steps=[lines.steps[line] for line in kept],
        rows=[lines.rows[line] for line in kept],
    )


def mix_lines(
    mixer: Mixer, logits: LogitPair, lines: Lines
) -> tuple[Mixture, dict[int, LogitsError]]:
    """The mixture of every line, and the error of each line that has none.

    A line that cannot be mixed gets zeros for logits: whatever is drawn from it is not used.
    """
    try:
        return mixer.mix(logits, lines), {}
    except LogitsError:
        return _mix_apart(mixer, logits, lines)


def _mix_apart(
    mixer: Mixer, logits: LogitPair, lines: Lines
) -> tuple[Mixture, dict[int, LogitsError]]:
    errors: dict[int, LogitsError] = {}
    mixed: dict[int, Mixture] = {}
    for line in range(len(lines.rows)):
        try:
            mixed[line] = mixer.mix(*subset(logits, lines, [line]))
        except LogitsError as error:
            errors[line] = error
    some = next((part for part in logits if part is not None), lines.lam.unsqueeze(1))
    out = torch.zeros(len(lines.rows), some.shape[-1], device=some.device)
    lam = lines.lam.to(some.device, copy=True)
    for line, made in mixed.items():
        out[line] = made.logits[0]
        if made.lam is not None:
            lam[line] = made.lam[0]
    return Mixture(
        out, lam if any(made.lam is not None for made in mixed.values()) else None
    ), errors
