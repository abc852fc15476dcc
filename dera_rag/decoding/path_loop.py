"""The loop behind `DeraDecoder.path`: prompts with an interval of λ each, split where a token does.

A node is a prefix and the interval of λ that leads to it. All nodes of a step, of all prompts, are
the rows of one batch. Where a node's next token changes inside its interval it is split, and its
row copied; nodes that end leave. Shapes: `N` nodes, `V` token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dera_rag.decoding.mixer import AffineMixer
from dera_rag.decoding.path import BranchLogprobs, LambdaPath, PathSegment, merged
from dera_rag.decoding.rows import Request
from dera_rag.decoding.teacher import Teacher
from dera_rag.decoding.text import Detokenizer
from dera_rag.numerics import Penalty, Sampling, winners
from dera_rag.numerics.envelope import Piece
from dera_rag.numerics.noise import gumbel
from dera_rag.protocols import Branches, LogitPair, PairBackend


@dataclass
class _Task:
    """A prompt, and what is known of its path."""

    request: Request
    segments: list[PathSegment] = field(default_factory=list)
    leaves: int = 1


@dataclass
class _Node:
    """A prefix in progress; the loop decodes over [lo, hi], or at lo alone if not exact."""

    task: _Task
    lo: float
    hi: float
    exact: bool = True
    token_ids: tuple[int, ...] = ()
    reference: tuple[float, ...] = ()
    aligned: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Child:
    """A node's continuation over a part of its interval."""

    parent: int
    piece: Piece
    exact: bool


