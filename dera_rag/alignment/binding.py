"""Teaches a small model to find by its name the record that a question is about.

From the answers' loss alone a model of a few million parameters learns to read *a* record long
before it learns *which* (it takes the first). Three auxiliary losses, used in training only, teach
that step:

* **same name**: one attention head looks from each token of a name in the question or the answer
  to the same token of that name in its record (attention guided by alignments, as Liu et al. 2016
  do for translation);
* **subject**: half-way up, a linear reading of the hidden state tells the number of the passage
  that a token is about, in the records as in the question and the answer;
* **copy**: one head of the last layer but one looks, from where an answer is about to repeat a
  name or a value of its record, to what it repeats.

Shapes: `B` sequences, `S` tokens, `H` hidden size.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaAttention, apply_rotary_pos_emb

from dera_rag.alignment.context import MOST_PASSAGES
from dera_rag.alignment.examples import Group
from dera_rag.evaluation.venues import LABELS, Place

NOTHING = -1
"""Label of a token that is about nothing in particular, or has no counterpart."""

Offsets = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Labels:
    """What each token of a sequence, or of a part of one, is about.

    Attributes:
        subject: Number of the passage from 1, 0 for a place in no passage, or `NOTHING`.
        name: Position of the same token of the same name in its record, or `NOTHING`.
        copy: Position in the record of what an answer's next token repeats, or `NOTHING`.
    """

    subject: tuple[int, ...]
    name: tuple[int, ...]
    copy: tuple[int, ...]

    @classmethod
    def none(cls, count: int) -> Labels:
        """Labels that say nothing."""
        nothing = (NOTHING,) * count
        return cls(nothing, nothing, nothing)

    def __add__(self, other: Labels) -> Labels:
        """The labels of a sequence followed by another's."""
        return Labels(self.subject + other.subject, self.name + other.name, self.copy + other.copy)


class GroupLabels:
    """Labels of one group's tokens.

    Args:
        group: The group; without records nothing is labelled.
        ids: Tokens of the group's passages.
        offsets: Their places in `group.passages`.
    """

    def __init__(self, group: Group, ids: Sequence[int], offsets: Offsets) -> None:
        self._ids = ids
        self._numbers: dict[str, int] = {}
        self._names: dict[str, list[int]] = {}
        self._values: dict[int, dict[str, list[list[int]]]] = {}
        begins, at = [], 0
        shown = group.shown
        for number, (passage, text) in enumerate(zip(shown.passages, shown.texts, strict=True), 1):
            mark = f"[{number}]" if shown.numbered else text
            begins.append(group.passages.index(mark, at))
            at = group.passages.index(text, at)
            if isinstance(passage, Place):
                start = group.passages.index(passage.name, at)
                self._numbers[passage.name] = number
                self._names[passage.name] = _within(offsets, start, start + len(passage.name))
                self._values[number] = _values(passage, group.passages, at, offsets)
            at += len(text)
        subject = [sum(end > begin for begin in begins) or NOTHING for _, end in offsets]
        self.passages = replace(Labels.none(len(ids)), subject=tuple(subject))

    def part(
        self,
        names: Sequence[str],
        text: str,
        ids: Sequence[int],
        offsets: Offsets,
        *,
        before: int = NOTHING,
        said: bool = False,
    ) -> Labels:
        """Labels of a question's or an answer's tokens.

        Args:
            names: Names that are asked about.
            text: The question part of a prompt, or an answer.
            ids: Its tokens.
            offsets: Their places in it.
            before: Subject where the text begins.
            said: Whether the text is an answer.
        """
        mentions = sorted(
            (match.start(), match.end(), name)
            for name in names
            for match in re.finditer(re.escape(name), text)
        )
        subject, source = [before] * len(ids), [NOTHING] * len(ids)
        copied = [NOTHING] * len(ids)
        for start, end, name in mentions:
            for index, (_, stop) in enumerate(offsets):
                if stop >= end:
                    subject[index] = self._numbers.get(name, 0)
            here, there = _within(offsets, start, end), self._names.get(name, [])
            if [ids[i] for i in here] == [self._ids[i] for i in there]:
                for index, origin in zip(here, there, strict=True):
                    source[index] = origin
                    if said and index:
                        copied[index - 1] = origin
        for start, end, number, there in self._stated(text) if said else ():
            here = _within(offsets, start, end)
            if here and here[0] and subject[here[0] - 1] == number and len(here) == len(there):
                for index, origin in zip(here, there, strict=True):
                    copied[index - 1] = origin
        return Labels(tuple(subject), tuple(source), tuple(copied))

    def _stated(self, text: str) -> Iterator[tuple[int, int, int, list[int]]]:
        """Where a text may state a record's value: start, end, the record, the value's tokens."""
        for number, values in self._values.items():
            for value, places in values.items():
                if len(places) > 1:  # "high" may be a price as well as a rating.
                    continue
                for match in _wording(value).finditer(text):
                    yield *match.span(), number, places[0]


