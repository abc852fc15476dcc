"""Runs a suite again and again, ends each run in some cruel way, resumes it, compares the bytes.

    python kill_driver.py SUITE FOLDER WAY SEED COUNT

WAY is `bytes` (killed in the middle of a write), `time` (killed at a random moment) or `full` (no
file may grow beyond a random size, as on a full disk). One process that has loaded everything forks
the runs: what is tested is the runner, not how long imports take.
"""

import os
import random
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

from dera_rag.errors import RunFolderError
from dera_rag.evaluation.runner import resume, run

FILES = ("generations.jsonl", "scores.jsonl")


def in_child(work):
    """Exit status of a fork that does some work: 0 done, 3 stopped by an error, < 0 killed."""
    child = os.fork()
    if child == 0:
        status = 3
        try:
            work()
            status = 0
        except RunFolderError:
            pass
        finally:
            os._exit(status)
    return child


def wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def go(suite, folder):
    """What a user does: run, or resume where there is something to resume."""
    begun = (folder / "manifest.json").exists()
    (resume(folder, workers=0) if begun else run(suite, folder, workers=0))


def torn(budget):
    """Let this process write so many bytes, tear the write that goes beyond, and die."""
    left, write = budget, os.pwrite

    def pwrite(handle, data, at):
        nonlocal left
        if len(data) > left:
            write(handle, data[:left], at)
            os.kill(os.getpid(), signal.SIGKILL)
        left -= len(data)
        return write(handle, data, at)

    os.pwrite = pwrite


def full(size):
    """Let no file of this process grow beyond a size."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def attempt(suite, folder, way, rng, whole, seconds):
    """One run or resume that is ended; its exit status."""
    size = sum((whole / name).stat().st_size for name in FILES)
    if way == "time":
        child = in_child(lambda: go(suite, folder))
        time.sleep(rng.uniform(0, 1.2 * seconds))
        os.kill(child, signal.SIGKILL)
        return wait(child)
    limit = rng.randrange(size) if way == "bytes" else rng.randrange(int(size * 0.8))
    hurt = torn if way == "bytes" else full
    return wait(in_child(lambda: (hurt(limit), go(suite, folder))))


def main():
    suite, base, way = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    seed, count = int(sys.argv[4]), int(sys.argv[5])
    rng = random.Random(seed)
    whole = base / "whole"
    # Once for what is loaded once, once for the time.
    go(suite, base / "first")
    started = time.monotonic()
    assert wait(in_child(lambda: go(suite, whole))) == 0
    seconds = time.monotonic() - started
    stopped = 0
    for trial in range(count):
        folder = base / f"trial-{trial}"
        for _ in range(rng.randrange(1, 4)):
            status = attempt(suite, folder, way, rng, whole, seconds)
            assert status in (0, 3, -signal.SIGKILL), status
            stopped += status != 0
        assert wait(in_child(lambda folder=folder: go(suite, folder))) == 0
        for name in FILES:
            assert (folder / name).read_bytes() == (whole / name).read_bytes(), (trial, name)
        shutil.rmtree(folder)
    sys.stdout.write(f"{stopped}\n")


if __name__ == "__main__":
    main()