class PathDecode:
    """Some prompts' paths being decoded together.

    Args:
        pair: Where logits come from.
        requests: The prompts, at least one; their λ is not read.
        interval: (lo, hi) of λ.
        sampling: Settings; no truncation unless greedy.
        detokenizer: Decodes text and knows what stops an answer.
        mixer: Makes lines of both branches' logits.
        max_segments: Most segments of one prompt.
    """

    def __init__(
        self,
        pair: PairBackend,
        requests: Sequence[Request],
        interval: tuple[float, float],
        *,
        sampling: Sampling,
        detokenizer: Detokenizer,
        mixer: AffineMixer,
        max_segments: int,
    ) -> None:
        self._teacher = Teacher(pair, mixer)
        self._mixer = mixer
        self._sampling = sampling
        self._detokenizer = detokenizer
        self._max_segments = max_segments
        self._tasks = [_Task(request) for request in requests]
        self._nodes = [_Node(task, *interval) for task in self._tasks]
        self._session = pair.start(
            [request.prompt for request in requests], [Branches.BOTH] * len(requests)
        )
        self._seen: Tensor | None = None
        self._step = 0

    def run(self) -> list[LambdaPath]:
        """Decode to the end; paths in the order of the requests."""
        while self._nodes:
            self._advance()
        return [
            LambdaPath(merged(task.segments), task.request.prompt, task.request.seed, self._teacher)
            for task in self._tasks
        ]

    @torch.inference_mode()
    def _advance(self) -> None:
        """Generate one token for every node, splitting nodes as needed."""
        if self._step:
            logits = self._session.step([node.token_ids[-1] for node in self._nodes])
        else:
            logits = self._session.prefill()
        children = self._children(self._pieces(logits))
        nodes = self._grown(children, logits)
        self._step += 1
        kept = [i for i, node in enumerate(nodes) if not self._finish(node)]
        rows = len(self._nodes)
        self._nodes = [nodes[i] for i in kept]
        if kept:
            self._select([children[i].parent for i in kept], rows)

    def _pieces(self, logits: LogitPair) -> list[list[Piece]]:
        """Each node's next tokens over its interval."""
        scores = self._mixer.affine(
            logits, step=self._step, rows=[node.task.request.row for node in self._nodes]
        )
        penalty = None
        if self._sampling.repetition_penalty != 1:
            if self._seen is None:
                self._seen = self._prompt_tokens(scores.base)
            penalty = Penalty(self._sampling.repetition_penalty, self._seen)
        intervals = [(node.lo, node.hi if node.exact else node.lo) for node in self._nodes]
        return winners(scores, intervals, noise=self._noise(scores.base), penalty=penalty)

    def _noise(self, like: Tensor) -> Tensor | None:
        """T·g, `[N, V]`: what plain decoding adds, made once for nodes of one seed."""
        if self._sampling.greedy:
            return None
        seeds = [node.task.request.seed or 0 for node in self._nodes]
        place = {seed: i for i, seed in enumerate(dict.fromkeys(seeds))}
        noise = gumbel(list(place), [self._step] * len(place), like.shape[1], like.device)
        return noise.mul_(self._sampling.temperature)[[place[seed] for seed in seeds]]

    def _children(self, pieces: Sequence[list[Piece]]) -> list[_Child]:
        """Continuations in the order of the nodes; splits stop where a prompt's budget does.

        Wide intervals are split first. What a node may not split any more is given to its first
        token over what is left, and decoded at that part's lower end.
        """
        allowed = [1] * len(pieces)
        for i in sorted(range(len(pieces)), key=lambda i: self._nodes[i].lo - self._nodes[i].hi):
            task = self._nodes[i].task
            allowed[i] = min(len(pieces[i]), 1 + self._max_segments - task.leaves)
            task.leaves += allowed[i] - 1
        children = []
        for i, node in enumerate(self._nodes):
            parts = pieces[i][: allowed[i]]
            cut = len(parts) < len(pieces[i])
            parts[-1] = parts[-1]._replace(hi=node.hi)
            children += [
                _Child(i, part, node.exact and not (cut and part is parts[-1])) for part in parts
            ]
        return children

    def _grown(self, children: Sequence[_Child], logits: LogitPair) -> list[_Node]:
        """The nodes one token later, with both models' log-probabilities of it."""
        parents = [child.parent for child in children]
        tokens = [child.piece.token for child in children]
        columns = []
        for branch in logits:
            values = branch.log_softmax(-1) if branch is not None else None
            columns.append([] if values is None else values[parents, tokens].tolist())
        nodes = []
        for child, reference, aligned in zip(children, *columns, strict=True):
            parent = self._nodes[child.parent]
            nodes.append(
                _Node(
                    parent.task,
                    child.piece.lo,
                    child.piece.hi,
                    child.exact,
                    (*parent.token_ids, child.piece.token),
                    (*parent.reference, reference),
                    (*parent.aligned, aligned),
                )
            )
        return nodes

    def _finish(self, node: _Node) -> bool:
        """Whether the node's answer has ended; then it is kept as a segment."""
        ending = self._detokenizer.ending(node.token_ids, self._sampling.max_new_tokens)
        if ending is None:
            return False
        node.task.segments.append(
            PathSegment(
                node.lo,
                node.hi,
                ending.text,
                node.token_ids,
                ending.finish_reason,
                node.exact,
                BranchLogprobs(node.reference, node.aligned),
            )
        )
        return True

    def _select(self, parents: Sequence[int], rows: int) -> None:
        """Make the session's rows those of the nodes, out of the `rows` it holds."""
        if self._seen is not None:
            tokens = torch.tensor([n.token_ids[-1:] for n in self._nodes], device=self._seen.device)
            self._seen = self._seen[list(parents)].scatter_(1, tokens, True)
        if list(parents) != list(range(rows)):
            self._session.select(parents)

    def _prompt_tokens(self, like: Tensor) -> Tensor:
        """`[N, V]` bool, the tokens a repetition penalty starts with."""
        seen = torch.zeros_like(like, dtype=torch.bool)
        if self._sampling.repetition_scope == "all":
            for i, node in enumerate(self._nodes):
                seen[i, list(node.task.request.prompt)] = True
        return seen
