"""An answer as it comes: pieces of text, then the whole; who stops listening gives it up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Protocol, TypeVar

from dera_rag.langchain.jobs import Answer, Listener


class Call(Protocol):
    """Something that can be asked of an engine."""

    def start(self, listener: Listener | None = None) -> Future[Answer]:
        """Ask; the listener is told each piece of text."""
        ...


_Call = TypeVar("_Call", bound=Call)


def wait(future: Future[Answer]) -> Answer:
    """The answer; a caller that is interrupted gives it up."""
    try:
        return future.result()
    finally:
        future.cancel()


async def await_answer(read: Callable[[], _Call]) -> tuple[_Call, Answer]:
    """A call and its answer; a task that is cancelled gives it up.

    Args:
        read: Makes the call; run in a thread, for it may load a pair.
    """
    call = await asyncio.get_running_loop().run_in_executor(None, read)
    return call, await asyncio.wrap_future(call.start())


def follow(call: Call) -> Generator[str | Answer]:
    """Pieces of text, and at last the answer."""
    queue: SimpleQueue[str | None] = SimpleQueue()
    future = call.start(queue.put)
    future.add_done_callback(lambda _: queue.put(None))
    try:
        while (piece := queue.get()) is not None:
            yield piece
        yield future.result()
    finally:
        future.cancel()


async def afollow(call: Call) -> AsyncGenerator[str | Answer]:
    """`follow` in an event loop."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(piece: str | None) -> None:
        # Of a closed loop, an error: it tells the engine that no one listens any more.
        loop.call_soon_threadsafe(queue.put_nowait, piece)

    def ended(_: Future[Answer]) -> None:
        with suppress(RuntimeError):
            tell(None)

    future = call.start(tell)
    future.add_done_callback(ended)
    try:
        while (piece := await queue.get()) is not None:
            yield piece
        yield future.result()
    finally:
        future.cancel()
