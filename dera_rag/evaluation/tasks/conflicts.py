"""Swapping an answer in a passage for another of its type, so that text and memory part."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
_TYPES = (
    ("year", re.compile(r"(?:1[0-9]|20)\d\d")),
    ("date", re.compile(rf".*\b{_MONTH}\b.*\d.*|\d.*\b{_MONTH}\b.*", re.I)),
    ("number", re.compile(r".*\d.*")),
    # Names run to four capitalised words; a longer answer is a phrase.
    ("name", re.compile(r"[A-Z]\S*(?:\s+(?:(?:of|the|and|de|van|von|da|&)\s+)*[A-Z]\S*){0,3}")),
)


def answer_type(answer: str) -> str:
    """`year`, `date`, `number`, `name` or `phrase`, by how the answer is written."""
    text = answer.strip()
    return next((name for name, form in _TYPES if form.fullmatch(text)), "phrase")


def mentions_any(text: str, answers: Sequence[str]) -> bool:
    """Whether one of the answers stands in the text as whole words, whatever its case."""
    return bool(_wording(answers).search(text)) if any(answers) else False


def swapped(text: str, answers: Sequence[str], other: str) -> str | None:
    """The text with every mention of the answers replaced.

    Args:
        text: A passage.
        answers: The answer in all its wordings.
        other: What stands there instead.

    Returns:
        The new text; None where no answer is mentioned, or where one is still mentioned after it,
        as in "Paris" for "Paris, France".
    """
    form = _wording(answers)
    if not form.search(text):
        return None
    made = form.sub(lambda _: other, text)
    return None if form.search(made) else made


def _wording(answers: Sequence[str]) -> re.Pattern[str]:
    """Whole words of any answer, the longest first, with any white space between them."""
    known = {answer.strip() for answer in answers if answer.strip()}
    ordered = sorted(known, key=lambda answer: (-len(answer), answer))
    forms = (r"\s+".join(map(re.escape, answer.split())) for answer in ordered)
    return re.compile(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)", re.I)
