"""The loop behind `DeraDecoder.path`: prompts with an interval of λ each, split where a token does.

A node is a prefix and the interval of λ that leads to it. All nodes of a step, of all prompts, are
the rows of one batch. Where a node's next token changes inside its interval it is split, and its
row copied; nodes that end leave. Where a batch would grow beyond its limit, prompts are put by;
the nodes of a prompt that is too large for one batch alone are shared out among several, which take
each step in turn. Shapes: `N` nodes of a batch, `V` token ids.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dera_rag.decoding.mixer import AffineMixer
from dera_rag.decoding.path import BranchLogprobs, LambdaPath, PathSegment, merged
from dera_rag.decoding.path_nodes import Next, Node, Task, grown
from dera_rag.decoding.path_traces import Notes, with_traces
from dera_rag.decoding.rows import Request
from dera_rag.decoding.teacher import Teacher, appended
from dera_rag.decoding.text import Detokenizer
from dera_rag.numerics import Penalty, Sampling, winners
from dera_rag.numerics.envelope import Piece
from dera_rag.numerics.noise import gumbel
from dera_rag.protocols import Branches, LogitPair, PairBackend, PairSession, starter


@dataclass
class _Batch:
    """Nodes that are the rows of a session, in its order."""

    session: PairSession
    nodes: list[Node]
    begun: bool = False


# A node that goes on, and the row of its batch that it comes from.
_Kept = tuple[int, Node]


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
        traced: Whether each segment gets its whole trace.
        batch_size: Most rows of a session, at least the number of prompts. Paths do not depend on
            it. At most as many rows are held in all, unless one prompt alone has more nodes.
        afresh: Whether to reuse nothing of what was read before.
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
        batch_size: int,
        traced: bool = False,
        afresh: bool = False,
    ) -> None:
        self._start = starter(pair, afresh=afresh)
        self._teacher = Teacher(pair, mixer, afresh, batch_size)
        self._mixer = mixer
        self._sampling = sampling
        self._detokenizer = detokenizer
        self._max_segments = max_segments
        self._batch_size = batch_size
        self._tasks = [Task(request) for request in requests]
        # Each entry holds all nodes in progress of its prompts, which are of one length.
        self._notes = Notes() if traced else None
        seen = () if traced else None
        self._waiting = deque([[Node(task, *interval, seen=seen) for task in self._tasks]])
        self._batches: list[_Batch] = []

    def run(self) -> list[LambdaPath]:
        """Decode to the end; paths in the order of the requests."""
        while self._waiting:
            self._batches = self._opened(self._waiting.popleft())
            while self._batches:
                self._advance()
        paths = [
            LambdaPath(merged(task.segments), task.request.prompt, task.request.seed, self._teacher)
            for task in self._tasks
        ]
        if self._notes is None:
            return paths
        return with_traces(paths, [task.seen for task in self._tasks])

    @torch.inference_mode()
    def _advance(self) -> None:
        """Generate one token for every node, splitting nodes as needed."""
        nodes = [node for batch in self._batches for node in batch.nodes]
        found = [winner for batch in self._batches for winner in self._winners(batch)]
        # One at a time, so that the logits of one batch are held and no more.
        children = iter(grown(nodes, found, self._max_segments))
        kept: list[list[_Kept]] = []
        for batch in self._batches:
            rows = [(row, child) for row in range(len(batch.nodes)) for child in next(children)]
            kept.append([(row, child) for row, child in rows if not self._finish(child)])
        kept = self._fitting(kept)
        batches = []
        for batch, rows in zip(self._batches, kept, strict=True):
            if rows:
                self._keep(batch, rows[: self._batch_size])
                batches += [batch, *self._opened([node for _, node in rows[self._batch_size :]])]
        self._batches = batches

    def _opened(self, nodes: Sequence[Node]) -> list[_Batch]:
        """Batches over these nodes; their prompts are read when they first advance."""
        batches = []
        for start in range(0, len(nodes), self._batch_size):
            part = list(nodes[start : start + self._batch_size])
            prompts = [node.task.request.prompt for node in part]
            batches.append(_Batch(self._start(prompts, [Branches.BOTH] * len(part)), part))
        return batches

    def _fitting(self, kept: list[list[_Kept]]) -> list[list[_Kept]]:
        """What goes on at once: prompts are put by until it fits, but for the last one."""
        while True:
            counts = Counter(node.task for rows in kept for _, node in rows)
            if len(counts) < 2 or sum(counts.values()) <= self._batch_size:
                return kept
            most = max(counts, key=counts.__getitem__)
            self._waiting.append([node for rows in kept for _, node in rows if node.task is most])
            kept = [[each for each in rows if each[1].task is not most] for rows in kept]

    def _winners(self, batch: _Batch) -> list[list[Next]]:
        """Each node's next tokens over its interval."""
        logits = self._logits(batch)
        pieces = self._pieces(batch.nodes, logits)
        rows = [row for row, own in enumerate(pieces) for _ in own]
        tokens = [piece.token for own in pieces for piece in own]
        columns = [
            [] if part is None else part.log_softmax(-1)[rows, tokens].tolist() for part in logits
        ]
        values = iter(zip(*columns, strict=True))
        seen = [None] * len(pieces) if self._notes is None else self._notes.rows(logits)
        return [
            [Next(piece, held, *next(values)) for piece in own]
            for own, held in zip(pieces, seen, strict=True)
        ]

    def _logits(self, batch: _Batch) -> LogitPair:
        prefixes = [node.token_ids for node in batch.nodes]
        if not batch.begun:
            batch.begun = True
            logits = batch.session.prefill()
            if not prefixes[0]:
                return logits
            for _ in appended(batch.session, [prefix[:-1] for prefix in prefixes]):
                pass
        return batch.session.step([prefix[-1] for prefix in prefixes])

    def _pieces(self, nodes: Sequence[Node], logits: LogitPair) -> list[list[Piece]]:
        rows = [node.task.request.row for node in nodes]
        scores = self._mixer.affine(logits, step=len(nodes[0].token_ids), rows=rows)
        penalty = None
        if self._sampling.repetition_penalty != 1:
            penalty = Penalty(self._sampling.repetition_penalty, self._seen(nodes, scores.base))
        intervals = [node.interval for node in nodes]
        return winners(scores, intervals, noise=self._noise(nodes, scores.base), penalty=penalty)

    def _noise(self, nodes: Sequence[Node], like: Tensor) -> Tensor | None:
        """T·g, `[N, V]`: what plain decoding adds, made once for nodes of one seed."""
        if self._sampling.greedy:
            return None
        seeds = [node.task.request.seed or 0 for node in nodes]
        place = {seed: i for i, seed in enumerate(dict.fromkeys(seeds))}
        indices = [len(nodes[0].token_ids)] * len(place)
        noise = gumbel(list(place), indices, like.shape[1], like.device)
        return noise.mul_(self._sampling.temperature)[[place[seed] for seed in seeds]]

    def _seen(self, nodes: Sequence[Node], like: Tensor) -> Tensor:
        """`[N, V]` bool, the tokens a repetition penalty counts."""
        seen = torch.zeros_like(like, dtype=torch.bool)
        for row, node in enumerate(nodes):
            seen[row, list(node.token_ids)] = True
            if self._sampling.repetition_scope == "all":
                seen[row, list(node.task.request.prompt)] = True
        return seen

    def _finish(self, node: Node) -> bool:
        """Whether the node's answer has ended; then it is kept as a segment."""
        ending = self._detokenizer.ending(node.token_ids, self._sampling.max_new_tokens)
        if ending is None:
            return False
        if node.seen is not None:
            node.task.seen[node.token_ids] = node.seen
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

    def _keep(self, batch: _Batch, rows: Sequence[_Kept]) -> None:
        """Make the session's rows those of the nodes that go on."""
        parents = [row for row, _ in rows]
        if parents != list(range(len(batch.nodes))):
            batch.session.select(parents)
        batch.nodes = [node for _, node in rows]
