"""Per-token columns as one character a token, so that a thousand paths fit into a page.

What is drawn is some 30 pixels high: steps of a few pixels are enough, and compress well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""The character of each level; the page reads it from the payload."""
UNKNOWN = "~"
"""In place of a value that was not computed."""
# Levels per √nat: 0.004 nats of KL and 0.007 of a log-ratio differ from none, and 62 of KL and ±27
# of a ratio are the most. Twice as many levels make a path 15 % larger.
KL_SCALE, RATIO_SCALE = 8.0, 6.0
_TOP, _ZERO = 63, 32


def kl_levels(values: Sequence[float | None]) -> str:
    """KL divergences, ≥ 0, in nats.

    Args:
        values: T values; None where one was not computed.
    """
    return "".join(
        UNKNOWN if x is None else ALPHABET[min(_TOP, round(math.sqrt(max(0.0, x)) * KL_SCALE))]
        for x in values
    )


def ratio_levels(aligned: Sequence[float | None], reference: Sequence[float | None]) -> str:
    """Log-ratios log π_aligned − log π_reference, in nats.

    Args:
        aligned: T log-probabilities; None where one was not computed.
        reference: T log-probabilities likewise.
    """
    return "".join(
        UNKNOWN if a is None or r is None else ALPHABET[_signed(a - r)]
        for a, r in zip(aligned, reference, strict=True)
    )


def _signed(value: float) -> int:
    step = round(math.sqrt(abs(value)) * RATIO_SCALE)
    return max(1, min(_TOP, _ZERO + (step if value > 0 else -step)))


def token_lengths(tokens: Sequence[str], text: str) -> str | None:
    """How many characters of an answer each of its tokens is, as levels.

    Tokens come decoded one by one: some lose the space before them, some are half a character, and
    a last one may stand for the end. Those that show nothing in the answer have length 0.

    Args:
        tokens: T texts.
        text: The answer, stripped.

    Returns:
        T levels; None where the tokens do not add up to the answer.
    """
    lengths: list[int] = []
    at, halves = 0, 0
    for token in tokens:
        core = token.strip()
        found = -1
        if core and "\ufffd" not in core:
            lead = len(text) - len(text[at:].lstrip()) - at
            # Characters made of the halves before stand in between.
            found = text.find(core, at, at + lead + halves + len(core))
        if found < 0:
            halves += core.count("\ufffd")
            lengths.append(0)
            continue
        if halves and lengths:
            gap = len(text[at:found].rstrip())
            lengths[-1] += gap
            at += gap
        lengths.append(found + len(core) - at)
        at, halves = found + len(core), 0
    if halves and len(text) - at <= halves:
        lengths[-1] += len(text) - at
        at = len(text)
    if at != len(text) or any(length > _TOP for length in lengths):
        return None
    return "".join(ALPHABET[length] for length in lengths)
