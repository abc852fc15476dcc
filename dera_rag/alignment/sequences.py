"""Training sequences: texts, or groups of questions that share their records, as tokens."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from dera_rag.alignment.binding import NOTHING, GroupLabels, Labels
from dera_rag.alignment.examples import Example, Group, question_part


@dataclass(frozen=True, slots=True)
class Tokens:
    """A training sequence: a shared beginning, then one or more parts that do not see each other.

    Attributes:
        ids: Token ids, length S.
        kinds: What each token is: a prompt's ("p"), an answer's ("a") or, where a part begins, one
            that nothing predicts ("-"); length S.
        starts: Where parts begin; none where the sequence is a single text.
        labels: What each token is about; None where nothing is labelled.
    """

    ids: tuple[int, ...]
    kinds: str
    starts: tuple[int, ...] = ()
    labels: Labels | None = None


def one_answer(prompt: Sequence[int], answer: Sequence[int]) -> Tokens:
    """A sequence of a prompt and its answer, END included."""
    return Tokens((*prompt, *answer), "p" * len(prompt) + "a" * len(answer))


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Tokens]:
    """Texts without a prompt, each led and ended by END."""
    end = tokenizer.eos_token_id
    return [one_answer([end], [*ids, end]) for ids in tokenizer(list(texts))["input_ids"]]


def encode_groups(tokenizer: PreTrainedTokenizerBase, groups: Sequence[Group]) -> list[Tokens]:
    """Each group as one sequence, its questions as parts: every answer is read as the decoder will.

    The records are read once for all questions about them, which halves training time. Pieces are
    encoded apart; the tokenizer never merges across the border of a label, so the ids are those of
    the whole prompt.
    """
    examples = [e for group in groups for e in group.examples]
    passages = _encoded(tokenizer, [group.passages for group in groups])
    asked = _encoded(tokenizer, [question_part(e.question.text) for e in examples])
    answers = _encoded(tokenizer, [f" {e.answer}" for e in examples])
    parts = zip(examples, asked, answers, strict=True)
    return [
        _sequence(group, shared, itertools.islice(parts, len(group.examples)), tokenizer)
        for group, shared in zip(groups, passages, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A text as tokens with their places in it."""

    text: str
    ids: list[int]
    offsets: list[tuple[int, int]]


def _encoded(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[_Encoded]:
    made = tokenizer(texts, return_offsets_mapping=True)
    return [
        _Encoded(*one) for one in zip(texts, made["input_ids"], made["offset_mapping"], strict=True)
    ]


def _sequence(
    group: Group,
    shared: _Encoded,
    parts: Iterable[tuple[Example, _Encoded, _Encoded]],
    tokenizer: PreTrainedTokenizerBase,
) -> Tokens:
    maker = GroupLabels(group, shared.ids, shared.offsets)
    labels = maker.passages
    ids, kinds, starts = list(shared.ids), "p" * len(shared.ids), []
    for example, question, answer in parts:
        starts.append(len(ids))
        names = example.question.names
        asked = maker.part(names, question.text, question.ids, question.offsets)
        # A comparison is about neither place until its answer names one.
        before = asked.subject[-1] if len(names) == 1 else NOTHING
        said = maker.part(names, answer.text, answer.ids, answer.offsets, before=before, said=True)
        ids += [*question.ids, *answer.ids, tokenizer.eos_token_id]
        kinds += "-" + "p" * (len(question.ids) - 1) + "a" * (len(answer.ids) + 1)
        labels += asked + said + Labels.none(1)
    return Tokens(tuple(ids), kinds, tuple(starts), labels)
