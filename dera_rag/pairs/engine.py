"""Which engine runs a branch of a causal pair: lean, or transformers as it is.

The rule: lean wherever it can run (`lean_obstacle`). On the embedded pair in float32 it took two
thirds of the generic engine's processor time, for one row, nine λ's and the λ-path alike; nothing
is measured when a pair is loaded. Packing changes how a model's weights are
stored, so objects that the caller owns are left alone unless it is asked for.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from torch import Tensor
from transformers import PreTrainedModel

from dera_rag.errors import InvalidValueError
from dera_rag.pairs.lean import LeanRows, lean_obstacle, packed
from dera_rag.pairs.memory import MemoryProbe, free_memory
from dera_rag.pairs.prefixes import PrefixCache
from dera_rag.pairs.rows import BranchRows, can_draft
from dera_rag.protocols import Branches

_LOG = logging.getLogger(__name__)

Engine = Literal["auto", "lean", "generic"]
# Bytes of keys and values of earlier prompts that a pair keeps, both branches together.
PREFIX_CACHE = 256 * 2**20
# Share of free memory that copies of both output layers may take where nobody has said.
_COPIES = 0.1


def check_engine(engine: str, prefix_cache: int) -> Engine:
    """A valid choice.

    Raises:
        InvalidValueError: Another engine, or a negative number of bytes.
    """
    if engine not in get_args(Engine):
        raise InvalidValueError(
            f"unknown engine {engine!r}", hint=f"one of {', '.join(get_args(Engine))}"
        )
    if isinstance(prefix_cache, bool) or not isinstance(prefix_cache, int) or prefix_cache < 0:
        raise InvalidValueError(
            f"prefix_cache must be bytes ≥ 0, got {prefix_cache!r}", hint="0 switches it off"
        )
    return engine  # type: ignore[return-value]


@dataclass(frozen=True)
class LeanBranches:
    """The branches of a pair that run on the lean engine.

    Attributes:
        rows: For each of them, a function that gives empty rows; the others are left out.
        afresh: Likewise, with rows that read every prompt whole.
        prefixes: What the rows of `rows` remember of earlier prompts.
    """

    rows: Mapping[Branches, Callable[[], BranchRows]] = field(default_factory=dict)
    afresh: Mapping[Branches, Callable[[], BranchRows]] = field(default_factory=dict)
    prefixes: tuple[PrefixCache, ...] = ()


def lean_branches(
    models: Mapping[Branches, PreTrainedModel],
    vocab_size: int,
    engine: Engine,
    prefix_cache: int,
    owned: Mapping[Branches, bool],
    *,
    copy_head: bool | None = None,
    probe: MemoryProbe = free_memory,
) -> LeanBranches:
    """The branches that run on the lean engine.

    Args:
        models: The two models; those that run lean are packed in place.
        vocab_size: V.
        engine: "auto", "lean" or "generic".
        prefix_cache: Bytes for keys and values of earlier prompts, both branches together; 0 for
            none.
        owned: Whether each model was loaded here; "auto" packs no other.
        copy_head: Whether output layers tied to the embedding are packed as copies; None copies
            them where they are a small part of what is free.
        probe: What is free.

    Raises:
        InvalidValueError: "lean" for a model that it cannot run.
    """
    if engine == "generic":
        return LeanBranches()
    obstacles = {branch: lean_obstacle(model) for branch, model in models.items()}
    if engine == "auto":
        loaded = {branch: None if own else "a loaded object" for branch, own in owned.items()}
        obstacles = {branch: loaded[branch] or why for branch, why in obstacles.items()}
    for branch, obstacle in obstacles.items():
        if obstacle is None:
            continue
        if engine == "lean":
            name = (branch.name or "").lower()
            raise InvalidValueError(
                f"the {name} model cannot run on the lean engine: {obstacle}",
                hint="engine='auto' falls back to transformers",
            )
        _LOG.debug("%s runs on the generic engine: %s", branch.name, obstacle)
    # One model on both sides is packed once, and reads a prompt once.
    lean = {id(model): model for b, model in models.items() if obstacles[b] is None}
    caches = {key: PrefixCache(prefix_cache // len(models)) for key in lean if prefix_cache}
    if copy_head is None:
        copy_head = _copies_fit(lean.values(), probe)
    afresh = {
        key: functools.partial(LeanRows, packed(model, copy_head=copy_head), vocab_size)
        for key, model in lean.items()
    }
    rows = {key: functools.partial(new, caches.get(key)) for key, new in afresh.items()}
    places = {branch: id(model) for branch, model in models.items() if id(model) in lean}
    return LeanBranches(
        {branch: rows[key] for branch, key in places.items()},
        {branch: afresh[key] for branch, key in places.items()},
        tuple(caches.values()),
    )


def generic_prefixes(
    models: Mapping[Branches, PreTrainedModel],
    prefix_cache: int,
    owned: Mapping[Branches, bool],
) -> dict[Branches, PrefixCache]:
    """What the branches that run on transformers remember of earlier prompts.

    Args:
        models: The models of these branches.
        prefix_cache: Bytes for each of them; 0 for none.
        owned: Whether each model was loaded here: the weights of others may change meanwhile.

    Returns:
        A cache for each branch that can have one; one object for one model.
    """
    if not prefix_cache:
        return {}
    caches = {id(model): PrefixCache(prefix_cache) for model in models.values()}
    return {
        branch: caches[id(model)]
        for branch, model in models.items()
        if owned[branch] and not model.config.is_encoder_decoder and can_draft(model)
    }


def _copies_fit(models: Iterable[PreTrainedModel], probe: MemoryProbe) -> bool:
    size = sum(cast(Tensor, model.get_input_embeddings().weight).nbytes for model in models)
    free = probe("cpu")
    return free is None or size <= _COPIES * free