@functools.cache
def _wording(value: str) -> re.Pattern[str]:
    """How a value is stated: literally; a yes or no by what follows the verb."""
    if value in {"yes", "no"}:
        kind = "(?:family|child|kid)"
        return re.compile(rf"(?<=is) (?:not(?= (?:a )?{kind})|a(?= {kind})|{kind})")
    return re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.IGNORECASE)


def _values(place: Place, text: str, at: int, offsets: Offsets) -> dict[str, list[list[int]]]:
    """Value → the tokens of each bullet that holds it, in the passage that begins at `at`."""
    values: dict[str, list[list[int]]] = defaultdict(list)
    for attribute, value in place.record.items():
        if attribute != "name":
            start = text.index(f"- {LABELS[attribute]}: {value}", at) + len(LABELS[attribute]) + 4
            values[value].append(_within(offsets, start, start + len(value)))
    return values


def _within(offsets: Offsets, start: int, end: int) -> list[int]:
    """Tokens that lie in a stretch of text; a token may lead with the space before it."""
    return [i for i, (a, b) in enumerate(offsets) if a >= start - 1 and start < b <= end]


class BindingLoss(torch.nn.Module):
    """The auxiliary losses of a Llama-shaped model with at least two layers.

    Args:
        model: The model; its forward passes are observed through hooks until `remove`.
    """

    def __init__(self, model: LlamaForCausalLM) -> None:
        super().__init__()
        layers = model.model.layers
        self._read = torch.nn.Linear(model.config.hidden_size, MOST_PASSAGES + 1)
        torch.nn.init.normal_(self._read.weight, std=0.02)
        self._hidden = torch.empty(0)
        self._names = GuidedHead(layers[1].self_attn, head=0)
        self._copies = GuidedHead(layers[-2].self_attn, head=-1)
        self._hook = layers[len(layers) // 2 - 1].register_forward_hook(self._after_layer)

    def remove(self) -> None:
        """Stop observing the model."""
        for observer in (self._hook, self._names, self._copies):
            observer.remove()

    def _after_layer(self, _: Any, __: Any, output: Any) -> None:
        self._hidden = output[0] if isinstance(output, tuple) else output

    def forward(self, batch: LabelledBatch) -> Tensor:
        """The sum of the losses for the model's last forward pass, nats a token.

        Args:
            batch: What the model has just read.
        """
        # Every process must have a gradient for the same parameters.
        loss = 0.0 * (self._read.weight.sum() + self._read.bias.sum())
        labelled = batch.subject != NOTHING
        if bool(labelled.any()):
            hidden = self._hidden[labelled].float()
            normed = torch.nn.functional.rms_norm(hidden, hidden.shape[-1:])
            read = self._read(normed)
            loss = loss + torch.nn.functional.cross_entropy(read, batch.subject[labelled])
        for head, target in ((self._names, batch.name), (self._copies, batch.copy)):
            if bool((target != NOTHING).any()):
                loss = loss + head.loss(target, batch.mask)
        return loss


class LabelledBatch(Protocol):
    """What the losses need of a batch; all `[B, S]`, as in `Labels`, but the mask.

    Attributes:
        mask: `[B, 1, S, S]`, True where a query may look; None where causality alone says it.
    """

    subject: Tensor
    name: Tensor
    copy: Tensor
    mask: Tensor | None


class GuidedHead:
    """An attention head that is told where to look.

    Args:
        attention: The layer's attention; its input is observed through a hook until `remove`.
        head: Which head; negative numbers count from the last.
    """

    def __init__(self, attention: LlamaAttention, head: int) -> None:
        self._attention = attention
        size = attention.head_dim
        start = head % (attention.q_proj.out_features // size) * size
        self._rows = slice(start, start + size)
        self._states = torch.empty(0)
        self._positions = (torch.empty(0), torch.empty(0))
        self._hook = attention.register_forward_pre_hook(self._before, with_kwargs=True)

    def remove(self) -> None:
        """Stop observing."""
        self._hook.remove()

    def _before(self, _: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._states = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        self._positions = kwargs["position_embeddings"]

    def loss(self, target: Tensor, mask: Tensor | None) -> Tensor:
        """Cross-entropy of the head's last attention with the tokens it should look at.

        Args:
            target: `[B, S]` positions, `NOTHING` where it may look anywhere.
            mask: As in `LabelledBatch`.
        """
        projections = (self._attention.q_proj, self._attention.k_proj)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            query, key = (
                torch.nn.functional.linear(self._states, projection.weight[self._rows])[:, None]
                for projection in projections
            )
            query, key = apply_rotary_pos_emb(query, key, *self._positions)
            scores = (query @ key.transpose(-1, -2))[:, 0].float() / query.shape[-1] ** 0.5
        seen = torch.ones_like(scores, dtype=torch.bool).tril() if mask is None else mask[:, 0]
        labelled = target != NOTHING
        scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)[labelled]
        return torch.nn.functional.cross_entropy(scores, target[labelled])
