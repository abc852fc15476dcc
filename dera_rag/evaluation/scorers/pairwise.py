"""A language model as judge of naturalness: which of two answers reads better, asked both ways.

Judges favour a position, so every pair is asked twice with the answers swapped; a judge who
contradicts itself has no preference. The raw votes stay beside the outcome.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dera_rag.errors import InvalidValueError
from dera_rag.evaluation.contract import Direction, Item, Need, Score
from dera_rag.evaluation.scorers.judges import chat_model

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_PROMPT = """Two answers to the same question follow. Which one reads more like a fluent human \
wrote it? Judge only the language: wording, flow, grammar. Do not judge whether the facts are \
right, and do not prefer the longer one for its length.

Question: {question}

Answer 1:
{first}

Answer 2:
{second}

Reply with one word: 1, 2 or tie."""
_VOTE = re.compile(r"\b(1|2|tie)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Preference:
    """What a judge said of a pair.

    Attributes:
        value: 1 where the first answer won both orders, 0 where it lost both, .5 else; None where a
            reply held no vote.
        votes: The raw replies: asked in order, and asked with the answers swapped.
        consistent: Whether both orders agree.
    """

    value: float | None
    votes: tuple[str, str]
    consistent: bool


def prefer(judge: BaseChatModel, question: str, answer: str, other: str) -> Preference:
    """Asks a judge in both orders which of two answers reads more naturally.

    Args:
        judge: Any LangChain chat model, best one of temperature 0.
        question: What was asked.
        answer: The answer to judge.
        other: What it is compared with.
    """
    straight = _ask(judge, question, answer, other)
    swapped = _ask(judge, question, other, answer)
    mine, theirs = _read(straight, "1"), _read(swapped, "2")
    if mine is None or theirs is None:
        return Preference(None, (straight, swapped), False)
    consistent = mine == theirs
    return Preference(mine if consistent else 0.5, (straight, swapped), consistent)


def _ask(judge: BaseChatModel, question: str, first: str, second: str) -> str:
    prompt = _PROMPT.format(question=question, first=first, second=second)
    return str(judge.invoke(prompt).text)


def _read(reply: str, mine: str) -> float | None:
    """1 for a vote for `mine`, .5 for a tie, 0 for the other; None without a single clear vote."""
    votes = {vote.lower() for vote in _VOTE.findall(reply)}
    if len(votes) != 1:
        return None
    vote = votes.pop()
    return 0.5 if vote == "tie" else float(vote == mine)


class PreferredToReference:
    """Whether a judge finds the answer more natural than the first reference; higher is better.

    1 won in both orders, 0 lost in both, .5 a tie or a judge who contradicts itself.

    Needs an LLM as judge, which is called twice an answer.

    Args:
        judge: A LangChain chat model, or a name for `init_chat_model` ("provider:model"), which
            needs langchain. Never the pair that is evaluated.

    Raises:
        InvalidValueError: No chat model.
    """

    name = "preferred_to_reference"
    direction: Direction = "higher"
    range = (0.0, 1.0)
    needs: frozenset[Need] = frozenset({"references"})

    def __init__(self, *, judge: BaseChatModel | str) -> None:
        if not isinstance(judge, str) and not hasattr(judge, "invoke"):
            raise InvalidValueError(
                f"a judge must be a LangChain chat model, got {type(judge)}",
                hint="or its name for init_chat_model, as in judge: provider:model",
            )
        self._given = judge
        self.version = f"1 {judge if isinstance(judge, str) else type(judge).__name__}"

    @functools.cached_property
    def _judge(self) -> BaseChatModel:
        return chat_model(self._given)

    def score(self, items: Sequence[Item]) -> list[Score]:
        """One score per item, two calls of the judge each."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Score:
        if item.reference is None:
            return Score(None, "no references")
        found = prefer(self._judge, item.question, item.answer, item.reference)
        if found.value is None:
            return Score(None, f"the judge gave no vote: {' / '.join(found.votes)!r:.200}")
        return Score(found.value)
