"""Decoding threads and their process: none outlives it, and a forked child begins without any."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Protocol


class Decoding(Protocol):
    """Something with a thread that decodes."""

    def close(self) -> None:
        """End the thread, and start none any more."""
        ...

    def reset(self) -> None:
        """Forget the thread and all it was doing."""
        ...


_WATCHED: weakref.WeakSet[Decoding] = weakref.WeakSet()


def watch(decoding: Decoding) -> None:
    """See to it that its thread ends with the process, and is not waited for in a child of it."""
    _WATCHED.add(decoding)


@atexit.register
def _close_all() -> None:
    # A thread inside torch while the interpreter goes down brings the process down with it.
    for decoding in list(_WATCHED):
        decoding.close()


def _begin_anew() -> None:
    # The child has all memory, but no thread besides its own; its locks may be held by others, and
    # whoever waits for what was under way waits in the parent.
    for decoding in list(_WATCHED):
        decoding.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
