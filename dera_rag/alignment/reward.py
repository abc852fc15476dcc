"""The reward of the embedded pair: faithfulness to the record, as judged exactly."""

from __future__ import annotations

import re

from dera_rag.alignment.data import Example
from dera_rag.evaluation.venues import judge

_BULLET = re.compile(r"(?:^|\n)\s*-\s|\b(?:type|food|area|near|name|family friendly): ")


def faithfulness(example: Example, answer: str, finished: bool) -> float:
    """Reward of an answer, higher is better, 0 at best.

    −1 for each inserted or wrong value, −½ for each thing asked and not conveyed, −2 for an
    unfinished answer, −1 for the record's own bullets or labels in place of prose (the known way to
    game a matcher by copying).

    Args:
        example: The question with its gold records.
        answer: The answer's text.
        finished: Whether the model ended it itself.
    """
    verdict = judge(example.question, example.records, answer)
    missed = verdict.expected - verdict.covered - len(verdict.wrong)
    return (
        -1.0 * (len(verdict.inserted) + len(verdict.wrong))
        - 0.5 * max(missed, 0)
        - 2.0 * (not finished)
        - 1.0 * bool(_BULLET.search(answer))
    )
