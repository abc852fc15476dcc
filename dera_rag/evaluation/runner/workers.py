"""Jobs in worker processes that never outlive their parent; results in the order of the jobs."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import TYPE_CHECKING

from dera_rag.errors import RunFolderError
from dera_rag.evaluation.runner.bench import Bench, Done, Job
from dera_rag.evaluation.runner.threads import one_thread

if TYPE_CHECKING:
    from dera_rag.evaluation.runner.manifest import Manifest

# Jobs handed out ahead of the one whose turn it is, for each worker: what a kill can lose.
_AHEAD = 3
_ATTEMPTS = 2
_bench: Bench | None = None
_process = contextlib.ExitStack()


def do_all(manifest: Manifest, jobs: Sequence[Job], workers: int) -> Iterator[Done]:
    """Do jobs and give their results in the order of the jobs.

    Args:
        manifest: The run.
        jobs: What to do.
        workers: Processes; 0 does the jobs in this one.

    Yields:
        One result a job.

    Raises:
        RunFolderError: Workers die at one job again and again, as for want of memory.
    """
    if workers == 0:
        with one_thread():
            yield from map(Bench(manifest).do, jobs)
        return
    at, deaths = 0, 0
    while at < len(jobs):
        try:
            for done in _in_pool(manifest, jobs[at:], workers):
                yield done
                at, deaths = at + 1, 0
        except BrokenProcessPool as error:
            deaths += 1
            if deaths == _ATTEMPTS:
                raise RunFolderError(
                    f"a worker died at batch {jobs[at].batch.key}, {_ATTEMPTS} times",
                    hint="often memory: resume with --workers 1 or a smaller `batch`",
                ) from error


def _in_pool(manifest: Manifest, jobs: Sequence[Job], workers: int) -> Iterator[Done]:
    waiting: collections.deque[Future[Done]] = collections.deque()
    left = iter(jobs)
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(manifest,)
    )
    try:
        for job in left:
            waiting.append(pool.submit(_do, job))
            if len(waiting) == workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(manifest: Manifest) -> None:
    """Set a worker up; its models are loaded at its first job."""
    global _bench  # noqa: PLW0603 - a pool's workers have no other place for what they keep
    # Ctrl-C is the parent's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _process.enter_context(one_thread())
    _bench = Bench(manifest)


def _do(job: Job) -> Done:
    if _bench is None:
        raise RuntimeError("a worker was not set up")
    return _bench.do(job)


def _end_with_parent() -> None:
    """A parent that is killed cannot tell its workers: they watch it."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
