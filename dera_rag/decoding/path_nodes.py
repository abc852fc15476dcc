"""Nodes of paths in progress, and how many segments each may become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dera_rag.decoding.path import PathSegment
from dera_rag.decoding.path_traces import Seen
from dera_rag.decoding.rows import Request
from dera_rag.numerics.envelope import Piece


@dataclass(eq=False)
class Task:
    """A prompt, and what is known of its path.

    Attributes:
        request: The prompt and its seed; its λ is not read.
        segments: Answers that have ended.
        leaves: Segments there will be at least: ended answers and nodes in progress.
        seen: Answers that have ended, and the logits that decoded them, where those are held.
    """

    request: Request
    segments: list[PathSegment] = field(default_factory=list)
    leaves: int = 1
    seen: dict[tuple[int, ...], tuple[Seen, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Node:
    """A prefix, and the interval of λ that leads to it.

    Attributes:
        task: Whose prefix.
        lo: Lower end.
        hi: Upper end.
        exact: Whether it is decoded over all of [lo, hi]; else at lo alone.
        token_ids: The prefix.
        reference: log π_reference of each of its tokens.
        aligned: log π_aligned of each of its tokens.
        seen: The logits of each of its tokens; None where they are not held.
    """

    task: Task
    lo: float
    hi: float
    exact: bool = True
    token_ids: tuple[int, ...] = ()
    reference: tuple[float, ...] = ()
    aligned: tuple[float, ...] = ()
    seen: tuple[Seen, ...] | None = field(default=None, repr=False, compare=False)

    @property
    def interval(self) -> tuple[float, float]:
        """Where its next token is looked for."""
        return self.lo, self.hi if self.exact else self.lo


class Next(NamedTuple):
    """The token that wins over a part of a node's interval, and what both models think of it.

    Attributes:
        piece: The token and the part.
        seen: The logits that it was drawn from, where they are held.
        reference: log π_reference of the token.
        aligned: log π_aligned of the token.
    """

    piece: Piece
    seen: Seen | None
    reference: float
    aligned: float


def grown(
    nodes: Sequence[Node], found: Sequence[Sequence[Next]], max_segments: int
) -> list[list[Node]]:
    """The nodes one token later; splits stop where a prompt's budget does.

    Wide intervals are split first. What a node may not split any more is given to its first token
    over what is left, and decoded at that part's lower end. All nodes in progress of a prompt must
    be given at once: which of them are split then depends on nothing else.

    Args:
        nodes: Nodes of one length.
        found: The winners over each node's interval, ascending.
        max_segments: Most segments of one prompt.

    Returns:
        For each node the one or several that follow it.
    """
    allowed = [1] * len(nodes)
    for i in sorted(range(len(nodes)), key=lambda i: (nodes[i].lo - nodes[i].hi, nodes[i].lo)):
        task = nodes[i].task
        allowed[i] = min(len(found[i]), 1 + max_segments - task.leaves)
        task.leaves += allowed[i] - 1
    return [_children(*each) for each in zip(nodes, found, allowed, strict=True)]


def _children(node: Node, found: Sequence[Next], allowed: int) -> list[Node]:
    children = []
    for i, (piece, seen, reference, aligned) in enumerate(found[:allowed]):
        last = i == allowed - 1
        children.append(
            Node(
                node.task,
                piece.lo,
                # Of a node that is not exact the only piece is a point.
                node.hi if last else piece.hi,
                node.exact and not (last and allowed < len(found)),
                (*node.token_ids, piece.token),
                (*node.reference, reference),
                (*node.aligned, aligned),
                None if node.seen is None or seen is None else (*node.seen, seen),
            )
        )
    return children
