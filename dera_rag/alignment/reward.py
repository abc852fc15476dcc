"""The reward of the embedded pair: faithfulness to the record, as judged exactly."""

from __future__ import annotations

import re

from dera_rag.alignment.examples import Example
from dera_rag.evaluation.venues import Verdict, judge

_BULLET = re.compile(r"(?:^|\n)\s*-\s|\b(?:type|food|area|near|name|family friendly): ")


def faithfulness(example: Example, answer: str, finished: bool) -> float:
    """Reward of an answer, higher is better, 0 at best.

    −1 for each inserted or wrong value and for each place misnamed or denied, −½ for each thing
    asked that is not conveyed (nor given a wrong value, which has its price already), −2 for an
    unfinished answer, −1 for the record's own bullets or labels in place of prose (the known way to
    game a matcher by copying). To deny a place thus costs 1 more than to say nothing of it.

    Args:
        example: The question with its gold records.
        answer: The answer's text.
        finished: Whether the model ended it itself.
    """
    verdict = judge(example.question, example.records, answer)
    missed = verdict.expected - verdict.covered - _asked_and_wrong(example, verdict)
    return (
        -1.0 * (len(verdict.inserted) + len(verdict.wrong))
        - 0.5 * missed
        - 2.0 * (not finished)
        - 1.0 * bool(_BULLET.search(answer))
    )


def _asked_and_wrong(example: Example, verdict: Verdict) -> int:
    """How many of the things asked have a wrong value; a misused name answers nothing."""
    asked = example.question.attributes
    return sum(a != "name" and (not asked or a in asked) for a in verdict.wrong)
